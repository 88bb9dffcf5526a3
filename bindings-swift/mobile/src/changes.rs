//! What an update does to one field: keep, clear or set it. A type each, because uniffi has no generic ones.

use serde_json::{Map, Value};
use storycore::Patch;

use crate::{convert, failure::Failure};

macro_rules! change {
    ($(#[$doc:meta])* $name:ident($ty:ty)) => {
        $(#[$doc])*
        #[derive(uniffi::Enum)]
        pub enum $name {
            /// It stays.
            Keep,
            /// It is cleared.
            Clear,
            /// It becomes this.
            Set {
                /// What it becomes.
                value: $ty,
            },
        }

        impl $name {
            fn read<T>(self, read: impl FnOnce($ty) -> Result<T, Failure>) -> Result<Patch<T>, Failure> {
                Ok(match self {
                    Self::Keep => Patch::Keep,
                    Self::Clear => Patch::Clear,
                    Self::Set { value } => Patch::Set(read(value)?),
                })
            }
        }
    };
}

change! {
    /// Of a text, and of what crosses as one: a value of an open enum, a date, a JSON object, a URL.
    TextChange(String)
}
change! {
    /// Of a number.
    NumberChange(f64)
}
change! {
    /// Of a whole number.
    IntegerChange(u64)
}
change! {
    /// Of a yes or no.
    BoolChange(bool)
}
change! {
    /// Of a list of texts.
    TextsChange(Vec<String>)
}

impl TextChange {
    pub(crate) fn text<T: From<String>>(self, _name: &str) -> Result<Patch<T>, Failure> {
        self.read(|value| Ok(value.into()))
    }

    pub(crate) fn open<T: for<'a> From<&'a str>>(self, _name: &str) -> Result<Patch<T>, Failure> {
        self.read(|value| Ok(value.as_str().into()))
    }

    pub(crate) fn date(self, name: &str) -> Result<Patch<jiff::civil::Date>, Failure> {
        self.read(|value| convert::read_date(name, &value))
    }

    pub(crate) fn object(self, name: &str) -> Result<Patch<Map<String, Value>>, Failure> {
        self.read(|value| convert::read_object(name, &value))
    }
}

impl NumberChange {
    pub(crate) fn number(self, _name: &str) -> Result<Patch<f64>, Failure> {
        self.read(Ok)
    }
}

impl IntegerChange {
    pub(crate) fn integer<T: TryFrom<u64>>(self, name: &str) -> Result<Patch<T>, Failure> {
        self.read(|value| {
            let too_large = || Failure::invalid(name, format!("`{name}` is too large: {value}"));
            value.try_into().map_err(|_| too_large())
        })
    }
}

impl BoolChange {
    pub(crate) fn bool(self, _name: &str) -> Result<Patch<bool>, Failure> {
        self.read(Ok)
    }
}

impl TextsChange {
    pub(crate) fn texts(self, _name: &str) -> Result<Patch<Vec<String>>, Failure> {
        self.read(Ok)
    }
}
