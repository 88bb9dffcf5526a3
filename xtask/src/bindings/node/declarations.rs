//! What TypeScript reads: the objects as they are on the wire, what the methods take, and the errors' classes.

use super::{
    Files, marked,
    package::arguments,
    words::{documented, input, output},
};
use crate::bindings::{
    form::{Direction, Gives, Method, Model, ParamKind, Sdk, Type},
    names::{self, camel},
};

const FOLDER: &str = "bindings-node/lib";

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    files.insert(format!("{FOLDER}/models.d.ts").into(), models(sdk));
    files.insert(format!("{FOLDER}/resources.d.ts").into(), resources(sdk));
    files.insert(format!("{FOLDER}/errors.d.ts").into(), errors(sdk));
}

fn models(sdk: &Sdk) -> String {
    let mut text = marked("models")
        + "\n/** A moment, as RFC 3339 writes it: `2026-01-31T12:00:00Z`. `new Date(text)` reads it. */\n\
        export type Timestamp = string;\n\
        /** A day without a time: `2026-01-31`. */\nexport type CalendarDate = string;\n\
        /** Any JSON object. */\nexport type JsonObject = { [name: string]: unknown };\n";
    for of in &sdk.enums {
        text += "\n";
        text += &documented(
            &format!("{} Values that this version does not know may come.", of.doc),
            "",
            "",
        );
        let texts: Vec<_> = of.variants.iter().map(|v| format!("\"{}\"", v.text)).collect();
        text += &format!("export type {} = {} | (string & {{}});\n", of.name, texts.join(" | "));
    }
    for model in &sdk.models {
        text += "\n";
        text += &documented(&model.doc, "", "");
        text += &interface(model);
    }
    text
}

fn interface(model: &Model) -> String {
    let extends = match &model.flattened {
        Some(flattened) => format!(" extends {}", flattened.model),
        None => String::new(),
    };
    let mut text = format!("export interface {}{extends} {{\n", model.name);
    for field in &model.fields {
        text += &documented(&field.doc, "", "  ");
        text += &match model.direction {
            Direction::Output => {
                let optional = if matches!(field.ty, Type::Optional(_)) { "?" } else { "" };
                format!("  {}{optional}: {};\n", field.name, output(&field.ty))
            }
            Direction::Input => {
                let optional = if field.required { "" } else { "?" };
                let mut ty = input(&field.ty);
                if !field.required && !ty.ends_with("undefined") {
                    ty += " | undefined";
                }
                format!("  {}{optional}: {ty};\n", field.name)
            }
        };
    }
    if model.has_extra {
        text += "  /** Fields that this version does not know. */\n  [field: string]: unknown;\n";
    }
    text + "}\n"
}

fn resources(sdk: &Sdk) -> String {
    let mut text = marked("resources")
        + "\nimport type * as models from \"./models\";\n\
        import type { CallOptions, List, ListParams, Page } from \"./lists\";\n\
        import type { AssetsByHand, JobsByHand } from \"./by_hand\";\n";
    for resource in &sdk.resources {
        text += "\n";
        text += &documented(&resource.doc, "", "");
        let extends = match resource.by_hand.is_empty() {
            true => String::new(),
            false => format!(" extends {}ByHand", resource.name),
        };
        text += &format!("export interface {}{extends} {{\n", resource.name);
        for method in &resource.methods {
            let errors = sdk.errors.iter().fold(method.errors.clone(), |text, error| {
                text.replace(
                    &format!("`{}`", error.kind),
                    &format!("`{}`", names::error_class(&error.name)),
                )
            });
            text += &documented(&method.doc, &errors, "  ");
            text += &format!(
                "  {}({}): {};\n",
                camel(&method.name),
                signature(sdk, method),
                gives(&method.gives)
            );
        }
        text += "}\n";
    }
    text += "\n/** The ways from a client to its resources. */\nexport interface Resources {\n";
    for accessor in &sdk.accessors {
        text += &documented(&accessor.doc, "", "  ");
        text += &format!("  readonly {}: {};\n", camel(&accessor.name), accessor.resource);
    }
    text + "}\n"
}

fn signature(sdk: &Sdk, method: &Method) -> String {
    let mut parts = Vec::new();
    let mut named = Vec::new();
    for param in &method.params {
        let name = camel(&param.name);
        match &param.kind {
            ParamKind::One(Type::Optional(of)) => {
                named.push(format!("{}?: {} | undefined", param.name, input(of)));
            }
            ParamKind::One(Type::Model(model)) | ParamKind::Spread(model) => {
                let none_needed =
                    sdk.model(model).is_some_and(|m| m.fields.iter().all(|f| !f.required));
                let is_about = matches!(param.kind, ParamKind::Spread(_));
                let optional = if none_needed && !is_about { "?" } else { "" };
                parts.push(format!("{name}{optional}: models.{model}"));
            }
            ParamKind::One(ty) => parts.push(format!("{name}: {}", input(ty))),
            ParamKind::List { filters } => {
                let filters: Vec<_> = filters.iter().map(|name| format!("\"{name}\"")).collect();
                let filters = match filters.is_empty() {
                    true => "never".to_owned(),
                    false => filters.join(" | "),
                };
                parts.push(format!("{name}?: ListParams<{filters}>"));
            }
        }
    }
    if !named.is_empty() {
        parts.push(format!("params?: {{ {} }}", named.join("; ")));
    }
    parts.push("options?: CallOptions".to_owned());
    debug_assert_eq!(parts.len(), arguments(method).0.len());
    parts.join(", ")
}

fn gives(gives: &Gives) -> String {
    match gives {
        Gives::One(Type::Model(model)) => format!("Promise<models.{model}>"),
        Gives::One(ty) => format!("Promise<{}>", output(ty)),
        Gives::Page(model) => format!("List<models.{model}>"),
        Gives::Pages(model) => format!("AsyncIterableIterator<Page<models.{model}>>"),
        Gives::Items(model) | Gives::Stream(model) => {
            format!("AsyncIterableIterator<models.{model}>")
        }
    }
}

fn errors(sdk: &Sdk) -> String {
    let mut text = marked("error/kind.rs") + "\nimport type { Job } from \"./models\";\n";
    let kinds: Vec<_> = sdk.errors.iter().map(|error| format!("\"{}\"", error.kind)).collect();
    text += &format!(
        "\n/** The kinds of failures, the same in every language. */\nexport type ErrorKind =\n  | {}\n  | (string & {{}});\n",
        kinds.join("\n  | ")
    );
    text += include_str!("root_error.d.ts");
    for error in &sdk.errors {
        text += "\n";
        text += &documented(&error.doc, "", "");
        text += &format!(
            "export class {} extends StoryCoreError {{\n  readonly kind: \"{}\";\n",
            names::error_class(&error.name),
            error.kind
        );
        text += "}\n";
    }
    text
}
