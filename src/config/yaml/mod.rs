//! The tree of a document, from YAML or from the API's JSON: values with their positions.

mod node;
mod parse;

pub(crate) use node::{Entry, Kind, Node};
