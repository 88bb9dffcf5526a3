//! Whether a webhook is what it claims to be. All bad input ends in one error; comparing takes the same time whatever is
//! compared.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Verifier as _};
use hmac::Mac as _;
use http::HeaderMap;

use super::{Event, secret::Key};
use crate::{
    error::Error,
    platform::{Platform, SignatureScheme},
};

/// How far a webhook's time may be from now, both ways (Standard Webhooks).
const TOLERANCE: Duration = Duration::from_secs(300);
/// More signatures than this are no rotation but an attempt to keep the verifier busy.
const MOST_SIGNATURES: usize = 16;

/// Where a verifier finds a header by its name in lower case.
pub trait HeaderLookup {
    /// The header's value, where it is text and there is one.
    fn header(&self, name: &str) -> Option<&str>;
}

impl HeaderLookup for HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> HeaderLookup for [(N, V)] {
    fn header(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| n.as_ref().eq_ignore_ascii_case(name)).map(|(_, v)| v.as_ref())
    }
}

impl<N: AsRef<str>, V: AsRef<str>> HeaderLookup for Vec<(N, V)> {
    fn header(&self, name: &str) -> Option<&str> {
        self.as_slice().header(name)
    }
}

type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// Verifies what a webhook receives.
///
/// Where the Standard Webhooks headers are there they must hold, and the platform's own signature cannot stand in for them:
/// it signs no time, so that whoever recorded a delivery could send it again. It is taken alone where they are absent.
#[derive(Clone)]
pub struct Webhook {
    keys: Vec<Key>,
    scheme: Option<SignatureScheme>,
    tolerance: Duration,
    clock: Clock,
    require_standard: bool,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhook")
            .field("secrets", &self.keys.len())
            .field("tolerance", &self.tolerance)
            .finish_non_exhaustive()
    }
}

impl Webhook {
    /// A verifier of StoryCore's webhooks with one secret: `whsec_…`, or `whpk_…` for `v1a`.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a secret that cannot be one.
    pub fn new(secret: &str) -> Result<Self, Error> {
        Self::with_secrets([secret])
    }

