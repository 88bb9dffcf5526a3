//! The calls: `bindings-python/src/resources/*.rs`, one class a resource. A sync and an async client share it; which of the
//! two it is, decides what a method gives.

use super::{
    Files, marked,
    words::{self, Argument, Part, commented},
};
use crate::bindings::{
    docs::wrapped,
    form::{Gives, Method, ParamKind, Resource, Sdk, Type},
};

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    let folder = "bindings-python/src/resources";
    for resource in &sdk.resources {
        let body = class(sdk, resource);
        let text =
            marked("//", &format!("resources/{}.rs", resource.file)) + &imports(&body) + &body;
        files.insert(format!("{folder}/{}.rs", resource.file).into(), text);
    }
    files.insert(format!("{folder}/mod.rs").into(), module(sdk));
}

fn module(sdk: &Sdk) -> String {
    let mut text = marked("//", "resources")
        + "//! What one can ask for, and the ways to it from a client.\n\
         #![allow(clippy::too_many_arguments, reason = \"they are Python's keywords\")]\n\n";
    for resource in &sdk.resources {
        text += &format!("mod {};\n", resource.file);
    }
    text += "\nuse std::sync::Arc;\n\nuse pyo3::prelude::*;\n\n";
    // Their further methods are written by hand.
    for resource in sdk.resources.iter().filter(|resource| !resource.by_hand.is_empty()) {
        text += &format!("pub(crate) use {}::{};\n", resource.file, resource.name);
    }
    text += "use crate::bridge::Handle;\n\n\
        /// The ways from a client to its resources.\n\
        #[pyclass(frozen, subclass, module = \"storycore\")]\n\
        pub(crate) struct Resources(pub(crate) Arc<Handle>);\n\n\
        #[pymethods]\nimpl Resources {\n";
    for accessor in &sdk.accessors {
        let file = sdk.resources.iter().find(|r| r.name == accessor.resource);
        text += &commented(&wrapped(&accessor.doc, 106));
        text += &format!(
            "#[getter]\nfn {}(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {{\n{}::{}::of(py, &self.0)\n}}\n\n",
            accessor.name,
            file.map(|r| r.file.as_str()).unwrap_or_default(),
            accessor.resource
        );
    }
    text += "}\n\n/// Adds every class to the module.\n\
        pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {\n";
    for Resource { name, file, .. } in &sdk.resources {
        text += &format!(
            "module.add_class::<{file}::{name}>()?;\nmodule.add_class::<{file}::Async{name}>()?;\n"
        );
    }
    text + "Ok(())\n}\n"
}

fn imports(body: &str) -> String {
    let has = |word: &str| body.contains(word);
    let mut text = String::from("\nuse std::");
    text += if has("PathBuf") { "{path::PathBuf, sync::Arc};\n\n" } else { "sync::Arc;\n\n" };
    if has("Date>") {
        text += "use jiff::civil::Date;\n";
    }
    text += "use pyo3::prelude::*;\n";
    if has("Map<") {
        text += "use serde_json::{Map, Value};\n";
    }
    let core: Vec<_> = [("Patch", "Patch"), ("Secret", "Secret"), ("core::", "models as core")]
        .into_iter()
        .filter(|(word, _)| has(word))
        .map(|(_, import)| import)
        .collect();
    if !core.is_empty() {
        text += &format!("use storycore::{{{}}};\n", core.join(", "));
    }
    let mut own = vec!["bridge::Handle"];
    let convert: Vec<_> = [("Arg<", "Arg"), ("<Texts>", "Texts"), (" given(", "given")]
        .into_iter()
        .filter(|(word, _)| has(word))
        .map(|(_, name)| name)
        .collect();
    let convert = format!("convert::{{{}}}", convert.join(", "));
    own.push(&convert);
    if has("list_params") {
        own.push("page::list_params");
    }
    text + &format!("\nuse crate::{{{}}};\n\n", own.join(", "))
}

