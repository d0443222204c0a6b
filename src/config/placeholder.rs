//! `placeholder:`: a word, or a map with a picture of the user's own.

use std::path::PathBuf;

use super::{
    model::Placeholder,
    node::Kind,
    reader::{Context, Reader},
    schema::{self, PLACEHOLDER_KEYS},
    units::{self, Wrong},
};

/// Reads it. None if something is wrong with it, which was noted.
pub(super) fn read<'a>(context: &'a Context<'a>, reader: &Reader<'a>) -> Option<Placeholder> {
    let map =
        reader.find(&schema::PLACEHOLDER).filter(|found| matches!(found.entry.value.kind, Kind::Map(_)));
    let Some(found) = map else { return reader.get(&schema::PLACEHOLDER, word) };
    let (at, value) = (found.entry.key_at, &found.entry.value);
    let reader = Reader::new(context, &PLACEHOLDER_KEYS, found.path.clone(), at, value)?;
    let path = reader.get(&schema::PLACEHOLDER_IMAGE, |text| {
        let path = PathBuf::from(text);
        if path.is_file() { Ok(path) } else { Err(Wrong::want_not("must be a file that exists", text)) }
    });
    let label = reader.get(&schema::PLACEHOLDER_LABEL, units::boolean);
    Some(Placeholder::Image { path: path?, label: label? })
}

fn word(text: &str) -> Result<Placeholder, Wrong> {
    match text {
        "card" => Ok(Placeholder::Card),
        "last" => Ok(Placeholder::Last),
        "none" => Ok(Placeholder::None),
        _ => match units::boolean(text) {
            Ok(true) => Ok(Placeholder::Card),
            Ok(false) => Ok(Placeholder::None),
            Err(_) => {
                Err(Wrong::want_not("must be card, last, none, or a map such as {image: offline.png}", text))
            }
        },
    }
}
