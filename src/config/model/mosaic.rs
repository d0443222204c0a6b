//! Sources that show many streams in one picture.

use std::num::NonZeroU32;

use super::{Color, Size};
use crate::media::stream_name::StreamName;

/// `type: mosaic`.
#[derive(Debug, Clone, PartialEq)]
pub struct MosaicConfig {
    /// The streams that it shows, row by row; 1 to [`MosaicConfig::MAX_TILES`], each once.
    pub of: Vec<StreamName>,
    /// Picture size.
    pub size: Size,
    /// Tiles in a row; as many as make them largest if not said.
    pub columns: Option<NonZeroU32>,
    /// Pictures per second at most.
    pub fps: f64,
    /// Write each stream's title on its tile.
    pub labels: bool,
    /// Pixels between tiles.
    pub gap: u32,
    /// Colour between and around the tiles.
    pub background: Color,
}

impl MosaicConfig {
    /// More tiles cannot be told apart on any screen, and each is a camera that runs.
    pub const MAX_TILES: usize = 64;
}
