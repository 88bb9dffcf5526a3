//! `Upload-Metadata`: pairs of a key and a text in base64. The contract's keys are checked; others are kept and given
//! back, as tus has it.

use std::collections::HashMap;

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::METADATA;
use crate::{
    error::ApiError,
    files,
    resources::{
        asset_upload::{MAX_DESCRIPTION, MAX_NAME, is_media_type, plain},
        assets::Kind,
    },
};

/// The longest header, in bytes.
const MAX: usize = 32 * 1024;

/// What an upload says of its file.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) file_name: String,
    pub(super) content_type: String,
    pub(super) description: Option<String>,
    pub(super) project_id: Option<String>,
}

/// The header as it was sent, empty where there is none.
pub(super) fn text(headers: &HeaderMap) -> Result<&str, ApiError> {
    let Some(value) = headers.get(METADATA) else { return Ok("") };
    value
        .to_str()
        .ok()
        .filter(|text| text.len() <= MAX)
        .ok_or_else(|| wrong("upload-metadata", "must be ASCII of at most 32 KiB"))
}

fn wrong(key: &str, message: &str) -> ApiError {
    ApiError::parameter(key, message)
}

impl Metadata {
    /// Reads the header; the error names the key that is wrong.
    pub(super) fn read(header: &str) -> Result<Self, ApiError> {
        let mut pairs = HashMap::new();
        for pair in header.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let known = ["filename", "filetype", "type", "name", "description", "project_id"]
                .contains(&key);
            let value = match STANDARD.decode(value.trim()) {
                // What is not the contract's may be any bytes.
                Ok(bytes) => match String::from_utf8(bytes) {
                    Err(_) if known => return Err(wrong(key, "must be UTF-8")),
                    text => text.unwrap_or_default(),
                },
                Err(_) => return Err(wrong(key, "must be base64")),
            };
            if pairs.insert(key, value).is_some() {
                return Err(wrong(key, "was given twice"));
            }
        }
        let mut take = |key: &str| pairs.remove(key).filter(|text| !text.is_empty());
        let file_name = take("filename").map(|name| plain(&name)).filter(|name| !name.is_empty());
        let name = take("name");
        let description = take("description");
        for (key, text, most) in
            [("name", &name, MAX_NAME), ("description", &description, MAX_DESCRIPTION)]
        {
            let control = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t');
            if let Some(text) = text
                && (text.chars().count() > most || text.chars().any(control))
            {
                return Err(wrong(
                    key,
                    &format!(
                        "must have at most {most} characters, none of them a control character"
                    ),
                ));
            }
        }
        let content_type = take("filetype").filter(|t| t != "application/octet-stream");
        if content_type.as_deref().is_some_and(|t| !is_media_type(t)) {
            return Err(wrong("filetype", "must be a media type such as video/mp4"));
        }
        let content_type = content_type.unwrap_or_else(|| {
            let named = file_name.as_deref().or(name.as_deref()).unwrap_or_default();
            files::content_type_of(named).to_owned()
        });
        let kind = match take("type") {
            Some(kind) => Kind::parse(&kind)
                .ok_or_else(|| wrong("type", "must be video, audio, image or document"))?,
            // General tus clients send no type; the file's own says it.
            None => content_type
                .split_once('/')
                .and_then(|(kind, _)| Kind::parse(kind))
                .unwrap_or(Kind::Document),
        };
        let name = name.or_else(|| file_name.clone()).unwrap_or_else(|| "untitled".to_owned());
        let file_name = file_name.unwrap_or_else(|| match files::extension(&content_type) {
            Some(extension) if !name.contains('.') => format!("{name}.{extension}"),
            _ => name.clone(),
        });
        let project_id = take("project_id");
        Ok(Self { kind, name, file_name, content_type, description, project_id })
    }
}
