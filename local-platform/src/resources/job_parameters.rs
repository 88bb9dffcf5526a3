//! The `parameters` of each type of job: what they may be, checked before the job is taken, and the work they ask for.

use serde::{Deserialize as _, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::{assets::Asset, jobs::Kind};
use crate::{
    media::{Resolution, Task},
    validate::{Checks, Integer},
};

const SETTINGS: &str = "output_settings";
/// The widest thumbnail.
const MAX_WIDTH: i64 = 7680;
const MIN_WIDTH: i64 = 16;

/// What a job is to do.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Work {
    /// The asset to do it on.
    pub(crate) input: String,
    /// Nothing where it is only looked into.
    pub(crate) task: Option<Task>,
}

impl Work {
    /// Reads the parameters; notes everything that is wrong.
    pub(crate) fn parse(
        kind: Kind,
        parameters: &Map<String, Value>,
        checks: &mut Checks,
    ) -> Option<Self> {
        let known: &[&str] = if kind == Kind::Probe { &["input"] } else { &["input", SETTINGS] };
        unknown(parameters, known, "parameters", checks);
        let input = parameters.get("input").and_then(Value::as_str);
        checks.that(input.is_some(), "parameters.input", "must be the id of an asset");
        let none = Map::new();
        let settings = match parameters.get(SETTINGS) {
            None | Some(Value::Null) => &none,
            Some(Value::Object(settings)) => settings,
            Some(_) => {
                checks.that(false, &format!("parameters.{SETTINGS}"), "must be an object");
                &none
            }
        };
        let mut settings = Settings { settings, checks };
        let task = match kind {
            Kind::Probe => None,
            Kind::VideoProcessing => {
                settings.only(&["quality", "format", "resolution"]);
                Some(Task::Video {
                    quality: settings.one_of("quality", "low, medium or high"),
                    format: settings.one_of("format", "mp4, webm, mov or gif"),
                    resolution: settings.optional("resolution", Resolution::RULE, |value| {
                        Resolution::parse(value.as_str()?)
                    }),
                })
            }
            Kind::Thumbnail => {
                settings.only(&["at", "width", "format"]);
                Some(Task::Thumbnail {
                    at: settings.optional("at", "must be a time in seconds, 0 or later", |value| {
                        value.as_f64().filter(|at| (0.0..=1e6).contains(at))
                    }),
                    width: settings.optional(
                        "width",
                        "must be a whole number of pixels from 16 to 7680",
                        |value| {
                            let width = Integer::deserialize(value).ok()?.0;
                            let fits = (MIN_WIDTH..=MAX_WIDTH).contains(&width);
                            u32::try_from(width).ok().filter(|_| fits)
                        },
                    ),
                    format: settings.one_of("format", "jpg, png or webp"),
                })
            }
            Kind::AudioExtraction => {
                settings.only(&["format"]);
                Some(Task::Audio {
                    format: settings.one_of("format", "mp3, aac, m4a, wav, flac or opus"),
                })
            }
        };
        Some(Self { input: input?.to_owned(), task })
    }

    /// Notes what the asset tells to be impossible.
    pub(crate) fn fits(&self, asset: &Asset, checks: &mut Checks) {
        if let Some(Task::Thumbnail { at: Some(at), .. }) = self.task
            && let Some(duration) = asset.metadata.get("duration_s").and_then(Value::as_f64)
        {
            let rule = format!("must be before the end, which is at {duration} s");
            checks.that(at < duration, &format!("parameters.{SETTINGS}.at"), rule);
        }
    }
}

fn unknown(fields: &Map<String, Value>, known: &[&str], at: &str, checks: &mut Checks) {
    for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
        let rule = format!("is not known here: {at} has {}", known.join(", "));
        checks.that(false, &format!("{at}.{field}"), rule);
    }
}

struct Settings<'a> {
    settings: &'a Map<String, Value>,
    checks: &'a mut Checks,
}

impl Settings<'_> {
    fn only(&mut self, known: &[&str]) {
        unknown(self.settings, known, &format!("parameters.{SETTINGS}"), self.checks);
    }

    fn optional<T>(
        &mut self,
        field: &str,
        rule: &str,
        read: impl Fn(&Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.settings.get(field).filter(|value| !value.is_null())?;
        let read = read(value);
        self.checks.that(read.is_some(), &format!("parameters.{SETTINGS}.{field}"), rule);
        read
    }

    fn one_of<T: DeserializeOwned + Default>(&mut self, field: &str, words: &str) -> T {
        self.optional(field, &format!("must be {words}"), |value| T::deserialize(value).ok())
            .unwrap_or_default()
    }
}
