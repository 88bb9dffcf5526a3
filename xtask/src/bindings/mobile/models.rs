//! The records: a model each, made of the client's (what the platform sends) or into it (what it takes).

use anyhow::{Context as _, Result, bail};

use super::{FOLDER, Files, commented, marked, module_name};
use crate::bindings::{
    form::{Computed, Direction, Enum, Field, Gives, Model, ParamKind, Sdk, Type},
    names,
};

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    let mut modules = Vec::new();
    for file in sdk.model_files() {
        let mut body = String::new();
        for of in sdk.enums.iter().filter(|of| of.file == file) {
            body += &methods(of)?;
        }
        for model in sdk.models.iter().filter(|model| model.file == file) {
            body += &match model.direction {
                Direction::Output => output(sdk, model)?,
                Direction::Input if is_taken(sdk, model) => input(model)?,
                Direction::Input => continue,
            };
        }
        if body.is_empty() {
            continue;
        }
        let name = module_name(file);
        let text = marked(&format!("models/{file}.rs")) + &imports(&body) + &body;
        files.insert(format!("{FOLDER}/models/{name}.rs").into(), text);
        modules.push(name);
    }
    modules.sort_unstable();
    let mut text = marked("models") + "//! What the platform sends and takes, as records.\n\n";
    for name in &modules {
        text += &format!("mod {name};\n");
    }
    text.push('\n');
    for name in &modules {
        text += &format!("pub use {name}::*;\n");
    }
    files.insert(format!("{FOLDER}/models/mod.rs").into(), text);
    Ok(())
}

/// Whether a method takes it.
fn is_taken(sdk: &Sdk, model: &Model) -> bool {
    let params = sdk.resources.iter().flat_map(|r| &r.methods).flat_map(|m| &m.params);
    params.into_iter().any(|param| match &param.kind {
        ParamKind::Spread(name) | ParamKind::One(Type::Model(name)) => *name == model.name,
        _ => false,
    })
}

/// What a text of an open enum is asked.
fn methods(of: &Enum) -> Result<String> {
    let mut text = String::new();
    for Computed { name, doc, ty } in &of.methods {
        let (Type::Bool, kind) = (ty, &of.name) else {
            bail!("{}.{name} gives what cannot be expressed", of.name)
        };
        text += &format!(
            "{}#[uniffi::export]\npub fn {}_{name}(value: String) -> bool {{\n\
            core::{kind}::from(value.as_str()).{name}()\n}}\n\n",
            commented(doc),
            names::snake(kind),
        );
    }
    Ok(text)
}

fn output(sdk: &Sdk, model: &Model) -> Result<String> {
    let name = &model.name;
    let mut fields = String::new();
    let (mut before, mut made) = (String::new(), String::new());
    for method in &model.methods {
        let (ty, way) = match &method.ty {
            Type::Optional(of) if **of == Type::Text => ("Option<String>", ".map(str::to_owned)"),
            Type::Bool => ("bool", ""),
            _ => bail!("{name}.{} gives what cannot be expressed", method.name),
        };
        fields += &format!("{}pub {}: {ty},\n", commented(&method.doc), method.name);
        before += &format!("let {0} = from.{0}(){way};\n", method.name);
        made += &format!("{},\n", method.name);
    }
    let mut has_extra = model.has_extra.then(|| "extra".to_owned());
    if let Some(flattened) = &model.flattened
        && sdk.model(&flattened.model).context("a model that is not there")?.has_extra
    {
        has_extra = Some(format!("{}.extra", flattened.field));
    }
    for (path, field) in sdk.all_fields(model) {
        fields += &record_field(&field)?;
        made += &format!("{}: {},\n", field.rust, outward(&field.ty, &format!("from.{path}")));
    }
    if let Some(path) = has_extra {
        fields +=
            "/// Fields that this version does not know, as JSON.\npub extra: Option<String>,\n";
        made += &format!("extra: convert::extra(from.{path}),\n");
    }
    let mut text = format!(
        "{}#[derive(uniffi::Record)]\npub struct {name} {{\n{fields}}}\n\n\
        impl From<core::{name}> for {name} {{\nfn from(from: core::{name}) -> Self {{\n{before}Self {{\n{made}}}\n}}\n}}\n\n",
        commented(&model.doc),
    );
    if is_listed(sdk, name) {
        text += &listed(name);
    }
    Ok(text)
}

