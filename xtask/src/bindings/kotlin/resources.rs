//! `resources/*.kt`: a class for each resource, whose methods have named arguments, and the client's ways to them.

use anyhow::{Context as _, Result, bail};

use super::{FOLDER, file, file_name, words};
use crate::bindings::{
    Files,
    form::{Field, Gives, Method, Model, ParamKind, Resource, Sdk, Type},
    names::camel,
};

const PACKAGE: &str = "io.storycore.resources";

const KNOWN: [&str; 23] = [
    "io.storycore.CallOptions",
    "io.storycore.Change",
    "io.storycore.Page",
    "io.storycore.Secret",
    "io.storycore.StoryCoreException",
    "io.storycore.internal.Calls",
    "io.storycore.internal.bool",
    "io.storycore.internal.filePath",
    "io.storycore.internal.integer",
    "io.storycore.internal.listParams",
    "io.storycore.internal.number",
    "io.storycore.internal.text",
    "io.storycore.internal.texts",
    "io.storycore.internal.uint",
    "io.storycore.internal.ulong",
    "io.storycore.models.model",
    "io.storycore.models.native",
    "io.storycore.models.page",
    "java.net.URI",
    "java.nio.file.Path",
    "java.time.LocalDate",
    "kotlinx.coroutines.flow.Flow",
    "kotlinx.serialization.json.JsonObject",
];

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    let mut known: Vec<String> = KNOWN.iter().map(|import| (*import).to_owned()).collect();
    known.extend(sdk.models.iter().map(|m| format!("io.storycore.models.{}", m.name)));
    known.extend(sdk.models.iter().map(|m| words::native(&m.name)));
    known.extend(sdk.enums.iter().map(|e| format!("io.storycore.models.{}", e.name)));
    known.extend(sdk.resources.iter().map(|r| words::native(&r.name)));
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    for resource in &sdk.resources {
        let body = class(sdk, resource)?;
        let text = file(&format!("resources/{}.rs", resource.file), PACKAGE, &known, &body);
        files.insert(format!("{FOLDER}/resources/{}.kt", file_name(&resource.file)).into(), text);
    }
    let text = file("client.rs", PACKAGE, &known, &ways(sdk));
    files.insert(format!("{FOLDER}/resources/Resources.kt").into(), text);
    Ok(())
}

/// What a client is by its resources.
fn ways(sdk: &Sdk) -> String {
    let mut text = "/** The ways from a client to its resources. */\n\
        public abstract class Resources internal constructor(internal val calls: Calls) {\n"
        .to_owned();
    let mut seen: Vec<(&str, String)> = Vec::new();
    for accessor in &sdk.accessors {
        let (name, of) = (camel(&accessor.name), accessor.resource.as_str());
        text += &words::documented(&[&accessor.doc], "    ");
        text += &match seen.iter().find(|(resource, _)| *resource == of) {
            Some((_, first)) => format!("    public val {name}: {of} get() = {first}\n\n"),
            None => format!("    public val {name}: {of} = {of}(calls)\n\n"),
        };
        seen.push((of, name));
    }
    text.trim_end().to_owned() + "\n}\n"
}

fn class(sdk: &Sdk, resource: &Resource) -> Result<String> {
    let Resource { name, file, .. } = resource;
    let mut text = words::documented(&[&resource.doc], "");
    let native = format!("calls.native.{}()", camel(file));
    text += &match resource.by_hand.is_empty() {
        true => format!(
            "public class {name} internal constructor(private val calls: Calls) {{\n    private val native: Native{name} = {native}\n"
        ),
        false => format!(
            "public class {name} internal constructor(calls: Calls) : {name}ByHand(calls, {native}) {{\n"
        ),
    };
    for method in &resource.methods {
        let written =
            function(sdk, resource, method).with_context(|| format!("{name}.{}", method.name))?;
        text += "\n";
        text += &written;
    }
    Ok(text.replace("{\n\n", "{\n") + "}\n")
}

