//! Checks of single fields, gathered so that one answer names everything that is wrong.

use jiff::civil::Date;
use serde::{Deserialize, Deserializer};

use crate::error::{ApiError, FieldError};

/// What was found wrong so far.
#[derive(Debug, Default)]
pub(crate) struct Checks(Vec<FieldError>);

impl Checks {
    /// Notes `message` against `field` unless `holds`.
    pub(crate) fn that(&mut self, holds: bool, field: &str, message: impl Into<String>) {
        if !holds {
            self.0.push(FieldError::new(field, message));
        }
    }

    /// A text of `least` to `most` characters, none of them a control character but line breaks and tabs.
    pub(crate) fn text(&mut self, value: &str, field: &str, least: usize, most: usize) {
        let length = value.chars().count();
        self.that(
            (least..=most).contains(&length),
            field,
            format!("must have {least} to {most} characters"),
        );
        let plain = value.chars().all(|c| !c.is_control() || matches!(c, '\n' | '\r' | '\t'));
        self.that(plain, field, "must not have control characters");
    }

    /// A finite number from `least` to `most`.
    pub(crate) fn number(&mut self, value: f64, field: &str, least: f64, most: f64) {
        let holds = value.is_finite() && (least..=most).contains(&value);
        self.that(holds, field, format!("must be a number from {least} to {most}"));
    }

    /// The error that names all of it, if there is any.
    pub(crate) fn finish(self) -> Result<(), ApiError> {
        if self.0.is_empty() { Ok(()) } else { Err(ApiError::unprocessable(self.0)) }
    }
}

/// A whole number. JSON has one kind of number: `30.0` is the same as `30`, and some clients write it so. One beyond
/// `i64` becomes its nearest, which is beyond every range that is checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Integer(pub(crate) i64);

impl<'de> Deserialize<'de> for Integer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Integer;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number")
            }

            fn visit_i64<E>(self, value: i64) -> Result<Integer, E> {
                Ok(Integer(value))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Integer, E> {
                Ok(Integer(i64::try_from(value).unwrap_or(i64::MAX)))
            }

            fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Integer, E> {
                if value.fract() == 0.0 {
                    Ok(Integer(value as i64))
                } else {
                    Err(E::invalid_type(serde::de::Unexpected::Float(value), &self))
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// A day, written `2026-06-01` and in no other way: of a time behind it nothing would be kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Day(pub(crate) Date);

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let day = text.parse().ok().filter(|_| text.len() == "2026-06-01".len());
        day.map(Self).ok_or_else(|| serde::de::Error::custom("must be a day such as 2026-06-01"))
    }
}

/// Tells an absent field (`None`) from `null` (`Some(None)`); used with `#[serde(default)]`.
pub(crate) fn nullable<'de, T, D>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// A field that may be left out but not be `null`.
pub(crate) fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}
