//! The picture of a mosaic as YCbCr planes, of which each tile is painted only when it changes.

use std::num::NonZeroU32;

use bytes::Bytes;

use super::layout::{self, Grid};
use crate::{
    config::{Caption, Color, Ink, MosaicConfig, Place, Size, Spot},
    imaging::{
        PictureMemory,
        codec::{CodecError, DecodeOptions, codec, planes_from_rgb},
        cpu_pool::memory_estimate,
        overlay::Layer,
        raster::canvas::{Area, Canvas, mix, rgb},
        transform::{
            orientation::Orientation,
            plan::{SourceRect, denominator_for},
        },
        ycbcr::{NEUTRAL, Planes, Sampling, from_rgb},
    },
    media::frame::Frame,
    source::offline_image::card,
};

/// JPEG quality, high enough for sharp letters on pictures.
const QUALITY: u8 = 85;

/// Size of a tile's letters, as a share of its height, and its bounds in pixels.
const LETTERS: f32 = 1.0 / 16.0;
const LETTER_SIZES: (f32, f32) = (11.0, 30.0);

/// Margin of a tile's labels, in letter sizes.
const MARGIN: f32 = 0.4;

/// Background of letters, through which the picture shows.
const SHADE: Ink = Ink { color: rgb(0x000000), alpha: 0xa8 };
const TITLE: Ink = Ink { color: rgb(0xf3f5f8), alpha: 0xff };
const STALE_SHADE: Ink = Ink { color: rgb(0x11151b), alpha: 0xe6 };
const STALE: Ink = Ink { color: rgb(0xf0a13a), alpha: 0xff };

/// Brightness and colour that a stale picture keeps, in 256ths.
const DIMMED: u32 = 110;
const FADED: i32 = 90;

/// The content of a tile.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TileContent {
    /// The newest picture.
    Picture,
    /// The last picture, dimmed, with the time since when it is stale.
    Stale(String),
    /// The reason why there is no picture.
    Card(String),
}

/// The canvas of a mosaic and its tiles.
#[derive(Debug)]
pub(super) struct MosaicCanvas {
    grid: Grid,
    labels: bool,
    background: Color,
    max_pixels: u64,
    canvas: Planes,
    tiles: Vec<CanvasTile>,
}

#[derive(Debug)]
struct CanvasTile {
    title: String,
    cell: Area,
    /// The decoded picture and its position.
    picture: Option<(Area, Planes)>,
    label: Option<Layer>,
    note: Option<(String, Layer)>,
}

/// The position of a picture, its size before rotation, and the fraction at which it is decoded.
struct Placement {
    place: Area,
    wanted: (usize, usize),
    orientation: Orientation,
    denominator: u8,
}

impl MosaicCanvas {
    /// Creates an empty canvas with one tile for each of `titles`.
    pub(super) fn new(
        config: &MosaicConfig,
        titles: Vec<String>,
        max_pixels: u64,
    ) -> Result<Self, CodecError> {
        let size = (config.size.width.get() as usize, config.size.height.get() as usize);
        let grid = Grid {
            tiles: titles.len(),
            size,
            columns: config.columns.map(|columns| columns.get() as usize),
            gap: config.gap as usize,
            aspect: layout::DEFAULT_ASPECT,
        };
        let mut canvas = Planes::default();
        canvas.reshape(size.0, size.1, Sampling::S420)?;
        let nowhere = Area { x: 0, y: 0, width: 2, height: 2 };
        let tile = |title| CanvasTile { title, cell: nowhere, picture: None, label: None, note: None };
        let mut mosaic = Self {
            grid,
            labels: config.labels,
            background: config.background,
            max_pixels,
            canvas,
            tiles: titles.into_iter().map(tile).collect(),
        };
        mosaic.lay_out(layout::DEFAULT_ASPECT);
        Ok(mosaic)
    }

    /// Returns the bytes that the canvas holds: its picture, and those of its tiles, which together are as
    /// large; both at one and a half bytes per pixel, and glyphs.
    pub(super) fn bytes_kept(config: &MosaicConfig) -> usize {
        pixels(config).saturating_mul(4)
    }

    /// Returns the bytes that [`MosaicCanvas::encode`] needs.
    pub(super) fn bytes_to_encode(config: &MosaicConfig) -> usize {
        memory_estimate::total(memory_estimate::encoded(pixels(config) as u64, QUALITY))
    }

