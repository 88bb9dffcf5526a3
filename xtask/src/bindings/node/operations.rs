//! The native side of each method: what JavaScript gave is read, the client is called, and the platform's answer is handed on
//! as it arrived.

use anyhow::{Context as _, Result, bail};

use super::{Files, Way, accessor, marked, numbered};
use crate::bindings::form::{Field, Gives, Method, ParamKind, Resource, Sdk, Type};

const FOLDER: &str = "bindings-node/src/operations";

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    let all = numbered(sdk);
    for resource in &sdk.resources {
        let mut body = String::new();
        for (_, method, way) in all.iter().filter(|(of, ..)| of.name == resource.name) {
            if !matches!(way, Way::Of(_)) {
                body += &function(sdk, resource, method)
                    .with_context(|| format!("{}.{}", resource.name, method.name))?;
            }
        }
        let text = marked(&format!("resources/{}.rs", resource.file)) + &imports(&body) + &body;
        files.insert(format!("{FOLDER}/{}.rs", resource.file).into(), text);
    }
    files.insert(format!("{FOLDER}/mod.rs").into(), module(sdk, &all));
    Ok(())
}

fn module(sdk: &Sdk, all: &[(&Resource, &Method, Way)]) -> String {
    let mut text = marked("resources") + "//! What one can ask for, by number.\n\n";
    for resource in &sdk.resources {
        text += &format!("mod {};\n", resource.file);
    }
    let arms = |wanted: fn(Way) -> Option<usize>| {
        let numbers = all.iter().filter_map(|(resource, method, way)| {
            Some((wanted(*way)?, format!("{}::{}(call)", resource.file, method.name)))
        });
        numbers.collect::<Vec<_>>()
    };
    text += "\nuse futures_util::future::BoxFuture;\n\n\
        use crate::{bridge::Outcome, client::Call, failure::Failure, streams::Opened};\n\n\
        /// Makes the call with this number.\n\
        pub(crate) fn run(number: u32, call: Call) -> BoxFuture<'static, Outcome> {\nmatch number {\n";
    for (number, call) in arms(|way| match way {
        Way::Call(number) => Some(number),
        _ => None,
    }) {
        text += &format!("{number} => Box::pin({call}),\n");
    }
    text += "_ => Box::pin(std::future::ready(Err(Failure::inside()))),\n}\n}\n\n\
        /// Opens what goes on by itself and has this number.\n\
        pub(crate) fn open(number: u32, call: Call) -> Opened {\nmatch number {\n";
    for (number, call) in arms(|way| match way {
        Way::Stream(number) => Some(number),
        _ => None,
    }) {
        text += &format!("{number} => {call},\n");
    }
    text + "_ => Err(Failure::inside()),\n}\n}\n"
}

fn imports(body: &str) -> String {
    let mut text = String::from("\n");
    if body.contains("core::") {
        text += "use storycore::models as core;\n\n";
    }
    let mut bridge = Vec::new();
    if body.contains("Outcome") {
        bridge.push("Outcome");
    }
    if body.contains("Reply::") {
        bridge.push("Reply");
    }
    text += &format!("use crate::{{bridge::{{{}}}, client::Call", bridge.join(", "));
    text += if body.contains("Opened") { ", streams::Opened};\n\n" } else { "};\n\n" };
    text
}

fn function(sdk: &Sdk, resource: &Resource, method: &Method) -> Result<String> {
    let mut text = String::new();
    let mut passed = Vec::new();
    for param in &method.params {
        let name = &param.name;
        text += &match &param.kind {
            ParamKind::One(Type::Text) => {
                passed.push(format!("&{name}"));
                format!("let {name}: String = call.arguments.need(\"{name}\")?;\n")
            }
            ParamKind::One(Type::Path) => {
                passed.push(name.clone());
                format!("let {name}: std::path::PathBuf = call.arguments.need(\"{name}\")?;\n")
            }
            ParamKind::One(Type::Optional(of)) => {
                let Type::Integer(of) = **of else { bail!("{name} cannot be expressed") };
                passed.push(name.clone());
                format!("let {name}: Option<{of}> = call.arguments.may(\"{name}\")?;\n")
            }
            ParamKind::One(Type::Model(model)) | ParamKind::Spread(model) => {
                passed.push(name.clone());
                let fields = &sdk.model(model).context("an input that is not there")?.fields;
                let read: String = fields.iter().map(field).collect();
                format!(
                    "let mut given = call.arguments.fields(\"{name}\")?;\n\
                    let {name} = core::{model} {{\n{read}}};\ngiven.end()?;\n"
                )
            }
            ParamKind::List { .. } => {
                passed.push(name.clone());
                format!("let {name} = call.arguments.list()?;\n")
            }
            ParamKind::One(_) => bail!("{name} cannot be expressed"),
        };
    }
    let call =
        format!("call.client.{}().{}({})", accessor(sdk, resource), method.name, passed.join(", "));
    let name = &method.name;
    let is_call = |body: String| {
        format!("pub(super) async fn {name}(mut call: Call) -> Outcome {{\n{body}}}\n\n")
    };
    let is_stream =
        |body: String| format!("pub(super) fn {name}(mut call: Call) -> Opened {{\n{body}}}\n\n");
    Ok(match &method.gives {
        // Some platforms answer a deletion with nothing.
        Gives::One(Type::Model(model)) if model == "Deleted" => {
            is_call(format!("{text}let deleted = {call}.await?;\ncall.object_or(&deleted)\n"))
        }
        Gives::One(Type::Model(_)) => is_call(format!("{text}{call}.await?;\ncall.object()\n")),
        Gives::One(Type::Bytes) => is_call(format!("{text}Ok(Reply::Bytes({call}.await?))\n")),
        Gives::One(_) => bail!("what it gives cannot be expressed"),
        Gives::Page(_) => is_call(format!("{text}let page = {call}.await?;\ncall.page(&page)\n")),
        Gives::Pages(_) | Gives::Stream(_) => is_stream(format!("{text}Ok(Box::new({call}))\n")),
        Gives::Items(_) => is_stream(format!("{text}Ok(Box::new({call}.into_pages()))\n")),
    })
}

/// One field of an input, read from what was given.
fn field(field: &Field) -> String {
    let Field { name, rust, .. } = field;
    let way = match &field.ty {
        Type::Optional(_) => "take",
        Type::Change(_) => "change",
        _ if field.required => "need",
        _ => "some",
    };
    format!("{rust}: given.{way}(\"{name}\")?,\n")
}
