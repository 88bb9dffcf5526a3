//! Reads `sdk-core/src/models`: structs with named fields, and `open_enum!`.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use syn::{
    Attribute, Fields, ImplItem, Item, ItemImpl, ItemStruct, LitStr, Token, Visibility, braced,
    parse::{Parse, ParseStream},
};

use super::{
    docs,
    form::{Computed, Direction, Enum, Field, Flattened, Model, Type, Variant},
    types::{self, Known},
};

/// Public types that are no models: what stands for them is written by hand in each binding.
const BY_HAND: [&str; 4] = ["ListParams", "Page", "RawPage", "UploadOptions"];

/// What the files define.
#[derive(Default)]
pub(crate) struct Models {
    pub(crate) enums: Vec<Enum>,
    pub(crate) models: Vec<Model>,
    pub(crate) list_params: Vec<Field>,
    pub(crate) known: Known,
}

pub(crate) fn read(folder: &Path) -> Result<Models> {
    let files = super::read_files(folder)?;
    let mut all = Models::default();
    for (file, items) in &files {
        for item in items {
            match item {
                Item::Macro(item) if item.mac.path.is_ident("open_enum") => {
                    let read: OpenEnum = item.mac.parse_body()?;
                    all.known.enums.push(read.name.clone());
                    all.enums.push(read.form(file));
                }
                Item::Struct(item) if is_public(&item.vis) => {
                    all.known.models.push(item.ident.to_string());
                }
                _ => {}
            }
        }
    }
    for (file, items) in &files {
        for item in items {
            match item {
                Item::Struct(item) if is_public(&item.vis) && !by_hand(&item.ident.to_string()) => {
                    let model = model(file, item, &all.known)
                        .with_context(|| format!("{}, in models/{file}.rs", item.ident))?;
                    all.models.push(model);
                }
                Item::Struct(_) | Item::Macro(_) | Item::Impl(_) | Item::Use(_) | Item::Mod(_) => {}
                Item::Fn(_) | Item::Type(_) => {}
                _ => bail!("models/{file}.rs has an item that is no struct, enum or function"),
            }
        }
    }
    for (file, items) in &files {
        for item in items {
            if let Item::Impl(item) = item {
                methods(item, &mut all).with_context(|| format!("models/{file}.rs"))?;
            }
        }
    }
    Ok(all)
}

fn by_hand(name: &str) -> bool {
    BY_HAND.contains(&name)
}

pub(crate) fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

fn model(file: &str, item: &ItemStruct, known: &Known) -> Result<Model> {
    let derives = derives(&item.attrs);
    let direction = match derives.contains("Deserialize") {
        true => Direction::Output,
        false if derives.contains("Serialize") => Direction::Input,
        false => bail!("it can neither be read nor sent"),
    };
    let Fields::Named(fields) = &item.fields else { bail!("its fields have no names") };
    let mut model = Model {
        name: item.ident.to_string(),
        file: file.to_owned(),
        doc: docs::read(&item.attrs).text,
        direction,
        fields: Vec::new(),
        flattened: None,
        has_extra: false,
        methods: Vec::new(),
    };
    for field in &fields.named {
        let rust = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
        if !is_public(&field.vis) {
            bail!("{rust} is not public");
        }
        let serde = serde(&field.attrs)?;
        let ty = types::read(&field.ty, known).with_context(|| rust.clone())?;
        if serde.flatten {
            match ty {
                Type::JsonObject => model.has_extra = true,
                Type::Model(model_name) => {
                    model.flattened = Some(Flattened { field: rust, model: model_name });
                }
                _ => bail!("{rust} cannot be flattened"),
            }
            continue;
        }
        let required = !matches!(ty, Type::Optional(_) | Type::Change(_)) && !serde.skipped;
        model.fields.push(Field {
            name: serde.rename.unwrap_or_else(|| rust.clone()),
            rust,
            ty,
            doc: docs::read(&field.attrs).text,
            required,
        });
    }
    Ok(model)
}

