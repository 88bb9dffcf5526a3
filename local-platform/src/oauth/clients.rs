//! Programs that may ask for tokens: a built-in public one for command lines, and those registered through `/_local`.

use std::sync::Arc;

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;
use sqlx::Row as _;
use subtle::ConstantTimeEq as _;

use super::{SCOPES, error::OAuthError};
use crate::{
    app::App,
    clock,
    error::ApiError,
    http::Json,
    ids, keys,
    store::{Store, Tx},
    validate::Checks,
};

/// The public client that every platform has: a program on the same machine, which is called back on loopback.
const BUILTIN: &str = "storycore-cli";

/// A client as it is stored.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) id: String,
    pub(super) organization_id: String,
    pub(super) user_id: String,
    pub(super) name: String,
    secret_hash: Option<Vec<u8>>,
    redirect_uris: Vec<String>,
    pub(super) scopes: Vec<String>,
}

impl Client {
    /// The client with this id.
    pub(super) async fn find(app: &App, id: &str) -> Result<Option<Self>, ApiError> {
        let row = sqlx::query(
            "SELECT id, organization_id, user_id, name, secret_hash, redirect_uris, scopes FROM oauth_clients WHERE id = ?1",
        )
        .bind(id)
        .fetch_optional(app.store.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let list = |column: usize| -> Result<Vec<String>, ApiError> {
            serde_json::from_str(row.try_get(column)?).map_err(ApiError::internal)
        };
        Ok(Some(Self {
            id: row.try_get(0)?,
            organization_id: row.try_get(1)?,
            user_id: row.try_get(2)?,
            name: row.try_get(3)?,
            secret_hash: row.try_get(4)?,
            redirect_uris: list(5)?,
            scopes: list(6)?,
        }))
    }

    pub(super) fn is_confidential(&self) -> bool {
        self.secret_hash.is_some()
    }

    /// Whether the client is who it says: a confidential one shows its secret, a public one has none.
    pub(super) fn authenticate(&self, secret: Option<&str>) -> Result<(), OAuthError> {
        let good = match (&self.secret_hash, secret) {
            (Some(kept), Some(given)) => bool::from(kept.as_slice().ct_eq(&keys::hash(given))),
            (None, None) => true,
            _ => false,
        };
        if good {
            Ok(())
        } else {
            Err(OAuthError::new("invalid_client", "the client's secret is not right"))
        }
    }

    /// Whether the user may be sent back there: exactly as registered, but for the port of a loopback address (RFC 8252).
    pub(super) fn takes_redirect(&self, uri: &str) -> bool {
        self.redirect_uris
            .iter()
            .any(|known| known == uri || (is_loopback(known) && portless(known) == portless(uri)))
    }
}

fn is_loopback(uri: &str) -> bool {
    portless(uri).is_some_and(|uri| {
        let host = uri.split(['/', '?']).next().unwrap_or_default();
        matches!(host, "127.0.0.1" | "localhost" | "[::1]")
    })
}

/// A plain http address without its port; nothing for what has more in its authority than host and port.
fn portless(uri: &str) -> Option<String> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    if authority.contains('@') || path.contains('#') {
        return None;
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => host,
        _ => authority,
    };
    Some(format!("{host}{path}"))
}

