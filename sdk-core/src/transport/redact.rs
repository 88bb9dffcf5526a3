//! Blanks what must not be seen in a text that came from outside: an answer's body or message, before an error keeps it.
//! What the crate itself writes never has a secret in it and does not pass through here.

use std::borrow::Cow;

use serde_json::Value;

/// What stands in a secret's place.
const BLANK: &str = "[redacted]";

/// Fields of JSON bodies and forms whose value is a secret, whatever it looks like.
const SECRET_FIELDS: [&str; 12] = [
    "secret",
    "client_secret",
    "password",
    "token",
    "access_token",
    "refresh_token",
    "id_token",
    "api_key",
    "apikey",
    "authorization",
    "code_verifier",
    "credentials",
];

/// Beginnings by which secrets are known wherever they stand. Of a webhook secret, API keys and JWTs.
const SECRET_BEGINNINGS: [&str; 6] = ["whsec_", "whsk_", "pk_live_", "pk_test_", "hbc_", "eyJ"];

/// Knows the client's own credential, and the forms that other secrets have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Redactor {
    /// The credential's text, where it is known beforehand.
    own: Option<crate::Secret>,
}

impl Redactor {
    pub(crate) fn new(own: Option<crate::Secret>) -> Self {
        // Blanking every `a` of a message because the key is `a` would help nobody.
        Self { own: own.filter(|secret| secret.expose().len() >= 8) }
    }

    /// The text without its secrets.
    pub(crate) fn blank<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut out = Cow::Borrowed(text);
        if let Some(own) = &self.own
            && out.contains(own.expose())
        {
            out = Cow::Owned(out.replace(own.expose(), BLANK));
        }
        for beginning in SECRET_BEGINNINGS {
            blank_words(&mut out, beginning);
        }
        blank_fields(&mut out);
        out
    }

    /// Blanks the secrets of a text that is kept.
    pub(crate) fn blank_in_place(&self, text: &mut String) {
        if let Cow::Owned(blanked) = self.blank(text) {
            *text = blanked;
        }
    }

    /// Blanks the secrets in every text of a JSON value, and the values of fields that hold one.
    pub(crate) fn blank_value(&self, value: &mut Value) {
        match value {
            Value::String(text) => self.blank_in_place(text),
            Value::Array(list) => list.iter_mut().for_each(|value| self.blank_value(value)),
            Value::Object(map) => {
                for (name, value) in map {
                    match value {
                        Value::String(text) if is_secret_field(name) => BLANK.clone_into(text),
                        value => self.blank_value(value),
                    }
                }
            }
            _ => {}
        }
    }
}

/// Blanks the words that begin so, wherever a word can begin.
fn blank_words(text: &mut Cow<'_, str>, beginning: &str) {
    let mut from = 0;
    while let Some(at) = text[from..].find(beginning).map(|at| at + from) {
        // What joins a name to its value (`key=hbc_…`, `/hbc_…`) may stand before a secret as well as within one.
        let starts_word =
            !text[..at].ends_with(|c: char| c.is_ascii_alphanumeric() || "_-".contains(c));
        let rest = &text[at + beginning.len()..];
        let length = rest.find(|c| !is_secret_char(c)).unwrap_or(rest.len());
        let end = at + beginning.len() + length;
        // A shorter word is a name that only begins alike, such as the `hbc_` in a message about key forms.
        if starts_word && length >= 8 {
            text.to_mut().replace_range(at..end, BLANK);
            from = at + BLANK.len();
        } else {
            from = end;
        }
    }
}

fn is_secret_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_-.+/=".contains(c)
}

/// Blanks `"name": "value"` and `name=value` for the names of [`SECRET_FIELDS`], and what follows `Bearer`.
fn blank_fields(text: &mut Cow<'_, str>) {
    let mut from = 0;
    while let Some((start, end)) = next_secret_value(&text[from..]) {
        text.to_mut().replace_range(from + start..from + end, BLANK);
        from += start + BLANK.len();
    }
}

