//! Refuses numbers that JSON does not have, NaN and the infinities, before anything is sent. `serde_json` writes them as `null`, which
//! clears a field in an update, and elsewhere says nothing of it.

use std::{cell::Cell, fmt::Display, io};

use serde::{
    Serialize, Serializer,
    ser::{
        SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
        SerializeTupleStruct, SerializeTupleVariant,
    },
};
use serde_json::{Serializer as Writer, ser::Formatter};

use crate::error::{Error, ErrorKind};

/// What is to be sent, as JSON.
pub(crate) fn to_json(content: &impl Serialize) -> Result<Vec<u8>, Error> {
    let (mut text, has_null) = (Vec::with_capacity(128), Cell::new(false));
    let written = content.serialize(&mut Writer::with_formatter(&mut text, ToldOfNull(&has_null)));
    // As such a number would be; few contents have one.
    if has_null.get() {
        check(content)?;
    }
    written.map_err(|e| Error::config("the request's content is no JSON").with_source(e))?;
    Ok(text)
}

/// Writes without spaces, and notes whether there was a `null`.
struct ToldOfNull<'a>(&'a Cell<bool>);

impl Formatter for ToldOfNull<'_> {
    fn write_null<W: io::Write + ?Sized>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.set(true);
        writer.write_all(b"null")
    }
}

/// Looks through it.
fn check(content: &impl Serialize) -> Result<(), Error> {
    match content.serialize(Look) {
        Err(Refused::Number { path, number }) => {
            let what = "must be a number that JSON has, not";
            Err(if path.is_empty() {
                Error::new(ErrorKind::InvalidRequest, format!("the content {what} {number}"))
            } else {
                Error::new(ErrorKind::InvalidRequest, format!("{path} {what} {number}"))
                    .with_param(path)
            })
        }
        // What cannot be written at all is told where it is written.
        Ok(()) | Err(Refused::Otherwise) => Ok(()),
    }
}

/// Writes nothing and keeps nothing: a number is met or not.
struct Look;

#[derive(Debug)]
enum Refused {
    /// Where it stands: `budget`, `settings.sizes[2]`.
    Number {
        path: String,
        number: f64,
    },
    Otherwise,
}

impl Refused {
    /// The same, seen from what holds it.
    fn within(self, name: &str) -> Self {
        match self {
            Self::Number { path, number } => {
                let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                Self::Number { path: [name, dot, &path].concat(), number }
            }
            Self::Otherwise => self,
        }
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a number that JSON does not have")
    }
}

impl std::error::Error for Refused {}

impl serde::ser::Error for Refused {
    fn custom<T: Display>(_: T) -> Self {
        Self::Otherwise
    }
}

/// What has nothing in it that could be such a number.
macro_rules! plain {
    ($($name:ident($($of:ty),*)),+ $(,)?) => {$(
        fn $name(self, $(_: $of),*) -> Result<(), Refused> {
            Ok(())
        }
    )+};
}

impl Serializer for Look {
    type Ok = ();
    type Error = Refused;
    type SerializeSeq = Items;
    type SerializeTuple = Items;
    type SerializeTupleStruct = Items;
    type SerializeTupleVariant = Items;
    type SerializeMap = Fields;
    type SerializeStruct = Fields;
    type SerializeStructVariant = Fields;

