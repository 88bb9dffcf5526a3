//! The models: structures that are made of the library's records, enumerations with a raw value, and settings.

use anyhow::{Context as _, Result, bail};

use super::{
    FOLDER, Files, marked,
    words::{camel, capital, case, commented, inward, is_url, native, outward, quoted, swift},
};
use crate::bindings::{
    form::{Direction, Enum, Model, Sdk, Type},
    names,
};

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    for file in sdk.model_files() {
        let mut body = Vec::new();
        for of in sdk.enums.iter().filter(|of| of.file == file) {
            body.push(enumeration(sdk, of)?);
        }
        for model in sdk.models.iter().filter(|model| model.file == file) {
            match model.direction {
                Direction::Output => body.push(structure(sdk, model)?),
                Direction::Input if sdk.is_whole_argument(&model.name) => {
                    body.push(settings(sdk, model)?);
                }
                Direction::Input => {}
            }
        }
        if body.is_empty() {
            continue;
        }
        let name = if file == "mod" { "Common".to_owned() } else { capital(&camel(file)) };
        let text = marked(&format!("models/{file}.rs")) + &body.join("\n");
        files.insert(format!("{FOLDER}/{name}Models.swift").into(), text);
    }
    Ok(())
}

fn enumeration(sdk: &Sdk, of: &Enum) -> Result<String> {
    let name = &of.name;
    let mut text = commented(sdk, &of.doc, "");
    text += &format!("public enum {name}: RawRepresentable, Hashable, Sendable {{\n");
    let (mut read, mut raw) = (String::new(), String::new());
    for variant in &of.variants {
        let own = quoted(&case(&variant.name));
        text += &commented(sdk, &variant.doc, "    ");
        text += &format!("    case {own}\n");
        read += &format!("        case \"{}\": self = .{own}\n", variant.text);
        raw += &format!("        case .{own}: \"{}\"\n", variant.text);
    }
    text += &format!(
        "    /// A value that this version does not know, as it was sent; empty where it was left out.\n    \
        case other(String)\n\n    \
        /// The value with this text on the wire.\n    \
        public init(rawValue: String) {{\n        switch rawValue {{\n{read}        \
        default: self = .other(rawValue)\n        }}\n    }}\n\n    \
        /// The text on the wire.\n    \
        public var rawValue: String {{\n        switch self {{\n{raw}        \
        case .other(let text): text\n        }}\n    }}\n"
    );
    for method in &of.methods {
        if method.ty != Type::Bool {
            bail!("{name}.{} cannot be expressed", method.name);
        }
        let function = native(&format!("{}_{}", names::snake(name), method.name));
        text += &format!(
            "\n{}    public var {}: Bool {{\n        {function}(value: rawValue)\n    }}\n",
            commented(sdk, &method.doc, "    "),
            camel(&method.name),
        );
    }
    Ok(text + "}\n")
}

fn structure(sdk: &Sdk, model: &Model) -> Result<String> {
    let name = &model.name;
    let mut text = commented(sdk, &model.doc, "");
    text += &format!("public struct {name}: Hashable, Sendable");
    let fields = sdk.all_fields(model);
    if fields.iter().any(|(_, field)| field.name == "id" && field.ty == Type::Text) {
        text += ", Identifiable";
    }
    text += " {\n";
    let mut made = String::new();
    for (_, field) in &fields {
        let own = camel(&field.name);
        let mut ty = swift(&field.name, &field.ty)?;
        // The platform may leave it out, or send what is no URL.
        if is_url(&field.name, &field.ty) && !ty.ends_with('?') {
            ty.push('?');
        }
        text += &commented(sdk, &field.doc, "    ");
        text += &format!("    public let {own}: {ty}\n");
        let way = outward(&field.name, &field.ty, &format!("from.{}", native(&field.rust)))
            .with_context(|| format!("{name}.{}", field.name))?;
        made += &format!("        {own} = {way}\n");
    }
    for method in &model.methods {
        let own = camel(&method.name);
        text += &commented(sdk, &method.doc, "    ");
        text += &format!("    public let {own}: {}\n", swift(&method.name, &method.ty)?);
        made += &format!("        {own} = from.{}\n", native(&method.name));
    }
    let flattened = model.flattened.as_ref().and_then(|inner| sdk.model(&inner.model));
    if model.has_extra || flattened.is_some_and(|inner| inner.has_extra) {
        text += "    /// Fields that this version does not know.\n    \
            public let extra: [String: JSONValue]\n";
        made += "        extra = from.extra.map { JSONValue.object(json: $0) } ?? [:]\n";
    }
    text += &format!("\n    init(_ from: StoryCoreNative.{name}) {{\n{made}    }}\n}}\n");
    Ok(text)
}

/// What is given to a method as a whole.
fn settings(sdk: &Sdk, model: &Model) -> Result<String> {
    let name = &model.name;
    let mut text = commented(sdk, &model.doc, "");
    text += &format!("public struct {name}: Hashable, Sendable {{\n");
    let (mut taken, mut set, mut given) = (Vec::new(), String::new(), Vec::new());
    for field in &model.fields {
        let (own, ty) = (camel(&field.name), swift(&field.name, &field.ty)?);
        text += &commented(sdk, &field.doc, "    ");
        text += &format!("    public var {own}: {ty}\n");
        let default = if field.required { "" } else { " = nil" };
        taken.push(format!("{own}: {ty}{default}"));
        set += &format!("        self.{own} = {own}\n");
        let way = inward(&field.name, &field.ty, &own)?;
        given.push(format!("{}: {way}", native(&field.rust)));
    }
    text += &format!(
        "\n    /// Settings; what is not given is as the platform has it.\n    \
        public init({}) {{\n{set}    }}\n\n    \
        func native() throws -> StoryCoreNative.{name} {{\n        .init({})\n    }}\n}}\n",
        taken.join(", "),
        given.join(", "),
    );
    Ok(text)
}
