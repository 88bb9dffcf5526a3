//! `/auth/oauth/token`, `/revoke` and `/userinfo`: tokens for codes, refresh tokens and clients' own secrets.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use sqlx::Row as _;
use subtle::ConstantTimeEq as _;

use super::{
    clients::Client,
    error::OAuthError,
    grants::{ACCESS_S, For, Issued, issue},
    scopes,
};
use crate::{
    app::App,
    clock,
    error::ApiError,
    http::{Whole, auth, media_type},
    ids, keys,
    store::Tx,
};

/// A form's fields, each at most once.
struct Form(Vec<(String, String)>);

impl Form {
    fn read(headers: &HeaderMap, body: &[u8]) -> Result<Self, OAuthError> {
        let form = media_type(headers)
            .is_some_and(|t| t.eq_ignore_ascii_case("application/x-www-form-urlencoded"));
        let wrong = |what: &str| OAuthError::new("invalid_request", what);
        if !form {
            return Err(wrong("the body must be a form: application/x-www-form-urlencoded"));
        }
        let fields: Vec<(String, String)> =
            serde_urlencoded::from_bytes(body).map_err(|_| wrong("the form cannot be read"))?;
        for (index, (name, _)) in fields.iter().enumerate() {
            if fields[..index].iter().any(|(before, _)| before == name) {
                return Err(wrong("a field was given twice"));
            }
        }
        Ok(Self(fields))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, v)| n == name && !v.is_empty()).map(|(_, v)| v.as_str())
    }

    fn need(&self, name: &'static str) -> Result<&str, OAuthError> {
        self.get(name)
            .ok_or_else(|| OAuthError::new("invalid_request", format!("{name} is missing")))
    }
}

/// The client of a request, known by Basic authentication or the form's fields.
async fn client(app: &App, headers: &HeaderMap, form: &Form) -> Result<Client, OAuthError> {
    let basic = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"))
        .and_then(|(_, encoded)| STANDARD.decode(encoded.trim()).ok())
        .and_then(|bytes| String::from_utf8(bytes).ok());
    let (id, secret) = match basic.as_deref().map(|text| text.split_once(':').unwrap_or((text, "")))
    {
        Some((id, secret)) => (decoded(id), Some(decoded(secret))),
        None => (form.need("client_id")?.to_owned(), form.get("client_secret").map(str::to_owned)),
    };
    let unknown = || OAuthError::new("invalid_client", "there is no such client");
    let client = Client::find(app, &id).await?.ok_or_else(unknown)?;
    client.authenticate(secret.as_deref())?;
    Ok(client)
}

/// Basic's parts are form-encoded before they are joined (RFC 6749, 2.3.1).
fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

pub(super) async fn token(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    axum::Extension(Whole(body)): axum::Extension<Whole>,
) -> Result<Response, OAuthError> {
    let form = Form::read(&headers, &body)?;
    let kind = form.need("grant_type")?;
    if !matches!(kind, "authorization_code" | "refresh_token" | "client_credentials") {
        return Err(OAuthError::new(
            "unsupported_grant_type",
            "authorization_code, refresh_token or client_credentials",
        ));
    }
    let client = client(&app, &headers, &form).await?;
    match kind {
        "authorization_code" => by_code(&app, &client, &form).await,
        "refresh_token" => by_refresh(&app, &client, &form).await,
        _ => by_secret(&app, &client, &form).await,
    }
}

async fn by_code(app: &App, client: &Client, form: &Form) -> Result<Response, OAuthError> {
    let refuse = |why: &str| OAuthError::new("invalid_grant", why);
    let hash = keys::hash(form.need("code")?);
    let (redirect_uri, verifier) = (form.need("redirect_uri")?, form.need("code_verifier")?);
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let row = sqlx::query("SELECT client_id, redirect_uri, challenge, scopes, family, expires_at, used FROM oauth_codes WHERE hash = ?1")
        .bind(hash.to_vec())
        .fetch_optional(tx.sql())
        .await?
        .ok_or_else(|| refuse("the code is not known"))?;
    let family: String = row.try_get(4)?;
    if row.try_get::<i64, _>(6)? != 0 {
        // Whoever used it first may have stolen it: what came of it ends (RFC 6749, 4.1.2).
        end_family(app, tx, &family).await?;
        return Err(refuse("the code was used before"));
    }
    if row.try_get::<&str, _>(5)? <= clock::text(now).as_str() {
        return Err(refuse("the code has ended"));
    }
    if row.try_get::<&str, _>(0)? != client.id || row.try_get::<&str, _>(1)? != redirect_uri {
        return Err(refuse("the code is for another client or redirect_uri"));
    }
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    if !bool::from(challenge.as_bytes().ct_eq(row.try_get::<&str, _>(2)?.as_bytes())) {
        return Err(refuse("the code_verifier does not fit"));
    }
    let granted = scopes(row.try_get(3)?).unwrap_or_default();
    sqlx::query("UPDATE oauth_codes SET used = 1 WHERE hash = ?1")
        .bind(hash.to_vec())
        .execute(tx.sql())
        .await?;
    let wanted = For::new(client, granted, family);
    let issued = issue(&mut tx, &wanted, true, now).await?;
    tx.commit().await?;
    Ok(answer(app, &wanted, issued))
}