fn class(sdk: &Sdk, resource: &Resource) -> String {
    let name = &resource.name;
    let accessor = sdk.accessors.iter().find(|a| a.resource == *name);
    let accessor = accessor.map(|a| a.name.as_str()).unwrap_or_default();
    let mut text = commented(&wrapped(&resource.doc, 110));
    text += &format!(
        "#[pyclass(frozen, subclass, module = \"storycore\")]\n\
        pub(crate) struct {name}(pub(crate) Arc<Handle>);\n\n\
        /// The same for asyncio: its methods are awaited.\n\
        #[pyclass(frozen, extends = {name}, module = \"storycore\")]\n\
        pub(crate) struct Async{name};\n\n\
        impl {name} {{\n\
        pub(super) fn of(py: Python<'_>, handle: &Arc<Handle>) -> PyResult<Py<PyAny>> {{\n\
        let calls = PyClassInitializer::from(Self(Arc::clone(handle)));\n\
        Ok(if handle.is_async() {{\n\
        Py::new(py, calls.add_subclass(Async{name}))?.into_any()\n\
        }} else {{\nPy::new(py, calls)?.into_any()\n}})\n}}\n}}\n\n\
        #[pymethods]\nimpl {name} {{\n"
    );
    for of in &resource.methods {
        text += &method(sdk, resource, accessor, of);
    }
    text + "}\n"
}

fn method(sdk: &Sdk, resource: &Resource, accessor: &str, of: &Method) -> String {
    let arguments = words::arguments(sdk, of);
    let mut text = commented(&words::docstring(sdk, of));
    if arguments.iter().any(|argument| !argument.required || argument.keyword) {
        let signature = signature(&arguments, words::is_list(of));
        text += &match signature.len() {
            ..=90 => format!("#[pyo3(signature = ({signature}))]\n"),
            _ => format!(
                "#[pyo3(signature = (\n        {}\n    ))]\n",
                wrapped(&signature, 90).join("\n        ")
            ),
        };
    }
    text += &format!("fn {}(\n&self,\npy: Python<'_>,\n", of.name);
    for argument in &arguments {
        text += &format!("{}: {},\n", argument.rust(), rust_argument(argument));
    }
    if words::is_list(of) {
        text += "filters: Option<Arg<Texts>>,\n";
    }
    text += ") -> PyResult<Py<PyAny>> {\n";
    if !arguments.is_empty() {
        text += &format!("const THIS: &str = \"{}.{}\";\n", resource.name, of.name);
    }
    let mut passed = Vec::new();
    for param in &of.params {
        match &param.kind {
            ParamKind::One(ty) => {
                let name = &param.name;
                text += &match ty {
                    Type::Model(_) => {
                        format!(
                            "let {name} = given({name}, THIS, \"{name}\")?.unwrap_or_default();\n"
                        )
                    }
                    Type::Optional(_) => {
                        format!("let {name} = given({name}, THIS, \"{name}\")?;\n")
                    }
                    _ => format!("let {name} = {name}.of(THIS, \"{name}\")?;\n"),
                };
                passed.push(if *ty == Type::Text { format!("&{name}") } else { name.clone() });
            }
            ParamKind::Spread(model) => {
                text += &input(sdk, &param.name, model);
                passed.push(param.name.clone());
            }
            ParamKind::List { filters } => {
                let known: Vec<_> =
                    filters.iter().map(|f| format!("(\"{f}\", {})", raw(f))).collect();
                text += &format!(
                    "let {} = list_params(THIS, page_size, max_items, offset, sort, &[{}], filters)?;\n",
                    param.name,
                    known.join(", ")
                );
                passed.push(param.name.clone());
            }
        }
    }
    if let Gives::Page(model) = &of.gives {
        return text + &list(resource, accessor, of, model) + "}\n\n";
    }
    // A list that goes on by itself needs nothing but what the client asks with.
    let goes_on = matches!(of.gives, Gives::Pages(_) | Gives::Items(_));
    if let (true, Some(params)) = (goes_on, passed.last_mut()) {
        *params += ".core";
    }
    let call = format!("client.{accessor}().{}({})", of.name, passed.join(", "));
    text += &match of.gives {
        Gives::One(_) | Gives::Page(_) => {
            format!("self.0.run(py, move |client| async move {{ {call}.await }})\n")
        }
        Gives::Pages(_) => format!("self.0.pages(py, |client| {call})\n"),
        Gives::Items(_) => format!("self.0.items(py, |client| {call})\n"),
        Gives::Stream(_) => format!("self.0.stream(py, |client| {call})\n"),
    };
    text + "}\n\n"
}

