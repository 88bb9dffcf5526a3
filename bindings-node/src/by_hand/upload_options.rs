//! How an upload is set up: what the asset is, and the knobs of the upload, as JavaScript gives them in one object.

use storycore::{
    models::UploadOptions,
    upload::{Journal, Knobs, UploadControl},
};

use crate::{failure::Failure, fields::Fields};

/// The options of one upload, or of each of several.
pub(super) struct Settings {
    /// The name of bytes and streams, which have none.
    pub(super) file_name: Option<String>,
    kind: Option<String>,
    name: Option<String>,
    description: Option<String>,
    project_id: Option<String>,
    content_type: Option<String>,
    knobs: Knobs,
}

impl Settings {
    pub(super) fn read(mut given: Fields, control: Option<UploadControl>) -> Result<Self, Failure> {
        let settings = Self {
            file_name: given.take("fileName")?,
            kind: given.take("type")?,
            name: given.take("name")?,
            description: given.take("description")?,
            project_id: given.take("project_id")?,
            content_type: given.take("content_type")?,
            knobs: Knobs {
                chunk_size: given.take("chunkSize")?,
                max_streams: given.take("maxStreams")?,
                multipart_below: given.take("multipartBelow")?,
                chunk_checksums: given.take("chunkChecksums")?,
                retries: given.take("uploadRetries")?,
                stall_timeout: given.time("stallTimeout")?,
                journal: journal(&mut given)?,
                control,
            },
        };
        given.end()?;
        Ok(settings)
    }

    /// What the asset is, and how it is sent.
    pub(super) fn split(self) -> (UploadOptions, Knobs) {
        let mut described = UploadOptions::new(self.kind.unwrap_or_default());
        described.name = self.name;
        described.description = self.description;
        described.project_id = self.project_id;
        described.content_type = self.content_type;
        (described, self.knobs)
    }
}

fn journal(given: &mut Fields) -> Result<Option<Journal>, Failure> {
    Ok(match given.take::<serde_json::Value>("journal")? {
        None | Some(serde_json::Value::Bool(true)) => None,
        Some(serde_json::Value::Bool(false)) => Some(Journal::Off),
        Some(serde_json::Value::String(path)) => Some(Journal::At(path.into())),
        Some(_) => {
            let message = "`journal` must be a path, or false for none";
            return Err(Failure::invalid("journal", message));
        }
    })
}
