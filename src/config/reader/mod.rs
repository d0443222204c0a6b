//! Deserialises the values of a document, and collects every mistake in them.
//!
//! serde stops at the first mistake. [`Reader::read`] notes it with its position, leaves out the value that
//! it is about, and deserialises again, until nothing is wrong any more. `${VARIABLES}` are put in on the
//! way, and values that are known to hold no credential are noted, so that excerpts of the file can show them
//! (docs/adr/0025).

mod deserializer;
mod error;
mod newtype_markers;
mod one_line;
mod value;
mod suggestions;

pub(crate) use error::unknown_key;
pub(crate) use newtype_markers::{HOST, LOCAL, LOCAL_SECRET, ONE_OR_MANY, SECRET, SECRET_URL, SHORT, URL};
pub use one_line::written_out;
pub(crate) use one_line::{add_push_token, write_out};
pub(crate) use suggestions::{alternatives, nearest};
pub(crate) use value::{Context, Reader};
