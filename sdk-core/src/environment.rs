//! A client that the environment sets up: `STORYCORE_…`, each checked and named where it is wrong.

use std::time::Duration;

use crate::{
    builder::{ClientBuilder, Setting},
    error::Error,
    platform::Platform,
    secret::Secret,
};

/// What a variable says, where it is set: a value, or in which way it is wrong, by its name. Whoever has the setting from elsewhere
/// never hears of that.
#[doc(hidden)]
pub type Variable<T> = Option<Result<T, Error>>;

/// What the environment says of a client.
#[doc(hidden)]
#[derive(Debug)]
pub struct Environment {
    /// `STORYCORE_API_KEY`.
    pub api_key: Variable<Secret>,
    /// `STORYCORE_BASE_URL`.
    pub base_url: Variable<String>,
    /// `STORYCORE_PLATFORM`.
    pub platform: Variable<Platform>,
    /// `STORYCORE_TIMEOUT`.
    pub timeout: Variable<Duration>,
    /// `STORYCORE_MAX_RETRIES`.
    pub max_retries: Variable<u32>,
}

impl Environment {
    /// Reads this process's.
    #[must_use]
    pub fn read() -> Self {
        Self::from(|name| match std::env::var(name) {
            Ok(text) => Some(Ok(text)),
            Err(std::env::VarError::NotPresent) => None,
            Err(std::env::VarError::NotUnicode(_)) => {
                Some(Err(Error::config(format!("{name} is not UTF-8"))))
            }
        })
    }

    fn from(variable: impl Fn(&str) -> Variable<String>) -> Self {
        let read = |name: &str| {
            variable(name).filter(|text| text.as_ref().map_or(true, |text| !text.is_empty()))
        };
        Self {
            api_key: read("STORYCORE_API_KEY").map(|text| text.map(Secret::from)),
            base_url: read("STORYCORE_BASE_URL"),
            platform: read("STORYCORE_PLATFORM").map(|text| platform(&text?)),
            timeout: read("STORYCORE_TIMEOUT").map(|text| seconds(&text?)),
            max_retries: read("STORYCORE_MAX_RETRIES").map(|text| retries(&text?)),
        }
    }

    /// What is missing where nothing else opens the platform.
    #[must_use]
    pub fn no_key() -> Error {
        Error::config("STORYCORE_API_KEY is not set")
    }
}

fn platform(name: &str) -> Result<Platform, Error> {
    Platform::by_name(name)
        .map_err(|error| Error::config(format!("STORYCORE_PLATFORM: {}", error.message())))
}

fn seconds(text: &str) -> Result<Duration, Error> {
    let seconds = text.parse::<f64>().ok().filter(|s| s.is_finite() && *s > 0.0 && *s < 1e9);
    seconds
        .map(Duration::from_secs_f64)
        .ok_or_else(|| Error::config("STORYCORE_TIMEOUT must be a number of seconds, such as 60"))
}

fn retries(text: &str) -> Result<u32, Error> {
    text.parse()
        .map_err(|_| Error::config("STORYCORE_MAX_RETRIES must be a whole number, such as 2"))
}

impl ClientBuilder {
    /// Set up by the environment, as [`Client::from_env`](crate::Client::from_env) is, and further by what follows, which comes
    /// before the environment: a variable of what is given here need not be there, nor be right. What is missing or wrong in the
    /// end, [`build`](Self::build) says, naming the variable.
    #[must_use]
    pub fn from_env() -> Self {
        Self::of(Environment::read())
    }

    fn of(environment: Environment) -> Self {
        let builder = Self::default()
            .over(environment.platform, Setting::Platform, Self::platform)
            .over(environment.base_url, Setting::BaseUrl, Self::base_url)
            .over(environment.timeout, Setting::Timeout, Self::timeout)
            .over(environment.max_retries, Setting::MaxRetries, Self::max_retries);
        match environment.api_key.unwrap_or_else(|| Err(Environment::no_key())) {
            Ok(key) => builder.api_key(key),
            Err(error) => builder.closed(error),
        }
    }

    fn over<T>(
        self,
        variable: Variable<T>,
        setting: Setting,
        set: impl FnOnce(Self, T) -> Self,
    ) -> Self {
        match variable {
            Some(Ok(value)) => set(self, value),
            Some(Err(error)) => self.wrong(setting, error),
            None => self,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn builder(variables: &[(&str, &str)]) -> ClientBuilder {
        let of = |name: &str| variables.iter().find(|(known, _)| *known == name);
        ClientBuilder::of(Environment::from(|name| Some(Ok(of(name)?.1.to_owned()))))
    }

    #[test]
    fn another_credential_takes_the_place_of_a_missing_key() {
        for key in [vec![], vec![("STORYCORE_API_KEY", "")]] {
            let error = builder(&key).build().unwrap_err();
            assert!(error.message().contains("STORYCORE_API_KEY"), "{error}");
            builder(&key).api_key("sk_test").build().unwrap();
            builder(&key).anonymous().build().unwrap();
        }
    }

    #[test]
    fn what_follows_goes_before_the_environment() {
        let variables = [("STORYCORE_API_KEY", "sk_test"), ("STORYCORE_PLATFORM", "agents")];
        let elsewhere = builder(&variables).base_url("https://a.io");
        assert_eq!(elsewhere.build().unwrap().platform().name(), "agents");
        let ours = builder(&variables).platform(Platform::default());
        assert_eq!(ours.build().unwrap().platform().name(), "storycore");
    }

    #[test]
    fn a_variable_that_is_wrong_is_told_unless_its_setting_is_given() {
        type Give = fn(ClientBuilder) -> ClientBuilder;
        let given: [(_, Give); 3] = [
            ("STORYCORE_PLATFORM", |builder| builder.platform(Platform::default())),
            ("STORYCORE_TIMEOUT", |builder| builder.timeout(Duration::from_secs(5))),
            ("STORYCORE_MAX_RETRIES", |builder| builder.max_retries(0)),
        ];
        for (name, give) in given {
            let variables = [("STORYCORE_API_KEY", "sk_test"), (name, "soon")];
            let error = builder(&variables).header("x-team", "cut").build().unwrap_err();
            assert!(error.message().contains(name), "{error}");
            give(builder(&variables)).build().unwrap();
        }
    }

    #[test]
    fn what_is_not_utf_8_is_told_unless_its_setting_is_given() {
        let builder = || {
            ClientBuilder::of(Environment::from(|name| match name {
                "STORYCORE_API_KEY" | "STORYCORE_BASE_URL" => {
                    Some(Err(Error::config(format!("{name} is not UTF-8"))))
                }
                _ => None,
            }))
        };
        let told = |builder: ClientBuilder| builder.build().unwrap_err().message().to_owned();
        assert!(told(builder().api_key("sk_test")).contains("STORYCORE_BASE_URL"));
        assert!(told(builder().base_url("https://a.io")).contains("STORYCORE_API_KEY"));
        builder().api_key("sk_test").base_url("https://a.io").build().unwrap();
    }
}
