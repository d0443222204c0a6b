//! `type: mosaic`.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        reader::Reader,
        values::{
            Color, Count, Fps, OneOrMany, OrAuto, Size, StreamRef, Text, Wrong, number, rgb, scalar, size,
            yes,
        },
    },
    media::stream_name::StreamName,
};

/// A tile has at least so many pixels on a side: less shows nothing.
const MIN_TILE: u32 = 32;

/// `type: mosaic`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MosaicConfig {
    /// The streams to show, row by row; at most 64, each once. They run while this one does.
    #[serde(with = "OneOrMany::<StreamRef, Vec<StreamName>>")]
    #[schemars(extend("x-need" = "the streams that it shows, such as [front-door, porch]"))]
    pub of: Vec<StreamName>,
    /// Picture size in pixels; both even.
    #[serde(default = "size::<1920, 1080>", with = "Text::<EvenSize>")]
    pub size: Size,
    /// Tiles in a row. `auto`: the number that makes the tiles largest.
    #[serde(default, with = "Text::<OrAuto<Count<NonZeroU32, 1, 64>>>")]
    pub columns: Option<NonZeroU32>,
    /// Maximum frames per second; a frame is drawn only when a tile has changed.
    #[serde(default = "number::<_, 10>", with = "Text::<Fps>")]
    pub fps: f64,
    /// Write each stream's title on its tile.
    #[serde(default = "yes")]
    pub labels: bool,
    /// Distance between tiles in pixels.
    #[serde(default = "number::<_, 4>", with = "Text::<Count<u32, 0, 100>>")]
    pub gap: u32,
    /// Colour between and around the tiles.
    #[serde(default = "rgb::<0x14181d>", with = "Text::<Color>")]
    pub background: Color,
}

impl Default for MosaicConfig {
    /// A mosaic of no stream, in which nothing else is set.
    fn default() -> Self {
        let (size, background) = (size::<1920, 1080>(), rgb::<0x14181d>());
        Self { of: Vec::new(), size, columns: None, fps: 10.0, labels: true, gap: 4, background }
    }
}

impl MosaicConfig {
    /// More tiles cannot be told apart on any screen, and each is a camera that runs.
    pub const MAX_TILES: usize = 64;

    /// Notes streams that it shows twice, or too many, or without room.
    pub(crate) fn check(&self, reader: &Reader<'_>) {
        let Some(list) = reader.child("of").filter(Reader::is_right) else { return };
        for (number, (name, item)) in self.of.iter().zip(list.items()).enumerate() {
            if self.of[..number].contains(name) {
                item.wrong_value(&list.path, format!("{name} is given twice: remove one"));
            }
        }
        let (count, most) = (self.of.len(), Self::MAX_TILES);
        if count > most {
            reader.wrong_key("of", format!("has {count} streams, at most {most} are shown: make two of it"));
        } else if !self.has_room() {
            let message = format!(
                "leaves a tile less than {MIN_TILE} pixels on a side with {count} streams: make it larger, \
                 or take fewer"
            );
            reader.wrong_key("size", message);
        }
    }

    /// Returns whether the tiles have room, in the given number of columns or in a square.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 64")]
    fn has_room(&self) -> bool {
        let tiles = self.of.len() as u32;
        let square = || (1..=tiles).find(|side| side * side >= tiles).unwrap_or(1);
        let columns = self.columns.map_or_else(square, |columns| columns.get().min(tiles));
        let is_enough = |side: u32, count: u32| side >= count * (MIN_TILE + self.gap) + self.gap;
        is_enough(self.size.width.get(), columns)
            && is_enough(self.size.height.get(), tiles.div_ceil(columns))
    }
}

scalar!(struct EvenSize => Size, Size::unit(), "", |text| {
    let size = Size::read(text)?;
    let is_even = size.width.get() % 2 == 0 && size.height.get() % 2 == 0;
    is_even.then_some(size).ok_or_else(|| Wrong::shown("must have even sides"))
}, write |size| size.to_string(), schema Size::schema());
