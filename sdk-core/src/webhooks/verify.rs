//! Whether a webhook is what it claims to be. All bad input ends in one error; comparing takes the same time whatever is
//! compared.

use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hmac::Mac as _;

use super::{
    Event,
    body::RawBody,
    headers::{HeaderLookup, StandardHeaders},
    secret::Key,
    signature::{Expected, same},
};
use crate::{
    error::Error,
    platform::{Platform, SignatureScheme},
};

/// How far a webhook's time may be from now, both ways (Standard Webhooks).
const TOLERANCE: Duration = Duration::from_secs(300);
/// More signatures than this are no rotation but an attempt to keep the verifier busy.
const MOST_SIGNATURES: usize = 16;

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
    pub fn verify<'a, H: HeaderLookup + ?Sized>(
        &self,
        body: impl Into<RawBody<'a>>,
        headers: &H,
    ) -> Result<Event, Error> {
        let body = body.into();
        self.check(body.as_bytes(), headers)?;
        Event::read(body)
    }

    /// Verifies a delivery without reading it.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn check<H: HeaderLookup + ?Sized>(&self, body: &[u8], headers: &H) -> Result<(), Error> {
        let standard = headers.standard();
        if let Some(signatures) = standard.signature {
            return self.check_standard(body, standard, signatures);
        }
        // A timestamp or an id without a signature is a delivery that somebody took it from.
        if self.require_standard || standard.id.is_some() || standard.timestamp.is_some() {
            return Err(refused("the webhook-signature header is missing"));
        }
        let scheme =
            self.scheme.as_ref().ok_or_else(|| refused("the signature header is missing"))?;
        let value = headers.header(&scheme.header).ok_or_else(|| {
            refused("there is no signature header: webhook-signature or the platform's own")
        })?;
        self.check_own(body, scheme, value)
    }

    fn check_standard(
        &self,
        body: &[u8],
        headers: StandardHeaders<'_>,
        signatures: &[u8],
    ) -> Result<(), Error> {
        let id = headers.id.ok_or_else(|| refused("the webhook-id header is missing"))?;
        let time =
            headers.timestamp.ok_or_else(|| refused("the webhook-timestamp header is missing"))?;
        let seconds = whole_number(time)
            .ok_or_else(|| refused("the webhook-timestamp header is no number of seconds"))?;
        // Not every system's clock goes as far as fifteen digits do.
        let at = UNIX_EPOCH.checked_add(Duration::from_secs(seconds));
        self.check_time(at.ok_or_else(|| refused("the webhook is from the future"))?)?;
        let signed = [id, b".", time, b"."];
        let mut good = false;
        // One pass over the body a secret, however many signatures there are.
        for key in &self.keys {
            let (version, expected) = match key {
                Key::Shared { standard, .. } => {
                    let mut mac = standard.clone();
                    signed.iter().for_each(|part| mac.update(part));
                    mac.update(body);
                    (b"v1,".as_slice(), Expected::text(&mac.finalize().into_bytes().into()))
                }
                Key::Public(public) => {
                    let message = [&signed.concat(), body].concat();
                    (b"v1a,".as_slice(), Expected::By(public, message))
                }
            };
            for signature in signatures.split(|byte| *byte == b' ').take(MOST_SIGNATURES) {
                if let Some(given) = signature.strip_prefix(version) {
                    good |= expected.is(given);
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
                good | same(&<[u8; 32]>::from(mac.finalize().into_bytes()), &given)
            }
            Key::Public(_) => good,
        });
        if good { Ok(()) } else { Err(no_match(body)) }
    }
}

/// A number of seconds in at most 15 digits, and nothing else.
fn whole_number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 15 {
        return None;
    }
    text.iter().try_fold(0, |number, byte| {
        byte.is_ascii_digit().then(|| number * 10 + u64::from(byte - b'0'))
    })
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
            "no signature fits: the secret is another one, or the body was changed; it looks like JSON that was read and written again, so give the bytes as they arrived",
        );
    }
    refused("no signature fits: the secret is another one, or the body was changed")
}
