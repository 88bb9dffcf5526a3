//! `/auth/oauth/authorize`: the page on which the machine's user allows a program in, and what they decide.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::{SignedDuration, Timestamp};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use super::{clients::Client, scopes};
use crate::{app::App, clock, error::ApiError, http::Whole, ids, keys};

/// How long a code holds.
const CODE_S: i64 = 60;
/// The cookie that ties a decision to the page that was shown.
const COOKIE: &str = "storycore_consent";

/// What a program asks with.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    response_type: String,
    client_id: String,
    redirect_uri: String,
    scope: String,
    state: String,
    code_challenge: String,
    code_challenge_method: String,
    /// Of the decision alone.
    csrf: String,
    decision: String,
}

/// A request that may be answered by a redirect.
struct Checked {
    client: Client,
    scopes: Vec<String>,
}

/// Whether the client and its redirect address are good: until then nothing is sent anywhere.
async fn check(app: &App, asked: &Asked) -> Result<Result<Checked, Response>, ApiError> {
    let Some(client) = Client::find(app, &asked.client_id).await? else {
        return Err(ApiError::parameter("client_id", "there is no such client"));
    };
    if !client.takes_redirect(&asked.redirect_uri) {
        return Err(ApiError::parameter("redirect_uri", "is not one that the client registered"));
    }
    let back = |code: &str, why: &str| {
        Ok(Err(redirect(asked, &[("error", code), ("error_description", why)])))
    };
    if asked.response_type != "code" {
        return back("unsupported_response_type", "response_type must be code");
    }
    let challenge = asked.code_challenge.as_bytes();
    let plain = challenge.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if asked.code_challenge_method != "S256" || challenge.len() != 43 || !plain {
        return back(
            "invalid_request",
            "PKCE is required: code_challenge with code_challenge_method=S256",
        );
    }
    let text = if asked.scope.is_empty() { "read" } else { &asked.scope };
    match scopes(text).filter(|list| list.iter().all(|scope| client.scopes.contains(scope))) {
        Some(scopes) => Ok(Ok(Checked { client, scopes })),
        None => back("invalid_scope", "a scope is not known, or not the client's"),
    }
}

/// Back to the program, with its state.
fn redirect(asked: &Asked, parameters: &[(&str, &str)]) -> Response {
    let mut uri = asked.redirect_uri.clone();
    let state = (!asked.state.is_empty()).then_some(("state", asked.state.as_str()));
    for (name, value) in parameters.iter().copied().chain(state) {
        uri.push(if uri.contains('?') { '&' } else { '?' });
        uri.push_str(name);
        uri.push('=');
        uri.push_str(&utf8_percent_encode(value, NON_ALPHANUMERIC).to_string());
    }
    (
        StatusCode::SEE_OTHER,
        [(header::LOCATION, uri), (header::CACHE_CONTROL, "no-store".to_owned())],
    )
        .into_response()
}

fn parse(text: &[u8]) -> Result<Asked, ApiError> {
    serde_urlencoded::from_bytes(text)
        .map_err(|e| ApiError::invalid(format!("the request cannot be read: {e}")))
}

pub(super) async fn page(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Response, ApiError> {
    let asked = parse(query.unwrap_or_default().as_bytes())?;
    let checked = match check(&app, &asked).await? {
        Ok(checked) => checked,
        Err(back) => return Ok(back),
    };
    let csrf = ids::secret("");
    let hidden: String = [
        ("response_type", &asked.response_type),
        ("client_id", &asked.client_id),
        ("redirect_uri", &asked.redirect_uri),
        ("scope", &asked.scope),
        ("state", &asked.state),
        ("code_challenge", &asked.code_challenge),
        ("code_challenge_method", &asked.code_challenge_method),
        ("csrf", &csrf),
    ]
    .iter()
    .map(|(name, value)| {
        format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escaped(value))
    })
    .collect();
    let html = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Allow {name}?</title>\
         <style>body{{font:16px system-ui;max-width:28rem;margin:4rem auto}}button{{font:inherit;padding:.5rem 1rem}}</style>\
         <h1>Allow {name}?</h1><p>It asks, as {user}, for: <b>{scopes}</b>.</p>\
         <form method=\"post\">{hidden}<button name=\"decision\" value=\"allow\">Allow</button> \
         <button name=\"decision\" value=\"deny\">Deny</button></form></html>",
        name = escaped(&checked.client.name),
        user = escaped(&checked.client.user_id),
        scopes = escaped(&checked.scopes.join(", ")),
    );
    let headers = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8".to_owned()),
        (
            header::SET_COOKIE,
            format!("{COOKIE}={csrf}; HttpOnly; SameSite=Strict; Path=/auth/oauth; Max-Age=600"),
        ),
        (header::CACHE_CONTROL, "no-store".to_owned()),
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned(),
        ),
    ];
    Ok((StatusCode::OK, headers, html).into_response())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    axum::Extension(Whole(body)): axum::Extension<Whole>,
) -> Result<Response, ApiError> {
    let asked = parse(&body)?;
    let cookie = headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='));
    let fits = cookie
        .is_some_and(|c| !c.is_empty() && bool::from(c.as_bytes().ct_eq(asked.csrf.as_bytes())));
    if !fits {
        return Err(ApiError::forbidden(
            "this decision does not come from the page that was shown: open it again",
        ));
    }
    let checked = match check(&app, &asked).await? {
        Ok(checked) => checked,
        Err(back) => return Ok(back),
    };
    if asked.decision != "allow" {
        return Ok(redirect(
            &asked,
            &[("error", "access_denied"), ("error_description", "the user said no")],
        ));
    }
    let code = ids::secret("");
    let now = app.clock.now();
    let until = now.saturating_add(SignedDuration::from_secs(CODE_S)).unwrap_or(Timestamp::MAX);
    let day_ago = now.saturating_sub(SignedDuration::from_hours(24)).unwrap_or(Timestamp::MIN);
    let mut tx = app.store.begin().await?;
    // A used one is kept for a day, so that its second use is noticed.
    sqlx::query("DELETE FROM oauth_codes WHERE expires_at <= ?1")
        .bind(clock::text(day_ago))
        .execute(tx.sql())
        .await?;
    sqlx::query(
        "INSERT INTO oauth_codes (hash, client_id, redirect_uri, challenge, scopes, family, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )
    .bind(keys::hash(&code).to_vec())
    .bind(&checked.client.id)
    .bind(&asked.redirect_uri)
    .bind(&asked.code_challenge)
    .bind(checked.scopes.join(" "))
    .bind(ids::new("fam"))
    .bind(clock::text(until))
    .execute(tx.sql())
    .await?;
    tx.commit().await?;
    Ok(redirect(&asked, &[("code", &code)]))
}
