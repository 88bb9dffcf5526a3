//! TypeScript's words for types, and JavaScript's comments.

use crate::bindings::{docs, form::Type};

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
    // An asterisk and a slash would end the comment.
    let wrapped = |text: &str| docs::wrapped(&text.replace("*/", "*\\/"), 110);
    let mut lines = wrapped(text);
    if !errors.is_empty() {
        lines.extend(wrapped(&format!("@throws {{StoryCoreError}} {errors}")));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_comments_are_javascripts_own() {
        let optional = Type::Optional(Box::new(Type::Text));
        assert_eq!(output(&Type::List(Box::new(optional.clone()))), "(string | null)[]");
        assert_eq!(input(&Type::Change(Box::new(Type::Number))), "number | null | undefined");
        assert_eq!(documented("It is `*/`.", "", "  "), "  /** It is `*\\/`. */\n");
    }
}
