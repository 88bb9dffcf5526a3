//! TypeScript's words for types, and JavaScript's way of writing names.

use crate::bindings::form::Type;

/// `rotate_secret` is `rotateSecret`.
pub(super) fn camel(name: &str) -> String {
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

/// The type of a value that is read.
pub(super) fn output(ty: &Type) -> String {
    match ty {
        Type::Text | Type::Secret | Type::Path => "string".into(),
        Type::Bool => "boolean".into(),
        Type::Integer(_) | Type::Number => "number".into(),
        Type::Time => "Timestamp".into(),
        Type::Date => "CalendarDate".into(),
        Type::Json => "unknown".into(),
        Type::JsonObject => "JsonObject".into(),
        Type::Bytes => "Uint8Array".into(),
        Type::Enum(name) | Type::Model(name) => name.clone(),
        Type::List(of) => match output(of) {
            of if of.contains(' ') => format!("({of})[]"),
            of => format!("{of}[]"),
        },
        Type::Optional(of) | Type::Change(of) => format!("{} | null", output(of)),
    }
}

/// The type of something that is given.
pub(super) fn input(ty: &Type) -> String {
    match ty {
        Type::List(of) => format!("readonly {}[]", input(of)),
        // `undefined` is the same as left out, also where TypeScript tells the two apart.
        Type::Optional(of) => format!("{} | undefined", input(of)),
        Type::Change(of) => format!("{} | null | undefined", input(of)),
        _ => output(ty),
    }
}

/// A doc comment at this indentation.
pub(super) fn documented(text: &str, errors: &str, indent: &str) -> String {
    let mut lines = wrapped(text, 110);
    if !errors.is_empty() {
        lines.extend(wrapped(&format!("@throws {{StoryCoreError}} {errors}"), 110));
    }
    match lines.as_slice() {
        [] => String::new(),
        [one] => format!("{indent}/** {one} */\n"),
        many => {
            let body: String = many
                .iter()
                .map(|line| format!("{indent} * {line}").trim_end().to_owned() + "\n")
                .collect();
            format!("{indent}/**\n{body}{indent} */\n")
        }
    }
}

fn wrapped(text: &str, width: usize) -> Vec<String> {
    // An asterisk and a slash would end the comment.
    let text = text.replace("*/", "*\\/");
    let mut lines = Vec::new();
    for (at, paragraph) in text.split("\n\n").filter(|text| !text.is_empty()).enumerate() {
        if at > 0 {
            lines.push(String::new());
        }
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_types_are_javascripts_own() {
        assert_eq!((camel("rotate_secret"), camel("get")), ("rotateSecret".into(), "get".into()));
        let optional = Type::Optional(Box::new(Type::Text));
        assert_eq!(output(&Type::List(Box::new(optional.clone()))), "(string | null)[]");
        assert_eq!(input(&Type::Change(Box::new(Type::Number))), "number | null | undefined");
        assert_eq!(documented("It is `*/`.", "", "  "), "  /** It is `*\\/`. */\n");
    }
}