/// Makes the built-in client, unless it is there.
pub(crate) async fn ensure_builtin(
    store: &Store,
    organization: &str,
    user: &str,
) -> Result<(), ApiError> {
    let mut tx = store.begin().await?;
    sqlx::query(
        "INSERT INTO oauth_clients (id, organization_id, user_id, name, redirect_uris, scopes, created_at)
         VALUES (?1, ?2, ?3, 'StoryCore command line', ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    )
    .bind(BUILTIN)
    .bind(organization)
    .bind(user)
    .bind(json!(["http://127.0.0.1/callback", "http://localhost/callback", "http://[::1]/callback"]).to_string())
    .bind(json!(SCOPES).to_string())
    .bind(clock::text(Timestamp::now()))
    .execute(tx.sql())
    .await?;
    tx.commit().await?;
    Ok(())
}

/// `POST /_local/oauth/clients`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewClient {
    name: String,
    #[serde(default)]
    redirect_uris: Vec<String>,
    #[serde(default)]
    confidential: bool,
    #[serde(default)]
    scopes: Vec<String>,
    /// Whose data it reaches. Default: the first key's organization.
    #[serde(default)]
    organization_id: Option<String>,
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Json(new): Json<NewClient>,
) -> Result<Response, ApiError> {
    let mut checks = Checks::default();
    checks.text(&new.name, "name", 1, 200);
    for uri in &new.redirect_uris {
        let plain = uri.bytes().all(|b| b.is_ascii_graphic()) && !uri.contains('#');
        checks.that(
            plain && (uri.starts_with("https://") || is_loopback(uri)),
            "redirect_uris",
            "must be https, or http to loopback, without a fragment",
        );
    }
    for scope in &new.scopes {
        checks.that(
            SCOPES.contains(&scope.as_str()),
            "scopes",
            format!("{scope:?} is none of {}", SCOPES.join(", ")),
        );
    }
    checks.finish()?;
    let mut tx = app.store.begin().await?;
    let Some((organization, user)) = owner(&mut tx, new.organization_id.as_deref()).await? else {
        return Err(ApiError::field("organization_id", "there is no such organization"));
    };
    let (id, secret) = (ids::new("cli"), new.confidential.then(|| ids::secret("cs_")));
    let scopes = if new.scopes.is_empty() {
        SCOPES.iter().map(|s| (*s).to_owned()).collect()
    } else {
        new.scopes
    };
    sqlx::query(
        "INSERT INTO oauth_clients (id, organization_id, user_id, name, secret_hash, redirect_uris, scopes, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )
    .bind(&id)
    .bind(&organization)
    .bind(&user)
    .bind(&new.name)
    .bind(secret.as_deref().map(|s| keys::hash(s).to_vec()))
    .bind(json!(new.redirect_uris).to_string())
    .bind(json!(scopes).to_string())
    .bind(clock::text(app.clock.now()))
    .execute(tx.sql())
    .await?;
    tx.commit().await?;
    let mut shown = json!({"client_id": id, "name": new.name, "redirect_uris": new.redirect_uris, "scopes": scopes});
    if let Some(secret) = secret {
        shown["client_secret"] = json!(secret);
    }
    Ok((StatusCode::CREATED, axum::Json(shown)).into_response())
}

/// The organization, or the one of the first key, and its first user.
async fn owner(
    tx: &mut Tx<'_>,
    organization: Option<&str>,
) -> Result<Option<(String, String)>, ApiError> {
    let row = match organization {
        Some(id) => {
            sqlx::query("SELECT organization_id, id FROM users WHERE organization_id = ?1 ORDER BY created_at LIMIT 1")
                .bind(id)
                .fetch_optional(tx.sql())
                .await?
        }
        None => {
            sqlx::query("SELECT organization_id, user_id FROM api_keys WHERE is_first = 1")
                .fetch_optional(tx.sql())
                .await?
        }
    };
    Ok(match row {
        Some(row) => Some((row.try_get(0)?, row.try_get(1)?)),
        None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loopback_address_may_have_any_port_and_no_other_may() {
        let client = Client {
            id: String::new(),
            organization_id: String::new(),
            user_id: String::new(),
            name: String::new(),
            secret_hash: None,
            redirect_uris: vec!["http://127.0.0.1/callback".into(), "https://a.io/back".into()],
            scopes: Vec::new(),
        };
        for good in
            ["http://127.0.0.1:8123/callback", "http://127.0.0.1/callback", "https://a.io/back"]
        {
            assert!(client.takes_redirect(good), "{good}");
        }
        for bad in [
            "http://127.0.0.1:8123/other",
            "http://127.0.0.1:1@evil.io/callback",
            "https://a.io:444/back",
            "https://a.io/back?x=1",
            "http://localhost:1/callback",
            "http://127.0.0.1.evil.io/callback",
        ] {
            assert!(!client.takes_redirect(bad), "{bad}");
        }
    }
}
