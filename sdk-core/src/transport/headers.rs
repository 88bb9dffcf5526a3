//! The headers that all requests of a transport have in common, put together once. A call copies them: to put one into a map
//! takes seven times as long.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Shared, credentials::Credential, watch::Names};

// `const`: a name is checked, byte by byte, where it is made.
const ID: HeaderName = HeaderName::from_static("x-client-request-id");
const TRACE: HeaderName = HeaderName::from_static("traceparent");
pub(super) const ATTEMPT: HeaderName = HeaderName::from_static("x-client-attempt");

/// Those headers, as a first attempt has them, with room for what each call is called by.
#[derive(Debug)]
pub(super) struct Standing {
    /// First the call's id, and then its trace, where the user has none for all calls.
    all: HeaderMap,
    is_traced: bool,
    is_opened: bool,
}

impl Standing {
    /// With names and values of their own: what is shared is counted in one place.
    pub(super) fn of(shared: &Shared) -> Self {
        let given = &shared.settings.headers;
        let mut all = HeaderMap::with_capacity(16);
        let later = HeaderValue::from_static("");
        all.insert(ID, later.clone());
        let is_traced = !given.contains_key(TRACE);
        if is_traced {
            all.insert(TRACE, later);
        }
        all.insert(ATTEMPT, HeaderValue::from_static("1"));
        all.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        for (name, value) in given.iter().filter(|(name, _)| !is_ours(name)) {
            let name = HeaderName::from_bytes(name.as_str().as_bytes());
            all.insert(name.expect("it was read as one before"), copied(value));
        }
        let is_opened = match &shared.credential {
            Credential::ApiKey(key) => {
                all.insert(header::AUTHORIZATION, copied(key));
                true
            }
            Credential::None | Credential::Renewed(_) => false,
        };
        Self { all, is_traced, is_opened }
    }

    /// The headers of a call with these names, and with others, of which the later ones take the place of the earlier ones. None
    /// of them takes the place of the call's id, or of the API key.
    pub(super) fn with(&self, names: &Names, others: [&HeaderMap; 2]) -> HeaderMap {
        let mut headers = self.all.clone();
        // By their places: to look each up takes a hash of its name. `http` calls the order arbitrary, and it is that of the
        // insertions; with a version that has another one, each call of the tests fails here.
        let mut places = headers.iter_mut();
        if let Some((name, id)) = places.next() {
            debug_assert_eq!(*name, ID);
            *id = names.id();
        }
        if self.is_traced
            && let Some((name, trace)) = places.next()
        {
            debug_assert_eq!(*name, TRACE);
            *trace = names.trace();
        }
        for (name, value) in others.into_iter().flatten() {
            let is_key = self.is_opened && *name == header::AUTHORIZATION;
            if !is_ours(name) && !is_key {
                headers.insert(name.clone(), value.clone());
            }
        }
        headers
    }
}

fn is_ours(name: &HeaderName) -> bool {
    *name == ID || *name == ATTEMPT
}

fn copied(value: &HeaderValue) -> HeaderValue {
    let bytes = HeaderValue::from_bytes(value.as_bytes());
    let mut copy = bytes.expect("it was read as one before");
    copy.set_sensitive(value.is_sensitive());
    copy
}
