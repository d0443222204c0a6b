//! `type: mosaic`, and the one of all streams that is there without being asked for.

use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Color, Size, SourceConfig, StreamConfig,
    reader::Reader,
    server::yes,
    source::{OriginName, ten},
    stream::StreamYaml,
    values::{Count, Fps, OneOrMany, OrAuto, Scalar, Text, Wrong},
};
use crate::media::stream_name::StreamName;

/// A tile has at least so many pixels on a side: less shows nothing.
const MIN_TILE: u32 = 32;

/// The name of the mosaic of all streams.
pub(super) const OVERVIEW: &str = "all";

/// `type: mosaic`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MosaicConfig {
    /// The streams that it shows, row by row; at most 64, each once. They run while this one does.
    #[serde(with = "OneOrMany::<OriginName, Vec<StreamName>>")]
    #[schemars(extend("x-need" = "the streams that it shows, such as [front-door, porch]"))]
    pub of: Vec<StreamName>,
    /// Picture size in pixels; both even.
    #[serde(default = "default_size", with = "Text::<EvenSize>")]
    pub size: Size,
    /// Tiles in a row. `auto`: as many as make the tiles largest.
    #[serde(default, with = "Text::<OrAuto<Count<NonZeroU32, 1, 64>>>")]
    pub columns: Option<NonZeroU32>,
    /// Pictures per second at most: one is drawn only when a tile has changed.
    #[serde(default = "ten", with = "Text::<Fps>")]
    pub fps: f64,
    /// Write each stream's title on its tile.
    #[serde(default = "yes")]
    pub labels: bool,
    /// Between tiles.
    #[serde(default = "four", with = "Text::<Gap>")]
    pub gap: u32,
    /// Colour between and around the tiles.
    #[serde(default = "anthracite", with = "Text::<Color>")]
    pub background: Color,
}

impl MosaicConfig {
    /// More tiles cannot be told apart on any screen, and each is a camera that runs.
    pub const MAX_TILES: usize = 64;

    /// A mosaic in which nothing is set but its streams.
    fn of(of: Vec<StreamName>) -> Self {
        let (size, background) = (default_size(), anthracite());
        Self { of, size, columns: None, fps: ten(), labels: true, gap: four(), background }
    }

    /// Notes streams that it shows twice, or too many, or without room.
    pub(super) fn check(&self, reader: &Reader<'_>) {
        let Some(list) = reader.child("of").filter(Reader::is_right) else { return };
        for (number, (name, item)) in self.of.iter().zip(list.items()).enumerate() {
            if self.of[..number].contains(name) {
                item.wrong_value(&list.path, format!("{name} is given twice: remove one"));
            }
        }
        let count = self.of.len();
        if count > Self::MAX_TILES {
            let message =
                format!("has {count} streams, at most {} are shown: make two of it", Self::MAX_TILES);
            return reader.wrong_key("of", message);
        }
        if !self.has_room() {
            reader.wrong_key("size", format!(
                "leaves a tile less than {MIN_TILE} pixels on a side with {count} streams: make it larger, or take fewer"
            ));
        }
    }

    /// Whether the tiles have room, in so many columns or in a square.
    #[expect(clippy::cast_possible_truncation, reason = "there are at most 64")]
    fn has_room(&self) -> bool {
        let tiles = self.of.len() as u32;
        let square = || (1..=tiles).find(|side| side * side >= tiles).unwrap_or(1);
        let columns = self.columns.map_or_else(square, |columns| columns.get().min(tiles));
        let enough = |side: u32, count: u32| side >= count * (MIN_TILE + self.gap) + self.gap;
        enough(self.size.width.get(), columns) && enough(self.size.height.get(), tiles.div_ceil(columns))
    }
}

fn default_size() -> Size {
    Size::new(1920, 1080)
}

fn four() -> u32 {
    4
}

fn anthracite() -> Color {
    Color { r: 0x14, g: 0x18, b: 0x1d }
}

/// A size with even sides.
struct EvenSize;

impl Scalar for EvenSize {
    type Value = Size;

    fn unit() -> String {
        Size::unit()
    }

    fn read(text: &str) -> Result<Size, Wrong> {
        let size = Size::read(text)?;
        let is_even = size.width.get() % 2 == 0 && size.height.get() % 2 == 0;
        is_even.then_some(size).ok_or_else(|| Wrong::shown("must have even sides"))
    }

    fn write(value: &Size) -> Option<String> {
        Size::write(value)
    }

    fn schema() -> serde_json::Value {
        Size::schema()
    }
}

/// Pixels between tiles.
struct Gap;

impl Scalar for Gap {
    type Value = u32;

    fn unit() -> String {
        "pixels, 0 to 100".to_owned()
    }

    fn read(text: &str) -> Result<u32, Wrong> {
        Count::<u32, 0, 100>::read(text).map_err(|_| Wrong::shown("must be a number of pixels from 0 to 100"))
    }

    fn write(value: &u32) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> serde_json::Value {
        Count::<u32, 0, 100>::schema()
    }
}

/// The mosaic of all streams, but of other mosaics, whose tiles it has already. None if a stream has its
/// name, if there is nothing to show, or if there are too many.
pub(super) fn overview(streams: &[StreamConfig], defaults: StreamYaml) -> Option<StreamConfig> {
    let name: StreamName = OVERVIEW.parse().expect("it is one");
    let shown = |stream: &&StreamConfig| !matches!(stream.source, SourceConfig::Mosaic(_));
    let of: Vec<_> = streams.iter().filter(shown).map(|stream| stream.name.clone()).collect();
    let taken = streams.iter().any(|stream| stream.name == name);
    if taken || of.is_empty() || of.len() > MosaicConfig::MAX_TILES {
        return None;
    }
    let source = SourceConfig::Mosaic(MosaicConfig::of(of));
    let stream = defaults.with_source(name, source);
    Some(StreamConfig {
        title: "All streams".to_owned(),
        on_demand: true,
        max_fps: None,
        save: None,
        rework: super::Rework::default(),
        replay: None,
        ..stream
    })
}
