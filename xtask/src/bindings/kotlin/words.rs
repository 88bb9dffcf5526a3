//! Kotlin's words for types, the way of a value over the boundary and back, and KDoc.

use anyhow::{Result, bail};

use crate::bindings::{docs, form::Type, names};

/// The type of a field or an argument; a URL is one by its name.
pub(super) fn ty(ty: &Type, field: &str) -> Result<String> {
    Ok(match ty {
        Type::Text if names::is_url(field) => "URI".into(),
        Type::Text => "String".into(),
        Type::Secret => "Secret".into(),
        Type::Path => "Path".into(),
        Type::Bool => "Boolean".into(),
        Type::Integer("u16") => "Int".into(),
        // An unsigned number that Kotlin's `Int` does not hold; its unsigned types are no use to Java.
        Type::Integer(_) => "Long".into(),
        Type::Number => "Double".into(),
        Type::Time => "Instant".into(),
        Type::Date => "LocalDate".into(),
        Type::Json => "JsonElement".into(),
        Type::JsonObject => "JsonObject".into(),
        Type::Bytes => "ByteArray".into(),
        Type::Enum(name) | Type::Model(name) => name.clone(),
        Type::List(of) => format!("List<{}>", self::ty(of, "")?),
        Type::Optional(of) => match self::ty(of, field)? {
            of if of.ends_with('?') => bail!("{field}: nothing within nothing"),
            of => format!("{of}?"),
        },
        Type::Change(of) => format!("Change<{}>", self::ty(of, field)?),
    })
}

/// A value of uniffi's as Kotlin's users have it. `value` is an expression that may be repeated.
pub(super) fn read(ty: &Type, field: &str, value: &str) -> Result<String> {
    Ok(match ty {
        Type::Text if names::is_url(field) => format!("readUri({value})"),
        Type::Text | Type::Bool | Type::Number | Type::Time | Type::Bytes => value.to_owned(),
        Type::Secret => format!("Secret({value})"),
        Type::Integer("u16") => format!("{value}.toInt()"),
        Type::Integer("u32") => format!("{value}.toLong()"),
        Type::Integer(_) => format!("readLong({value})"),
        Type::Date => format!("LocalDate.parse({value})"),
        Type::Json => format!("readJson({value})"),
        Type::JsonObject => format!("readObject({value})"),
        Type::Enum(name) => format!("{name}({value})"),
        Type::Model(_) => format!("{value}.model()"),
        Type::List(of) => match read(of, "", "it")? {
            same if same == "it" => value.to_owned(),
            of => format!("{value}.map {{ {of} }}"),
        },
        Type::Optional(of) => match read(of, field, "it")? {
            same if same == "it" => value.to_owned(),
            of => format!("{value}?.let {{ {of} }}"),
        },
        Type::Path | Type::Change(_) => bail!("{field}: the platform does not send that"),
    })
}

/// A value that a user gave as uniffi takes it.
pub(super) fn given(ty: &Type, field: &str, value: &str) -> Result<String> {
    Ok(match ty {
        Type::Text if names::is_url(field) => format!("{value}.toString()"),
        Type::Text | Type::Bool | Type::Number => value.to_owned(),
        Type::Secret => format!("{value}.expose()"),
        Type::Path => format!("filePath(\"{field}\", {value})"),
        Type::Date | Type::Json | Type::JsonObject => format!("{value}.toString()"),
        Type::Integer("u32") => format!("uint(\"{field}\", {value})"),
        Type::Integer("u64") => format!("ulong(\"{field}\", {value})"),
        Type::Enum(_) => format!("{value}.raw"),
        Type::Model(_) => format!("{value}.native()"),
        Type::List(of) => match given(of, "", "it")? {
            same if same == "it" => value.to_owned(),
            of => format!("{value}.map {{ {of} }}"),
        },
        Type::Optional(of) => match given(of, field, "it")? {
            same if same == "it" => value.to_owned(),
            of => format!("{value}?.let {{ {of} }}"),
        },
        Type::Change(of) => match &**of {
            Type::Number => format!("{value}.number()"),
            Type::Bool => format!("{value}.bool()"),
            Type::Integer(_) => format!("{value}.integer {{ ulong(\"{field}\", it) }}"),
            Type::List(inner) if **inner == Type::Text => format!("{value}.texts()"),
            of => format!("{value}.text {{ {} }}", given(of, field, "it")?),
        },
        Type::Integer(_) | Type::Time | Type::Bytes => bail!("{field}: no method takes that yet"),
    })
}

/// The import of a generated type under the name that it has here: `bindings-swift/mobile/uniffi.toml` says which are
/// called otherwise for Kotlin.
pub(super) fn native(name: &str) -> String {
    let theirs = if name == "Job" { "JobRecord" } else { name };
    format!("io.storycore.ffi.{theirs} as Native{name}")
}

/// KDoc at this indentation.
pub(super) fn documented(paragraphs: &[impl AsRef<str>], indent: &str) -> String {
    // Kotlin's comments nest, and either would end or begin one.
    let safe = |text: &str| text.replace("*/", "*&#47;").replace("/*", "/&#42;");
    let mut lines: Vec<String> = Vec::new();
    let mut was_tag = false;
    for text in paragraphs.iter().map(AsRef::as_ref).filter(|text| !text.is_empty()) {
        let is_tag = text.starts_with('@');
        // Tags stand below each other, an empty line above the first.
        let follows_tag = is_tag && was_tag;
        if !lines.is_empty() && !follows_tag {
            lines.push(String::new());
        }
        lines.extend(docs::wrapped(&safe(text), 110));
        was_tag = is_tag;
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

/// The class of a kind of error: as in the other languages, with the ending that the JVM's have.
pub(super) fn exception(kind: &str) -> String {
    let class = names::error_class(kind).replace("API", "Api");
    format!("{}Exception", class.trim_end_matches("Error"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn optional(of: Type) -> Type {
        Type::Optional(Box::new(of))
    }

    #[test]
    fn values_cross_in_both_directions() {
        let count = optional(Type::Integer("u64"));
        assert_eq!(ty(&count, "size").unwrap(), "Long?");
        assert_eq!(read(&count, "size", "size").unwrap(), "size?.let { readLong(it) }");
        assert_eq!(given(&count, "size", "size").unwrap(), "size?.let { ulong(\"size\", it) }");
        assert_eq!(ty(&optional(Type::Text), "result_url").unwrap(), "URI?");
        let change = Type::Change(Box::new(Type::Date));
        assert_eq!(given(&change, "end", "end").unwrap(), "end.text { it.toString() }");
        assert!(ty(&optional(optional(Type::Text)), "x").is_err());
    }

    #[test]
    fn a_comment_ends_where_it_should() {
        let text = documented(&["`/a/*` and `*/`", "@param a x", "@throws b"], "");
        assert_eq!(text, "/**\n * `/a/&#42;` and `*&#47;`\n *\n * @param a x\n * @throws b\n */\n");
    }

    #[test]
    fn exceptions_are_called_as_on_the_jvm() {
        assert_eq!(exception("Timeout"), "ApiTimeoutException");
        assert_eq!(exception("NotFound"), "NotFoundException");
    }
}
