//! From a path and a query to the URI of a request. A path that is plain already is not read a second time.

use std::borrow::Cow;

use bytes::Bytes;
use http::{
    Uri,
    uri::{Authority, PathAndQuery, Scheme},
};
use url::{Url, form_urlencoded};

use crate::error::Error;

/// The scheme, host and port of a base URL.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    base: Url,
    scheme: Scheme,
    authority: Authority,
}

impl Origin {
    pub(crate) fn new(base: Url) -> Result<Self, Error> {
        let parts = of(&base)?.into_parts();
        match (parts.scheme, parts.authority) {
            (Some(scheme), Some(authority)) => Ok(Self { base, scheme, authority }),
            _ => Err(Error::config("the base URL has no host")),
        }
    }

    /// The same, with texts of its own.
    pub(super) fn apart(&self) -> Self {
        let authority = self.authority.as_str().parse().expect("it was read as one before");
        Self { base: self.base.clone(), scheme: self.scheme.clone(), authority }
    }

    /// The host, for spans.
    pub(crate) fn host(&self) -> &str {
        self.authority.host()
    }

    /// Whether it is there.
    pub(crate) fn is_at(&self, scheme: &Scheme, authority: &Authority) -> bool {
        self.scheme == *scheme && self.authority == *authority
    }

    /// A path below the base URL.
    pub(crate) fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(path);
        url
    }

    /// A path below the base URL with a query.
    pub(crate) fn uri(
        &self,
        path: &str,
        query: &[(Cow<'static, str>, String)],
    ) -> Result<Uri, Error> {
        let mut text =
            if is_plain(path) { path.to_owned() } else { self.url(path).path().to_owned() };
        if !query.is_empty() {
            text.push('?');
            let begin = text.len();
            text = form_urlencoded::Serializer::for_suffix(text, begin)
                .extend_pairs(query.iter().map(|(name, value)| (&**name, value.as_str())))
                .finish();
        }
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(
            PathAndQuery::from_maybe_shared(Bytes::from(text))
                .map_err(|e| Error::config("the path cannot be sent").with_source(e))?,
        );
        Uri::from_parts(parts).map_err(|e| Error::config("the path cannot be sent").with_source(e))
    }
}

/// The URI of a URL.
pub(crate) fn of(url: &Url) -> Result<Uri, Error> {
    url.as_str().parse().map_err(|e| Error::config("the URL cannot be sent").with_source(e))
}

/// Whether a URL's reader would leave a path as it is: characters that are never encoded, and no segment of dots, encoded
/// or not.
fn is_plain(path: &str) -> bool {
    let is_plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_');
    path.starts_with('/') && path.as_bytes().iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(path: &str, query: &[(&'static str, &str)]) -> String {
        let origin = Origin::new(Url::parse("https://a.io:8443").unwrap()).unwrap();
        let query: Vec<_> = query.iter().map(|(k, v)| ((*k).into(), (*v).to_owned())).collect();
        origin.uri(path, &query).unwrap().to_string()
    }

    #[test]
    fn a_plain_path_is_taken_as_it_is_and_any_other_as_a_url_would() {
        assert_eq!(uri("/api/projects/prj_1", &[]), "https://a.io:8443/api/projects/prj_1");
        assert_eq!(uri("/p/a%2F..%2Fb", &[]), "https://a.io:8443/p/a%2F..%2Fb");
        assert_eq!(uri("/p/../q/é x", &[]), "https://a.io:8443/q/%C3%A9%20x");
        assert_eq!(uri("/p/%2e%2e/q", &[]), "https://a.io:8443/q");
    }

    #[test]
    fn a_query_is_a_form() {
        assert_eq!(
            uri("/p", &[("a b", "1&2"), ("c", "é\n")]),
            "https://a.io:8443/p?a+b=1%262&c=%C3%A9%0A"
        );
    }

    #[test]
    fn no_path_makes_it_panic() {
        let origin = Origin::new(Url::parse("http://[::1]:1").unwrap()).unwrap();
        crate::for_a_while::for_a_while(&(".{0,40}", ".{0,20}"), |(path, value)| {
            let _ = origin.uri(&path, &[("q".into(), value)]);
            Ok(())
        });
    }
}
