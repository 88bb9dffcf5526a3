//! `models/*.kt`: what the platform sends as data classes, open enums, and the settings that a method takes as one argument.

use anyhow::{Result, bail};

use super::{FOLDER, file, file_name, words};
use crate::bindings::{
    Files,
    form::{Direction, Enum, Field, Gives, Model, Sdk, Type},
    names::{self, camel},
};

const PACKAGE: &str = "io.storycore.models";

const KNOWN: [&str; 13] = [
    "io.storycore.OpenEnum",
    "io.storycore.Page",
    "io.storycore.Secret",
    "io.storycore.internal.readJson",
    "io.storycore.internal.readLong",
    "io.storycore.internal.readObject",
    "io.storycore.internal.readUri",
    "io.storycore.internal.uint",
    "java.net.URI",
    "java.time.Instant",
    "java.time.LocalDate",
    "kotlinx.serialization.json.JsonElement",
    "kotlinx.serialization.json.JsonObject",
];

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    for from in sdk.model_files() {
        let mut body = String::new();
        let mut known: Vec<String> = KNOWN.iter().map(|import| (*import).to_owned()).collect();
        for of in sdk.enums.iter().filter(|e| e.file == from) {
            body += &enumeration(of, &mut known)?;
        }
        for model in sdk.models.iter().filter(|model| model.file == from) {
            body += &match model.direction {
                Direction::Output => output(sdk, model, &mut known)?,
                Direction::Input if sdk.is_whole_argument(&model.name) => {
                    settings(model, &mut known)?
                }
                // Its fields are a method's arguments.
                Direction::Input => continue,
            };
        }
        if body.is_empty() {
            continue;
        }
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        let text = file(&format!("models/{from}.rs"), PACKAGE, &known, &body);
        files.insert(format!("{FOLDER}/models/{}.kt", file_name(from)).into(), text);
    }
    Ok(())
}

fn enumeration(of: &Enum, known: &mut Vec<String>) -> Result<String> {
    let Enum { name, .. } = of;
    let about = format!("{} Values that this version does not know keep their text.", of.doc);
    let mut text = "\n".to_owned()
        + &words::documented(&[about, "@param raw What the platform calls it.".into()], "");
    text += &format!("public class {name}(raw: String) : OpenEnum(raw) {{\n");
    text += "    /** Whether this version knows it. */\n    public val isKnown: Boolean get() = this in entries\n";
    for method in &of.methods {
        if method.ty != Type::Bool {
            bail!("{name}.{} cannot be expressed", method.name);
        }
        let native = camel(&format!("{}_{}", names::snake(name), method.name));
        known.push(format!("io.storycore.ffi.{native}"));
        text += "\n";
        text += &words::documented(&[&method.doc], "    ");
        text += &format!("    public val {}: Boolean get() = {native}(raw)\n", camel(&method.name));
    }
    text += "\n    /** Those that this version knows. */\n    public companion object {\n";
    for variant in &of.variants {
        text += &words::documented(&[&variant.doc], "        ");
        text += &format!(
            "        @JvmField\n        public val {}: {name} = {name}(\"{}\")\n\n",
            names::upper(&variant.name),
            variant.text
        );
    }
    let all: Vec<_> = of.variants.iter().map(|v| names::upper(&v.name)).collect();
    text += &format!(
        "        /** All of them. */\n        @JvmField\n        public val entries: List<{name}> = listOf({})\n    }}\n}}\n",
        all.join(", ")
    );
    Ok(text)
}

/// Whether some method gives pages of it.
fn has_pages(sdk: &Sdk, model: &str) -> bool {
    sdk.resources.iter().flat_map(|resource| &resource.methods).any(|method| match &method.gives {
        Gives::Page(of) | Gives::Pages(of) | Gives::Items(of) => of == model,
        Gives::One(_) | Gives::Stream(_) => false,
    })
}

fn output(sdk: &Sdk, model: &Model, known: &mut Vec<String>) -> Result<String> {
    let name = &model.name;
    let fields: Vec<Field> = sdk.all_fields(model).into_iter().map(|(_, field)| field).collect();
    let has_extra = model.has_extra
        || model
            .flattened
            .as_ref()
            .is_some_and(|of| sdk.model(&of.model).is_some_and(|inner| inner.has_extra));
    let (mut parts, mut reads) = (String::new(), String::new());
    for field in &fields {
        let ty = words::ty(&field.ty, &field.name)?;
        let default = if ty.ends_with('?') { " = null" } else { "" };
        parts += &part(&field.doc, &camel(&field.name), &(ty + default));
        let native = camel(&field.rust);
        let read = words::read(&field.ty, &field.name, &native)?;
        reads += &format!("    {} = {read},\n", camel(&field.name));
    }
    for method in &model.methods {
        let ty = words::ty(&method.ty, &method.name)?;
        let default = if ty.ends_with('?') { " = null" } else { "" };
        let own = camel(&method.name);
        parts += &part(&method.doc, &own, &(ty + default));
        reads += &format!("    {own} = {},\n", words::read(&method.ty, &method.name, &own)?);
    }
    if has_extra {
        let doc = "Fields that this version does not know, by name.";
        parts += &part(doc, "extra", "JsonObject = JsonObject(emptyMap())");
        reads += "    extra = readObject(extra),\n";
    }
    known.push(words::native(name));
    let mut text = "\n".to_owned() + &words::documented(&[&model.doc], "");
    text += &format!("public data class {name}(\n{parts})\n\n");
    text += &format!("internal fun Native{name}.model(): {name} = {name}(\n{reads})\n");
    if has_pages(sdk, name) {
        known.push(words::native(&format!("{name}Page")));
        text += &format!(
            "\ninternal fun Native{name}Page.page(): Page<{name}> = Page(data.map {{ it.model() }}, pagination.model())\n"
        );
    }
    Ok(text)
}

/// An input that is one argument. Every field of it can be left out.
fn settings(model: &Model, known: &mut Vec<String>) -> Result<String> {
    let name = &model.name;
    let (mut parts, mut gives) = (String::new(), String::new());
    for field in &model.fields {
        let ty = words::ty(&field.ty, &field.name)?;
        let own = camel(&field.name);
        parts +=
            &part(&field.doc, &own, &(ty.clone() + if ty.ends_with('?') { " = null" } else { "" }));
        let given = words::given(&field.ty, &field.name, &own)?;
        gives += &format!("    {} = {given},\n", camel(&field.rust));
    }
    known.push(words::native(name));
    Ok("\n".to_owned()
        + &words::documented(&[&model.doc], "")
        + &format!(
            "public data class {name}(\n{parts})\n\ninternal fun {name}.native(): Native{name} = Native{name}(\n{gives})\n"
        ))
}

fn part(doc: &str, name: &str, ty: &str) -> String {
    words::documented(&[doc], "    ") + &format!("    public val {name}: {ty},\n")
}
