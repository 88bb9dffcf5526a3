//! The objects: `bindings-python/src/models/*.rs`, one class a model.

use super::{Files, marked, words::commented};
use crate::bindings::{
    docs::wrapped,
    form::{Direction, Enum, Field, Model, Sdk, Type},
    names,
};

pub(super) fn write(sdk: &Sdk, files: &mut Files) {
    let folder = "bindings-python/src/models";
    for file in sdk.model_files() {
        let mut body = String::new();
        for of in sdk.enums.iter().filter(|e| e.file == file) {
            body += &enumeration(of);
        }
        for model in sdk.models.iter().filter(|model| model.file == file) {
            match model.direction {
                Direction::Output => body += &class(sdk, model),
                Direction::Input if sdk.is_whole_argument(&model.name) => body += &settings(model),
                Direction::Input => {}
            }
        }
        if body.is_empty() {
            continue;
        }
        // `mod.rs` of the client holds models too, and is the module's own file here.
        let name = file_name(file);
        let text = marked("//", &format!("models/{file}.rs")) + &imports(&body) + &body;
        files.insert(format!("{folder}/{name}.rs").into(), text);
    }
    files.insert(format!("{folder}/mod.rs").into(), module(sdk));
}

fn file_name(file: &str) -> &str {
    if file == "mod" { "common" } else { file }
}

fn outputs(sdk: &Sdk) -> impl Iterator<Item = &Model> {
    sdk.models.iter().filter(|model| model.direction == Direction::Output)
}

fn module(sdk: &Sdk) -> String {
    let mut text =
        marked("//", "models") + "//! What the platform sends, as frozen Python objects.\n\n";
    let mut modules: Vec<_> = sdk
        .model_files()
        .into_iter()
        .filter(|file| {
            sdk.enums.iter().any(|e| e.file == *file)
                || sdk.models.iter().any(|m| {
                    m.file == *file
                        && (m.direction == Direction::Output || sdk.is_whole_argument(&m.name))
                })
        })
        .map(file_name)
        .collect();
    modules.sort_unstable();
    for module in &modules {
        text += &format!("mod {module};\n");
    }
    text += "\nuse pyo3::prelude::*;\n\n";
    for module in &modules {
        let mut names: Vec<_> = outputs(sdk)
            .filter(|model| file_name(&model.file) == *module)
            .map(|model| model.name.as_str())
            .collect();
        names.sort_unstable();
        if !names.is_empty() {
            text += &format!("pub(crate) use {module}::{{{}}};\n", names.join(", "));
        }
    }
    text += "use crate::object::Held;\n\n\
        /// An object of the client that Python has a class for.\n\
        pub(crate) trait Model: Send + Sync + Sized + 'static {\n\
        fn python(py: Python<'_>, held: Held<Self>) -> PyResult<Py<PyAny>>;\n}\n\n\
        /// Adds every class to the module.\n\
        pub(crate) fn add(module: &Bound<'_, PyModule>) -> PyResult<()> {\n";
    for model in outputs(sdk) {
        text += &format!("module.add_class::<{}>()?;\n", model.name);
    }
    text + "Ok(())\n}\n"
}