/// Where the next value of a secret field lies, if it is not blank yet.
fn next_secret_value(text: &str) -> Option<(usize, usize)> {
    let mut words = words(text);
    words.find_map(|(start, end)| {
        let word = &text[start..end];
        let secret = is_secret_field(word);
        let bearer = word.eq_ignore_ascii_case("bearer");
        if !secret && !bearer {
            return None;
        }
        let rest = &text[end..];
        let value =
            if bearer { rest.len() - rest.strip_prefix(' ')?.len() } else { value_offset(rest)? };
        let value_text = &rest[value..];
        let length = if rest[..value].ends_with('"') {
            end_of_string(value_text)
        } else {
            value_text
                .find(|c: char| c.is_whitespace() || "&,;}\"'<".contains(c))
                .unwrap_or(value_text.len())
        };
        let found = &value_text[..length];
        let scheme = ["bearer", "basic"].iter().any(|scheme| scheme.eq_ignore_ascii_case(found));
        let plain = found.is_empty() || scheme || matches!(found, "null" | "true" | "false");
        // «Bearer authentication is required» names no token.
        let prose = bearer && !found.bytes().any(|b| b.is_ascii_digit());
        (!plain && !prose && !found.starts_with(['{', '[']))
            .then_some((end + value, end + value + length))
    })
}

fn is_secret_field(name: &str) -> bool {
    SECRET_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
}

/// The words of a text, as letters and underscores.
fn words(text: &str) -> impl Iterator<Item = (usize, usize)> + '_ {
    let bytes = text.as_bytes();
    let is_word = |b: u8| b.is_ascii_alphabetic() || b == b'_';
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_word(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        (start < at).then_some((start, at))
    })
}

/// How far behind a field's name its value begins: past a closing quote, `:` or `=`, and an opening quote.
fn value_offset(rest: &str) -> Option<usize> {
    let after =
        rest.strip_prefix("\\\"").or_else(|| rest.strip_prefix('"')).unwrap_or(rest).trim_start();
    let after = after.strip_prefix([':', '='])?.trim_start_matches(' ');
    let after = after.strip_prefix("\\\"").or_else(|| after.strip_prefix('"')).unwrap_or(after);
    Some(rest.len() - after.len())
}

/// The length of a JSON string's inside, its escapes skipped.
fn end_of_string(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blank(text: &str) -> String {
        Redactor::new(Some("my own key 123".into())).blank(text).into_owned()
    }

    #[test]
    fn secrets_are_blanked_wherever_a_body_shows_them() {
        for (text, expected) in [
            ("bad key my own key 123!", "bad key [redacted]!"),
            ("the key hbc_0123456789 is old", "the key [redacted] is old"),
            ("key=hbc_0123456789 of /keys/hbc_0123456789", "key=[redacted] of /keys/[redacted]"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "[redacted]"),
            (r#"{"secret":"abc","id":"whk_1"}"#, r#"{"secret":"[redacted]","id":"whk_1"}"#),
            (r#"{"Access_Token" : "a\"b", "x": 1}"#, r#"{"Access_Token" : "[redacted]", "x": 1}"#),
            ("client_secret=abc&grant_type=x", "client_secret=[redacted]&grant_type=x"),
            ("Authorization: Bearer abc.d3f", "Authorization: Bearer [redacted]"),
            (r#"{"token":"cut off in the mid"#, r#"{"token":"[redacted]"#),
        ] {
            assert_eq!(blank(text), expected);
        }
    }

    #[test]
    fn the_rest_of_a_body_stays_as_it_is() {
        for text in [
            r#"{"error":{"code":"unauthorized","message":"the token is expired"}}"#,
            r#"{"secret":null,"token":true,"credentials":{"a":1}}"#,
            "keys begin with hbc_ or pk_live_",
            "<html>é eyJ</html>",
            "Bearer authentication is required",
            "",
        ] {
            assert_eq!(blank(text), text);
        }
    }

    #[test]
    fn details_lose_their_secrets_and_nothing_else() {
        let mut details = serde_json::json!([
            {"field": "secret", "message": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw is too short"},
            {"token": "abc", "credentials": {"password": "hunter2", "user": "me"}},
        ]);
        Redactor::default().blank_value(&mut details);
        assert_eq!(
            details,
            serde_json::json!([
                {"field": "secret", "message": "[redacted] is too short"},
                {"token": "[redacted]", "credentials": {"password": "[redacted]", "user": "me"}},
            ])
        );
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic_or_run_on(text in "([ \"{}:=,é]|secret|token|Bearer|whsec_|[a-z0-9]{1,9}|\\\\){0,30}") {
            let once = Redactor::default().blank(&text).into_owned();
            prop_assert_eq!(Redactor::default().blank(&once), once.as_str());
        }
    }
}
