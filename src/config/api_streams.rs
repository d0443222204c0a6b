//! Streams that were added over HTTP, and the settings of all streams as they are written.

use std::{collections::BTreeMap, fmt};

use serde_json::Value;

use super::{
    error::{Mistakes, NOWHERE},
    yaml::{Entry, Node},
};
use crate::media::stream_name::StreamName;

/// Most streams that can be added: more than a machine has cameras, and little enough to be written at each
/// change.
pub const MAX_ADDED: usize = 500;

/// A stream that was added over HTTP. It is read with those of the file, by the same types, but names no file
/// or program of this machine, and no variable is put into its values: a caller that may add streams must not
/// be able to read the environment.
#[derive(Clone, PartialEq)]
pub struct Added {
    /// Its name, not checked yet.
    pub name: String,
    /// Its keys, as beneath `streams.NAME`.
    pub settings: Value,
}

/// Settings may hold credentials.
impl fmt::Debug for Added {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Added").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The settings of each stream as in the file or as added: without defaults, variables not put in.
#[derive(Clone, Default, PartialEq)]
pub struct Written(BTreeMap<StreamName, Value>);

/// Settings may hold credentials.
impl fmt::Debug for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Written {
    pub(crate) fn new(streams: &[Entry]) -> Self {
        let pair = |entry: &Entry| Some((entry.key.parse().ok()?, entry.value.to_json()));
        Self(streams.iter().filter_map(pair).collect())
    }

    /// The settings of a stream.
    pub fn of(&self, name: &StreamName) -> Option<&Value> {
        self.0.get(name)
    }
}

/// Puts `added` after the streams of the file. One that the file has too is left out: the file counts.
pub(crate) fn graft(root: &mut Node, added: &[Added], mistakes: &Mistakes) {
    let Some(streams) = root.keys_mut("streams") else { return };
    let own = streams.len();
    for one in added {
        if streams[..own].iter().any(|entry| entry.key == one.name) {
            continue;
        }
        if streams.len() > own + MAX_ADDED {
            mistakes.add(NOWHERE, "streams", format!("at most {MAX_ADDED} streams can be added"));
            break;
        }
        streams.push(Entry::new(&one.name, &one.settings));
    }
}