    plain! {
        serialize_bool(bool), serialize_char(char), serialize_str(&str), serialize_bytes(&[u8]),
        serialize_i8(i8), serialize_i16(i16), serialize_i32(i32), serialize_i64(i64), serialize_i128(i128),
        serialize_u8(u8), serialize_u16(u16), serialize_u32(u32), serialize_u64(u64), serialize_u128(u128),
        serialize_none(), serialize_unit(), serialize_unit_struct(&'static str),
        serialize_unit_variant(&'static str, u32, &'static str),
    }

    fn serialize_f64(self, number: f64) -> Result<(), Refused> {
        if number.is_finite() {
            Ok(())
        } else {
            Err(Refused::Number { path: String::new(), number })
        }
    }

    fn serialize_f32(self, number: f32) -> Result<(), Refused> {
        self.serialize_f64(number.into())
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        name: &'static str,
        value: &T,
    ) -> Result<(), Refused> {
        value.serialize(self).map_err(|refused| refused.within(name))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items, Refused> {
        Ok(Items(0))
    }

    fn serialize_tuple(self, _: usize) -> Result<Items, Refused> {
        Ok(Items(0))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items, Refused> {
        Ok(Items(0))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Items, Refused> {
        Ok(Items(0))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Fields, Refused> {
        Ok(Fields)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Fields, Refused> {
        Ok(Fields)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Fields, Refused> {
        Ok(Fields)
    }
}

/// A list; how many of its items were looked at.
struct Items(usize);

impl Items {
    fn look<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Refused> {
        let at = self.0;
        self.0 += 1;
        item.serialize(Look).map_err(|refused| refused.within(&format!("[{at}]")))
    }
}

macro_rules! items {
    ($($of:ident: $add:ident),+ $(,)?) => {$(
        impl $of for Items {
            type Ok = ();
            type Error = Refused;

            fn $add<T: Serialize + ?Sized>(&mut self, item: &T) -> Result<(), Refused> {
                self.look(item)
            }

            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        }
    )+};
}

items! {
    SerializeSeq: serialize_element,
    SerializeTuple: serialize_element,
    SerializeTupleStruct: serialize_field,
    SerializeTupleVariant: serialize_field,
}

/// What has names.
struct Fields;

macro_rules! fields {
    ($($of:ident),+) => {$(
        impl $of for Fields {
            type Ok = ();
            type Error = Refused;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), Refused> {
                value.serialize(Look).map_err(|refused| refused.within(name))
            }

            fn end(self) -> Result<(), Refused> {
                Ok(())
            }
        }
    )+};
}

fields!(SerializeStruct, SerializeStructVariant);

impl SerializeMap for Fields {
    type Ok = ();
    type Error = Refused;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Refused> {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), Refused> {
        value.serialize(Look)
    }

    fn serialize_entry<K: Serialize + ?Sized, V: Serialize + ?Sized>(
        &mut self,
        name: &K,
        value: &V,
    ) -> Result<(), Refused> {
        value.serialize(Look).map_err(|refused| {
            let name = serde_json::to_value(name).unwrap_or_default();
            refused.within(&name.as_str().map_or_else(|| name.to_string(), str::to_owned))
        })
    }

    fn end(self) -> Result<(), Refused> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;
    use crate::{Patch, models::ProjectUpdate};

    #[derive(Serialize)]
    struct Film {
        sizes: Vec<(u8, f32)>,
        of: BTreeMap<&'static str, Option<f64>>,
        kind: Kind,
    }

    #[derive(Serialize)]
    enum Kind {
        Short(f64),
        Long { hours: f64 },
    }

    fn film() -> Film {
        Film { sizes: vec![(1, 1.0)], of: BTreeMap::new(), kind: Kind::Short(1.0) }
    }

    fn param(content: &impl Serialize) -> Option<String> {
        let error = to_json(content).err()?;
        assert_eq!(error.kind(), ErrorKind::InvalidRequest);
        Some(error.param().unwrap_or_default().to_owned())
    }

    #[test]
    fn such_a_number_is_found_wherever_it_stands() {
        let update = |budget| ProjectUpdate { budget: Patch::Set(budget), ..Default::default() };
        assert_eq!(param(&update(f64::NAN)).as_deref(), Some("budget"));
        assert_eq!(param(&update(f64::MAX)), None);
        assert_eq!(param(&ProjectUpdate { budget: Patch::Clear, ..Default::default() }), None);

        assert_eq!(param(&film()), None);
        let sizes = vec![(1, 1.0), (2, f32::INFINITY)];
        assert_eq!(param(&Film { sizes, ..film() }).as_deref(), Some("sizes[1][1]"));
        let of = BTreeMap::from([("fps", Some(f64::NEG_INFINITY))]);
        assert_eq!(param(&Film { of, ..film() }).as_deref(), Some("of.fps"));
        let kind = Kind::Long { hours: f64::NAN };
        assert_eq!(param(&Film { kind, ..film() }).as_deref(), Some("kind.hours"));
        let kind = Kind::Short(f64::NAN);
        assert_eq!(param(&Film { kind, ..film() }).as_deref(), Some("kind.Short"));
        assert_eq!(param(&f64::NAN).as_deref(), Some(""));
        assert_eq!(param(&json!({"a": [null, 1.5, {"b": "NaN"}]})), None);
    }

    #[test]
    fn what_is_written_is_what_serde_json_writes() {
        let kind = Kind::Long { hours: 1.5 };
        let of = BTreeMap::from([("fps", None), ("rate", Some(1e300))]);
        for film in [film(), Film { kind, of, ..film() }] {
            assert_eq!(to_json(&film).unwrap(), serde_json::to_vec(&film).unwrap());
        }
        let text = json!({"a": ["\u{1}\"é", [], {}, {"b": [1, 2]}], "c": {"d": null, "e": true}});
        assert_eq!(to_json(&text).unwrap(), serde_json::to_vec(&text).unwrap());
    }

    #[test]
    fn it_is_told_in_words() {
        let update = ProjectUpdate { budget: Patch::Set(f64::NAN), ..Default::default() };
        let error = to_json(&update).unwrap_err();
        assert_eq!(error.message(), "budget must be a number that JSON has, not NaN");
    }
}