/// Ends everything that one sign-in led to.
async fn end_family(app: &App, mut tx: Tx<'_>, family: &str) -> Result<(), OAuthError> {
    sqlx::query("DELETE FROM oauth_tokens WHERE family = ?1")
        .bind(family)
        .execute(tx.sql())
        .await?;
    tx.commit().await?;
    app.grants.end_family(family);
    Ok(())
}

async fn by_refresh(app: &App, client: &Client, form: &Form) -> Result<Response, OAuthError> {
    let refuse = |why: &str| OAuthError::new("invalid_grant", why);
    let hash = keys::hash(form.need("refresh_token")?);
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let row = sqlx::query("SELECT client_id, scopes, family, expires_at, used FROM oauth_tokens WHERE hash = ?1 AND is_refresh = 1")
        .bind(hash.to_vec())
        .fetch_optional(tx.sql())
        .await?
        .ok_or_else(|| refuse("the refresh token is not known"))?;
    if row.try_get::<&str, _>(0)? != client.id {
        return Err(refuse("the refresh token is another client's"));
    }
    let family: String = row.try_get(2)?;
    if row.try_get::<i64, _>(4)? != 0 {
        // One of two that hold it is not the client: both lose it.
        end_family(app, tx, &family).await?;
        return Err(refuse("the refresh token was used before; sign in again"));
    }
    if row.try_get::<&str, _>(3)? <= clock::text(now).as_str() {
        return Err(refuse("the refresh token has ended"));
    }
    let held = scopes(row.try_get(1)?).unwrap_or_default();
    let asked = match form.get("scope") {
        None => held.clone(),
        Some(text) => {
            scopes(text).filter(|asked| asked.iter().all(|scope| held.contains(scope))).ok_or_else(
                || OAuthError::new("invalid_scope", "more than the refresh token allows"),
            )?
        }
    };
    sqlx::query("UPDATE oauth_tokens SET used = 1 WHERE hash = ?1")
        .bind(hash.to_vec())
        .execute(tx.sql())
        .await?;
    let wanted = For::new(client, asked, family);
    let issued = issue(&mut tx, &wanted, true, now).await?;
    tx.commit().await?;
    Ok(answer(app, &wanted, issued))
}

async fn by_secret(app: &App, client: &Client, form: &Form) -> Result<Response, OAuthError> {
    if !client.is_confidential() {
        return Err(OAuthError::new(
            "unauthorized_client",
            "a public client has no credentials of its own",
        ));
    }
    let asked = match form.get("scope") {
        None => client.scopes.clone(),
        Some(text) => scopes(text)
            .filter(|asked| asked.iter().all(|scope| client.scopes.contains(scope)))
            .ok_or_else(|| {
                OAuthError::new("invalid_scope", "a scope is not known, or not the client's")
            })?,
    };
    let mut tx = app.store.begin().await?;
    let wanted = For::new(client, asked, ids::new("fam"));
    let issued = issue(&mut tx, &wanted, false, app.clock.now()).await?;
    tx.commit().await?;
    Ok(answer(app, &wanted, issued))
}

fn answer(app: &App, wanted: &For, issued: Issued) -> Response {
    app.grants.add(issued.access_hash, wanted, issued.expires_at);
    let mut body = json!({
        "access_token": issued.access, "token_type": "Bearer", "expires_in": ACCESS_S, "scope": wanted.scopes.join(" "),
    });
    if let Some(refresh) = issued.refresh {
        body["refresh_token"] = json!(refresh);
    }
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ];
    (StatusCode::OK, headers, body.to_string()).into_response()
}

/// Ends a token and all of its family; one that is not known has ended already (RFC 7009, 2.2).
pub(super) async fn revoke(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    axum::Extension(Whole(body)): axum::Extension<Whole>,
) -> Result<Response, OAuthError> {
    let form = Form::read(&headers, &body)?;
    let client = client(&app, &headers, &form).await?;
    let hash = keys::hash(form.need("token")?);
    let mut tx = app.store.begin().await?;
    let family: Option<String> =
        sqlx::query_scalar("SELECT family FROM oauth_tokens WHERE hash = ?1 AND client_id = ?2")
            .bind(hash.to_vec())
            .bind(&client.id)
            .fetch_optional(tx.sql())
            .await?;
    if let Some(family) = family {
        end_family(&app, tx, &family).await?;
    }
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], "{}").into_response())
}

/// Who a token is for.
pub(super) async fn userinfo(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let token = auth::bearer(&headers)?;
    let grant = app
        .grants
        .find(token, app.clock.now())
        .ok_or_else(|| ApiError::unauthorized("this access token is not known or has ended"))?;
    let body = json!({"sub": &*grant.user_id, "organization_id": &*grant.organization_id, "scope": grant.scopes});
    Ok(axum::Json(body).into_response())
}