    /// Returns the bytes that [`MosaicCanvas::set_picture`] needs for this picture.
    pub(super) fn bytes_to_take(&self, n: usize, frame: &Frame) -> usize {
        let Placement { wanted, denominator, .. } = self.placement(n, frame);
        let jpeg = memory_estimate::Jpeg::read(frame.jpeg(), (frame.width(), frame.height()));
        let (across, down) = (wanted.0 as u64, wanted.1 as u64);
        // Resampled, rotated, and rows before columns.
        let stages = across * down * 4 + across * u64::from(frame.height());
        memory_estimate::recoding(&jpeg, denominator, stages, (0, QUALITY))
    }

    /// Returns the bytes that [`MosaicCanvas::paint`] needs.
    pub(super) fn bytes_to_paint(&self, n: usize, content: &TileContent) -> usize {
        let cell = self.tiles[n].cell;
        let pixels = cell.width.unsigned_abs() as usize * cell.height.unsigned_abs() as usize;
        // A canvas, its planes, and these at lower chroma resolution.
        if matches!(content, TileContent::Card(_)) { pixels * 9 } else { pixels }
    }

    /// Lays the tiles out for pictures of this aspect ratio, and clears them.
    pub(super) fn lay_out(&mut self, aspect: f64) {
        self.grid.aspect = aspect;
        let (width, height) = self.grid.size;
        let all = Area { x: 0, y: 0, width: width as i32, height: height as i32 };
        fill(&mut self.canvas, all, self.background);
        for (tile, cell) in self.tiles.iter_mut().zip(layout::cells(self.grid)) {
            let title = (self.labels && cell != tile.cell).then(|| label(&tile.title, cell, (TITLE, SHADE)));
            tile.label = title.or(tile.label.take());
            (tile.cell, tile.picture, tile.note) = (cell, None, None);
        }
    }

    /// Decodes a picture for tile `n`, no larger than needed.
    pub(super) fn set_picture(
        &mut self,
        n: usize,
        frame: &Frame,
        memory: &PictureMemory,
    ) -> Result<(), CodecError> {
        let Placement { place, wanted, orientation, denominator } = self.placement(n, frame);
        let how = DecodeOptions { denominator, gray: false, max_pixels: self.max_pixels };
        let before = self.tiles[n].picture.take();
        let at_before = before.as_ref().map(|(at, _)| *at);
        let mut planes = before.map(|(_, planes)| planes).unwrap_or_default();
        let taken = memory.with_scratch(|scratch| {
            codec().decode_planes(frame.jpeg(), how, &mut scratch.planes)?;
            let whole = SourceRect::whole(&scratch.planes);
            // Into the tile's own memory, which is no larger than its cell.
            scratch.resampler.resample_planes(
                &scratch.planes,
                (whole, wanted, orientation),
                Sampling::S420,
                &mut planes,
            )
        });
        // A picture that cannot be decoded leaves the previous one.
        let at = if taken.is_ok() { Some(place) } else { at_before };
        self.tiles[n].picture = at.map(|at| (at, planes));
        taken
    }

    /// Returns the position of a picture in its tile, and how it is scaled and rotated.
    fn placement(&self, n: usize, frame: &Frame) -> Placement {
        let orientation = upright(frame);
        let size = (usize::from(frame.width()), usize::from(frame.height()));
        let place = layout::fit(self.tiles[n].cell, orientation.size(size));
        let wanted = orientation.size((place.width as usize, place.height as usize));
        let ratio = (size.0 as f64 / wanted.0 as f64).min(size.1 as f64 / wanted.1 as f64);
        let denominator = denominator_for(ratio, codec().max_denominator());
        Placement { place, wanted, orientation, denominator }
    }

    /// Paints tile `n`.
    pub(super) fn paint(
        &mut self,
        n: usize,
        content: &TileContent,
        memory: &PictureMemory,
    ) -> Result<(), CodecError> {
        if let TileContent::Card(reason) = content {
            return self.paint_card(n, reason, memory);
        }
        let tile = &mut self.tiles[n];
        fill(&mut self.canvas, tile.cell, mix(self.background, rgb(0), 0.55));
        if let Some((place, picture)) = &tile.picture {
            blit(&mut self.canvas, *place, picture, matches!(content, TileContent::Stale(_)));
        }
        let margin = i64::from(margin(tile.cell));
        let (left, top) = (i64::from(tile.cell.x), i64::from(tile.cell.y));
        let (width, height) = (i64::from(tile.cell.width), i64::from(tile.cell.height));
        if let Some(label) = &tile.label {
            let under = height - margin - label.size().1 as i64;
            label.draw_at(left + margin, top + under.max(0), &mut self.canvas);
        }
        if let TileContent::Stale(since) = content {
            if tile.note.as_ref().is_none_or(|(text, _)| text != since) {
                tile.note = Some((since.clone(), label(since, tile.cell, (STALE, STALE_SHADE))));
            }
            if let Some((_, note)) = &tile.note {
                let (across, down) = (note.size().0 as i64, note.size().1 as i64);
                note.draw_at(left + (width - across) / 2, top + (height - down) / 2, &mut self.canvas);
            }
        }
        Ok(())
    }

