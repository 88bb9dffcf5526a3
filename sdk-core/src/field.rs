//! A field of an update: left as it is, cleared, or set. Three things, which an `Option` cannot tell apart.

use serde::{Serialize, Serializer};

/// What an update does to one field.
///
/// ```
/// use storycore::{Patch, models::ProjectUpdate};
/// let update = ProjectUpdate { description: Patch::Clear, name: Patch::set("Film"), ..Default::default() };
/// assert_eq!(serde_json::to_string(&update).unwrap(), r#"{"name":"Film","description":null}"#);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// Left out of the request: it stays.
    #[default]
    Keep,
    /// Sent as `null`: it is cleared.
    Clear,
    /// Sent with this value.
    Set(T),
}

impl<T> Patch<T> {
    /// Sets the field to `value`.
    pub fn set(value: impl Into<T>) -> Self {
        Self::Set(value.into())
    }

    /// Whether the field is left out.
    pub fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T> From<Option<T>> for Patch<T> {
    /// A value sets, nothing clears.
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Clear, Self::Set)
    }
}

impl<T: Serialize> Serialize for Patch<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Set(value) => value.serialize(serializer),
            // `Keep` is skipped by the field's own attribute.
            Self::Keep | Self::Clear => serializer.serialize_none(),
        }
    }
}
