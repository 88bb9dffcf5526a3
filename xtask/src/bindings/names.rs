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
