//! The JavaScript over the operations: a class for each resource, the tables of what there is, and the names that `import` takes.

use super::{Files, Way, marked, numbered, pages_of};
use crate::bindings::{
    form::{Gives, Method, ParamKind, Resource, Sdk, Type},
    names::{self, camel},
};

const FOLDER: &str = "bindings-node/lib";

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    for resource in &sdk.resources {
        let text = class(sdk, resource);
        files.insert(format!("{FOLDER}/resources/{}.js", resource.file).into(), text);
    }
    files.insert(format!("{FOLDER}/tables.js").into(), tables(sdk));
    files.insert(format!("{FOLDER}/index.mjs").into(), module(sdk));
}

/// The argument that a parameter is, and what is passed on of it: of options that have a name each, the options.
pub(super) fn arguments(method: &Method) -> (Vec<String>, Vec<String>) {
    let (mut taken, mut passed) = (Vec::new(), Vec::new());
    for param in &method.params {
        let name = camel(&param.name);
        match &param.kind {
            ParamKind::One(Type::Optional(_)) => {
                if !taken.iter().any(|name| name == "params") {
                    taken.push("params".to_owned());
                }
                passed.push(format!("params?.{}", param.name));
            }
            _ => {
                taken.push(name.clone());
                passed.push(name);
            }
        }
    }
    taken.push("options".to_owned());
    (taken, passed)
}

fn class(sdk: &Sdk, resource: &Resource) -> String {
    let Resource { name, file, .. } = resource;
    let mut methods = String::new();
    for (of, method, way) in numbered(sdk) {
        if of.name == *name {
            methods += &function(sdk, resource, method, way);
        }
    }
    let base = match resource.by_hand.as_slice() {
        [] => "const { Resource: Base } = require(\"../resource.js\");\n".to_owned(),
        _ => format!("const {{ Base }} = require(\"../by_hand/{file}.js\");\n"),
    };
    let lists: Vec<_> = ["List", "pages", "items", "stream"]
        .into_iter()
        .filter(|word| methods.contains(&format!("{word}(this._client")))
        .collect();
    let lists = match lists.is_empty() {
        true => String::new(),
        false => format!("const {{ {} }} = require(\"../lists.js\");\n", lists.join(", ")),
    };
    marked(&format!("resources/{file}.rs"))
        + &format!(
            "\"use strict\";\n\n{base}{lists}\nclass {name} extends Base {{\n{}}}\n\nexports.{name} = {name};\n",
            methods.trim_start_matches('\n')
        )
}

fn function(sdk: &Sdk, resource: &Resource, method: &Method, way: Way) -> String {
    let (taken, passed) = arguments(method);
    let passed = passed.join(", ");
    // Where what is passed has no name of its own, an error finds it there.
    let options = if passed.contains("params?.") { "options, params" } else { "options" };
    let made = match (&method.gives, way) {
        (Gives::Page(model), Way::Call(number)) => {
            // A page that no list goes on from is only a page.
            match pages_of(sdk, resource, model) {
                Some(pages) => {
                    format!("new List(this._client, {number}, {pages}, [{passed}], options)")
                }
                None => format!("this._client._call({number}, [{passed}], {options})"),
            }
        }
        (_, Way::Call(number)) => format!("this._client._call({number}, [{passed}], {options})"),
        (Gives::Pages(_), Way::Stream(number)) => {
            format!("pages(this._client, {number}, [{passed}], options)")
        }
        (Gives::Items(_), Way::Stream(number) | Way::Of(number)) => {
            format!("items(this._client, {number}, [{passed}], options)")
        }
        (_, Way::Stream(number) | Way::Of(number)) => {
            format!("stream(this._client, {number}, [{passed}], options)")
        }
    };
    format!("\n  {}({}) {{\n    return {made};\n  }}\n", camel(&method.name), taken.join(", "))
}

/// In one file: each that is loaded with the package costs its users time.
fn tables(sdk: &Sdk) -> String {
    let mut text = marked("client.rs and error/kind.rs") + "\"use strict\";\n";
    text += &format!(
        "\n/** The version of this package, which the native library's must be. */\nexports.version = \"{}\";\n",
        env!("CARGO_PKG_VERSION")
    );
    text += "\n/** The classes of errors, and the kinds that they are for. */\nexports.kinds = [\n";
    for error in &sdk.errors {
        text += &format!("  [\"{}\", \"{}\"],\n", names::error_class(&error.name), error.kind);
    }
    text += "];\n\n/** A client's resources by their names; each is loaded when it is asked for first. */\n\
        exports.resources = [\n";
    for accessor in &sdk.accessors {
        let resource = sdk.resources.iter().find(|resource| resource.name == accessor.resource);
        let file = resource.map_or("", |resource| &resource.file);
        text += &format!(
            "  [\"{}\", () => require(\"./resources/{file}.js\").{}],\n",
            camel(&accessor.name),
            accessor.resource
        );
    }
    text + "];\n"
}

fn module(sdk: &Sdk) -> String {
    let mut text = marked("error/kind.rs")
        + "// The same as `index.js`, for `import`: there is one of each class, however it was loaded.\n\
        import storycore from \"./index.js\";\n\nexport default storycore;\nexport const {\n  \
        StoryCoreClient,\n  StoryCoreSDK,\n  RawResponse,\n  Authorization,\n  UploadControl,\n  metrics,\n  version,\n  StoryCoreError,\n";
    for error in &sdk.errors {
        text += &format!("  {},\n", names::error_class(&error.name));
    }
    text + "} = storycore;\n"
}