/// One method: its signature's parts, each with what is said of it, and the arguments of the native one.
#[derive(Default)]
struct Parts {
    signature: Vec<String>,
    docs: Vec<String>,
    native: Vec<Argument>,
}

/// What is passed on: an expression, or what is made of several.
enum Argument {
    One(String),
    Made { of: String, parts: Vec<String> },
}

impl Argument {
    fn in_a_line(&self) -> String {
        match self {
            Self::One(text) => text.clone(),
            Self::Made { of, parts } => format!("{of}({})", parts.join(", ")),
        }
    }

    fn in_lines(&self) -> String {
        let (outer, inner) = ("                ", "                    ");
        match self {
            Self::One(text) => format!("{outer}{text},\n"),
            Self::Made { of, parts } => {
                let parts: String = parts.iter().map(|part| format!("{inner}{part},\n")).collect();
                format!("{outer}{of}(\n{parts}{outer}),\n")
            }
        }
    }
}

impl Parts {
    fn add(&mut self, name: &str, ty: &str, default: &str, doc: &str) -> Result<()> {
        if self.signature.iter().any(|part| part.starts_with(&format!("{name}:"))) {
            bail!("two arguments are called {name}");
        }
        self.signature.push(format!("{name}: {ty}{default}"));
        if !doc.is_empty() {
            self.docs.push(format!("@param {name} {doc}"));
        }
        Ok(())
    }

    /// The fields of an input, required ones first.
    fn spread(&mut self, model: &Model) -> Result<()> {
        let mut fields: Vec<&Field> = model.fields.iter().collect();
        fields.sort_by_key(|field| !field.required);
        let mut native = Vec::new();
        for field in fields {
            let mut ty = words::ty(&field.ty, &field.name)?;
            let default = match &field.ty {
                _ if field.required => "",
                Type::Change(_) => " = Change.Keep",
                Type::List(_) => {
                    ty.push('?');
                    " = null"
                }
                _ => " = null",
            };
            let name = camel(&field.name);
            self.add(&name, &ty, default, &field.doc)?;
            let given = words::given(&field.ty, &field.name, &name)?;
            native.push(format!("{} = {given}", camel(&field.rust)));
        }
        self.native.push(Argument::Made { of: format!("Native{}", model.name), parts: native });
        Ok(())
    }

    /// What a list is asked with; the model's own types for filters that have one.
    fn list(&mut self, sdk: &Sdk, of: Option<&Model>, filters: &[String]) -> Result<()> {
        let mut passed = Vec::new();
        for filter in filters {
            let field = of.and_then(|model| model.fields.iter().find(|f| f.name == *filter));
            let (ty, raw) = match field.map(|field| &field.ty) {
                Some(Type::Enum(name)) => (format!("{name}?"), "?.raw"),
                _ => ("String?".to_owned(), ""),
            };
            let name = camel(filter);
            let doc = format!("Only objects whose `{filter}` is this.");
            self.add(&name, &ty, " = null", &doc)?;
            passed.push(format!("\"{filter}\" to {name}{raw}"));
        }
        for field in &sdk.list_params {
            let ty = words::ty(&field.ty, &field.name)?;
            self.add(&camel(&field.name), &ty, " = null", &field.doc)?;
        }
        let doc = "Only objects whose fields have these values: for fields that are no argument.";
        self.add("filters", "Map<String, String>", " = emptyMap()", doc)?;
        let params: Vec<_> = sdk.list_params.iter().map(|field| camel(&field.name)).collect();
        let parts = params.into_iter().chain(["filters".to_owned()]).chain(passed).collect();
        self.native.push(Argument::Made { of: "listParams".to_owned(), parts });
        Ok(())
    }
}

/// The method that gives the pages with these objects.
fn pages_of<'a>(resource: &'a Resource, model: &str) -> Option<&'a str> {
    let pages = |method: &&Method| matches!(&method.gives, Gives::Pages(of) if of == model);
    resource.methods.iter().find(pages).map(|method| method.name.as_str())
}

