//! The intermediate form: what the SDK is, in no language. It is read from `sdk-core` and written to `spec/sdk.json`; each
//! language's writer needs this and nothing of Rust.

use serde::Serialize;

/// The whole SDK.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sdk {
    pub(crate) enums: Vec<Enum>,
    pub(crate) models: Vec<Model>,
    /// The ways from a client to its resources.
    pub(crate) accessors: Vec<Accessor>,
    pub(crate) resources: Vec<Resource>,
    /// What a list is asked with, beside its filters.
    pub(crate) list_params: Vec<Field>,
    pub(crate) errors: Vec<ErrorKind>,
}

/// A set of texts that may grow.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Enum {
    pub(crate) name: String,
    /// The file it is from, without its ending, which other languages' files share.
    pub(crate) file: String,
    pub(crate) doc: String,
    pub(crate) variants: Vec<Variant>,
    pub(crate) methods: Vec<Computed>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Variant {
    /// In upper camel case.
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) doc: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Direction {
    /// The platform sends it.
    Output,
    /// A method takes its fields.
    Input,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) doc: String,
    pub(crate) direction: Direction,
    pub(crate) fields: Vec<Field>,
    /// The model whose fields stand among this one's own, under this name in Rust.
    pub(crate) flattened: Option<Flattened>,
    /// Whether it keeps fields that are not known.
    pub(crate) has_extra: bool,
    /// What is told of it without being sent.
    pub(crate) methods: Vec<Computed>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Flattened {
    pub(crate) field: String,
    pub(crate) model: String,
}

/// A method without arguments that computes something from what is there.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Computed {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) ty: Type,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Field {
    /// On the wire, and in the languages.
    pub(crate) name: String,
    /// In Rust.
    pub(crate) rust: String,
    pub(crate) ty: Type,
    pub(crate) doc: String,
    /// Of an input: that it cannot be left out.
    pub(crate) required: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Type {
    Text,
    Bool,
    Integer(&'static str),
    Number,
    Time,
    Date,
    Json,
    JsonObject,
    /// A text that is never shown.
    Secret,
    Bytes,
    Path,
    Enum(String),
    Model(String),
    List(Box<Type>),
    /// A value or nothing.
    Optional(Box<Type>),
    /// Left as it is, cleared, or set.
    Change(Box<Type>),
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Accessor {
    pub(crate) name: String,
    pub(crate) resource: String,
    pub(crate) doc: String,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Resource {
    pub(crate) name: String,
    pub(crate) file: String,
    pub(crate) doc: String,
    pub(crate) methods: Vec<Method>,
    /// Methods that each binding writes by hand, because they stream, take callbacks or have options of their own.
    pub(crate) by_hand: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) doc: String,
    /// How it fails, in words; the kinds stand in backticks.
    pub(crate) errors: String,
    pub(crate) params: Vec<Param>,
    pub(crate) gives: Gives,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Param {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) kind: ParamKind,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParamKind {
    /// One argument.
    One(Type),
    /// The fields of this input model are the arguments.
    Spread(String),
    /// The parameters of a list, and these filters.
    List { filters: Vec<String> },
}

/// What a method gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Gives {
    One(Type),
    Page(String),
    Pages(String),
    Items(String),
    /// Models one after another, as they happen.
    Stream(String),
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ErrorKind {
    /// In upper camel case.
    pub(crate) name: String,
    /// In every language: `not_found`.
    pub(crate) kind: String,
    pub(crate) doc: String,
}

impl Sdk {
    pub(crate) fn model(&self, name: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.name == name)
    }

    /// A model's fields, those of a flattened model among them, each with the way to it in Rust.
    pub(crate) fn all_fields(&self, model: &Model) -> Vec<(String, Field)> {
        let mut all: Vec<_> =
            model.fields.iter().map(|field| (field.rust.clone(), field.clone())).collect();
        if let Some(flattened) = &model.flattened
            && let Some(inner) = self.model(&flattened.model)
        {
            let inner = inner.fields.iter();
            all.extend(inner.map(|f| (format!("{}.{}", flattened.field, f.rust), f.clone())));
        }
        all
    }

    /// The models that stand in the place of one argument, as a mapping.
    pub(crate) fn is_whole_argument(&self, name: &str) -> bool {
        self.resources
            .iter()
            .flat_map(|r| &r.methods)
            .flat_map(|m| &m.params)
            .any(|p| matches!(&p.kind, ParamKind::One(Type::Model(model)) if model == name))
    }

    /// The files that define something, in the order of their names.
    pub(crate) fn model_files(&self) -> Vec<&str> {
        let models = self.models.iter().map(|model| model.file.as_str());
        let mut files: Vec<_> = models.chain(self.enums.iter().map(|e| e.file.as_str())).collect();
        files.sort_unstable();
        files.dedup();
        files
    }
}
