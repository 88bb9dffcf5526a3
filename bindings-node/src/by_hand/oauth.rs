//! Signing in with a browser's help, and the tokens that come of it.

use std::sync::Arc;

use napi::Env;
use napi_derive::napi;
use serde_json::json;
use storycore::{
    Secret,
    oauth::{Authorization, OAuthCredential, TokenSet},
};
use storycore_shards::Place;
use tracing::Instrument as _;

use crate::{
    bridge::{Bridge, Environment, Reply},
    client::NativeClient,
    failure::Failure,
    fields::{Arguments, Fields},
};

/// A sign-in under way.
#[napi]
pub struct NativeAuthorization(Arc<Authorization>);

#[napi]
impl NativeAuthorization {
    /// `[clientId, redirectUri, scopes]`.
    #[napi(constructor)]
    pub fn new(arguments: String) -> napi::Result<Self> {
        let read = || -> Result<Authorization, Failure> {
            let mut given = Arguments::parse(&arguments);
            let id: String = given.need("clientId")?;
            let back: String = given.need("redirectUri")?;
            let scopes: Vec<String> = given.may("scopes")?.unwrap_or_default();
            Ok(Authorization::new(id, back, scopes))
        };
        Ok(Self(Arc::new(read().map_err(|failure| failure.thrown())?)))
    }

    /// The page that the user is to open.
    #[napi]
    pub fn url(&self, client: &NativeClient) -> napi::Result<String> {
        let place = Place::choose();
        self.0.url(client.on(&place)?).map_err(|error| Failure::from(error).thrown())
    }

    /// Exchanges `[code, state]`, which came back, for tokens.
    #[napi]
    pub fn exchange(
        &self,
        env: Env,
        bridge: &Bridge,
        id: u32,
        client: &NativeClient,
        arguments: String,
    ) -> napi::Result<()> {
        let place = Place::choose();
        let (span, client) = (client.span().clone(), client.on(&place)?.clone());
        let authorization = Arc::clone(&self.0);
        let work = async move {
            let mut given = Arguments::parse(&arguments);
            let code: String = given.need("code")?;
            let state: String = given.need("state")?;
            let tokens = authorization.exchange(&client, &code, &state).await?;
            Ok(Reply::Text(told(&tokens)))
        };
        bridge.0.run(&env, id, place, work.instrument(span))
    }
}

/// Tokens in the words of OAuth, as they are to be kept.
fn told(tokens: &TokenSet) -> String {
    json!({
        "access_token": tokens.access_token.expose(),
        "refresh_token": tokens.refresh_token.as_ref().map(Secret::expose),
        "expires_in": tokens.expires_in,
        "scope": tokens.scope,
    })
    .to_string()
}

/// A credential as JavaScript gives it; new tokens are told to the listener with this number.
pub(crate) fn credential(
    mut given: Fields,
    listener: Option<(&Arc<Environment>, u32)>,
) -> Result<OAuthCredential, Failure> {
    let id: String = given.need("clientId")?;
    let secret: Option<String> = given.take("clientSecret")?;
    let scopes: Option<Vec<String>> = given.take("scopes")?;
    let tokens: Option<TokenSet> = given.take("tokens")?;
    given.end()?;
    let mut credential = match (tokens, secret) {
        (Some(_), _) if scopes.is_some() => {
            return Err(Failure::config("tokens have their scopes already: leave `scopes` out"));
        }
        (Some(tokens), None) => OAuthCredential::tokens(id, tokens),
        (Some(tokens), Some(secret)) => OAuthCredential::tokens(id, tokens).client_secret(secret),
        (None, Some(secret)) => {
            OAuthCredential::client_credentials(id, secret, scopes.unwrap_or_default())
        }
        (None, None) => {
            return Err(Failure::config("oauth needs `clientSecret`, or `tokens` of a sign-in"));
        }
    };
    if let Some((environment, number)) = listener {
        let environment = Arc::downgrade(environment);
        credential = credential.on_tokens(move |tokens| {
            if let Some(environment) = environment.upgrade() {
                environment.tell(number, &told(tokens));
            }
        });
    }
    Ok(credential)
}