fn function(sdk: &Sdk, resource: &Resource, method: &Method) -> Result<String> {
    let mut parts = Parts::default();
    let listed = match &method.gives {
        Gives::Page(of) | Gives::Pages(of) | Gives::Items(of) => sdk.model(of),
        Gives::One(_) | Gives::Stream(_) => None,
    };
    for param in &method.params {
        let name = camel(&param.name);
        match &param.kind {
            ParamKind::Spread(model) => {
                parts.spread(sdk.model(model).context("an input that is not there")?)?;
            }
            ParamKind::List { filters } => parts.list(sdk, listed, filters)?,
            ParamKind::One(ty) => {
                let default = match ty {
                    Type::Optional(_) => " = null".to_owned(),
                    Type::Model(model) => format!(" = {model}()"),
                    _ => String::new(),
                };
                parts.add(&name, &words::ty(ty, &param.name)?, &default, "")?;
                parts.native.push(Argument::One(words::given(ty, &param.name, &name)?));
            }
        }
    }
    parts.add("options", "CallOptions?", " = null", "Options of this call alone.")?;
    parts.native.push(Argument::One("it".to_owned()));

    // The objects of a list are those of its pages.
    let native = match &method.gives {
        Gives::Items(of) => pages_of(resource, of).unwrap_or(&method.name),
        _ => &method.name,
    };
    let (word, gives, before, behind) = match &method.gives {
        Gives::One(ty) => {
            let made = words::read(ty, "", "@")?;
            ("suspend fun", words::ty(ty, "")?, "make(options) ", made.replacen('@', "", 1))
        }
        Gives::Page(of) => {
            ("suspend fun", format!("Page<{of}>"), "make(options) ", ".page()".into())
        }
        Gives::Pages(of) => {
            ("fun", format!("Flow<Page<{of}>>"), "flow(options, ", ") { it.next()?.page() }".into())
        }
        Gives::Items(of) => {
            ("fun", format!("Flow<{of}>"), "items(options, ", ") { it.next()?.page() }".into())
        }
        Gives::Stream(of) => {
            ("fun", format!("Flow<{of}>"), "flow(options, ", ") { it.next()?.model() }".into())
        }
    };
    let native = format!("native.{}", camel(native));
    let arguments: Vec<_> = parts.native.iter().map(Argument::in_a_line).collect();
    let mut body =
        format!("        calls.{before}{{ {native}({}) }}{behind}", arguments.join(", "));
    if body.len() > 120 {
        let arguments: String = parts.native.iter().map(Argument::in_lines).collect();
        body = format!(
            "        calls.{before}{{\n            {native}(\n{arguments}            )\n        }}{behind}"
        );
    }
    let mut docs = vec![method.doc.clone()];
    docs.extend(parts.docs);
    docs.push(format!("@throws StoryCoreException {}", errors(sdk, method)));
    let one_line = format!(
        "    public {word} {}({}): {gives}",
        camel(&method.name),
        parts.signature.join(", ")
    );
    let signature = match one_line.len() <= 120 {
        true => one_line,
        false => {
            let parts: String = parts.signature.iter().map(|p| format!("        {p},\n")).collect();
            format!("    public {word} {}(\n{parts}    ): {gives}", camel(&method.name))
        }
    };
    Ok(words::documented(&docs, "    ") + &format!("{signature} =\n{body}\n"))
}

/// How a method fails: the kinds by their classes.
fn errors(sdk: &Sdk, method: &Method) -> String {
    let told = sdk.errors.iter().fold(method.errors.clone(), |text, error| {
        let class = format!("[io.storycore.{}]", words::exception(&error.name));
        text.replace(&format!("`{}`", error.kind), &class)
    });
    if told.is_empty() { "As every call.".to_owned() } else { told }
}