fn derives(attributes: &[Attribute]) -> String {
    let lists = attributes.iter().filter(|a| a.path().is_ident("derive"));
    lists
        .filter_map(|a| a.meta.require_list().ok())
        .map(|list| list.tokens.to_string())
        .collect::<Vec<_>>()
        .join(",")
}

#[derive(Default)]
struct Serde {
    rename: Option<String>,
    flatten: bool,
    /// Left out when it is empty.
    skipped: bool,
}

fn serde(attributes: &[Attribute]) -> Result<Serde> {
    let mut read = Serde::default();
    for attribute in attributes.iter().filter(|a| a.path().is_ident("serde")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("flatten") {
                read.flatten = true;
            } else if meta.path.is_ident("rename") {
                read.rename = Some(meta.value()?.parse::<LitStr>()?.value());
            } else {
                read.skipped |= meta.path.is_ident("skip_serializing_if");
                if meta.input.peek(Token![=]) {
                    let _: LitStr = meta.value()?.parse()?;
                }
            }
            Ok(())
        })?;
    }
    Ok(read)
}

/// Public methods: of what the platform sends, computed values; of what is sent, Rust's way of writing keywords.
fn methods(item: &ItemImpl, all: &mut Models) -> Result<()> {
    let Some((of, _)) = types::named(&item.self_ty) else { return Ok(()) };
    if item.trait_.is_some() {
        return Ok(());
    }
    for method in &item.items {
        let ImplItem::Fn(method) = method else { continue };
        if !is_public(&method.vis) {
            continue;
        }
        let name = method.sig.ident.to_string();
        let doc = docs::read(&method.attrs).text;
        let output = types::returned(&method.sig.output);
        let makes_self = output.and_then(types::named).is_some_and(|(name, _)| name == "Self");
        if of == "ListParams" && makes_self {
            if let Some(syn::FnArg::Typed(argument)) = method.sig.inputs.iter().nth(1)
                && name != "filter"
            {
                let ty = types::read(&argument.ty, &all.known).unwrap_or(Type::Text);
                let ty = Type::Optional(Box::new(ty));
                let rust = name.clone();
                all.list_params.push(Field { name, rust, ty, doc, required: false });
            }
            continue;
        }
        if makes_self || by_hand(&of) {
            continue;
        }
        let computed = || -> Result<Computed> {
            if method.sig.inputs.len() != 1 {
                bail!("it takes arguments");
            }
            let ty = types::read(output.context("it gives nothing")?, &all.known)?;
            Ok(Computed { name: name.clone(), doc: doc.clone(), ty })
        };
        let computed = computed().with_context(|| format!("{of}.{name} cannot be expressed"))?;
        if let Some(model) = all.models.iter_mut().find(|model| model.name == of) {
            model.methods.push(computed);
        } else if let Some(of) = all.enums.iter_mut().find(|e| e.name == of) {
            of.methods.push(computed);
        }
    }
    Ok(())
}

/// What stands inside `open_enum! { … }`.
struct OpenEnum {
    doc: String,
    name: String,
    variants: Vec<Variant>,
}

impl OpenEnum {
    fn form(self, file: &str) -> Enum {
        let Self { doc, name, variants } = self;
        Enum { name, file: file.to_owned(), doc, variants, methods: Vec::new() }
    }
}

impl Parse for OpenEnum {
    fn parse(input: ParseStream<'_>) -> syn::Result<Self> {
        let doc = docs::read(&input.call(Attribute::parse_outer)?).text;
        let name = input.parse::<syn::Ident>()?.to_string();
        let body;
        braced!(body in input);
        let mut variants = Vec::new();
        while !body.is_empty() {
            let doc = docs::read(&body.call(Attribute::parse_outer)?).text;
            let name = body.parse::<syn::Ident>()?.to_string();
            body.parse::<Token![=]>()?;
            let text = body.parse::<LitStr>()?.value();
            body.parse::<Token![,]>()?;
            variants.push(Variant { name, text, doc });
        }
        Ok(Self { doc, name, variants })
    }
}
