//! `type: mosaic`, and the one of all streams that is there without being asked for.

use std::num::NonZeroU32;

use super::{
    model::{Color, MosaicConfig, Size, SourceConfig, StreamConfig},
    reader::Reader,
    schema,
    source::{size, stream_name},
    stream::Settings,
    units::{self, Wrong},
};
use crate::media::stream_name::StreamName;

/// Widest space between tiles, in pixels.
const MAX_GAP: f64 = 100.0;

/// A tile has at least so many pixels on a side: less shows nothing.
const MIN_TILE: u32 = 32;

/// Of the mosaic of all streams.
const OVERVIEW: &str = "all";

pub(super) fn read(reader: &Reader<'_>, max_pixels: Option<u64>) -> Option<MosaicConfig> {
    let of = tiles(reader);
    let size = reader.get(&schema::MOSAIC_SIZE, |text| {
        let size = size(text, max_pixels)?;
        let even = size.width.get() % 2 == 0 && size.height.get() % 2 == 0;
        if even { Ok(size) } else { Err(Wrong::want_not("must have even sides", text)) }
    });
    let columns = reader.get(&schema::COLUMNS, |text| match text {
        "auto" => Ok(None),
        _ => {
            let wrong = |_| {
                Wrong::want_not(
                    format!("must be auto, or a whole number from 1 to {}", MosaicConfig::MAX_TILES),
                    text,
                )
            };
            let columns = units::count(text, 1..=MosaicConfig::MAX_TILES as u64).map_err(wrong)?;
            Ok(NonZeroU32::new(columns as u32))
        }
    });
    let fps = reader.get(&schema::MOSAIC_FPS, units::fps);
    let labels = reader.get(&schema::LABELS, units::boolean);
    let gap = reader.get(&schema::GAP, |text| units::pixels(text, 0.0..=MAX_GAP));
    let background = reader.get(&schema::MOSAIC_BACKGROUND, units::color);
    let (of, size, columns) = (of?, size?, columns?);
    let gap = gap? as u32;
    if !fits(of.len() as u32, size, columns, gap) {
        let message = format!(
            "leaves a tile less than {MIN_TILE} pixels on a side with {} streams: make it larger, or take fewer",
            of.len()
        );
        reader.wrong(&schema::MOSAIC_SIZE, message);
        return None;
    }
    Some(MosaicConfig { of, size, columns, fps: fps?, labels: labels?, gap, background: background? })
}

fn tiles(reader: &Reader<'_>) -> Option<Vec<StreamName>> {
    let written = reader.list(&schema::TILES, stream_name);
    let mut of: Vec<StreamName> = Vec::new();
    for (name, at) in written {
        if of.contains(&name) {
            reader.wrong_at(at, schema::TILES.name, format!("{name} is given twice: remove one"));
        }
        of.push(name);
    }
    if of.len() > MosaicConfig::MAX_TILES {
        let message = format!(
            "has {} streams, at most {} are shown: make two of it",
            of.len(),
            MosaicConfig::MAX_TILES
        );
        reader.wrong(&schema::TILES, message);
        return None;
    }
    (!of.is_empty()).then_some(of)
}

/// Whether tiles so many have room, in so many columns or in a square.
fn fits(tiles: u32, size: Size, columns: Option<NonZeroU32>, gap: u32) -> bool {
    let columns =
        columns.map_or_else(|| (1..=tiles).find(|n| n * n >= tiles).unwrap_or(1), |n| n.get().min(tiles));
    let enough = |side: u32, count: u32| side >= count * (MIN_TILE + gap) + gap;
    enough(size.width.get(), columns) && enough(size.height.get(), tiles.div_ceil(columns))
}

/// The mosaic of all streams, but of other mosaics, whose tiles it has already. None if a stream has its name, if there
/// is nothing to show, or if there are too many.
pub(super) fn overview(streams: &[StreamConfig], settings: Settings) -> Option<StreamConfig> {
    let name: StreamName = OVERVIEW.parse().expect("it is one");
    let shown = |stream: &&StreamConfig| !matches!(stream.source, SourceConfig::Mosaic(_));
    let of: Vec<_> = streams.iter().filter(shown).map(|stream| stream.name.clone()).collect();
    let taken = streams.iter().any(|stream| stream.name == name);
    if taken || of.is_empty() || of.len() > MosaicConfig::MAX_TILES {
        return None;
    }
    let side = |pixels| NonZeroU32::new(pixels).expect("above 0");
    let mosaic = MosaicConfig {
        of,
        size: Size { width: side(1920), height: side(1080) },
        columns: None,
        fps: 10.0,
        labels: true,
        gap: 4,
        background: Color { r: 0x14, g: 0x18, b: 0x1d },
    };
    Some(StreamConfig {
        title: "All streams".to_owned(),
        name,
        source: SourceConfig::Mosaic(mosaic),
        fallbacks: Vec::new(),
        failback_after: settings.failback_after,
        on_demand: true,
        linger: settings.linger,
        max_fps: None,
        placeholder: settings.placeholder,
        chunked: settings.chunked,
        viewer_timeout: settings.viewer_timeout,
        adapt: settings.adapt,
        save: None,
        rework: super::rework::Rework::default(),
        replay: None,
    })
}
