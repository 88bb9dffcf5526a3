//! What Python and type checkers read beside the extension: stubs, enums, error classes, typed dicts of settings, and the
//! dispatch table of the conformance driver.

use super::{
    Files, marked,
    words::{self, Part, quoted},
};
use crate::bindings::{
    docs::wrapped,
    form::{Direction, Gives, Method, Resource, Sdk, Type},
    names,
};

const FOLDER: &str = "bindings-python/python/storycore";

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    let mut put = |name: &str, text: String| {
        files.insert(format!("{FOLDER}/{name}").into(), text);
    };
    put("models.py", models_module(sdk));
    put("models.pyi", models(sdk));
    put("resources.pyi", resources(sdk));
    put("enums.py", enums(sdk));
    put("errors.py", errors(sdk));
    put("inputs.py", inputs(sdk));
    put("__init__.pyi", package(sdk));
    files.insert("bindings-python/tests/conformance/operations.py".into(), operations(sdk));
}

fn outputs(sdk: &Sdk) -> Vec<&str> {
    let outputs = sdk.models.iter().filter(|model| model.direction == Direction::Output);
    let mut names: Vec<_> = outputs.map(|model| model.name.as_str()).collect();
    names.sort_unstable();
    names
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("    {name},\n")).collect()
}

/// `__all__`.
fn all(names: &[&str]) -> String {
    let lines: String = names.iter().map(|name| format!("    \"{name}\",\n")).collect();
    format!("__all__ = [\n{lines}]\n")
}

fn models_module(sdk: &Sdk) -> String {
    let names = outputs(sdk);
    marked("#", "models")
        + "\"\"\"What the platform sends, as frozen objects.\"\"\"\n\n"
        + &format!("from ._storycore import (\n{})\n\n{}", list(&names), all(&names))
}

fn models(sdk: &Sdk) -> String {
    let mut text = marked("#", "models")
        + "\"\"\"What the platform sends, as frozen objects.\"\"\"\n\n\
        from datetime import date, datetime\nfrom typing import Any, final\n\n\
        from ._object import Object\nfrom .enums import ";
    let enums: Vec<_> = sdk.enums.iter().map(|e| e.name.as_str()).collect();
    text += &(enums.join(", ") + "\n");
    for model in sdk.models.iter().filter(|model| model.direction == Direction::Output) {
        text += &format!("\n@final\nclass {}(Object):\n", model.name);
        text += &quoted(&wrapped(&model.doc, 100), "    ");
        let fields = sdk.all_fields(model);
        let fields = fields.iter().map(|(_, field)| (&field.name, &field.doc, &field.ty));
        for (name, doc, ty) in fields.chain(model.methods.iter().map(|m| (&m.name, &m.doc, &m.ty)))
        {
            text += &format!("    @property\n    def {name}(self) -> {}:\n", words::output(ty));
            text += &quoted(&wrapped(doc, 100), "        ");
        }
        let base = model.flattened.as_ref().and_then(|f| sdk.model(&f.model));
        if model.has_extra || base.is_some_and(|base| base.has_extra) {
            text += "    @property\n    def extra(self) -> dict[str, Any]:\n        \
                \"\"\"Fields that this version does not know, by name.\"\"\"\n";
        }
    }
    text
}