fn is_listed(sdk: &Sdk, model: &str) -> bool {
    sdk.resources.iter().flat_map(|r| &r.methods).any(|method| match &method.gives {
        Gives::Page(of) | Gives::Pages(of) | Gives::Items(of) => of == model,
        _ => false,
    })
}

/// A page of a model, and what goes over all of them.
fn listed(name: &str) -> String {
    format!(
        "/// One page.\n#[derive(uniffi::Record)]\npub struct {name}Page {{\n\
        /// Its objects.\npub data: Vec<{name}>,\n/// Where it stands.\npub pagination: Pagination,\n}}\n\n\
        impl From<core::Page<core::{name}>> for {name}Page {{\nfn from(from: core::Page<core::{name}>) -> Self {{\n\
        Self {{ data: from.data.into_iter().map(Into::into).collect(), pagination: from.pagination.into() }}\n}}\n}}\n\n\
        /// Every page, one after another.\n#[derive(uniffi::Object)]\n\
        pub struct {name}Pages(pub(crate) Stream<storycore::Pages<core::{name}>>);\n\n\
        #[uniffi::export]\nimpl {name}Pages {{\n/// The next page, or nothing at the end.\n\
        pub async fn next(&self) -> Result<Given<Option<{name}Page>>, Failure> {{\nself.0.next().await\n}}\n}}\n\n"
    )
}

fn record_field(field: &Field) -> Result<String> {
    Ok(format!("{}pub {}: {},\n", commented(&field.doc), field.rust, crossing(&field.ty)?))
}

/// The type of a value as it crosses.
pub(super) fn crossing(ty: &Type) -> Result<String> {
    Ok(match ty {
        Type::Text
        | Type::Date
        | Type::Json
        | Type::JsonObject
        | Type::Secret
        | Type::Path
        | Type::Enum(_) => "String".to_owned(),
        Type::Bool => "bool".to_owned(),
        Type::Integer(of) => (*of).to_owned(),
        Type::Number => "f64".to_owned(),
        Type::Time => "std::time::SystemTime".to_owned(),
        Type::Bytes => "Vec<u8>".to_owned(),
        Type::Model(of) => of.clone(),
        Type::List(of) => format!("Vec<{}>", crossing(of)?),
        Type::Optional(of) => format!("Option<{}>", crossing(of)?),
        Type::Change(of) => match &**of {
            Type::Text | Type::Date | Type::JsonObject | Type::Enum(_) => "TextChange",
            Type::Number => "NumberChange",
            Type::Integer(_) => "IntegerChange",
            Type::Bool => "BoolChange",
            Type::List(of) if **of == Type::Text => "TextsChange",
            _ => bail!("a change of {of:?} cannot be expressed"),
        }
        .to_owned(),
    })
}

/// A value of the client's as it crosses.
pub(super) fn outward(ty: &Type, value: &str) -> String {
    match ty {
        Type::Enum(_) => format!("{value}.as_str().to_owned()"),
        Type::Time => format!("convert::time({value})"),
        Type::Date | Type::Json => format!("{value}.to_string()"),
        Type::JsonObject => format!("convert::object({value})"),
        Type::Secret => format!("{value}.expose().to_owned()"),
        Type::Bytes | Type::Model(_) => format!("{value}.into()"),
        Type::List(of) => match each(of) {
            None => value.to_owned(),
            Some(way) => format!("{value}.into_iter().map({way}).collect()"),
        },
        Type::Optional(of) => match each(of) {
            None => value.to_owned(),
            Some(way) => format!("{value}.map({way})"),
        },
        _ => value.to_owned(),
    }
}

