//! Deserialises the values of a document, and collects every mistake in them.
//!
//! serde stops at the first mistake. [`Reader::read`] notes it with its position, leaves out the value that
//! it is about, and deserialises again, until nothing is wrong any more. `${VARIABLES}` are put in on the
//! way, and values that are known to hold no credential are noted, so that excerpts of the file can show them
//! (docs/adr/0025).

mod deserializer;
mod error;
mod kinds;
mod value;
mod words;

pub(crate) use error::unknown_key;
pub(crate) use kinds::{LOCAL, LOCAL_SECRET, ONE_OR_MANY, SECRET, SHORT, URL};
pub(crate) use value::{Context, Reader};
pub(crate) use words::{alternatives, nearest};
