//! OAuth 2.0: authorization code with PKCE, refresh tokens, client credentials.
//!
//! ```no_run
//! # async fn run() -> Result<(), storycore::Error> {
//! use storycore::{Client, oauth::{Authorization, OAuthCredential}};
//! let anonymous = Client::builder().anonymous().build()?;
//! let authorization = Authorization::new("storycore-cli", "http://127.0.0.1:8123/callback", ["read", "write"]);
//! println!("open {}", authorization.url(&anonymous)?);
//! # let (code, state) = ("", "");
//! let tokens = authorization.exchange(&anonymous, code, state).await?;
//! let client = Client::builder().oauth(OAuthCredential::tokens("storycore-cli", tokens)).build()?;
//! # Ok(()) }
//! ```

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::{
    client::Client,
    error::{Error, ErrorKind},
    platform::Resource,
    process::PerProcess,
    secret::Secret,
};

/// How long an access token holds when the platform does not say (RFC 6749 leaves it open; an hour is usual).
const USUAL_LIFETIME: Duration = Duration::from_secs(3600);

/// What a token endpoint gives.
#[derive(Debug, Clone, Deserialize)]
pub struct TokenSet {
    /// What opens the platform.
    pub access_token: Secret,
    /// What gets the next access token; good for one use.
    #[serde(default)]
    pub refresh_token: Option<Secret>,
    /// Seconds that the access token holds.
    #[serde(default)]
    pub expires_in: Option<u64>,
    /// What it is good for, where that is not what was asked for.
    #[serde(default)]
    pub scope: Option<String>,
}

impl TokenSet {
    /// How long the access token holds.
    #[must_use]
    pub fn lifetime(&self) -> Duration {
        self.expires_in
            .map_or(USUAL_LIFETIME, |seconds| Duration::from_secs(seconds.min(366 * 86_400)))
    }
}

/// What is had of tokens.
#[derive(Clone, Default)]
struct Tokens {
    /// Changes at each use.
    refresh_token: Option<Secret>,
    /// An access token that nobody uses yet: that of the beginning, or one whose caller did not wait for it.
    unused: Option<TokenSet>,
}

type OnTokens = Arc<dyn Fn(&TokenSet) + Send + Sync>;

/// Tokens that a client gets and renews by itself.
#[derive(Clone)]
pub struct OAuthCredential {
    pub(crate) client_id: String,
    client_secret: Option<Secret>,
    scopes: Vec<String>,
    tokens: Arc<PerProcess<Mutex<Tokens>>>,
    on_tokens: Option<OnTokens>,
    /// What tells its user from others as long as it lives: the token that it began with.
    user: Option<Secret>,
}

impl std::fmt::Debug for OAuthCredential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("OAuthCredential")
            .field("client_id", &self.client_id)
            .field("scopes", &self.scopes)
            .finish_non_exhaustive()
    }
}