/// What makes one of several values cross; nothing where they cross as they are.
fn each(of: &Type) -> Option<String> {
    match outward(of, "one") {
        same if same == "one" => None,
        way => Some(match way.strip_suffix("(one)") {
            Some(function) => function.to_owned(),
            None => format!("|one| {way}"),
        }),
    }
}

fn input(model: &Model) -> Result<String> {
    let name = &model.name;
    let (mut fields, mut read) = (String::new(), String::new());
    for field in &model.fields {
        let ty = if field.required || matches!(field.ty, Type::Optional(_) | Type::Change(_)) {
            field.ty.clone()
        } else {
            Type::Optional(Box::new(field.ty.clone()))
        };
        fields += &record_field(&Field { ty, ..field.clone() })?;
        read += &format!("{}: {},\n", field.rust, inward(field)?);
    }
    Ok(format!(
        "{}#[derive(uniffi::Record)]\npub struct {name} {{\n{fields}}}\n\n\
        impl {name} {{\npub(crate) fn read(self) -> Result<core::{name}, Failure> {{\n\
        Ok(core::{name} {{\n{read}}})\n}}\n}}\n\n",
        commented(&model.doc),
    ))
}

/// A value that crossed as the client takes it.
fn inward(field: &Field) -> Result<String> {
    let value = format!("self.{}", field.rust);
    let name = &field.name;
    Ok(match &field.ty {
        Type::Change(of) => {
            let way = match &**of {
                Type::Text => "text",
                Type::Enum(_) => "open",
                Type::Date => "date",
                Type::JsonObject => "object",
                Type::Number => "number",
                Type::Integer(_) => "integer",
                Type::Bool => "bool",
                Type::List(_) => "texts",
                _ => bail!("a change of {of:?} cannot be expressed"),
            };
            format!("{value}.{way}(\"{name}\")?")
        }
        Type::Optional(of) => match one_inward(of, name, "one")? {
            same if same == "one" => value,
            way if way.ends_with('?') => {
                let way = way.trim_end_matches('?');
                format!("{value}.map(|one| {way}).transpose()?")
            }
            way => format!("{value}.map(|one| {way})"),
        },
        ty if field.required => one_inward(ty, name, &value)?,
        Type::List(of) if **of == Type::Text => format!("{value}.unwrap_or_default()"),
        ty => bail!("an input {ty:?} that may be left out cannot be expressed"),
    })
}

fn one_inward(ty: &Type, name: &str, value: &str) -> Result<String> {
    Ok(match ty {
        Type::Text | Type::Bool | Type::Integer(_) | Type::Number => value.to_owned(),
        Type::List(of) if **of == Type::Text => value.to_owned(),
        Type::Enum(of) => format!("core::{of}::from({value}.as_str())"),
        Type::Secret => format!("{value}.into()"),
        Type::Date => format!("convert::read_date(\"{name}\", &{value})?"),
        Type::JsonObject => format!("convert::read_object(\"{name}\", &{value})?"),
        _ => bail!("an input {ty:?} cannot be expressed"),
    })
}

fn imports(body: &str) -> String {
    let mut text = String::from("\n");
    if body.contains(": Pagination") && !body.contains("pub struct Pagination") {
        text += "use super::Pagination;\n";
    }
    if body.contains("core::") {
        text += "use storycore::models as core;\n\n";
    }
    let changes: Vec<_> =
        ["BoolChange", "IntegerChange", "NumberChange", "TextChange", "TextsChange"]
            .into_iter()
            .filter(|change| body.contains(&format!(": {change}")))
            .collect();
    let mut ours = Vec::new();
    if !changes.is_empty() {
        ours.push(format!("changes::{{{}}}", changes.join(", ")));
    }
    if body.contains("convert::") {
        ours.push("convert".to_owned());
    }
    if body.contains("Failure>") {
        ours.push("failure::Failure".to_owned());
    }
    if body.contains("Given<") {
        ours.push("given::Given".to_owned());
    }
    if body.contains("Stream<") {
        ours.push("streams::Stream".to_owned());
    }
    if !ours.is_empty() {
        text += &format!("use crate::{{{}}};\n\n", ours.join(", "));
    }
    text
}
