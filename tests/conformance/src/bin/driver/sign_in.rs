//! Signing in with a browser's help: the page to open, then tokens for the code that came back.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex, PoisonError},
};

use serde_json::{Value, json};
use storycore::{Client, Error, oauth::Authorization};

/// The sign-in that was begun last. A scenario has one.
static BEGUN: Mutex<Option<Authorization>> = Mutex::new(None);

/// The tokens that were got, by the code they were got with, for a client that is to use them.
pub(crate) static TOKENS: LazyLock<Mutex<HashMap<String, storycore::oauth::TokenSet>>> =
    LazyLock::new(Mutex::default);

/// The address of the page, and what it asks with.
pub(crate) fn begin(client: &Client, args: &Value) -> Result<Value, Error> {
    let text = |name: &str| args[name].as_str().unwrap_or_default();
    let scopes = args["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let authorization = Authorization::new(text("client_id"), text("redirect_uri"), scopes);
    let url = authorization.url(client)?;
    *BEGUN.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
    Ok(json!({"url": url}))
}

/// Tokens for a code, kept under it.
pub(crate) async fn exchange(client: &Client, args: &Value) -> Result<Value, Error> {
    let text = |name: &str| args[name].as_str().unwrap_or_default();
    let authorization = BEGUN.lock().unwrap_or_else(PoisonError::into_inner).take();
    let authorization = authorization.expect("a scenario begins a sign-in first");
    let got = authorization.exchange(client, text("code"), text("state")).await;
    *BEGUN.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
    let tokens = got?;
    let told =
        json!({"expires_in": tokens.expires_in, "refreshes": tokens.refresh_token.is_some()});
    TOKENS.lock().unwrap_or_else(PoisonError::into_inner).insert(text("code").to_owned(), tokens);
    Ok(told)
}
