//! Names in the letter cases of the languages.

/// `NotFound` is `not_found`.
pub(crate) fn snake(name: &str) -> String {
    let mut out = String::new();
    for (at, letter) in name.chars().enumerate() {
        if letter.is_uppercase() && at > 0 {
            out.push('_');
        }
        out.extend(letter.to_lowercase());
    }
    out
}

/// `NotFound` is `NOT_FOUND`.
pub(crate) fn upper(name: &str) -> String {
    snake(name).to_uppercase()
}

/// The class of a kind of error, in the languages that have classes. Where a language's own name would be hidden, another
/// stands.
pub(crate) fn error_class(kind: &str) -> String {
    match kind {
        "Permission" => "PermissionDeniedError".into(),
        "Connection" => "APIConnectionError".into(),
        "Timeout" => "APITimeoutError".into(),
        "Cancelled" => "CallCancelledError".into(),
        "Unsupported" => "UnsupportedError".into(),
        "RateLimited" => "RateLimitError".into(),
        name => format!("{name}Error"),
    }
}
