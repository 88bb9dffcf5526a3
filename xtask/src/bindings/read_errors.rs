//! Reads the kinds of errors from `sdk-core/src/error/kind.rs`.

use std::path::Path;

use anyhow::{Context as _, Result};
use syn::Item;

use super::{docs, form::ErrorKind, names};

pub(crate) fn read(file: &Path) -> Result<Vec<ErrorKind>> {
    let items = syn::parse_file(&std::fs::read_to_string(file)?)?.items;
    let kinds = items.iter().find_map(|item| match item {
        Item::Enum(item) if item.ident == "ErrorKind" => Some(item),
        _ => None,
    });
    let kinds = kinds.context("there is no enum ErrorKind")?;
    Ok(kinds
        .variants
        .iter()
        .map(|variant| {
            let name = variant.ident.to_string();
            let kind = names::snake(&name);
            ErrorKind { kind, doc: docs::read(&variant.attrs).text, name }
        })
        .collect())
}
