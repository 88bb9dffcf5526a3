//! A client that the environment sets up: `STORYCORE_…`, each checked and named where it is wrong.

use std::time::Duration;

use crate::{builder::ClientBuilder, error::Error, platform::Platform};

impl ClientBuilder {
    /// Set up by the environment, as [`Client::from_env`](crate::Client::from_env) is, and further by what follows, which comes
    /// before the environment: with a credential that is given, `STORYCORE_API_KEY` need not be there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable; that of a missing key comes of
    /// [`build`](Self::build).
    pub fn from_env() -> Result<Self, Error> {
        let read = |name: &str| match std::env::var(name) {
            Ok(text) if text.is_empty() => Ok(None),
            Ok(text) => Ok(Some(text)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::config(format!("{name} is not UTF-8")))
            }
        };
        let mut builder = Self::default();
        if let Some(name) = read("STORYCORE_PLATFORM")? {
            builder = builder.platform(Platform::by_name(&name)?);
        }
        if let Some(url) = read("STORYCORE_BASE_URL")? {
            builder = builder.base_url(url);
        }
        if let Some(text) = read("STORYCORE_TIMEOUT")? {
            let seconds =
                text.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0 && *s < 1e9);
            let seconds = seconds.ok_or_else(|| {
                Error::config("STORYCORE_TIMEOUT must be a number of seconds, such as 60")
            })?;
            builder = builder.timeout(Duration::from_secs_f64(seconds));
        }
        if let Some(text) = read("STORYCORE_MAX_RETRIES")? {
            let retries = text.parse().map_err(|_| {
                Error::config("STORYCORE_MAX_RETRIES must be a whole number, such as 2")
            })?;
            builder = builder.max_retries(retries);
        }
        Ok(match read("STORYCORE_API_KEY")? {
            Some(key) => builder.api_key(key),
            None => builder.closed(Error::config("STORYCORE_API_KEY is not set")),
        })
    }
}
