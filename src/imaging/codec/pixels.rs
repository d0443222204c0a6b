//! An uncompressed picture, and its conversion to planes.

use super::error::CodecError;
use crate::{
    config::Color,
    imaging::ycbcr::{Planes, Sampling, from_rgb},
};

/// The layout of a pixel in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PixelFormat {
    /// Three bytes a pixel: red, green, blue.
    Rgb,
    /// One byte a pixel.
    Gray,
}

impl PixelFormat {
    /// Returns the number of bytes of one pixel.
    pub fn bytes(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Gray => 1,
        }
    }
}

/// An uncompressed picture: rows from the top, without padding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pixels {
    pub(super) width: u16,
    pub(super) height: u16,
    pub(super) format: PixelFormat,
    pub(super) data: Vec<u8>,
}

impl Pixels {
    /// Returns `data` as a picture.
    ///
    /// # Errors
    /// [`CodecError::Size`] when a side is 0 or `data` is not exactly `width × height` pixels long.
    pub fn new(width: u16, height: u16, format: PixelFormat, data: Vec<u8>) -> Result<Self, CodecError> {
        let wanted = usize::from(width) * usize::from(height) * format.bytes();
        if wanted == 0 || data.len() != wanted {
            return Err(CodecError::Size { width, height, wanted, got: data.len() });
        }
        Ok(Self { width, height, format, data })
    }

    /// Returns the width in pixels, at least 1.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Returns the height in pixels, at least 1.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// Returns the layout of a pixel in memory.
    pub fn format(&self) -> PixelFormat {
        self.format
    }

    /// Returns the bytes, row by row.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the bytes, to be drawn on.
    pub fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }
}

/// Splits RGB into planes with one colour for each pixel, for JPEGs that hold RGB or an unusual sampling.
pub(crate) fn planes_from_rgb(pixels: &Pixels, planes: &mut Planes) -> Result<(), CodecError> {
    planes.reshape(pixels.width.into(), pixels.height.into(), Sampling::S444)?;
    let len = pixels.data.len() / 3;
    let (brightness, colours) = planes.data_mut().split_at_mut(len);
    let (blue, red) = colours.split_at_mut(len);
    for (n, rgb) in pixels.data.chunks_exact(3).enumerate() {
        let color = Color { r: rgb[0], g: rgb[1], b: rgb[2] };
        [brightness[n], blue[n], red[n]] = from_rgb(color);
    }
    Ok(())
}
