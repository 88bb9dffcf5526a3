//! Which requests go through a proxy: the one that was given for all, or what the environment says (`HTTPS_PROXY`,
//! `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`, as curl reads them). It opens no connection.

use http::{HeaderValue, Uri, uri::Scheme};
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use url::Url;

use crate::{error::Error, secret::Secret};

/// The rules of a pool.
#[derive(Debug)]
pub(crate) struct Proxies {
    matcher: Matcher,
    /// Whether any plain request shows a credential: asking the matcher for each one costs time.
    has_credential: bool,
}

impl Proxies {
    /// The proxy that was given, or the environment's as it is now.
    pub(crate) fn new(given: Option<&Secret>) -> Result<Self, Error> {
        let matcher = match given {
            Some(proxy) => Matcher::builder().all(parse(proxy)?.as_str().to_owned()).build(),
            None => Matcher::from_env(),
        };
        // Two hosts, of which `NO_PROXY` names at most one.
        let has_credential = ["http://10.0.0.1", "http://proxied.invalid"].iter().any(|to| {
            matcher.intercept(&Uri::from_static(to)).is_some_and(|i| i.basic_auth().is_some())
        });
        Ok(Self { matcher, has_credential })
    }

    /// The proxy for a destination.
    pub(crate) fn of(&self, to: &Uri) -> Option<Intercept> {
        self.matcher.intercept(to)
    }

    /// The credential that a request itself shows to its proxy. A tunnel shows it when it is made.
    pub(crate) fn credential(&self, to: &Uri) -> Option<HeaderValue> {
        if !self.has_credential || to.scheme() != Some(&Scheme::HTTP) {
            return None;
        }
        self.of(to)?.basic_auth().cloned()
    }
}

/// Reads a proxy's URL; a host and port alone are one of plain HTTP.
pub(crate) fn parse(text: &Secret) -> Result<Url, Error> {
    // The text may hold a password, so that no error shows it.
    let wrong = || Error::config("the proxy is no URL, such as http://proxy:3128");
    let text = text.expose();
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let url = Url::parse(&whole).map_err(|_| wrong())?;
    if !url.has_host() {
        return Err(wrong());
    }
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(Error::config("a proxy is spoken to over http or https")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_or_a_host_and_port() {
        for good in
            ["http://proxy:3128", "https://u:p@proxy", "proxy:3128", "10.0.0.1:80", "[::1]:80"]
        {
            assert!(parse(&Secret::new(good)).is_ok(), "{good}");
        }
        for bad in ["", "http://", "socks5://proxy:1080", "not a url", "http://:hunter2@"] {
            let error = parse(&Secret::new(bad)).unwrap_err();
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[test]
    fn only_a_plain_request_shows_the_proxys_credential_itself() {
        let proxies = Proxies::new(Some(&Secret::new("http://u:p@proxy:3128"))).unwrap();
        let credential = |to: &'static str| proxies.credential(&Uri::from_static(to));
        assert_eq!(credential("http://a.io/").unwrap(), "Basic dTpw");
        assert!(credential("https://a.io/").is_none());
        assert!(proxies.of(&Uri::from_static("https://a.io/")).is_some());
    }
}
