//! What opens the platform: an API key, a JWT that the client signs itself, or OAuth tokens. Those that end are renewed four
//! minutes before (Google), by one caller while the others wait for it.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use http::HeaderValue;
use tokio::{
    sync::{OwnedMutexGuard, oneshot},
    time::Instant,
};

use super::JwtCredential;
use crate::{
    error::{Error, ErrorKind},
    oauth::{OAuthCredential, TokenSet},
    process::PerProcess,
    secret::Secret,
};

/// How long before its end a token is renewed; half its life where that is shorter.
const MARGIN: Duration = Duration::from_secs(240);

/// How long after a failure the token that still holds is used without asking for another.
const PAUSE: Duration = Duration::from_secs(5);

/// What a client opens the platform with.
#[derive(Debug)]
pub(crate) enum Credential {
    /// Nothing: for what needs nothing.
    None,
    ApiKey(HeaderValue),
    Renewed(Box<Renewed>),
}

/// A credential that ends and is renewed.
#[derive(Debug)]
pub(crate) struct Renewed {
    source: Source,
    state: PerProcess<State>,
}

/// How far the renewal is.
#[derive(Debug, Default)]
struct State {
    current: RwLock<Option<Arc<Token>>>,
    /// Held by the one who renews; when and why that failed last.
    renewing: Arc<tokio::sync::Mutex<Failed>>,
}

impl State {
    /// One for a child of this process: whoever renews it is not there. A token is good in both.
    fn anew(&self) -> Self {
        let current = self.current.try_read().ok().and_then(|token| token.clone());
        Self { current: RwLock::new(current), renewing: Arc::default() }
    }
}

type Failed = Option<(Instant, Error)>;

#[derive(Debug)]
enum Source {
    Jwt(JwtCredential),
    OAuth(OAuthCredential),
}

/// A token and when it is to be renewed.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) header: HeaderValue,
    renew_at: Instant,
    ends_at: Instant,
}

impl Token {
    fn new(secret: &Secret, lifetime: Duration) -> Result<Self, Error> {
        /// As long as any clock reaches; nobody sees the difference.
        const MOST: Duration = Duration::from_secs(366 * 86_400);
        let (now, lifetime) = (Instant::now(), lifetime.min(MOST));
        Ok(Self {
            header: bearer(secret)?,
            renew_at: now + lifetime.saturating_sub(MARGIN.min(lifetime / 2)),
            ends_at: now + lifetime,
        })
    }
}

