//! A client that the environment sets up: `STORYCORE_…`, each checked and named where it is wrong.

use std::time::Duration;

use crate::{builder::ClientBuilder, error::Error, platform::Platform, secret::Secret};

/// What the environment says of a client.
#[doc(hidden)]
#[derive(Debug, Default)]
pub struct Environment {
    /// `STORYCORE_API_KEY`.
    pub api_key: Option<Secret>,
    /// `STORYCORE_BASE_URL`.
    pub base_url: Option<String>,
    /// `STORYCORE_PLATFORM`.
    pub platform: Option<Platform>,
    /// `STORYCORE_TIMEOUT`.
    pub timeout: Option<Duration>,
    /// `STORYCORE_MAX_RETRIES`.
    pub max_retries: Option<u32>,
}

impl Environment {
    /// Reads this process's.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable.
    pub fn read() -> Result<Self, Error> {
        Self::from(|name| match std::env::var(name) {
            Ok(text) => Ok(Some(text)),
            Err(std::env::VarError::NotPresent) => Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => {
                Err(Error::config(format!("{name} is not UTF-8")))
            }
        })
    }

    fn from(variable: impl Fn(&str) -> Result<Option<String>, Error>) -> Result<Self, Error> {
        let read = |name: &str| Ok::<_, Error>(variable(name)?.filter(|text| !text.is_empty()));
        let mut found = Self::default();
        if let Some(name) = read("STORYCORE_PLATFORM")? {
            found.platform = Some(Platform::by_name(&name)?);
        }
        found.base_url = read("STORYCORE_BASE_URL")?;
        if let Some(text) = read("STORYCORE_TIMEOUT")? {
            let seconds =
                text.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0 && *s < 1e9);
            let seconds = seconds.ok_or_else(|| {
                Error::config("STORYCORE_TIMEOUT must be a number of seconds, such as 60")
            })?;
            found.timeout = Some(Duration::from_secs_f64(seconds));
        }
        if let Some(text) = read("STORYCORE_MAX_RETRIES")? {
            let retries = text.parse().map_err(|_| {
                Error::config("STORYCORE_MAX_RETRIES must be a whole number, such as 2")
            })?;
            found.max_retries = Some(retries);
        }
        found.api_key = read("STORYCORE_API_KEY")?.map(Secret::from);
        Ok(found)
    }

    /// What is missing where nothing else opens the platform.
    #[must_use]
    pub fn no_key() -> Error {
        Error::config("STORYCORE_API_KEY is not set")
    }
}

impl ClientBuilder {
    /// Set up by the environment, as [`Client::from_env`](crate::Client::from_env) is, and further by what follows, which comes
    /// before the environment: with a credential that is given, `STORYCORE_API_KEY` need not be there.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config), naming the variable; that of a missing key comes of
    /// [`build`](Self::build).
    pub fn from_env() -> Result<Self, Error> {
        Environment::read().map(Self::of)
    }

    fn of(environment: Environment) -> Self {
        let mut builder = Self::default();
        if let Some(platform) = environment.platform {
            builder = builder.platform(platform);
        }
        if let Some(url) = environment.base_url {
            builder = builder.base_url(url);
        }
        if let Some(time) = environment.timeout {
            builder = builder.timeout(time);
        }
        if let Some(retries) = environment.max_retries {
            builder = builder.max_retries(retries);
        }
        match environment.api_key {
            Some(key) => builder.api_key(key),
            None => builder.closed(Environment::no_key()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(variables: &[(&str, &str)]) -> Result<ClientBuilder, Error> {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Environment::from(|name| Ok(of(name).map(|(_, text)| (*text).to_owned())))
            .map(ClientBuilder::of)
    }

    #[test]
    fn another_credential_takes_the_place_of_a_missing_key() {
        for key in [vec![], vec![("STORYCORE_API_KEY", "")]] {
            let error = builder(&key).unwrap().build().unwrap_err();
            assert!(error.message().contains("STORYCORE_API_KEY"), "{error}");
            builder(&key).unwrap().api_key("sk_test").build().unwrap();
            builder(&key).unwrap().anonymous().build().unwrap();
        }
    }

    #[test]
    fn what_follows_goes_before_the_environment() {
        let variables = [("STORYCORE_API_KEY", "sk_test"), ("STORYCORE_PLATFORM", "agents")];
        assert_eq!(
            builder(&variables)
                .unwrap()
                .base_url("https://a.io")
                .build()
                .unwrap()
                .platform()
                .name(),
            "agents"
        );
        let ours = builder(&variables).unwrap().platform(Platform::default());
        assert_eq!(ours.build().unwrap().platform().name(), "storycore");
        let error = builder(&[("STORYCORE_TIMEOUT", "soon")]).unwrap_err();
        assert!(error.message().contains("STORYCORE_TIMEOUT"), "{error}");
    }
}