impl OAuthCredential {
    /// The client's own access, by its id and secret (client credentials).
    pub fn client_credentials<S: Into<String>>(
        client_id: impl Into<String>,
        client_secret: impl Into<Secret>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: Some(client_secret.into()),
            scopes: scopes.into_iter().map(Into::into).collect(),
            tokens: held(Tokens::default()),
            on_tokens: None,
            user: None,
        }
    }

    /// A user's access, by tokens that an [`Authorization`] gave.
    pub fn tokens(client_id: impl Into<String>, tokens: TokenSet) -> Self {
        Self {
            client_id: client_id.into(),
            client_secret: None,
            scopes: Vec::new(),
            user: Some(tokens.refresh_token.as_ref().unwrap_or(&tokens.access_token).clone()),
            tokens: held(Tokens {
                refresh_token: tokens.refresh_token.clone(),
                unused: Some(tokens),
            }),
            on_tokens: None,
        }
    }

    /// The secret of a confidential client.
    #[must_use]
    pub fn client_secret(mut self, secret: impl Into<Secret>) -> Self {
        self.client_secret = Some(secret.into());
        self
    }

    /// Is told of every new set of tokens, on a thread of its own, so that it can be stored: a refresh token is good for one use,
    /// which is why it is renewed to the end also when the call that needed it was cancelled.
    #[must_use]
    pub fn on_tokens(mut self, told: impl Fn(&TokenSet) + Send + Sync + 'static) -> Self {
        self.on_tokens = Some(Arc::new(told));
        self
    }

    pub(crate) fn secret(&self) -> Option<&Secret> {
        self.client_secret.as_ref()
    }

    /// What tells its account from others, as far as it is known.
    pub(crate) fn account(&self) -> Secret {
        let user = self.user.as_ref().map_or("", Secret::expose);
        Secret::new(format!("oauth {} {user}", self.client_id))
    }

    /// An access token that nobody uses yet, which is the caller's from now on.
    pub(crate) fn take_unused(&self) -> Option<TokenSet> {
        self.held().unused.take()
    }

    /// Keeps tokens for the next who needs some.
    pub(crate) fn keep(&self, tokens: TokenSet) {
        self.held().unused = Some(tokens);
    }

    /// Notes the tokens that were got.
    pub(crate) fn took(&self, tokens: &TokenSet) {
        if let Some(next) = &tokens.refresh_token {
            self.held().refresh_token = Some(next.clone());
        }
        if let Some(told) = &self.on_tokens {
            told(tokens);
        }
    }

    fn held(&self) -> MutexGuard<'_, Tokens> {
        // A child begins with its parent's, unless a thread of that one was just writing them.
        let anew = |parents: &Mutex<Tokens>| {
            Mutex::new(parents.try_lock().map(|tokens| tokens.clone()).unwrap_or_default())
        };
        self.tokens.get(anew).lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The form that asks for the next access token.
    pub(crate) fn form(&self) -> Result<Vec<(&'static str, String)>, Error> {
        let refresh = self.held().refresh_token.clone();
        let mut form = match (refresh, &self.client_secret) {
            (Some(token), _) => {
                vec![
                    ("grant_type", "refresh_token".to_owned()),
                    ("refresh_token", token.expose().to_owned()),
                ]
            }
            (None, Some(_)) => {
                let mut form = vec![("grant_type", "client_credentials".to_owned())];
                if !self.scopes.is_empty() {
                    form.push(("scope", self.scopes.join(" ")));
                }
                form
            }
            (None, None) => {
                return Err(Error::new(
                    ErrorKind::Authentication,
                    "the access token has ended and there is no refresh token: sign in again",
                ));
            }
        };
        form.push(("client_id", self.client_id.clone()));
        if let Some(secret) = &self.client_secret {
            form.push(("client_secret", secret.expose().to_owned()));
        }
        Ok(form)
    }
}

fn held(tokens: Tokens) -> Arc<PerProcess<Mutex<Tokens>>> {
    Arc::new(PerProcess::new(Mutex::new(tokens)))
}

/// A sign-in under way: authorization code with PKCE (RFC 7636, S256).
#[derive(Debug)]
pub struct Authorization {
    client_id: String,
    redirect_uri: String,
    scopes: Vec<String>,
    verifier: Secret,
    state: Secret,
}

impl Authorization {
    /// A sign-in of `client_id` that comes back to `redirect_uri`.
    pub fn new<S: Into<String>>(
        client_id: impl Into<String>,
        redirect_uri: impl Into<String>,
        scopes: impl IntoIterator<Item = S>,
    ) -> Self {
        let random = || Secret::new(URL_SAFE_NO_PAD.encode(crate::random::bytes::<32>()));
        Self {
            client_id: client_id.into(),
            redirect_uri: redirect_uri.into(),
            scopes: scopes.into_iter().map(Into::into).collect(),
            verifier: random(),
            state: random(),
        }
    }

    /// The page that the user is to open.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] when the platform has no OAuth.
    pub fn url(&self, client: &Client) -> Result<String, Error> {
        let path = client.platform().path(Resource::OAuthAuthorize)?;
        let mut url = client.url(path);
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose().as_bytes()));
        url.query_pairs_mut()
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.client_id)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", &self.scopes.join(" "))
            .append_pair("state", self.state.expose())
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        Ok(url.into())
    }

    /// Exchanges the code that came back to the redirect URI, with the `state` that came with it.
    ///
    /// # Errors
    /// [`ErrorKind::Authentication`] when the state is not the one that was sent or the code is refused.
    pub async fn exchange(
        &self,
        client: &Client,
        code: &str,
        state: &str,
    ) -> Result<TokenSet, Error> {
        if !bool::from(self.state.expose().as_bytes().ct_eq(state.as_bytes())) {
            return Err(Error::new(
                ErrorKind::Authentication,
                "the answer's state is not the one that was sent",
            ));
        }
        let form = vec![
            ("grant_type", "authorization_code".to_owned()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("client_id", self.client_id.clone()),
            ("code_verifier", self.verifier.expose().to_owned()),
        ];
        client.transport().token(&form).await
    }
}
