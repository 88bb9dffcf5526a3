//! Redirects of downloads: at most five, https alone, and no credential to another origin. API calls follow none.

use http::{HeaderMap, header};
use url::Url;

use super::{Transport, body::SendBody, pool::Lane, read::read_error, response::Response, uri};
use crate::{
    error::{Error, ErrorKind},
    options::CallOptions,
};

/// How many redirects a download follows.
pub(crate) const MOST: usize = 5;

/// Where a redirect leads.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hop {
    pub(crate) url: Url,
    /// Whether it is still the place that the credential is for.
    pub(crate) same_origin: bool,
}

impl Transport {
    /// Follows a redirect of a download from `current`; the credential goes along within one origin.
    pub(super) async fn follow_redirects(
        &self,
        mut response: Response,
        mut current: Url,
        headers: &HeaderMap,
    ) -> Result<Response, Error> {
        let mut keep = true;
        let mut hops = 0;
        while response.status().is_redirection()
            && response.headers().contains_key(header::LOCATION)
        {
            let location =
                response.headers()[header::LOCATION].to_str().unwrap_or_default().to_owned();
            let hop = follow(&current, &location, hops, self.settings.insecure)?;
            hops += 1;
            keep &= hop.same_origin;
            current = hop.url;
            let mut request = http::Request::new(SendBody::Empty);
            *request.uri_mut() = uri::of(&current)?;
            request.headers_mut().extend(headers.clone());
            request.extensions_mut().insert(Lane::Bulk);
            if keep && let Some(credential) = self.credential(None).await? {
                request.headers_mut().insert(header::AUTHORIZATION, credential);
            }
            let sent = self.http.execute(&mut request);
            let sent = tokio::time::timeout(self.settings.attempt_timeout, sent);
            response = sent.await.map_err(|_| {
                Error::new(ErrorKind::Timeout, "a redirect of the download did not answer in time")
            })??;
        }
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read_error(response, &CallOptions::default()).await)
    }
}

/// Follows `location` from `current`, `hops` having been made before. `insecure`: plain http is allowed.
pub(crate) fn follow(
    current: &Url,
    location: &str,
    hops: usize,
    insecure: bool,
) -> Result<Hop, Error> {
    let refuse =
        |why: &str| Error::new(ErrorKind::Server, format!("the download was redirected {why}"));
    if hops >= MOST {
        return Err(refuse("more than five times"));
    }
    let url = current.join(location).map_err(|e| refuse("to what is no URL").with_source(e))?;
    let plain = url.scheme() == "http" && (insecure || is_loopback(&url));
    // A connection that was encrypted is never given up for one that is not.
    if url.scheme() != "https" && !(plain && current.scheme() == "http") {
        return Err(refuse("away from https"));
    }
    let same_origin = url.origin() == current.origin();
    Ok(Hop { url, same_origin })
}

/// Whether a URL's host is this machine by its form alone, without asking a resolver.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(from: &str, to: &str, hops: usize) -> Result<Hop, Error> {
        follow(&Url::parse(from).unwrap(), to, hops, false)
    }

    #[test]
    fn another_origin_is_followed_without_the_credential() {
        assert!(!hop("https://a.io/x", "https://b.io/y", 0).unwrap().same_origin);
        assert!(hop("https://a.io/x", "/y", 4).unwrap().same_origin);
        assert!(!hop("https://a.io/x", "https://a.io:444/y", 0).unwrap().same_origin);
    }

    #[test]
    fn what_is_not_safe_is_not_followed() {
        assert!(hop("https://a.io/x", "http://a.io/x", 0).is_err());
        assert!(hop("https://a.io/x", "http://127.0.0.1/x", 0).is_err());
        assert!(hop("https://a.io/x", "file:///etc/passwd", 0).is_err());
        assert!(hop("https://a.io/x", "/y", 5).is_err());
        assert!(hop("http://127.0.0.1:1/x", "http://127.0.0.1:2/y", 0).is_ok());
        assert!(hop("http://127.0.0.1:1/x", "http://example.com/y", 0).is_err());
    }
}
