//! Rust's types as the form has them. What is not named here cannot be expressed.

use anyhow::{Result, bail};
use syn::{GenericArgument, PathArguments, ReturnType, Type as Syn, TypeParamBound};

use super::form::Type;

/// Which names are enums and which are models.
#[derive(Default)]
pub(crate) struct Known {
    pub(crate) enums: Vec<String>,
    pub(crate) models: Vec<String>,
}

/// The last name of a path, and its arguments.
pub(crate) fn named(ty: &Syn) -> Option<(String, Vec<&Syn>)> {
    let Syn::Path(path) = ty else { return None };
    let last = path.path.segments.last()?;
    let arguments = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => arguments
            .args
            .iter()
            .filter_map(|argument| match argument {
                GenericArgument::Type(ty) => Some(ty),
                _ => None,
            })
            .collect(),
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), arguments))
}

/// The value of `Result<T, Error>`, or the type itself.
pub(crate) fn returned(output: &ReturnType) -> Option<&Syn> {
    let ReturnType::Type(_, ty) = output else { return None };
    match named(ty) {
        Some((name, arguments)) if name == "Result" => arguments.first().copied(),
        _ => Some(ty),
    }
}

pub(crate) fn read(ty: &Syn, known: &Known) -> Result<Type> {
    if let Syn::Reference(reference) = ty {
        return read(&reference.elem, known);
    }
    if let Syn::ImplTrait(bounds) = ty {
        // `impl AsRef<Path>`.
        let is_path = bounds.bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|s| s.ident == "AsRef")
            }
            _ => false,
        });
        if is_path {
            return Ok(Type::Path);
        }
    }
    let Some((name, arguments)) = named(ty) else { bail!("a type that is no plain name") };
    let inner = |at: usize| match arguments.get(at) {
        Some(ty) => read(ty, known).map(Box::new),
        None => bail!("{name} of nothing"),
    };
    Ok(match name.as_str() {
        "str" | "String" => Type::Text,
        "bool" => Type::Bool,
        "u16" => Type::Integer("u16"),
        "u32" => Type::Integer("u32"),
        "u64" => Type::Integer("u64"),
        "f64" => Type::Number,
        "Timestamp" => Type::Time,
        "Date" => Type::Date,
        "Value" => Type::Json,
        "Map" | "Extra" => Type::JsonObject,
        "Secret" => Type::Secret,
        "Bytes" => Type::Bytes,
        "Vec" => Type::List(inner(0)?),
        "Option" => Type::Optional(inner(0)?),
        "Patch" => Type::Change(inner(0)?),
        _ if known.enums.contains(&name) => Type::Enum(name),
        _ if known.models.contains(&name) => Type::Model(name),
        _ => bail!("the type {name}"),
    })
}
