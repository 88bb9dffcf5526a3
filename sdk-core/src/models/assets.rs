//! Media: films, sounds, pictures and papers.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::Extra;

open_enum! {
    /// How far an asset is.
    AssetStatus {
        /// Its bytes are still arriving.
        Uploading = "uploading",
        /// It can be used.
        Ready = "ready",
        /// It cannot.
        Failed = "failed",
    }
}

/// A file on the platform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its id, such as `ast_…`.
    pub id: String,
    /// Its name.
    #[serde(default, deserialize_with = "super::or_default")]
    pub name: String,
    /// What it is: `video`, `audio`, `image` or `document`.
    #[serde(default, deserialize_with = "super::or_default", rename = "type")]
    pub kind: String,
    /// What it shows.
    #[serde(default)]
    pub description: Option<String>,
    /// How far it is.
    #[serde(default, deserialize_with = "super::or_default")]
    pub status: AssetStatus,
    /// Its size in bytes.
    #[serde(default)]
    pub size: Option<u64>,
    /// Its media type, such as `video/mp4`.
    #[serde(default)]
    pub content_type: Option<String>,
    /// SHA-256 of its bytes, hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Where its bytes are.
    #[serde(default)]
    pub url: Option<String>,
    /// The project it belongs to.
    #[serde(default)]
    pub project_id: Option<String>,
    /// What was found in it: `duration_s`, `width`, `height`, `codec` …
    #[serde(default, deserialize_with = "super::or_default")]
    pub metadata: Map<String, Value>,
    /// When it was made.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub created_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What is said of a file that is uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UploadOptions {
    /// `video`, `audio`, `image` or `document`. Empty: by the file's extension.
    pub kind: String,
    /// Its name. Default: the file's.
    pub name: Option<String>,
    /// What it shows.
    pub description: Option<String>,
    /// The project it belongs to.
    pub project_id: Option<String>,
    /// Its media type. Default: by the file's extension.
    pub content_type: Option<String>,
}

impl UploadOptions {
    /// A file of this kind: `video`, `audio`, `image` or `document`.
    #[must_use]
    pub fn new(kind: impl Into<String>) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// What a file is, by its name's extension; `document` where that says nothing. For bindings, where it may be left out.
    #[doc(hidden)]
    #[must_use]
    pub fn kind_of(file_name: &str) -> &'static str {
        let extension = file_name.rsplit_once('.').map(|(_, extension)| extension);
        match extension.unwrap_or_default().to_ascii_lowercase().as_str() {
            "mp4" | "m4v" | "mov" | "mkv" | "webm" | "avi" | "mpg" | "mpeg" | "wmv" | "flv"
            | "mxf" | "ts" | "3gp" => "video",
            "mp3" | "wav" | "aac" | "m4a" | "flac" | "ogg" | "oga" | "opus" | "wma" | "aif"
            | "aiff" => "audio",
            "jpg" | "jpeg" | "png" | "gif" | "webp" | "avif" | "bmp" | "tif" | "tiff" | "heic"
            | "svg" => "image",
            _ => "document",
        }
    }

    /// Gives it a name.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Puts it into a project.
    #[must_use]
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project_id = Some(id.into());
        self
    }

    /// Says what it shows.
    #[must_use]
    pub fn description(mut self, text: impl Into<String>) -> Self {
        self.description = Some(text.into());
        self
    }

    /// Gives its media type, such as `video/mp4`.
    #[must_use]
    pub fn content_type(mut self, content_type: impl Into<String>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }
}
