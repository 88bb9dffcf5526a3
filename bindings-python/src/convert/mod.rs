//! Values on their way between Python and the client: what is taken from Python, and what is given to it.

mod give;
mod take;

pub(crate) use give::{EnumClass, date, dict, time, to_python};
pub(crate) use take::{Arg, Fields, FromPython, Omit, Texts, given, named, text, wrong};