    fn paint_card(&mut self, n: usize, reason: &str, memory: &PictureMemory) -> Result<(), CodecError> {
        let tile = &mut self.tiles[n];
        let side = |pixels: i32| NonZeroU32::new(pixels.unsigned_abs()).unwrap_or(NonZeroU32::MIN);
        let size = Size { width: side(tile.cell.width), height: side(tile.cell.height) };
        let mut card = Canvas::new(size, rgb(0))?;
        card::paint(&mut card, &tile.title, reason, "no picture yet");
        memory.with_scratch(|scratch| {
            planes_from_rgb(card.pixels(), &mut scratch.planes)?;
            let size = (scratch.planes.width(), scratch.planes.height());
            scratch.move_picture(
                (SourceRect::whole(&scratch.planes), size, Orientation::NONE),
                Sampling::S420,
            )?;
            blit(&mut self.canvas, tile.cell, &scratch.planes, false);
            Ok(())
        })
    }

    /// Encodes the canvas as a JPEG.
    pub(super) fn encode(&self) -> Result<Bytes, CodecError> {
        codec().encode_planes(&self.canvas, QUALITY)
    }
}

/// Returns the orientation that makes a picture upright.
fn upright(frame: &Frame) -> Orientation {
    Orientation::upright(frame.jpeg())
}

/// Returns the aspect ratio of an upright picture.
pub(super) fn aspect(frame: &Frame) -> f64 {
    let (width, height) = upright(frame).size((frame.width(), frame.height()));
    f64::from(width) / f64::from(height)
}

fn pixels(config: &MosaicConfig) -> usize {
    config.size.width.get() as usize * config.size.height.get() as usize
}

fn letters(cell: Area) -> f32 {
    (cell.height as f32 * LETTERS).clamp(LETTER_SIZES.0, LETTER_SIZES.1)
}

fn margin(cell: Area) -> i32 {
    (letters(cell) * MARGIN).round() as i32
}

/// Draws one line of text, cut to the width of a tile.
fn label(text: &str, cell: Area, (color, background): (Ink, Ink)) -> Layer {
    let caption = Caption {
        text: String::new(),
        position: Spot { across: Place::Start, down: Place::Start },
        size: letters(cell),
        color,
        background: Some(background),
    };
    Layer::from_line(text, &caption, (cell.width - 2 * margin(cell)).max(1) as usize)
}

/// Returns the rows of plane `n` within `area`, whose sides are even.
fn rows(planes: &mut Planes, n: usize, area: Area) -> impl Iterator<Item = &mut [u8]> {
    let by = if n == 0 { 1 } else { 2 };
    let (columns, _) = planes.size_of(n);
    let [x, y, width, height] = [area.x, area.y, area.width, area.height].map(|side| side as usize / by);
    planes.plane_mut(n).chunks_exact_mut(columns).skip(y).take(height).map(move |row| &mut row[x..x + width])
}

fn fill(canvas: &mut Planes, area: Area, color: Color) {
    for (n, byte) in from_rgb(color).into_iter().enumerate() {
        rows(canvas, n, area).for_each(|row| row.fill(byte));
    }
}

/// Copies a picture, 4:2:0 or grey, to `place`, which has its size.
fn blit(canvas: &mut Planes, place: Area, picture: &Planes, dim: bool) {
    for n in 0..3 {
        if n > 0 && picture.sampling() == Sampling::Gray {
            rows(canvas, n, place).for_each(|row| row.fill(NEUTRAL));
            continue;
        }
        let (columns, _) = picture.size_of(n);
        for (to, from) in rows(canvas, n, place).zip(picture.plane(n).chunks_exact(columns)) {
            if !dim {
                to.copy_from_slice(from);
            } else if n == 0 {
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = (u32::from(from) * DIMMED / 256) as u8);
            } else {
                let neutral = i32::from(NEUTRAL);
                let faded = |byte: u8| (neutral + (i32::from(byte) - neutral) * FADED / 256) as u8;
                to.iter_mut().zip(from).for_each(|(to, &from)| *to = faded(from));
            }
        }
    }
}
