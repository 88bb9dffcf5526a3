//! `--strict`: what the contract's own machine-readable copy does not know is refused, so that a typing error in a field's
//! name is noticed and not silently dropped. Values are checked by the resources, strict or not.

use std::collections::HashMap;

use axum::http::{HeaderMap, Method};
use bytes::Bytes;
use serde_json::Value;

use super::media_type;
use crate::error::{ApiError, FieldError};

/// The contract, embedded at build time.
const OPENAPI: &str = include_str!("../../../spec/openapi.yaml");

/// The operations of the contract: what each takes.
#[derive(Debug)]
pub(crate) struct Spec {
    operations: HashMap<(String, String), Operation>,
    document: Value,
}

#[derive(Debug)]
struct Operation {
    query: Vec<String>,
    /// The schema of its JSON body, where it has one.
    body: Option<Value>,
}

impl Spec {
    /// Reads the embedded contract.
    pub(crate) fn load() -> Result<Self, String> {
        let document: Value =
            serde_norway::from_str(OPENAPI).map_err(|e| format!("spec/openapi.yaml: {e}"))?;
        let mut operations = HashMap::new();
        let paths = document["paths"].as_object().ok_or("spec/openapi.yaml has no paths")?;
        for (path, item) in paths {
            let shared = item.get("parameters");
            for (method, operation) in item.as_object().into_iter().flatten() {
                if matches!(method.as_str(), "parameters" | "summary" | "description" | "servers") {
                    continue;
                }
                let parameters = [shared, operation.get("parameters")];
                let query = parameters
                    .into_iter()
                    .flatten()
                    .filter_map(Value::as_array)
                    .flatten()
                    .map(|p| resolve(&document, p))
                    .filter(|p| p["in"] == "query")
                    .filter_map(|p| p["name"].as_str().map(str::to_owned))
                    .collect();
                let body =
                    resolve(&document, &operation["requestBody"])["content"]["application/json"]
                        .get("schema")
                        .cloned();
                operations.insert((method.to_uppercase(), path.clone()), Operation { query, body });
            }
        }
        Ok(Self { operations, document })
    }

    /// Refuses query parameters and body fields that the operation does not have.
    pub(crate) fn check(
        &self,
        method: &Method,
        path: &str,
        query: Option<&str>,
        body: Option<&Bytes>,
        headers: &HeaderMap,
    ) -> Result<(), ApiError> {
        let Some(operation) = self.operations.get(&(method.as_str().to_owned(), path.to_owned()))
        else {
            return Ok(());
        };
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(query.unwrap_or_default()).unwrap_or_default();
        if let Some((name, _)) = pairs.iter().find(|(name, _)| !operation.query.contains(name)) {
            return Err(ApiError::parameter(name, "is not known here"));
        }
        let json = media_type(headers).is_some_and(|t| t.ends_with("json"));
        if let (Some(schema), Some(body), true) = (&operation.body, body, json)
            && let Ok(value) = serde_json::from_slice::<Value>(body)
        {
            let mut unknown = Vec::new();
            self.unknown_fields(&[schema], &value, "", &mut unknown);
            if !unknown.is_empty() {
                return Err(ApiError::unprocessable(
                    unknown.into_iter().map(|f| FieldError::new(f, "is not known here")).collect(),
                ));
            }
        }
        Ok(())
    }

    /// Gathers the fields that none of `schemas` knows: which of several alternatives is meant is for the resource to say.
    fn unknown_fields(
        &self,
        schemas: &[&Value],
        value: &Value,
        at: &str,
        unknown: &mut Vec<String>,
    ) {
        let mut known = HashMap::new();
        let mut open = false;
        for schema in schemas {
            self.properties(schema, &mut known, &mut open);
        }
        match value {
            Value::Object(fields) if !known.is_empty() => {
                for (name, value) in fields {
                    let at = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    match known.get(name.as_str()) {
                        Some(schemas) => self.unknown_fields(schemas, value, &at, unknown),
                        None if open => {}
                        None => unknown.push(at),
                    }
                }
            }
            Value::Array(items) => {
                let schemas: Vec<_> = schemas
                    .iter()
                    .filter_map(|schema| resolve(&self.document, schema).get("items"))
                    .collect();
                for (index, item) in items.iter().enumerate() {
                    self.unknown_fields(&schemas, item, &format!("{at}[{index}]"), unknown);
                }
            }
            _ => {}
        }
    }

    /// The properties of a schema, those of its parts included, and whether it takes others besides.
    fn properties<'a>(
        &'a self,
        schema: &'a Value,
        known: &mut HashMap<&'a str, Vec<&'a Value>>,
        open: &mut bool,
    ) {
        let schema = resolve(&self.document, schema);
        *open |= matches!(
            schema.get("additionalProperties"),
            Some(Value::Bool(true) | Value::Object(_))
        );
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            known.entry(name).or_default().push(property);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.properties(part, known, open);
            }
        }
    }
}

/// Follows `$ref`s within the document.
fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(reference) = value["$ref"].as_str() {
        let Some(target) =
            reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer))
        else {
            return &Value::Null;
        };
        value = target;
    }
    value
}
