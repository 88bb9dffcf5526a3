//! The resources: a structure each, a method a method, with named arguments and defaults.

use anyhow::{Context as _, Result, bail};

use super::{
    FOLDER, Files, marked,
    words::{camel, capital, commented, inward, native, quoted, swift, throws},
};
use crate::bindings::form::{Field, Gives, Method, ParamKind, Resource, Sdk, Type};

pub(super) fn write(sdk: &Sdk, files: &mut Files) -> Result<()> {
    let mut ways = Vec::new();
    for accessor in &sdk.accessors {
        let name = camel(&accessor.name);
        let resource = sdk.resources.iter().find(|r| r.name == accessor.resource);
        let first = sdk.accessors.iter().find(|a| a.resource == accessor.resource);
        let of = resource.context("an accessor of nothing")?;
        let first = first.context("an accessor of nothing")?;
        ways.push(format!(
            "{}    public var {name}: {} {{\n        .init(native: native.{}())\n    }}\n",
            commented(sdk, &accessor.doc, "    "),
            of.name,
            native(&first.name),
        ));
    }
    let text = marked("client.rs") + "extension Client {\n" + &ways.join("\n") + "}\n";
    files.insert(format!("{FOLDER}/ClientResources.swift").into(), text);
    for resource in &sdk.resources {
        let name = &resource.name;
        let methods = resource.methods.iter().map(|method| {
            function(sdk, resource, method).with_context(|| format!("{name}.{}", method.name))
        });
        let methods = methods.collect::<Result<Vec<_>>>()?;
        let text = marked(&format!("resources/{}.rs", resource.file))
            + &commented(sdk, &resource.doc, "")
            + &format!(
                "public struct {name}: Sendable {{\n    let native: StoryCoreNative.{name}\n\n{}}}\n",
                methods.join("\n")
            );
        files.insert(format!("{FOLDER}/{}.swift", capital(&camel(&resource.file))).into(), text);
    }
    Ok(())
}

/// One argument: how it stands in the head, what is said of it, and how it is handed on.
struct Argument {
    label: String,
    ty: String,
    default: &'static str,
    /// Its name and what is said of it.
    doc: (String, String),
}

impl Argument {
    fn declared(&self) -> String {
        format!("{}: {}{}", self.label, self.ty, self.default)
    }
}

fn function(sdk: &Sdk, resource: &Resource, method: &Method) -> Result<String> {
    let mut arguments = Vec::new();
    let mut passed = Vec::new();
    for (at, param) in method.params.iter().enumerate() {
        let own = camel(&param.name);
        let value = match &param.kind {
            ParamKind::One(ty) => {
                let may_be_left_out = matches!(ty, Type::Optional(_));
                let label = if at == 0 { format!("_ {own}") } else { own.clone() };
                let default = if may_be_left_out { " = nil" } else { "" };
                let doc = (own.clone(), about(sdk, &param.name, ty));
                arguments.push(Argument { label, ty: swift(&param.name, ty)?, default, doc });
                inward(&param.name, ty, &own)?
            }
            ParamKind::Spread(model) => {
                let model = sdk.model(model).context("an input that is not there")?;
                let mut fields = Vec::new();
                for field in &model.fields {
                    arguments.push(spread(field)?);
                    let way = inward(&field.name, &field.ty, &camel(&field.name))?;
                    fields.push(format!("{}: {way}", native(&field.rust)));
                }
                format!(".init({})", fields.join(", "))
            }
            ParamKind::List { filters } => {
                let pairs = listed(sdk, method, filters, &mut arguments)?;
                format!(
                    "try listParams(pageSize: pageSize, maxItems: maxItems, offset: offset, sort: sort, filters: filters, {pairs})"
                )
            }
        };
        passed.push(format!("{}: {value}", native(&param.name)));
    }
    passed.push("options: try options.native()".to_owned());
    let own = camel(&method.name);
    let mut docs = commented(sdk, &method.doc, "    ");
    let doc = ("options".to_owned(), "Options of its requests.".to_owned());
    arguments.push(Argument {
        label: "options".to_owned(),
        ty: "CallOptions".to_owned(),
        default: " = .init()",
        doc,
    });
    docs += "    ///\n    /// - Parameters:\n";
    for Argument { doc: (name, doc), .. } in &arguments {
        let lines = commented(sdk, &format!("- {name}: {doc}"), "      ");
        // What goes on in a second line stands below the first.
        let lines = lines.replacen("      /// ", "    ///   ", 1);
        docs += &lines.replace("      /// ", "    ///     ");
    }
    docs += &throws(sdk, &method.errors, "    ");
    let declared: Vec<_> = arguments.iter().map(Argument::declared).collect();
    let head = declared.join(",\n        ");
    let call = format!("native.{}({})", quoted(&native(&method.name)), passed.join(", "));
    // Closures may not hold on to more than they have to: the native object alone.
    // What was only asked for is wanted.
    let asks = ["get", "content", "usage", "stats"].contains(&method.name.as_str());
    let discarded = if asks { "" } else { "    @discardableResult\n" };
    let is_call = |gives: &str, made: &str| {
        format!(
            "{docs}{discarded}    public func {}(\n        {head}\n    ) async throws -> {gives} {{\n        \
            try await translated {{\n            {}\n        }}\n    }}\n",
            quoted(&own),
            made.replace("CALL", &format!("try await {call}")),
        )
    };
    let is_stream = |gives: &str, opened: &str| {
        format!(
            "{docs}    public func {}(\n        {head}\n    ) -> {gives} {{\n        \
            .init {{ [native] in\n            let opened = {call}\n            {opened}\n        }}\n    }}\n",
            quoted(&own),
        )
    };
    let pages = |model: &str| {
        format!(
            "return {{ try await opened.next().map {{ Page($0.data.map {{ {model}($0) }}, $0.pagination) }} }}"
        )
    };
    Ok(match &method.gives {
        Gives::One(Type::Model(model)) => is_call(model, &format!("{model}(CALL)")),
        Gives::One(Type::Bytes) => is_call("Data", "CALL"),
        Gives::One(_) => bail!("what it gives cannot be expressed"),
        Gives::Page(model) => is_call(
            &format!("Page<{model}>"),
            &format!("let page = CALL\n            return Page(page.data.map {{ {model}($0) }}, page.pagination)"),
        )
        .replace("    @discardableResult\n", ""),
        Gives::Pages(model) => is_stream(&format!("Pages<{model}>"), &pages(model)),
        Gives::Items(model) => {
            let text = is_stream(&format!("Items<{model}>"), &pages(model));
            // The objects of the pages, which the library has a method for.
            match resource.methods.iter().find(|m| m.gives == Gives::Pages(model.clone())) {
                Some(of) => text.replace(
                    &format!("native.{}(", quoted(&native(&method.name))),
                    &format!("native.{}(", quoted(&native(&of.name))),
                ),
                None => text,
            }
        }
        Gives::Stream(model) => is_stream(
            &format!("{model}s"),
            &format!("return {{ try await opened.next().map {{ {model}($0) }} }}"),
        ),
    })
}

