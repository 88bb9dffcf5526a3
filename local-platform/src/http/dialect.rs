//! The dialects of the contract, as data: which paths are other names of StoryCore's, and whether single objects come
//! wrapped. A request is renamed before it is routed, so that a resource knows one path alone.

use std::borrow::Cow;

use axum::http::Uri;

/// One way to speak to the platform.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    /// Single objects come as `{"data": {…}}`.
    pub(crate) wrapped: bool,
    /// Paths, longest first, and StoryCore's names for them.
    paths: &'static [(&'static str, &'static str)],
    /// What the text of a key made in this dialect begins with.
    pub(crate) key_prefix: &'static str,
    /// The header that carries the signature of a webhook made in this dialect.
    pub(crate) signature_header: &'static str,
    /// What stands before the signature's hexadecimal digits.
    pub(crate) signature_prefix: &'static str,
    /// The header that carries the name of a delivered event.
    pub(crate) event_header: &'static str,
    /// The header that carries the id of the delivery.
    pub(crate) delivery_header: &'static str,
    /// Delivered payloads repeat their main fields at the top.
    pub(crate) top_fields: bool,
}

pub(crate) static STORYCORE: Dialect = Dialect {
    name: "storycore",
    wrapped: false,
    paths: &[],
    key_prefix: "",
    signature_header: "x-storycore-signature",
    signature_prefix: "",
    event_header: "x-storycore-event",
    delivery_header: "x-storycore-delivery",
    top_fields: true,
};

pub(crate) static POWALYZE: Dialect = Dialect {
    name: "powalyze",
    wrapped: true,
    paths: &[("/v1/api-keys", "/api/auth/api-keys"), ("/v1", "/api")],
    key_prefix: "pk_live_",
    signature_header: "x-powalyze-signature",
    signature_prefix: "sha256=",
    event_header: "x-powalyze-event",
    delivery_header: "x-powalyze-delivery",
    top_fields: false,
};

pub(crate) static HUB_CHANTIER: Dialect = Dialect {
    name: "hub_chantier",
    wrapped: true,
    paths: &[("/api/v1/chantiers", "/api/projects")],
    key_prefix: "hbc_",
    signature_header: "x-hubchantier-signature",
    signature_prefix: "sha256=",
    event_header: "x-hubchantier-event",
    delivery_header: "x-hubchantier-delivery",
    top_fields: false,
};

/// Every dialect that has paths of its own.
static OTHERS: [&Dialect; 2] = [&HUB_CHANTIER, &POWALYZE];

impl Dialect {
    /// This dialect's name for one of StoryCore's paths.
    pub(crate) fn theirs(&self, path: &str) -> String {
        for (theirs, ours) in self.paths {
            if let Some(rest) = path.strip_prefix(ours)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return format!("{theirs}{rest}");
            }
        }
        path.to_owned()
    }
}

/// The dialect that stored this name.
pub(crate) fn by_name(name: &str) -> &'static Dialect {
    OTHERS.into_iter().find(|d| d.name == name).unwrap_or(&STORYCORE)
}

/// The dialect that a path belongs to, and StoryCore's name for the path.
pub(crate) fn of(path: &str) -> (&'static Dialect, Cow<'_, str>) {
    for dialect in OTHERS {
        for (theirs, ours) in dialect.paths {
            if let Some(rest) = path.strip_prefix(theirs)
                && (rest.is_empty() || rest.starts_with('/'))
            {
                return (dialect, Cow::Owned(format!("{ours}{rest}")));
            }
        }
    }
    (&STORYCORE, Cow::Borrowed(path))
}

/// The dialect of a webhook: that of the path it was made under, or of the key where the key's dialect has no path for
/// webhooks.
pub(crate) fn of_webhook(path: &'static Dialect, key_text: &str) -> &'static Dialect {
    if path == &STORYCORE && key_text.starts_with(HUB_CHANTIER.key_prefix) {
        &HUB_CHANTIER
    } else {
        path
    }
}

/// `uri` under another path, its query kept.
pub(crate) fn with_path(uri: &Uri, path: &str) -> Option<Uri> {
    match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok(),
        None => path.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_dialect_reaches_the_same_resource() {
        for (path, name, expected) in [
            ("/api/projects/prj_1", "storycore", "/api/projects/prj_1"),
            ("/v1/projects", "powalyze", "/api/projects"),
            ("/v1/api-keys/key_1", "powalyze", "/api/auth/api-keys/key_1"),
            ("/api/v1/chantiers/prj_1", "hub_chantier", "/api/projects/prj_1"),
            ("/api/v1/chantiersx", "storycore", "/api/v1/chantiersx"),
        ] {
            let (dialect, ours) = of(path);
            assert_eq!((dialect.name, &*ours), (name, expected));
        }
    }
}
