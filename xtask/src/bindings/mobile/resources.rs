//! The objects: one a resource, a method each. What is given is read, and the client called on its thread.

use anyhow::{Context as _, Result, bail};

use super::{
    FOLDER, Files, commented, marked,
    models::{crossing, outward},
};
use crate::bindings::form::{Gives, Method, ParamKind, Resource, Sdk, Type};

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    let mut text = marked("resources")
        + "//! What one can ask for: an object a resource, and the client's ways to them.\n\n";
    let mut ways = String::new();
    for resource in &sdk.resources {
        text += &format!("mod {};\n", resource.file);
    }
    text.push('\n');
    for resource in &sdk.resources {
        let Resource { name, file, .. } = resource;
        text += &format!("pub use {file}::{name};\n");
        let way = accessor(sdk, resource);
        ways += &format!(
            "{}pub fn {way}(&self) -> Arc<{name}> {{\nArc::new({name}(Arc::clone(&self.shared)))\n}}\n\n",
            commented(&resource.doc)
        );
        let body = object(sdk, resource)?;
        let file_text = marked(&format!("resources/{file}.rs")) + &imports(sdk, &body) + &body;
        files.insert(format!("{FOLDER}/resources/{file}.rs").into(), file_text);
    }
    text += &format!(
        "\nuse std::sync::Arc;\n\nuse crate::client::Client;\n\n\
        #[uniffi::export]\nimpl Client {{\n{}\n}}\n",
        ways.trim_end()
    );
    files.insert(format!("{FOLDER}/resources/mod.rs").into(), text);
    Ok(())
}

/// The first of the client's ways to a resource.
fn accessor<'a>(sdk: &'a Sdk, resource: &Resource) -> &'a str {
    let found = sdk.accessors.iter().find(|accessor| accessor.resource == resource.name);
    found.map(|accessor| accessor.name.as_str()).unwrap_or_default()
}

fn object(sdk: &Sdk, resource: &Resource) -> Result<String> {
    let name = &resource.name;
    let mut text = format!(
        "{}#[derive(uniffi::Object)]\npub struct {name}(pub(crate) Arc<Shared>);\n\n\
        #[uniffi::export]\nimpl {name} {{\n",
        commented(&resource.doc)
    );
    for method in resource.methods.iter().filter(|method| !is_left_out(resource, method)) {
        text += &function(sdk, resource, method)
            .with_context(|| format!("{name}.{} for the mobile library", method.name))?;
    }
    Ok(text.trim_end().to_owned() + "\n}\n")
}

/// A file's bytes, which are no call of one short request.
const FILES: [&str; 2] = ["content", "download"];

/// Objects of a list whose pages can be had: the languages take them out of the pages.
pub(crate) fn is_left_out(resource: &Resource, method: &Method) -> bool {
    let Gives::Items(model) = &method.gives else { return false };
    resource.methods.iter().any(|other| other.gives == Gives::Pages(model.clone()))
}

fn function(sdk: &Sdk, resource: &Resource, method: &Method) -> Result<String> {
    let (mut params, mut read, mut passed) = (String::new(), String::new(), Vec::new());
    for param in &method.params {
        let name = &param.name;
        let ty = match &param.kind {
            ParamKind::One(Type::Text) => {
                passed.push(format!("&{name}"));
                "String".to_owned()
            }
            ParamKind::One(Type::Model(model)) | ParamKind::Spread(model) => {
                read += &format!("let {name} = {name}.read()?;\n");
                passed.push(name.clone());
                model.clone()
            }
            ParamKind::One(ty) => {
                passed.push(name.clone());
                crossing(ty)?
            }
            ParamKind::List { .. } => {
                passed.push(format!("{name}.read()"));
                "ListParams".to_owned()
            }
        };
        params += &format!("{name}: {ty}, ");
    }
    let doc = commented(&method.doc);
    let call =
        format!("client.{}().{}({})", accessor(sdk, resource), method.name, passed.join(", "));
    let name = &method.name;
    let way = if FILES.contains(&name.as_str()) { "long_call" } else { "call" };
    let is_call = |gives: &str| {
        format!(
            "{doc}pub async fn {name}(&self, {params}options: Option<CallOptions>) -> Result<Given<{gives}>, Failure> {{\n\
            {read}self.0.{way}(options, move |client| async move {{\n\
            given({call}.await)\n}}).await\n}}\n\n"
        )
    };
    let is_stream = |gives: &str, made: String, behind: &str| {
        format!(
            "{doc}pub fn {name}(&self, {params}options: Option<CallOptions>) -> Arc<{gives}> {{\n\
            Arc::new({made}(self.0.open(options, move |client| {call}{behind})))\n}}\n\n"
        )
    };
    Ok(match &method.gives {
        Gives::One(ty) if outward(ty, "given") == "given.into()" => is_call(&crossing(ty)?),
        Gives::One(ty) => bail!("an answer that is {ty:?} cannot be expressed"),
        Gives::Page(of) => is_call(&format!("{of}Page")),
        Gives::Pages(of) => is_stream(&format!("{of}Pages"), format!("{of}Pages"), ""),
        Gives::Items(of) => is_stream(&format!("{of}Pages"), format!("{of}Pages"), ".into_pages()"),
        Gives::Stream(of) if of == "JobEvent" => is_stream("JobEvents", "JobEvents".to_owned(), ""),
        Gives::Stream(of) => bail!("a stream of {of} cannot be expressed"),
    })
}

fn imports(sdk: &Sdk, body: &str) -> String {
    let mut models: Vec<String> = sdk
        .models
        .iter()
        .flat_map(|m| [m.name.clone(), format!("{}Page", m.name), format!("{}Pages", m.name)])
        .filter(|name| {
            let ends = [",", ">", "(", ")"];
            ["<", ": ", " "]
                .iter()
                .any(|begin| ends.iter().any(|end| body.contains(&format!("{begin}{name}{end}"))))
        })
        .collect();
    models.sort_unstable();
    models.dedup();
    let mut options = vec!["CallOptions"];
    if body.contains("ListParams") {
        options.push("ListParams");
    }
    let mut text = format!(
        "\nuse std::sync::Arc;\n\nuse crate::{{client::Shared, failure::Failure, given::{{Given, given}}, models::{{{}}}, options::{{{}}}",
        models.join(", "),
        options.join(", ")
    );
    if body.contains("JobEvents") {
        text += ", streams::JobEvents";
    }
    text + "};\n\n"
}