/// What is said of an argument that stands by itself.
fn about(sdk: &Sdk, name: &str, ty: &Type) -> String {
    match (name, ty) {
        ("id", _) => "Its id.".to_owned(),
        (name, Type::Text) if name.ends_with("_id") => {
            format!("The id of the {}.", name.trim_end_matches("_id"))
        }
        (_, Type::Path) => "Where the file is to be.".to_owned(),
        (_, Type::Model(model)) => {
            sdk.model(model).map(|model| model.doc.clone()).unwrap_or_default()
        }
        (name, _) => format!("Its {}, as told above.", name.replace('_', " ")),
    }
}

fn spread(field: &Field) -> Result<Argument> {
    let label = camel(&field.name);
    let ty = swift(&field.name, &field.ty)?;
    let default = match &field.ty {
        Type::Optional(_) => " = nil",
        Type::Change(_) => " = .keep",
        Type::List(_) if !field.required => " = []",
        _ if field.required => "",
        _ => bail!("{} cannot be left out", field.name),
    };
    Ok(Argument { doc: (label.clone(), field.doc.clone()), label, ty, default })
}

/// What a list is asked with, filters first. What is given on as filters is returned.
fn listed(
    sdk: &Sdk,
    method: &Method,
    filters: &[String],
    arguments: &mut Vec<Argument>,
) -> Result<String> {
    let (Gives::Page(model) | Gives::Pages(model) | Gives::Items(model)) = &method.gives else {
        bail!("a list that gives no pages");
    };
    let model = sdk.model(model).context("a list of what is not there")?;
    let mut pairs = Vec::new();
    for name in filters {
        let own = camel(name);
        let field = model.fields.iter().find(|field| field.name == *name);
        let of_enum = field.and_then(|field| match &field.ty {
            Type::Enum(of) => Some(of),
            _ => None,
        });
        let (ty, value) = match of_enum {
            Some(of) => (format!("{of}?"), format!("{own}?.rawValue")),
            None => ("String?".to_owned(), own.clone()),
        };
        let doc = format!("Only those with this `{name}`.");
        let doc = (own.clone(), doc);
        arguments.push(Argument { label: own, ty, default: " = nil", doc });
        pairs.push(format!("(\"{name}\", {value})"));
    }
    for field in &sdk.list_params {
        let label = camel(&field.name);
        let ty = swift(&field.name, &field.ty)?;
        let doc = (label.clone(), field.doc.clone());
        arguments.push(Argument { label, ty, default: " = nil", doc });
    }
    let doc = "Further filters, by the names of the fields on the wire.".to_owned();
    arguments.push(Argument {
        label: "filters".to_owned(),
        ty: "[String: String]".to_owned(),
        default: " = [:]",
        doc: ("filters".to_owned(), doc),
    });
    Ok(format!("named: [{}]", pairs.join(", ")))
}