/// The call for a page, and beside it the one for all objects, by which the page goes on.
fn list(resource: &Resource, accessor: &str, of: &Method, model: &str) -> String {
    let all = resource.methods.iter().find(|m| matches!(&m.gives, Gives::Items(of) if of == model));
    let all = all.map(|method| method.name.as_str()).unwrap_or_default();
    let mut own = of.params.iter().map(|param| param.name.as_str()).collect::<Vec<_>>();
    let params = own.pop().unwrap_or_default();
    let (mut before, mut again, mut one, mut every) =
        (String::new(), String::new(), String::new(), String::new());
    for name in own {
        before += &format!("let {name}_of_all = {name}.clone();\n");
        again += &format!("let {name} = {name}.clone();\n");
        one += &format!("&{name}, ");
        every += &format!("&{name}_of_all, ");
    }
    let word = if before.is_empty() { "" } else { "move " };
    let page = format!("async move {{ client.{accessor}().{}({one}params).await }}", of.name);
    let page = if again.is_empty() { page } else { format!("{{ {again}{page} }}") };
    format!(
        "{before}self.0.list(\npy,\n{params},\n{word}|client, params| {page},\n\
        {word}|client, params| client.{accessor}().{all}({every}params),\n)\n"
    )
}

fn raw(name: &str) -> String {
    if name == "type" { "r#type".to_owned() } else { name.to_owned() }
}

fn signature(arguments: &[Argument], is_list: bool) -> String {
    let mut parts = Vec::new();
    let mut has_star = false;
    for argument in arguments {
        if argument.keyword && !has_star {
            parts.push("*".to_owned());
            has_star = true;
        }
        let name = argument.rust();
        parts.push(match (&argument.ty, argument.required) {
            (_, true) => name,
            (Type::Change(_), false) => format!("{name}=Arg::default(Patch::Keep)"),
            (_, false) => format!("{name}=None"),
        });
    }
    if is_list {
        parts.push("filters=None".to_owned());
    }
    parts.join(", ")
}

/// The type of an argument as PyO3 reads it.
fn rust_argument(argument: &Argument) -> String {
    match (argument.part, &argument.ty) {
        (Part::Filter, _) => "Option<&Bound<'_, PyAny>>".to_owned(),
        (_, Type::Optional(ty)) => format!("Option<Arg<{}>>", plain(ty)),
        (Part::Own, Type::Model(_)) => format!("Option<Arg<{}>>", plain(&argument.ty)),
        (Part::Field, ty @ Type::List(_)) if !argument.required => {
            format!("Option<Arg<{}>>", plain(ty))
        }
        (_, ty) => format!("Arg<{}>", plain(ty)),
    }
}

fn plain(ty: &Type) -> String {
    match ty {
        Type::Text => "String".into(),
        Type::Secret => "Secret".into(),
        Type::Bool => "bool".into(),
        Type::Integer(name) => (*name).into(),
        Type::Number => "f64".into(),
        Type::Date => "Date".into(),
        Type::Json | Type::Time => "Value".into(),
        Type::JsonObject => "Map<String, Value>".into(),
        Type::Bytes => "Vec<u8>".into(),
        Type::Path => "PathBuf".into(),
        Type::Enum(name) | Type::Model(name) => format!("core::{name}"),
        Type::List(of) => format!("Vec<{}>", plain(of)),
        Type::Optional(of) => format!("Option<{}>", plain(of)),
        Type::Change(of) => format!("Patch<{}>", plain(of)),
    }
}

/// The input whose fields the arguments are.
fn input(sdk: &Sdk, name: &str, model: &str) -> String {
    let fields = sdk.model(model).map(|model| model.fields.as_slice()).unwrap_or_default();
    let mut text = format!("let {name} = core::{model} {{\n");
    for field in fields {
        let argument = raw(&field.name);
        let value = match &field.ty {
            Type::Optional(_) => format!("given({argument}, THIS, \"{0}\")?", field.name),
            Type::List(_) if !field.required => {
                format!("given({argument}, THIS, \"{0}\")?.unwrap_or_default()", field.name)
            }
            _ => format!("{argument}.of(THIS, \"{}\")?", field.name),
        };
        text += &format!("{}: {value},\n", field.rust);
    }
    text + "};\n"
}