    /// A verifier with several secrets, each good: the old and the new one while a secret rotates.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for no secret, or one that cannot be one.
    pub fn with_secrets<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let keys = secrets.into_iter().map(Key::parse).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(Error::config("a webhook needs a secret"));
        }
        Ok(Self {
            keys,
            scheme: Platform::storycore().signature_scheme().cloned(),
            tolerance: TOLERANCE,
            clock: Arc::new(SystemTime::now),
            require_standard: false,
        })
    }

    /// The platform whose own signature is taken. Default StoryCore.
    #[must_use]
    pub fn platform(mut self, platform: &Platform) -> Self {
        self.scheme = platform.signature_scheme().cloned();
        self
    }

    /// How far a webhook's time may be from now, both ways. Default 5 minutes.
    #[must_use]
    pub fn tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// What time it is. Default the system's.
    #[must_use]
    pub fn clock(mut self, clock: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Takes no delivery without the Standard Webhooks headers. Default off.
    #[must_use]
    pub fn require_standard(mut self) -> Self {
        self.require_standard = true;
        self
    }

    /// Verifies a delivery and reads it. `body` must be the bytes as they arrived: JSON that was read and written again
    /// has other bytes.
    ///
    /// # Errors
    /// [`ErrorKind::WebhookSignature`](crate::ErrorKind::WebhookSignature), saying what is wrong.
    pub fn verify<H: HeaderLookup + ?Sized>(
        &self,
        body: &[u8],
        headers: &H,
    ) -> Result<Event, Error> {
        self.check(body, headers)?;
        Event::read(body)
    }

    /// Verifies a delivery without reading it.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn check<H: HeaderLookup + ?Sized>(&self, body: &[u8], headers: &H) -> Result<(), Error> {
        if let Some(signatures) = headers.header("webhook-signature") {
            return self.check_standard(body, headers, signatures);
        }
        // A timestamp or an id without a signature is a delivery that somebody took it from.
        let stripped = ["webhook-id", "webhook-timestamp"]
            .into_iter()
            .any(|name| headers.header(name).is_some());
        if self.require_standard || stripped {
            return Err(refused("the webhook-signature header is missing"));
        }
        let scheme =
            self.scheme.as_ref().ok_or_else(|| refused("the signature header is missing"))?;
        let value = headers.header(&scheme.header).ok_or_else(|| {
            refused("there is no signature header: webhook-signature or the platform's own")
        })?;
        self.check_own(body, scheme, value)
    }

    fn check_standard<H: HeaderLookup + ?Sized>(
        &self,
        body: &[u8],
        headers: &H,
        signatures: &str,
    ) -> Result<(), Error> {
        let id = headers
            .header("webhook-id")
            .ok_or_else(|| refused("the webhook-id header is missing"))?;
        let time = headers
            .header("webhook-timestamp")
            .ok_or_else(|| refused("the webhook-timestamp header is missing"))?;
        let digits =
            !time.is_empty() && time.len() <= 15 && time.bytes().all(|b| b.is_ascii_digit());
        let seconds = time.parse::<u64>().ok().filter(|_| digits);
        let seconds = seconds
            .ok_or_else(|| refused("the webhook-timestamp header is no number of seconds"))?;
        self.check_time(UNIX_EPOCH + Duration::from_secs(seconds))?;
        // One pass over the body a secret, however many signatures there are.
        let expected: Vec<Option<[u8; 32]>> = self
            .keys
            .iter()
            .map(|key| match key {
                Key::Shared { standard, .. } => {
                    let mut mac = standard.clone();
                    for part in [id.as_bytes(), b".", time.as_bytes(), b".", body] {
                        mac.update(part);
                    }
                    Some(mac.finalize().into_bytes().into())
                }
                Key::Public(_) => None,
            })
            .collect();
        let mut message = None;
        let mut good = false;
        for signature in signatures.split(' ').take(MOST_SIGNATURES) {
            let Some((version, encoded)) = signature.split_once(',') else { continue };
            let mut decoded = [0; 66];
            let Ok(length) = STANDARD.decode_slice(encoded, &mut decoded) else { continue };
            let decoded = &decoded[..length];
            for (key, expected) in self.keys.iter().zip(&expected) {
                match (version, key, expected) {
                    ("v1", _, Some(expected)) => good |= same(expected, decoded),
                    ("v1a", Key::Public(public), _) => {
                        let message = message.get_or_insert_with(|| {
                            [id.as_bytes(), b".", time.as_bytes(), b".", body].concat()
                        });
                        let signature = Signature::from_slice(decoded);
                        good |= signature.is_ok_and(|s| public.verify(message, &s).is_ok());
                    }
                    _ => {}
                }
            }
        }
        if good { Ok(()) } else { Err(no_match(body)) }
    }

    fn check_time(&self, at: SystemTime) -> Result<(), Error> {
        let now = (self.clock)();
        let (apart, which) = match now.duration_since(at) {
            Ok(age) => (age.as_secs(), "too old"),
            Err(ahead) => (ahead.duration().as_secs(), "from the future"),
        };
        if apart > self.tolerance.as_secs() {
            return Err(refused(format!("the webhook is {which}: {apart} s away from now")));
        }
        Ok(())
    }

    fn check_own(&self, body: &[u8], scheme: &SignatureScheme, value: &str) -> Result<(), Error> {
        let malformed = || refused(format!("the {} header is malformed", scheme.header));
        let digits = value.trim().strip_prefix(&*scheme.prefix).ok_or_else(malformed)?;
        let mut given = [0; 32];
        hex::decode_to_slice(digits, &mut given).map_err(|_| malformed())?;
        let good = self.keys.iter().fold(false, |good, key| match key {
            Key::Shared { own, .. } => {
                let mut mac = own.clone();
                mac.update(body);
                good | same(&mac.finalize().into_bytes(), &given)
            }
            Key::Public(_) => good,
        });
        if good { Ok(()) } else { Err(no_match(body)) }
    }
}

fn same(expected: &[u8], given: &[u8]) -> bool {
    subtle::ConstantTimeEq::ct_eq(expected, given).into()
}

pub(crate) fn refused(message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::webhook_signature(message)
}

/// No signature fits; says so with the usual cause, where the body shows it.
fn no_match(body: &[u8]) -> Error {
    // The platform writes JSON without spaces: a body with them was read and written again.
    if body.starts_with(b"{\n")
        || memchr::memmem::find(&body[..body.len().min(256)], b"\": ").is_some()
    {
        return refused(
            "no signature fits; the body looks like JSON that was read and written again: give the bytes as they arrived",
        );
    }
    refused("no signature fits the body and the secret")
}
