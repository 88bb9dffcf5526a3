//! OAuth 2.0: authorization code with PKCE, refresh tokens that change at each use, client credentials. One file a part.

mod authorize;
mod clients;
mod error;
mod grants;
mod token;

use std::sync::Arc;

use axum::{
    Router,
    routing::{get, post},
};

pub(crate) use clients::{create as create_client, ensure_builtin};
pub(crate) use grants::Grants;

use crate::app::App;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/auth/oauth/authorize", get(authorize::page).post(authorize::decide))
        .route("/auth/oauth/token", post(token::token))
        .route("/auth/oauth/revoke", post(token::revoke))
        .route("/auth/oauth/userinfo", get(token::userinfo))
}

/// The scopes that may be asked for.
pub(crate) const SCOPES: [&str; 6] = ["openid", "profile", "email", "read", "write", "admin"];

/// A space-separated list of scopes, each once; nothing when one is not known.
fn scopes(text: &str) -> Option<Vec<String>> {
    let mut list: Vec<String> = Vec::new();
    for scope in text.split_ascii_whitespace() {
        if !SCOPES.contains(&scope) {
            return None;
        }
        if !list.iter().any(|known| known == scope) {
            list.push(scope.to_owned());
        }
    }
    Some(list)
}