/// The header of a credential; marked so that nothing prints it.
pub(crate) fn bearer(secret: &Secret) -> Result<HeaderValue, Error> {
    let text = secret.expose();
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(Error::config(
            "the credential must be visible ASCII characters: check it for spaces and line breaks",
        ));
    }
    let mut value = HeaderValue::try_from(format!("Bearer {text}"))
        .map_err(|_| Error::config("the credential cannot be sent"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Credential {
    pub(crate) fn jwt(jwt: JwtCredential) -> Self {
        Self::renewed(Source::Jwt(jwt))
    }

    pub(crate) fn oauth(oauth: OAuthCredential) -> Self {
        Self::renewed(Source::OAuth(oauth))
    }

    fn renewed(source: Source) -> Self {
        let state = PerProcess::new(State::default());
        Self::Renewed(Box::new(Renewed { source, state }))
    }

    /// The lasting secret, to be blanked wherever it comes back.
    pub(crate) fn secret(&self) -> Option<Secret> {
        match self {
            Self::None => None,
            Self::ApiKey(header) => {
                header.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).map(Secret::new)
            }
            Self::Renewed(renewed) => match &renewed.source {
                Source::Jwt(jwt) => Some(jwt.secret.clone()),
                Source::OAuth(oauth) => oauth.secret().cloned(),
            },
        }
    }

    /// What tells accounts apart, as far as a credential says: the same with each token that it is renewed by. It is mixed into
    /// hashes and stands nowhere itself.
    pub(crate) fn account(&self) -> Secret {
        match self {
            Self::None => Secret::new(""),
            Self::ApiKey(header) => Secret::new(header.to_str().unwrap_or_default()),
            Self::Renewed(renewed) => match &renewed.source {
                Source::Jwt(jwt) => {
                    let key = jwt.key_id.as_deref().unwrap_or_else(|| jwt.secret.expose());
                    Secret::new(format!("jwt {} {key}", jwt.subject))
                }
                Source::OAuth(oauth) => oauth.account(),
            },
        }
    }

    /// Whether it can be sent as it is, without being renewed.
    pub(crate) fn is_at_hand(&self) -> bool {
        match self {
            Self::None | Self::ApiKey(_) => true,
            Self::Renewed(renewed) => renewed.usable(None).is_some(),
        }
    }

    /// Whether a refused token can be replaced by another.
    pub(crate) fn can_be_renewed(&self) -> bool {
        matches!(self, Self::Renewed(_))
    }
}

impl Renewed {
    /// The token to send; `fetch` is asked for a new one when it is time. `refused` was sent and not taken.
    pub(crate) async fn token<F>(
        &self,
        refused: Option<&HeaderValue>,
        fetch: impl FnOnce(OAuthCredential) -> F,
    ) -> Result<HeaderValue, Error>
    where
        F: Future<Output = Result<TokenSet, Error>> + Send + 'static,
    {
        if let Some(token) = self.usable(refused) {
            return Ok(token);
        }
        let mut waited_since = None;
        let renewing = Arc::clone(&self.state().renewing);
        let mut failed = match (Arc::clone(&renewing).try_lock_owned(), self.holding(refused)) {
            (Ok(free), _) => free,
            // Somebody renews it early; what still holds need not wait for that.
            (Err(_), Some(token)) => return Ok(token),
            (Err(_), None) => {
                waited_since = Some(Instant::now());
                renewing.lock_owned().await
            }
        };
        // Another caller may have renewed it meanwhile.
        if let Some(token) = self.usable(refused) {
            return Ok(token);
        }
        match &*failed {
            // Whoever waited for an attempt that failed does not make the same one again, one after another.
            Some((at, error)) if waited_since.is_some_and(|since| *at >= since) => {
                return Err(error.clone());
            }
            Some((at, _)) if at.elapsed() < PAUSE => {
                if let Some(token) = self.holding(refused) {
                    return Ok(token);
                }
            }
            _ => {}
        }
        let renewed = match &self.source {
            Source::Jwt(jwt) => Token::new(&jwt.sign(SystemTime::now()), jwt.lifetime),
            Source::OAuth(oauth) => {
                let fetched = match oauth.take_unused() {
                    Some(tokens) => Ok(tokens),
                    None => {
                        let fetched;
                        (failed, fetched) = apart(oauth, failed, fetch(oauth.clone())).await?;
                        fetched
                    }
                };
                fetched.and_then(|tokens| Token::new(&tokens.access_token, tokens.lifetime()))
            }
        };
        match renewed {
            Ok(token) => {
                *failed = None;
                let header = token.header.clone();
                *self.state().current.write().unwrap_or_else(PoisonError::into_inner) =
                    Some(Arc::new(token));
                Ok(header)
            }
            Err(error) => {
                *failed = Some((Instant::now(), error.clone()));
                // The old one still holds: renewing early must not break what works.
                self.holding(refused).filter(|_| error.kind() != ErrorKind::Config).ok_or(error)
            }
        }
    }

    /// The token that has not ended yet, be it time to renew it or not.
    fn holding(&self, refused: Option<&HeaderValue>) -> Option<HeaderValue> {
        let token = self.current()?;
        (Instant::now() < token.ends_at && refused != Some(&token.header))
            .then(|| token.header.clone())
    }

    fn state(&self) -> &State {
        self.state.get(State::anew)
    }

    fn current(&self) -> Option<Arc<Token>> {
        self.state().current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The token, where it need not be renewed.
    pub(super) fn usable(&self, refused: Option<&HeaderValue>) -> Option<HeaderValue> {
        let token = self.current()?;
        (Instant::now() < token.renew_at && refused != Some(&token.header))
            .then(|| token.header.clone())
    }
}

/// Fetches tokens on a thread of its own, which goes on when whoever asked for them does not: a refresh token is good for one
/// use, and one that was used without hearing the answer is lost, and the user's access with it. Nobody else renews meanwhile.
async fn apart(
    oauth: &OAuthCredential,
    renewing: OwnedMutexGuard<Failed>,
    fetch: impl Future<Output = Result<TokenSet, Error>> + Send + 'static,
) -> Result<(OwnedMutexGuard<Failed>, Result<TokenSet, Error>), Error> {
    let (sender, receiver) = oneshot::channel();
    let oauth = oauth.clone();
    let work = move || {
        // The caller's runtime may stand still, or be gone, once its call is.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let fetched = match runtime {
            Ok(runtime) => runtime.block_on(fetch),
            Err(error) => Err(cannot_renew(error)),
        };
        if let Ok(tokens) = &fetched {
            oauth.took(tokens);
        }
        if let Err((_renewing, Ok(tokens))) = sender.send((renewing, fetched)) {
            oauth.keep(tokens);
        }
    };
    std::thread::Builder::new()
        .name("storycore-token".to_owned())
        .spawn(work)
        .map_err(cannot_renew)?;
    receiver.await.map_err(cannot_renew)
}

fn cannot_renew(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::Config, "the access token cannot be renewed on a thread of its own")
        .with_source(error)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    use futures_util::FutureExt as _;

    use super::*;

    /// A credential whose token holds for another minute and is to be renewed now.
    fn due() -> Box<Renewed> {
        let oauth = OAuthCredential::client_credentials("cut", "secret-of-cut", ["read"]);
        let Credential::Renewed(renewed) = Credential::oauth(oauth) else { unreachable!() };
        let mut old = Token::new(&Secret::new("old"), Duration::from_secs(60)).unwrap();
        old.renew_at = Instant::now();
        *renewed.state().current.write().unwrap() = Some(Arc::new(old));
        renewed
    }

    #[tokio::test]
    async fn a_token_that_still_holds_does_not_wait_for_its_renewal() {
        let renewed = due();
        let mut stuck = std::pin::pin!(renewed.token(None, |_| std::future::pending()));
        assert!(futures_util::poll!(&mut stuck).is_pending());
        let other = renewed.token(None, |_| async { unreachable!("it is being renewed already") });
        assert_eq!(other.now_or_never().expect("it waits").unwrap(), "Bearer old");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_failed_is_not_tried_before_every_call() {
        let renewed = due();
        let asked = AtomicUsize::new(0);
        let fails = |_| {
            asked.fetch_add(1, Relaxed);
            async { Err(Error::new(ErrorKind::Server, "not now")) }
        };
        for (after, attempts) in [(0, 1), (1, 1), (3, 1), (2, 2)] {
            tokio::time::advance(Duration::from_secs(after)).await;
            assert_eq!(renewed.token(None, fails).await.unwrap(), "Bearer old");
            assert_eq!(asked.load(Relaxed), attempts);
        }
        // Without a token that holds there is nothing to wait with.
        let old = HeaderValue::from_static("Bearer old");
        renewed.token(Some(&old), fails).await.unwrap_err();
        assert_eq!(asked.load(Relaxed), 3);
    }

    #[test]
    fn a_lifetime_without_end_is_a_long_one() {
        let mut jwt = JwtCredential::new("the-key", "usr_1", ["read"]);
        jwt.lifetime = Duration::MAX;
        let token = Token::new(&jwt.sign(SystemTime::now()), jwt.lifetime).unwrap();
        assert!(token.renew_at > Instant::now() + Duration::from_secs(300 * 86_400));
    }

    #[test]
    fn a_credential_with_a_line_break_is_refused_without_being_shown() {
        let error = bearer(&Secret::new("one\ntwo")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(!error.to_string().contains("two"));
    }
}