fn resources(sdk: &Sdk) -> String {
    let mut text = marked("#", "resources")
        + "\"\"\"What one can ask for.\"\"\"\n\n\
        from collections.abc import AsyncIterator, Iterator, Mapping, Sequence\n\
        from datetime import date\nfrom os import PathLike\nfrom typing import Any\n\n\
        from . import _by_hand\nfrom ._storycore import AsyncPage, ListCall, Omit, Page\n";
    let enums: Vec<_> = sdk.enums.iter().map(|e| e.name.as_str()).collect();
    text += &format!("from .enums import {}\n", enums.join(", "));
    let whole: Vec<_> = sdk
        .models
        .iter()
        .filter(|model| sdk.is_whole_argument(&model.name))
        .map(|model| model.name.as_str())
        .collect();
    if !whole.is_empty() {
        text += &format!("from .inputs import {}\n", whole.join(", "));
    }
    text += &format!("from .models import (\n{})\n", list(&outputs(sdk)));
    for resource in &sdk.resources {
        text += &resource_class(sdk, resource, false);
        text += &resource_class(sdk, resource, true);
    }
    for (class, prefix) in [("Resources", ""), ("AsyncResources", "Async")] {
        text += &format!(
            "\nclass {class}:\n    \"\"\"The ways from a client to its resources.\"\"\"\n\n"
        );
        for accessor in &sdk.accessors {
            text += &format!(
                "    @property\n    def {}(self) -> {prefix}{}:\n",
                accessor.name, accessor.resource
            );
            text += &quoted(&wrapped(&accessor.doc, 100), "        ");
        }
    }
    text
}

fn resource_class(sdk: &Sdk, resource: &Resource, is_async: bool) -> String {
    let name = if is_async { format!("Async{}", resource.name) } else { resource.name.clone() };
    let base =
        if resource.by_hand.is_empty() { String::new() } else { format!("(_by_hand.{name})") };
    let mut text = format!("\nclass {name}{base}:\n");
    text += &quoted(&wrapped(&resource.doc, 100), "    ");
    for method in &resource.methods {
        text += "\n";
        text += &stub(sdk, method, is_async);
    }
    text
}

fn stub(sdk: &Sdk, method: &Method, is_async: bool) -> String {
    let mut arguments = vec!["self".to_owned()];
    let mut has_star = false;
    for argument in words::arguments(sdk, method) {
        if argument.keyword && !has_star {
            arguments.push("*".to_owned());
            has_star = true;
        }
        let ty = match argument.part {
            Part::Filter => "str | None".to_owned(),
            _ => words::input(&argument.ty),
        };
        arguments.push(match argument.required {
            true => format!("{}: {ty}", argument.name),
            false if matches!(argument.ty, Type::Change(_)) => {
                format!("{}: {ty} = ...", argument.name)
            }
            false if ty.ends_with("None") => format!("{}: {ty} = None", argument.name),
            false => format!("{}: {ty} | None = None", argument.name),
        });
    }
    if words::is_list(method) {
        arguments.push("filters: Mapping[str, object] | None = None".to_owned());
    }
    let word = if is_async && words::is_awaited(&method.gives) { "async def" } else { "def" };
    let gives = words::gives(&method.gives, is_async);
    let one_line = format!("    {word} {}({}) -> {gives}:\n", method.name, arguments.join(", "));
    let head = if one_line.len() <= 120 {
        one_line
    } else {
        let lines: String = arguments.iter().map(|a| format!("        {a},\n")).collect();
        format!("    {word} {}(\n{lines}    ) -> {gives}:\n", method.name)
    };
    head + &quoted(&words::docstring(sdk, method), "        ")
}

fn enums(sdk: &Sdk) -> String {
    let mut text = marked("#", "models")
        + "\"\"\"Enums, which keep values that this version does not know.\"\"\"\n\n\
        from __future__ import annotations\n\nfrom ._enum import OpenEnum\n";
    for of in &sdk.enums {
        text += &format!("\n\nclass {}(OpenEnum):\n", of.name);
        text += &(quoted(&wrapped(&of.doc, 100), "    ") + "\n");
        for variant in &of.variants {
            text += &format!("    {} = \"{}\"\n", names::upper(&variant.name), variant.text);
            text += &quoted(&wrapped(&variant.doc, 100), "    ");
        }
    }
    text
}

