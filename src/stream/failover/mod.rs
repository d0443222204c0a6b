//! Switches between the sources of one stream.

pub mod priority;
pub(crate) mod trial;
