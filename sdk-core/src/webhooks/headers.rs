//! Where a verifier finds the headers of a delivery: `http`'s map, or pairs of a name and a value.

use http::HeaderMap;

/// Where a verifier finds a header by its name in lower case.
pub trait HeaderLookup {
    /// The header's value, where it is text and there is one.
    fn header(&self, name: &str) -> Option<&str>;

    /// The three headers of Standard Webhooks.
    fn standard(&self) -> StandardHeaders<'_> {
        let bytes = |name| self.header(name).map(str::as_bytes);
        StandardHeaders {
            id: bytes("webhook-id"),
            timestamp: bytes("webhook-timestamp"),
            signature: bytes("webhook-signature"),
        }
    }
}

/// The headers of Standard Webhooks, as far as they are there.
#[derive(Debug, Clone, Copy, Default)]
pub struct StandardHeaders<'a> {
    /// `webhook-id`.
    pub id: Option<&'a [u8]>,
    /// `webhook-timestamp`.
    pub timestamp: Option<&'a [u8]>,
    /// `webhook-signature`.
    pub signature: Option<&'a [u8]>,
}

impl HeaderLookup for HeaderMap {
    fn header(&self, name: &str) -> Option<&str> {
        self.get(name)?.to_str().ok()
    }

    /// In one pass: to hash three names takes longer than to look at the few headers that a delivery has.
    fn standard(&self) -> StandardHeaders<'_> {
        let mut found = StandardHeaders::default();
        for (name, value) in self {
            let Some(name) = name.as_str().strip_prefix("webhook-") else { continue };
            let place = match name {
                "id" => &mut found.id,
                "timestamp" => &mut found.timestamp,
                "signature" => &mut found.signature,
                _ => continue,
            };
            // Of a header that is there twice, the first counts.
            *place = place.or(Some(value.as_bytes()));
        }
        found
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
