//! Python's words for types, docstrings and names.

use crate::bindings::{
    docs::wrapped,
    form::{Field, Gives, Method, ParamKind, Sdk, Type},
    names,
};

/// The type of a value that is read.
pub(super) fn output(ty: &Type) -> String {
    match ty {
        Type::Text | Type::Secret => "str".into(),
        Type::Bool => "bool".into(),
        Type::Integer(_) => "int".into(),
        Type::Number => "float".into(),
        Type::Time => "datetime".into(),
        Type::Date => "date".into(),
        Type::Json => "Any".into(),
        Type::JsonObject => "dict[str, Any]".into(),
        Type::Bytes => "bytes".into(),
        Type::Path => "str | PathLike[str]".into(),
        Type::Enum(name) | Type::Model(name) => name.clone(),
        Type::List(of) => format!("list[{}]", output(of)),
        Type::Optional(of) | Type::Change(of) => format!("{} | None", output(of)),
    }
}

/// The type of an argument.
pub(super) fn input(ty: &Type) -> String {
    match ty {
        Type::JsonObject => "Mapping[str, Any]".into(),
        Type::Date => "date | str".into(),
        Type::Enum(name) => format!("{name} | str"),
        Type::List(of) => format!("Sequence[{}]", input(of)),
        Type::Optional(of) => format!("{} | None", input(of)),
        Type::Change(of) => format!("{} | Omit | None", input(of)),
        _ => output(ty),
    }
}

/// One argument of a method, in the order in which Python has them.
pub(super) struct Argument {
    pub(super) name: String,
    pub(super) ty: Type,
    pub(super) doc: String,
    pub(super) required: bool,
    pub(super) keyword: bool,
    /// Where it goes: a field of the input, a filter, a parameter of a list, or an argument of the method itself.
    pub(super) part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Own,
    Field,
    ListParam,
    Filter,
}

impl Argument {
    /// Its name in Rust.
    pub(super) fn rust(&self) -> String {
        match self.name.as_str() {
            "type" => "r#type".to_owned(),
            name => name.to_owned(),
        }
    }
}

/// A method's arguments: its own, then keywords, those first that cannot be left out.
pub(super) fn arguments(sdk: &Sdk, method: &Method) -> Vec<Argument> {
    let mut all = Vec::new();
    for param in &method.params {
        match &param.kind {
            ParamKind::One(ty) => {
                // Settings that have none that is needed may be left out.
                let no_need = match ty {
                    Type::Optional(_) => true,
                    Type::Model(name) => {
                        sdk.model(name).is_some_and(|m| m.fields.iter().all(|f| !f.required))
                    }
                    _ => false,
                };
                all.push(Argument {
                    name: param.name.clone(),
                    ty: ty.clone(),
                    doc: String::new(),
                    required: !no_need,
                    keyword: no_need,
                    part: Part::Own,
                });
            }
            ParamKind::Spread(name) => {
                let fields = sdk.model(name).map(|model| model.fields.as_slice());
                let mut fields: Vec<&Field> = fields.into_iter().flatten().collect();
                fields.sort_by_key(|field| !field.required);
                all.extend(fields.into_iter().map(|field| keyword(field, Part::Field)));
            }
            ParamKind::List { filters } => {
                all.extend(sdk.list_params.iter().map(|field| keyword(field, Part::ListParam)));
                all.extend(filters.iter().map(|name| Argument {
                    name: name.clone(),
                    ty: Type::Optional(Box::new(Type::Text)),
                    doc: "Only those that have this.".to_owned(),
                    required: false,
                    keyword: true,
                    part: Part::Filter,
                }));
            }
        }
    }
    all
}

fn keyword(field: &Field, part: Part) -> Argument {
    Argument {
        name: field.name.clone(),
        ty: field.ty.clone(),
        doc: field.doc.clone(),
        required: field.required,
        keyword: true,
        part,
    }
}

/// Whether the method takes the parameters of a list.
pub(super) fn is_list(method: &Method) -> bool {
    method.params.iter().any(|param| matches!(param.kind, ParamKind::List { .. }))
}

/// A method's docstring, its lines without indentation.
pub(super) fn docstring(sdk: &Sdk, method: &Method) -> Vec<String> {
    let mut lines = wrapped(&method.doc, 100);
    if matches!(method.gives, Gives::Page(_)) {
        lines.push(String::new());
        lines.extend(wrapped(
            "Going over it goes over all objects, the next page fetched while one is read. `data` has those of one page.",
            100,
        ));
    }
    let mut documented: Vec<_> = arguments(sdk, method)
        .into_iter()
        .filter(|argument| !argument.doc.is_empty() && argument.part != Part::Filter)
        .map(|argument| (argument.name, argument.doc))
        .collect();
    if is_list(method) {
        documented.push(("filters".into(), "Further filters, by name.".into()));
    }
    if !documented.is_empty() {
        lines.push(String::new());
        lines.push("Args:".to_owned());
        for (name, doc) in documented {
            lines.push(format!("    {name}: {}", doc.replace("\n\n", " ")));
        }
    }
    if !method.errors.is_empty() {
        lines.push(String::new());
        lines.push("Raises:".to_owned());
        let errors = kinds_as_classes(sdk, &method.errors);
        for (at, line) in wrapped(&format!("StoryCoreError: {errors}"), 92).iter().enumerate() {
            lines.push(format!("    {}{line}", if at == 0 { "" } else { "    " }));
        }
    }
    lines
}

/// `not_found` in backticks becomes the class.
fn kinds_as_classes(sdk: &Sdk, text: &str) -> String {
    sdk.errors.iter().fold(text.to_owned(), |text, error| {
        text.replace(&format!("`{}`", error.kind), &format!("`{}`", class(&error.name)))
    })
}

/// The class of a kind of error.
pub(super) fn class(kind: &str) -> String {
    names::error_class(kind)
}

/// What a call gives, as an annotation; `None` for what goes on by itself.
pub(super) fn gives(gives: &Gives, is_async: bool) -> String {
    let iterator = if is_async { "AsyncIterator" } else { "Iterator" };
    match gives {
        Gives::One(ty) => output(ty),
        Gives::Page(model) if is_async => format!("ListCall[{model}]"),
        Gives::Page(model) => format!("Page[{model}]"),
        Gives::Pages(model) if is_async => format!("{iterator}[AsyncPage[{model}]]"),
        Gives::Pages(model) => format!("{iterator}[Page[{model}]]"),
        Gives::Items(model) | Gives::Stream(model) => format!("{iterator}[{model}]"),
    }
}

/// Whether it is called with `await` and not otherwise.
pub(super) fn is_awaited(gives: &Gives) -> bool {
    matches!(gives, Gives::One(_))
}

/// A `"""docstring"""` at this indentation.
pub(super) fn quoted(lines: &[String], indent: &str) -> String {
    let lines: Vec<_> = lines.iter().map(|l| l.replace('\\', "\\\\")).collect();
    match lines.as_slice() {
        [one] => format!("{indent}\"\"\"{one}\"\"\"\n"),
        [first, rest @ ..] => {
            let mut text = format!("{indent}\"\"\"{first}\n");
            for line in rest {
                match line.is_empty() {
                    true => text.push('\n'),
                    false => text.push_str(&format!("{indent}{line}\n")),
                }
            }
            text + indent + "\"\"\"\n"
        }
        [] => String::new(),
    }
}

/// The same as a doc comment in Rust.
pub(super) fn commented(lines: &[String]) -> String {
    lines.iter().map(|line| format!("/// {line}").trim_end().to_owned() + "\n").collect()
}
