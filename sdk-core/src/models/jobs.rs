//! Jobs: work that the platform does on media.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Extra;

open_enum! {
    /// How far a job is.
    JobStatus {
        /// It waits for its turn.
        Queued = "queued",
        /// It runs.
        Processing = "processing",
        /// It is done.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// It was cancelled.
        Cancelled = "cancelled",
    }
}

impl JobStatus {
    /// Whether nothing more will happen to it. A status that this version does not know is not final.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id, such as `job_…`.
    pub id: String,
    /// What it does: `video_processing`, `thumbnail`, `probe`, `audio_extraction`.
    #[serde(default, deserialize_with = "super::or_default", rename = "type")]
    pub kind: String,
    /// The project it belongs to.
    #[serde(default)]
    pub project_id: Option<String>,
    /// How far it is.
    #[serde(default, deserialize_with = "super::or_default")]
    pub status: JobStatus,
    /// How much of it is done, in percent.
    #[serde(default)]
    pub progress: Option<f64>,
    /// What it was asked to do.
    #[serde(default, deserialize_with = "super::or_default")]
    pub parameters: Map<String, Value>,
    /// What came of it: `asset_id` and more.
    #[serde(default)]
    pub result: Option<Map<String, Value>>,
    /// Where the result's bytes are.
    #[serde(default)]
    pub result_url: Option<String>,
    /// Why it failed.
    #[serde(default)]
    pub error_message: Option<String>,
    /// When it was made.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub created_at: Option<Timestamp>,
    /// When it began.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, deserialize_with = "crate::times::read")]
    pub completed_at: Option<Timestamp>,
    /// Fields that this version does not know.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Job {
    /// A job of which nothing but the id is known.
    pub(crate) fn with_id(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            kind: String::new(),
            project_id: None,
            status: JobStatus::default(),
            progress: None,
            parameters: Map::new(),
            result: None,
            result_url: None,
            error_message: None,
            created_at: None,
            started_at: None,
            completed_at: None,
            extra: Extra::new(),
        }
    }

    /// The asset that it made, if it made one.
    #[must_use]
    pub fn output_asset(&self) -> Option<&str> {
        self.result.as_ref()?.get("asset_id")?.as_str()
    }
}

/// One event of a job, as [`events`](crate::resources::Jobs::events) gives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobEvent {
    /// Its id in the stream, from which a broken stream is taken up.
    pub id: Option<String>,
    /// Its name: `job.progress`, `job.completed`, `job.failed`, `job.cancelled`, or one that this version does not know.
    #[serde(rename = "type")]
    pub kind: String,
    /// The job as it then was; of a `job.progress` it may have only `id`, `status` and `progress`.
    pub job: Job,
}

/// How a film is made anew.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct VideoSettings {
    /// `low`, `medium` or `high`. Default: the platform's, medium.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<String>,
    /// `mp4`, `webm`, `mov` or `gif`. Default: the platform's, mp4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
    /// Such as `1920x1080`. Default: as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolution: Option<String>,
}

impl VideoSettings {
    /// Sets the quality: `low`, `medium` or `high`.
    #[must_use]
    pub fn quality(mut self, quality: impl Into<String>) -> Self {
        self.quality = Some(quality.into());
        self
    }

    /// Sets the format: `mp4`, `webm`, `mov` or `gif`.
    #[must_use]
    pub fn format(mut self, format: impl Into<String>) -> Self {
        self.format = Some(format.into());
        self
    }

    /// Sets the size in pixels, such as `1920x1080`.
    #[must_use]
    pub fn resolution(mut self, resolution: impl Into<String>) -> Self {
        self.resolution = Some(resolution.into());
        self
    }
}

/// How a still picture is taken; what is not set is as the platform has it.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ThumbnailSettings {
    /// The time of the picture, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<f64>,
    /// Its width in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// `jpg`, `png` or `webp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// How the sound is taken out; what is not set is as the platform has it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct AudioSettings {
    /// `mp3`, `aac`, `m4a`, `wav`, `flac` or `opus`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<String>,
}

/// A job to be made.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NewJob {
    /// What it is to do.
    #[serde(rename = "type")]
    pub kind: String,
    /// The project it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project_id: Option<String>,
    /// How it is to do it.
    pub parameters: Map<String, Value>,
}

impl NewJob {
    /// A job of any kind, for what is not typed here.
    #[must_use]
    pub fn new(kind: impl Into<String>, parameters: Map<String, Value>) -> Self {
        Self { kind: kind.into(), project_id: None, parameters }
    }

    fn on(kind: &str, input: &str, settings: Option<(&str, Value)>) -> Self {
        let mut parameters = Map::new();
        parameters.insert("input".to_owned(), json!(input));
        if let Some((name, value)) = settings {
            parameters.insert(name.to_owned(), value);
        }
        Self::new(kind, parameters)
    }

    /// Makes a film anew in another size, format or quality.
    #[must_use]
    pub fn video_processing(asset_id: &str, settings: VideoSettings) -> Self {
        Self::on("video_processing", asset_id, Some(("output_settings", plain(&settings))))
    }

    /// Takes a still picture of a film.
    #[must_use]
    pub fn thumbnail(asset_id: &str, settings: ThumbnailSettings) -> Self {
        let mut output_settings = plain(&settings);
        // A `Value` holds no such number and would have `null`, which asks for the picture at the usual time. As text the platform
        // refuses it, by its name.
        if let Some(at) = settings.at.filter(|at| !at.is_finite()) {
            output_settings["at"] = Value::String(at.to_string());
        }
        Self::on("thumbnail", asset_id, Some(("output_settings", output_settings)))
    }

    /// Finds out what is in a file.
    #[must_use]
    pub fn probe(asset_id: &str) -> Self {
        Self::on("probe", asset_id, None)
    }

    /// Takes the sound out of a film.
    #[must_use]
    pub fn audio_extraction(asset_id: &str, settings: AudioSettings) -> Self {
        Self::on("audio_extraction", asset_id, Some(("output_settings", plain(&settings))))
    }

    /// Puts it into a project.
    #[must_use]
    pub fn project(mut self, id: impl Into<String>) -> Self {
        self.project_id = Some(id.into());
        self
    }
}

fn plain(settings: &impl Serialize) -> Value {
    serde_json::to_value(settings).expect("settings are texts and numbers")
}