/// The imports that the body has a use for.
fn imports(body: &str) -> String {
    let used = |words: &[&'static str]| -> Vec<&'static str> {
        words.iter().copied().filter(|word| body.contains(word)).collect()
    };
    let types = used(&["PyDate", "PyDateTime", "PyDict", "PyList", "PyTuple", "PyType"]);
    // `PyDate` is the beginning of `PyDateTime`.
    let types: Vec<_> =
        types.into_iter().filter(|word| *word != "PyDate" || body.contains("PyDate>")).collect();
    let mut text = String::from("\nuse pyo3::{prelude::*");
    if !types.is_empty() {
        text += &format!(", types::{{{}}}", types.join(", "));
    }
    text += "};\n";
    text += "use storycore::models as core;\n\n";
    if body.contains("impl Model for") {
        text += "use super::Model;\n";
    }
    let mut own = Vec::new();
    let mut convert = used(&["EnumClass", "FromPython"]);
    if body.contains("convert::") {
        convert.insert(0, "self");
    }
    if !convert.is_empty() {
        own.push(format!("convert::{{{}}}", convert.join(", ")));
    }
    if body.contains("object::") {
        own.push("object::{self, Held}".to_owned());
    }
    if !own.is_empty() {
        text += &format!("use crate::{{{}}};\n", own.join(", "));
    }
    text + "\n"
}

fn enumeration(of: &Enum) -> String {
    let Enum { name, .. } = of;
    format!(
        "static {}: EnumClass = EnumClass::new(\"{name}\");\n\n\
        impl FromPython for core::{name} {{\n\
        fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {{\n\
        let text = value.extract::<&str>();\n\
        text.map(Self::from).map_err(|_| convert::wrong(value, \"str\"))\n}}\n}}\n\n",
        names::upper(name)
    )
}

/// An input that stands in one argument: a mapping of its fields.
fn settings(model: &Model) -> String {
    let Model { name, fields, .. } = model;
    let mut text = format!(
        "impl FromPython for core::{name} {{\n\
        fn from_python(value: &Bound<'_, PyAny>) -> PyResult<Self> {{\n\
        let mut fields = convert::Fields::of(value)?;\nlet made = Self {{\n"
    );
    for field in fields {
        text += &format!("{}: fields.take(\"{}\")?,\n", field.rust, field.name);
    }
    text + "};\nfields.end()?;\nOk(made)\n}\n}\n\n"
}

fn class(sdk: &Sdk, model: &Model) -> String {
    let name = &model.name;
    let fields = sdk.all_fields(model);
    let listed = |fields: Vec<&str>| {
        fields.iter().map(|name| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    };
    let all = fields.iter().map(|(_, field)| field.name.as_str()).collect();
    let is_shown = |field: &Field| field.ty != Type::Secret;
    let shown: Vec<_> =
        fields.iter().filter(|(_, f)| is_shown(f)).map(|(_, f)| f.name.as_str()).collect();
    let has_secret = fields.iter().any(|(_, field)| !is_shown(field));
    let extra = match &model.flattened {
        Some(flattened) => Some(format!("{}.extra", flattened.field)),
        None => model.has_extra.then(|| "extra".to_owned()),
    };
    let extra_of = |of: &str| match &extra {
        Some(extra) => format!("Some(&{of}.{extra})"),
        None => "None".to_owned(),
    };

    let mut text = commented(&wrapped(&model.doc, 110));
    text += &format!(
        "#[pyclass(frozen, module = \"storycore\")]\npub(crate) struct {name}(Held<core::{name}>);\n\n\
        impl {name} {{\nconst FIELDS: &[&str] = &[{}];\n",
        listed(all)
    );
    if has_secret {
        text += &format!(
            "/// Those that `repr` shows.\nconst SHOWN: &[&str] = &[{}];\n",
            listed(shown)
        );
    }
    text += &format!(
        "\npub(crate) fn new(held: Held<core::{name}>) -> Self {{\nSelf(held)\n}}\n\n\
        fn json(&self) -> serde_json::Value {{\n"
    );
    text += &match &model.flattened {
        Some(flattened) => {
            let mut own = format!("let mut json = object::json(&self.0.{});\n", flattened.field);
            for field in &model.fields {
                own +=
                    &format!("json[\"{}\"] = self.0.{}.expose().into();\n", field.name, field.rust);
            }
            own + "json\n"
        }
        None => "object::json(&*self.0)\n".to_owned(),
    };
    text += &format!(
        "}}\n}}\n\nimpl Model for core::{name} {{\n\
        fn python(py: Python<'_>, held: Held<Self>) -> PyResult<Py<PyAny>> {{\n\
        Ok(Py::new(py, {name}::new(held))?.into_any())\n}}\n}}\n\n\
        #[pymethods]\nimpl {name} {{\n"
    );
    for (path, field) in &fields {
        text += &getter(path, field);
    }
    for method in &model.methods {
        text += &commented(&wrapped(&method.doc, 106));
        let gives = match &method.ty {
            Type::Optional(inner) if **inner == Type::Text => "Option<&str>",
            Type::Bool => "bool",
            _ => "&str",
        };
        text +=
            &format!("#[getter]\nfn {0}(&self) -> {gives} {{\nself.0.{0}()\n}}\n\n", method.name);
    }
    if extra.is_some() {
        text += &format!(
            "/// Fields that this version does not know, by name.\n#[getter]\n\
            fn extra<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {{\n\
            convert::dict(py, &self.0.{})\n}}\n\n",
            extra.as_deref().unwrap_or_default()
        );
    }
    let shown = if has_secret { "SHOWN" } else { "FIELDS" };
    text += &format!(
        "/// The object as plain JSON, as the platform has it.\n\
        fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {{\nobject::to_dict(py, &self.json())\n}}\n\n\
        /// The names that a subscript takes.\n\
        fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {{\nobject::keys(py, Self::FIELDS, {extra})\n}}\n\n\
        fn __getitem__<'py>(slf: &Bound<'py, Self>, name: &str) -> PyResult<Bound<'py, PyAny>> {{\n\
        object::item(slf, Self::FIELDS, {extra_of_slf}, name)\n}}\n\n\
        fn __repr__(slf: &Bound<'_, Self>) -> PyResult<String> {{\nobject::repr(slf, Self::{shown})\n}}\n\n\
        fn __eq__(&self, other: &Bound<'_, Self>) -> bool {{\n*self.0 == *other.get().0\n}}\n\n\
        fn __hash__(&self) -> u64 {{\nobject::hash(&self.json())\n}}\n\n\
        fn __reduce__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyTuple>> {{\nobject::reduce(slf, &slf.get().json())\n}}\n\n\
        #[classmethod]\nfn _restore(_: &Bound<'_, PyType>, text: &[u8]) -> PyResult<Self> {{\nobject::restore(text).map(|object| Self(Held::new(object)))\n}}\n}}\n\n",
        extra = extra_of("self.0"),
        extra_of_slf = extra_of("slf.get().0"),
    );
    text
}

/// One property. What is borrowed or small is given as it is, the rest is made when it is read.
fn getter(path: &str, field: &Field) -> String {
    let value = format!("self.0.{path}");
    let python = |gives: &str| format!("PyResult<Bound<'py, {gives}>>");
    let optional = |gives: &str| format!("PyResult<Option<Bound<'py, {gives}>>>");
    let (gives, body) = match &field.ty {
        Type::Text => ("&str".to_owned(), format!("&{value}")),
        Type::Secret => ("&str".to_owned(), format!("{value}.expose()")),
        Type::Bool => ("bool".to_owned(), value),
        Type::Integer(ty) => ((*ty).to_owned(), value),
        Type::Number => ("f64".to_owned(), value),
        Type::Json => (python("PyAny"), format!("convert::to_python(py, &{value})")),
        Type::JsonObject => (python("PyDict"), format!("convert::dict(py, &{value})")),
        Type::Enum(name) => {
            (python("PyAny"), format!("{}.member(py, {value}.as_str())", names::upper(name)))
        }
        Type::Model(_) => (
            "PyResult<Py<PyAny>>".to_owned(),
            format!("Model::python(py, Held::new({value}.clone()))"),
        ),
        Type::List(of) if matches!(**of, Type::Model(_)) => {
            (python("PyList"), format!("object::list(py, &{value})"))
        }
        Type::List(_) => (python("PyList"), format!("PyList::new(py, &{value})")),
        Type::Optional(of) => match &**of {
            Type::Text => ("Option<&str>".to_owned(), format!("{value}.as_deref()")),
            Type::Bool => ("Option<bool>".to_owned(), value),
            Type::Integer(ty) => (format!("Option<{ty}>"), value),
            Type::Number => ("Option<f64>".to_owned(), value),
            Type::Time => (
                optional("PyDateTime"),
                format!("{value}.map(|time| convert::time(py, time)).transpose()"),
            ),
            Type::Date => (
                optional("PyDate"),
                format!("{value}.map(|day| convert::date(py, day)).transpose()"),
            ),
            _ => (
                optional("PyDict"),
                format!("{value}.as_ref().map(|map| convert::dict(py, map)).transpose()"),
            ),
        },
        Type::Time | Type::Date | Type::Bytes | Type::Path | Type::Change(_) => {
            (python("PyAny"), format!("object::field(py, &{value})"))
        }
    };
    let name = if field.name == "type" { "r#type" } else { &field.name };
    let needs_python = body.contains("(py,");
    let (generic, py) = if needs_python { ("<'py>", ", py: Python<'py>") } else { ("", "") };
    let (generic, py) =
        if gives == "PyResult<Py<PyAny>>" { ("", ", py: Python<'_>") } else { (generic, py) };
    commented(&wrapped(&field.doc, 106))
        + &format!("#[getter]\nfn {name}{generic}(&self{py}) -> {gives} {{\n{body}\n}}\n\n")
}
