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

/// `rotate_secret` is `rotateSecret`.
pub(crate) fn camel(name: &str) -> String {
    let mut out = String::new();
    let mut parts = name.split('_');
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let mut letters = part.chars();
        out.extend(letters.next().into_iter().flat_map(char::to_uppercase));
        out.push_str(letters.as_str());
    }
    out
}

/// Whether the text of a field is a URL, in the languages that have a type for one.
pub(crate) fn is_url(field: &str) -> bool {
    field == "url" || field.ends_with("_url")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_each_languages_own() {
        assert_eq!((camel("rotate_secret"), camel("get")), ("rotateSecret".into(), "get".into()));
        assert_eq!(
            (snake("NotFound"), upper("NotFound")),
            ("not_found".into(), "NOT_FOUND".into())
        );
    }
}
