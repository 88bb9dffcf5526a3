//! Where a connection leads to: what is alike of all requests that can share it.

use http::{
    HeaderValue, Uri,
    uri::{Authority, Parts, PathAndQuery, Scheme},
};

use super::uri::Origin;

/// Where a connection leads to.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Destination {
    scheme: Scheme,
    pub(super) authority: Authority,
}

impl Destination {
    pub(super) fn of(uri: &Uri) -> Option<Self> {
        Some(Self { scheme: uri.scheme()?.clone(), authority: uri.authority()?.clone() })
    }

    /// Whether a request for `uri` goes there.
    pub(super) fn is_of(&self, uri: &Uri) -> bool {
        // Mostly it is the same text; letter by letter, small and large alike, is slower.
        let is_there =
            |to: &Authority| to.as_str() == self.authority.as_str() || *to == self.authority;
        uri.scheme() == Some(&self.scheme) && uri.authority().is_some_and(is_there)
    }

    /// Whether it is what calls go to.
    pub(super) fn is_at(&self, origin: &Origin) -> bool {
        origin.is_at(&self.scheme, &self.authority)
    }

    /// A place there.
    pub(super) fn uri(&self, path: Option<&PathAndQuery>) -> Uri {
        let mut parts = Parts::default();
        parts.scheme = Some(self.scheme.clone());
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path.cloned().unwrap_or(PathAndQuery::from_static("/")));
        Uri::from_parts(parts).expect("a URI's parts make a URI")
    }

    /// What the header `Host` says: the port only where it is not the scheme's own.
    pub(super) fn host(&self) -> HeaderValue {
        let own = if self.scheme == Scheme::HTTPS { 443 } else { 80 };
        let host = self.authority.host();
        let text = match self.authority.port_u16() {
            Some(port) if port != own => format!("{host}:{port}"),
            _ => host.to_owned(),
        };
        HeaderValue::try_from(text).expect("a URI's host is a header's value")
    }
}
