//! Names, types and prose as Swift has them.

use anyhow::{Result, bail};

use crate::bindings::{
    docs::wrapped,
    form::{Sdk, Type},
    names,
};

/// `project_id` is `projectID`.
pub(super) fn camel(name: &str) -> String {
    let mut out = String::new();
    for (at, word) in name.split('_').enumerate() {
        match (at, word) {
            (0, word) => out.push_str(word),
            (_, "id" | "url") => out.push_str(&word.to_uppercase()),
            (_, word) => out.push_str(&capital(word)),
        }
    }
    out
}

/// As uniffi has it: `project_id` is `projectId`.
pub(super) use crate::bindings::names::camel as native;

pub(super) fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// `InProgress` is `inProgress`.
pub(super) fn case(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// A name that may be a word of the language.
pub(super) fn quoted(name: &str) -> String {
    match name {
        "default" | "repeat" | "operator" | "protocol" | "extension" | "internal" | "where" => {
            format!("`{name}`")
        }
        _ => name.to_owned(),
    }
}

/// Whether a text is a URL.
pub(super) fn is_url(name: &str, ty: &Type) -> bool {
    let is_text = match ty {
        Type::Text => true,
        Type::Optional(of) | Type::Change(of) => **of == Type::Text,
        _ => false,
    };
    is_text && names::is_url(name)
}

/// The type of a value that is given or taken under this name.
pub(super) fn swift(name: &str, ty: &Type) -> Result<String> {
    if is_url(name, ty) {
        return Ok(match ty {
            Type::Change(_) => "Change<URL>",
            Type::Optional(_) => "URL?",
            _ => "URL",
        }
        .to_owned());
    }
    Ok(match ty {
        Type::Text => "String".to_owned(),
        Type::Bool => "Bool".to_owned(),
        Type::Integer(_) => "Int".to_owned(),
        Type::Number => "Double".to_owned(),
        Type::Time => "Date".to_owned(),
        Type::Date => "CalendarDate".to_owned(),
        Type::Json => "JSONValue".to_owned(),
        Type::JsonObject => "[String: JSONValue]".to_owned(),
        Type::Secret => "Secret".to_owned(),
        Type::Bytes => "Data".to_owned(),
        Type::Path => "URL".to_owned(),
        Type::Enum(of) | Type::Model(of) => of.clone(),
        Type::List(of) => format!("[{}]", swift(name, of)?),
        Type::Optional(of) => format!("{}?", swift(name, of)?),
        Type::Change(of) => format!("Change<{}>", swift(name, of)?),
    })
}

/// A value of the library's as users see it.
pub(super) fn outward(name: &str, ty: &Type, value: &str) -> Result<String> {
    if is_url(name, ty) {
        return Ok(match ty {
            Type::Optional(_) => format!("{value}.flatMap {{ URL(string: $0) }}"),
            _ => format!("URL(string: {value})"),
        });
    }
    Ok(match ty {
        Type::Text | Type::Bool | Type::Number | Type::Time | Type::Bytes => value.to_owned(),
        Type::Integer(_) => format!("Int(clamping: {value})"),
        Type::Json => format!("JSONValue(json: {value})"),
        Type::JsonObject => format!("JSONValue.object(json: {value})"),
        Type::Secret => format!("Secret({value})"),
        Type::Enum(of) => format!("{of}(rawValue: {value})"),
        Type::Model(of) => format!("{of}({value})"),
        Type::Optional(of) if **of == Type::Date => {
            format!("{value}.flatMap {{ CalendarDate($0) }}")
        }
        Type::Optional(of) => mapped("map", name, of, value)?,
        Type::List(of) => mapped("map", name, of, value)?,
        Type::Date | Type::Path | Type::Change(_) => bail!("{name} is of a type that is not sent"),
    })
}

fn mapped(how: &str, name: &str, of: &Type, value: &str) -> Result<String> {
    let way = outward(name, of, "$0")?;
    Ok(if way == "$0" { value.to_owned() } else { format!("{value}.{how} {{ {way} }}") })
}

/// A value of the user's as the library takes it.
pub(super) fn inward(name: &str, ty: &Type, value: &str) -> Result<String> {
    if is_url(name, ty) {
        return Ok(match ty {
            Type::Change(_) => format!("{value}.text {{ $0.absoluteString }}"),
            Type::Optional(_) => format!("{value}?.absoluteString"),
            _ => format!("{value}.absoluteString"),
        });
    }
    Ok(match ty {
        Type::Text | Type::Bool | Type::Number => value.to_owned(),
        Type::Integer(of) => {
            format!("try whole(\"{}\", {value}) as UInt{}", camel(name), &of[1..])
        }
        Type::Date => format!("{value}.description"),
        Type::JsonObject => format!("try JSONValue.text({value})"),
        Type::Secret => format!("{value}.exposed"),
        Type::Enum(_) => format!("{value}.rawValue"),
        Type::Path => format!("try filePath(\"{}\", {value})", camel(name)),
        Type::Model(_) => format!("try {value}.native()"),
        Type::List(of) if **of == Type::Text => value.to_owned(),
        Type::Optional(of) => {
            let way = inward(name, of, "$0")?;
            if way == "$0" {
                value.to_owned()
            } else if let Some(way) = way.strip_prefix("try ") {
                format!("try {value}.map {{ try {way} }}")
            } else {
                format!("{value}.map {{ {way} }}")
            }
        }
        Type::Change(of) => match &**of {
            Type::Text => format!("{value}.text {{ $0 }}"),
            Type::Number => format!("{value}.number()"),
            Type::Bool => format!("{value}.bool()"),
            Type::Integer(_) => format!("try {value}.integer(\"{}\")", camel(name)),
            Type::List(_) => format!("{value}.texts()"),
            of => {
                let way = inward(name, of, "$0")?;
                let throws = if way.starts_with("try ") { "try " } else { "" };
                format!("{throws}{value}.text {{ {way} }}")
            }
        },
        _ => bail!("{name} is of a type that is not taken"),
    })
}

/// A doc comment in Swift's words.
pub(super) fn commented(sdk: &Sdk, doc: &str, indent: &str) -> String {
    let lines = wrapped(&in_swift(sdk, doc), 110 - indent.len());
    lines.iter().map(|line| format!("{indent}/// {line}").trim_end().to_owned() + "\n").collect()
}

/// How it fails, as a part of a doc comment.
pub(super) fn throws(sdk: &Sdk, errors: &str, indent: &str) -> String {
    if errors.is_empty() {
        return String::new();
    }
    let told = format!("- Throws: ``StoryCoreError``: {}", in_swift(sdk, errors));
    let lines = wrapped(&told, 110 - indent.len());
    let mut text = format!("{indent}///\n");
    for (at, line) in lines.iter().enumerate() {
        let more = if at == 0 { "" } else { "  " };
        text += &format!("{indent}/// {more}{line}\n");
    }
    text
}

/// The names of fields, arguments, methods and kinds of errors, as they are in Swift.
fn in_swift(sdk: &Sdk, text: &str) -> String {
    let mut out = String::new();
    for (at, piece) in text.split('`').enumerate() {
        if at > 0 {
            out.push('`');
        }
        if at % 2 == 1 && is_name(sdk, piece) {
            out.push_str(&camel(piece));
        } else {
            out.push_str(piece);
        }
    }
    out
}

fn is_name(sdk: &Sdk, word: &str) -> bool {
    word.contains('_')
        && (sdk.errors.iter().any(|kind| kind.kind == word)
            || sdk.list_params.iter().any(|field| field.name == word)
            || sdk.models.iter().flat_map(|model| &model.fields).any(|field| field.name == word)
            || sdk.resources.iter().flat_map(|resource| &resource.methods).any(|method| {
                method.name == word || method.params.iter().any(|param| param.name == word)
            }))
}
