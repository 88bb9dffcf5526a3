//! Signing in with a browser's help, and the tokens that come of it.

use std::sync::Arc;

use storycore::{Secret, oauth};

use crate::{
    client::Client,
    failure::{self, CallbackFailure, Failure},
    given::Given,
};

/// What a token endpoint gives.
#[derive(uniffi::Record)]
pub struct TokenSet {
    /// What opens the platform.
    pub access_token: String,
    /// What gets the next access token; good for one use.
    pub refresh_token: Option<String>,
    /// Seconds that the access token holds.
    pub expires_in: Option<u64>,
    /// What it is good for, where that is not what was asked for.
    pub scope: Option<String>,
}

impl From<&oauth::TokenSet> for TokenSet {
    fn from(tokens: &oauth::TokenSet) -> Self {
        Self {
            access_token: tokens.access_token.expose().to_owned(),
            refresh_token: tokens.refresh_token.as_ref().map(|token| token.expose().to_owned()),
            expires_in: tokens.expires_in,
            scope: tokens.scope.clone(),
        }
    }
}

impl From<TokenSet> for oauth::TokenSet {
    fn from(tokens: TokenSet) -> Self {
        Self {
            access_token: tokens.access_token.into(),
            refresh_token: tokens.refresh_token.map(Secret::new),
            expires_in: tokens.expires_in,
            scope: tokens.scope,
        }
    }
}

/// Hears of every new set of tokens, to keep it: a refresh token is good for one use.
#[uniffi::export(with_foreign)]
pub trait TokensListener: Send + Sync {
    /// The new tokens.
    fn on_tokens(&self, tokens: TokenSet) -> Result<(), CallbackFailure>;
}

/// OAuth tokens, or what gets them.
#[derive(uniffi::Record)]
pub struct OAuthSettings {
    /// The app's id.
    pub client_id: String,
    /// The secret of a confidential app.
    pub client_secret: Option<String>,
    /// What is asked for with the app's own access.
    pub scopes: Option<Vec<String>>,
    /// Tokens of a sign-in.
    pub tokens: Option<TokenSet>,
}

impl OAuthSettings {
    pub(crate) fn read(
        self,
        listener: Option<Arc<dyn TokensListener>>,
    ) -> Result<oauth::OAuthCredential, Failure> {
        let id = self.client_id;
        let mut credential = match (self.tokens, self.client_secret) {
            (Some(_), _) if self.scopes.is_some() => {
                return Err(Failure::config("tokens have their scopes already: leave scopes out"));
            }
            (Some(tokens), secret) => {
                let credential = oauth::OAuthCredential::tokens(id, tokens.into());
                match secret {
                    Some(secret) => credential.client_secret(secret),
                    None => credential,
                }
            }
            (None, Some(secret)) => {
                let scopes = self.scopes.unwrap_or_default();
                oauth::OAuthCredential::client_credentials(id, secret, scopes)
            }
            (None, None) => {
                return Err(Failure::config("OAuth needs an app's secret, or tokens of a sign-in"));
            }
        };
        if let Some(listener) = listener {
            credential = credential
                .on_tokens(move |tokens| failure::told(listener.on_tokens(tokens.into())));
        }
        Ok(credential)
    }
}

/// A sign-in under way: authorization code with PKCE.
#[derive(uniffi::Object)]
pub struct Authorization(Arc<oauth::Authorization>);

#[uniffi::export]
impl Authorization {
    /// A sign-in of an app that comes back to `redirect_uri`.
    #[uniffi::constructor]
    pub fn new(client_id: String, redirect_uri: String, scopes: Vec<String>) -> Arc<Self> {
        Arc::new(Self(Arc::new(oauth::Authorization::new(client_id, redirect_uri, scopes))))
    }

    /// The page that the user is to open.
    pub fn url(&self, client: &Client) -> Result<String, Failure> {
        Ok(self.0.url(&client.shared.first()?)?)
    }

    /// Exchanges the code that came back, with the state that came with it.
    pub async fn exchange(
        &self,
        client: Arc<Client>,
        code: String,
        state: String,
    ) -> Result<Given<TokenSet>, Failure> {
        let authorization = Arc::clone(&self.0);
        let exchange = move |client| async move {
            let tokens = authorization.exchange(&client, &code, &state).await?;
            Ok(Given::of(TokenSet::from(&tokens)))
        };
        client.shared.long_call(None, exchange).await
    }
}