fn errors(sdk: &Sdk) -> String {
    let mut text = marked("#", "error/kind.rs")
        + "\"\"\"Errors: one class a kind, all under `StoryCoreError`, each with the same fields.\"\"\"\n\n\
        from __future__ import annotations\n\nfrom ._error import StoryCoreError\n";
    let mut table = String::new();
    let mut classes = vec!["StoryCoreError".to_owned()];
    for error in &sdk.errors {
        let class = words::class(&error.name);
        text += &format!("\n\nclass {class}(StoryCoreError):\n");
        text += &quoted(&wrapped(&error.doc, 100), "    ");
        text += &format!("\n    kind = \"{}\"\n", error.kind);
        table += &format!("    \"{}\": {class},\n", error.kind);
        classes.push(class);
    }
    classes.sort();
    text += &format!("\n\nBY_KIND: dict[str, type[StoryCoreError]] = {{\n{table}}}\n");
    text + "\n" + &all(&classes.iter().map(String::as_str).collect::<Vec<_>>())
}

fn inputs(sdk: &Sdk) -> String {
    let mut text = marked("#", "models")
        + "\"\"\"Settings that stand in one argument, as dicts whose keys are known.\"\"\"\n\n\
        from __future__ import annotations\n\nfrom typing import TypedDict\n";
    for model in sdk.models.iter().filter(|model| sdk.is_whole_argument(&model.name)) {
        text += &format!("\n\nclass {}(TypedDict, total=False):\n", model.name);
        text += &(quoted(&wrapped(&model.doc, 100), "    ") + "\n");
        for field in &model.fields {
            text += &format!("    {}: {}\n", field.name, words::input(&field.ty));
            text += &quoted(&wrapped(&field.doc, 100), "    ");
        }
    }
    text
}

/// The package's stub: every public name, and where it is from.
fn package(sdk: &Sdk) -> String {
    let again = |from: &str, names: &[&str]| -> String {
        let lines: String = names.iter().map(|name| format!("    {name} as {name},\n")).collect();
        format!("from .{from} import (\n{lines})\n")
    };
    let errors: Vec<_> = sdk.errors.iter().map(|error| words::class(&error.name)).collect();
    let mut errors: Vec<_> = errors.iter().map(String::as_str).collect();
    errors.push("StoryCoreError");
    errors.sort_unstable();
    let mut enums: Vec<_> = sdk.enums.iter().map(|e| e.name.as_str()).collect();
    enums.sort_unstable();
    let mut resources: Vec<_> =
        sdk.resources.iter().flat_map(|r| [r.name.clone(), format!("Async{}", r.name)]).collect();
    resources.sort_unstable();
    let resources: Vec<_> = resources.iter().map(String::as_str).collect();
    marked("#", "lib.rs")
        + "\"\"\"The typed client of the StoryCore media platform, sync and async.\"\"\"\n\n\
        from ._storycore import *\nfrom ._storycore import __version__ as __version__\n"
        + &again("enums", &enums)
        + &again("errors", &errors)
        + &again("models", &outputs(sdk))
        + &again("resources", &resources)
}

/// Which call an operation of a scenario is, and what its arguments are.
fn operations(sdk: &Sdk) -> String {
    let mut text = marked("#", "resources")
        + "\"\"\"The operations that scenarios name: what each gives, and the keywords that it takes.\"\"\"\n\n\
        OPERATIONS: dict[str, tuple[str, frozenset[str]]] = {\n";
    for accessor in &sdk.accessors {
        let Some(resource) = sdk.resources.iter().find(|r| r.name == accessor.resource) else {
            continue;
        };
        for method in &resource.methods {
            let gives = match &method.gives {
                Gives::One(_) | Gives::Page(_) => "value",
                Gives::Pages(_) | Gives::Items(_) | Gives::Stream(_) => "iterator",
            };
            let mut names: Vec<_> = words::arguments(sdk, method)
                .iter()
                .map(|argument| format!("\"{}\"", argument.name))
                .collect();
            if words::is_list(method) {
                names.push("\"filters\"".to_owned());
            }
            let set = if names.is_empty() {
                "()".to_owned()
            } else {
                format!("{{{}}}", names.join(", "))
            };
            text += &format!(
                "    \"{}.{}\": (\"{gives}\", frozenset({set})),\n",
                accessor.name, method.name
            );
        }
    }
    text + "}\n"
}
