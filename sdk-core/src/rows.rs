//! Single objects for bindings that make theirs of the wire's JSON: read without being made, by `storycore-page-columns`, where
//! they are of a shape that was met before. Whatever that leaves alone is `decode`'s, which says what is wrong with it.

use std::{any::TypeId, cell::RefCell};

use serde::de::DeserializeOwned;
use storycore_page_columns::{Row, Rows};

use crate::{
    decode,
    error::Error,
    options::{Capture, RawResponse},
};

thread_local! {
    /// By types. Of the same thread: there is nothing to wait for.
    static ROWS: RefCell<Vec<(TypeId, Rows)>> = const { RefCell::new(Vec::new()) };
}

/// The object of an answer, as [`decode::answered`] reads it. If it is kept as a row no more of it is made than its type needs
/// at least: whoever asks for rows does not look at it.
pub(crate) fn answered<T: DeserializeOwned + 'static>(
    rows: &Capture,
    answer: RawResponse,
) -> Result<T, Error> {
    let kind = TypeId::of::<T>();
    if let Some(row) = row(kind, &answer.body)
        && let Ok(object) = serde_json::from_str(r#"{"id":""}"#)
    {
        rows.set_row(row);
        return Ok(object);
    }
    let body = answer.body.clone();
    let object = decode::answered(answer)?;
    of_type(kind, |rows| {
        rows.learn(&body, &|text| serde_json::from_str::<T>(text).is_ok());
    });
    Ok(object)
}

fn row(kind: TypeId, body: &[u8]) -> Option<Row> {
    of_type(kind, |rows| rows.read(body))
}

fn of_type<R>(kind: TypeId, what: impl FnOnce(&mut Rows) -> R) -> R {
    ROWS.with_borrow_mut(|types| {
        let known = types.iter().position(|(of, _)| *of == kind);
        let at = known.unwrap_or_else(|| {
            types.push((kind, Rows::default()));
            types.len() - 1
        });
        what(&mut types[at].1)
    })
}

#[cfg(test)]
mod fields;
#[cfg(test)]
mod tests;
