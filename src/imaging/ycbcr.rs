//! A picture as its brightness and two colour planes, as in a JPEG, for transforms.
//!
//! Nothing here converts to RGB: a colour plane is smaller than the picture in most JPEGs, and every step
//! (scaling, turning, drawing) can be done on each plane by itself.

use super::codec::CodecError;
use crate::config::{Color, Subsampling};

/// The chroma subsampling: the number of pixels that share a colour, across and down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sampling {
    /// Brightness only.
    Gray,
    /// 4:4:4, a colour for each pixel.
    S444,
    /// 4:2:2, for two beside each other.
    S422,
    /// 4:2:0, for two by two.
    S420,
    /// 4:4:0, for two above each other.
    S440,
    /// 4:1:1, for four beside each other.
    S411,
    /// 4:4:1, for four above each other.
    S441,
}

impl From<Subsampling> for Sampling {
    fn from(subsampling: Subsampling) -> Self {
        match subsampling {
            Subsampling::S444 => Self::S444,
            Subsampling::S422 => Self::S422,
            Subsampling::S420 => Self::S420,
        }
    }
}

impl Sampling {
    /// Returns the number of pixels that share a colour, across and down.
    pub fn factors(self) -> (usize, usize) {
        match self {
            Self::Gray | Self::S444 => (1, 1),
            Self::S422 => (2, 1),
            Self::S420 => (2, 2),
            Self::S440 => (1, 2),
            Self::S411 => (4, 1),
            Self::S441 => (1, 4),
        }
    }

    /// Returns the number of planes: one or three.
    pub fn planes(self) -> usize {
        if self == Self::Gray { 1 } else { 3 }
    }
}

/// Brightness, and unless grey the two colour differences, each plane tightly packed, one behind the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    width: usize,
    height: usize,
    sampling: Sampling,
    data: Vec<u8>,
}

impl Default for Planes {
    /// Returns a picture of one grey pixel.
    fn default() -> Self {
        Self { width: 1, height: 1, sampling: Sampling::Gray, data: vec![0] }
    }
}

impl Planes {
    /// Returns the width in pixels, at least 1.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Returns the height in pixels, at least 1.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Returns the chroma subsampling.
    pub fn sampling(&self) -> Sampling {
        self.sampling
    }

    /// Returns all bytes: the planes one after the other.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// Returns the number of bytes that its memory can hold.
    pub fn capacity(&self) -> usize {
        self.data.capacity()
    }

    /// Returns width and height of plane `n`; 0 is brightness.
    pub fn size_of(&self, n: usize) -> (usize, usize) {
        plane_size(self.width, self.height, self.sampling, n)
    }

    /// Returns plane `n`, row by row.
    pub fn plane(&self, n: usize) -> &[u8] {
        let (start, end) = self.range(n);
        &self.data[start..end]
    }

    /// Returns plane `n`, to be changed.
    pub fn plane_mut(&mut self, n: usize) -> &mut [u8] {
        let (start, end) = self.range(n);
        &mut self.data[start..end]
    }

    /// Returns all bytes, to be changed.
    pub(crate) fn data_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    fn range(&self, n: usize) -> (usize, usize) {
        let len = |n| {
            let (width, height) = self.size_of(n);
            width * height
        };
        let start = (0..n).map(len).sum();
        (start, start + len(n))
    }

    /// Changes the picture's shape and reuses its memory; its content is undefined.
    ///
    /// # Errors
    /// [`CodecError::Side`] when a side is 0 or longer than a JPEG can have.
    pub fn reshape(&mut self, width: usize, height: usize, sampling: Sampling) -> Result<(), CodecError> {
        let side = |side: usize| u16::try_from(side).is_ok_and(|side| side > 0);
        if !side(width) || !side(height) {
            let clamped = |side: usize| u32::try_from(side).unwrap_or(u32::MAX);
            return Err(CodecError::Side { width: clamped(width), height: clamped(height) });
        }
        (self.width, self.height, self.sampling) = (width, height, sampling);
        let (_, len) = self.range(sampling.planes() - 1);
        self.data.resize(len, 0);
        Ok(())
    }

    /// Returns the planes' memory, of `len` bytes at least, for a decoder that writes more than fits the
    /// shape; what it wrote must be packed before [`Planes::reshape`] cuts it.
    #[cfg(feature = "turbo")]
    pub(crate) fn buffer_mut(&mut self, len: usize) -> &mut Vec<u8> {
        self.data.resize(len, 0);
        &mut self.data
    }

    /// Removes the colours.
    pub fn make_gray(&mut self) {
        self.sampling = Sampling::Gray;
        self.data.truncate(self.width * self.height);
    }

    /// Adds colour planes without colour to a grey picture, to be drawn on.
    pub fn add_colour(&mut self, sampling: Sampling) {
        if self.sampling == Sampling::Gray && sampling != Sampling::Gray {
            let brightness = self.data.len();
            self.sampling = sampling;
            let (_, len) = self.range(2);
            self.data.resize(len, NEUTRAL);
            self.data[brightness..].fill(NEUTRAL);
        }
    }

    /// Returns red, green and blue of a pixel, for tests and samples.
    pub fn rgb(&self, x: usize, y: usize) -> [u8; 3] {
        let (across, down) = self.sampling.factors();
        let brightness = self.plane(0)[y * self.width + x];
        if self.sampling == Sampling::Gray {
            return [brightness; 3];
        }
        let (width, _) = self.size_of(1);
        let at = y / down * width + x / across;
        to_rgb([brightness, self.plane(1)[at], self.plane(2)[at]])
    }
}

/// The colour difference of a grey.
pub(crate) const NEUTRAL: u8 = 128;

/// Returns width and height of plane `n` of a picture.
pub fn plane_size(width: usize, height: usize, sampling: Sampling, n: usize) -> (usize, usize) {
    if n == 0 {
        return (width, height);
    }
    let (across, down) = sampling.factors();
    (width.div_ceil(across), height.div_ceil(down))
}

/// Returns brightness and colour differences of a colour (JFIF 1.02: BT.601, full range).
pub(crate) fn from_rgb(Color { r, g, b }: Color) -> [u8; 3] {
    let (r, g, b) = (f32::from(r), f32::from(g), f32::from(b));
    let byte = |value: f32| (value + 0.5) as u8;
    [
        byte(0.299 * r + 0.587 * g + 0.114 * b),
        byte(-0.168_736 * r - 0.331_264 * g + 0.5 * b + 128.0),
        byte(0.5 * r - 0.418_688 * g - 0.081_312 * b + 128.0),
    ]
}

/// Returns red, green and blue of brightness and colour differences.
pub(crate) fn to_rgb([y, cb, cr]: [u8; 3]) -> [u8; 3] {
    let (y, cb, cr) = (f32::from(y), f32::from(cb) - 128.0, f32::from(cr) - 128.0);
    let byte = |value: f32| (value + 0.5) as u8;
    [byte(y + 1.402 * cr), byte(y - 0.344_136 * cb - 0.714_136 * cr), byte(y + 1.772 * cb)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_sides_round_the_colour_planes_up() {
        let mut planes = Planes::default();
        planes.reshape(5, 3, Sampling::S420).unwrap();
        assert_eq!((planes.size_of(0), planes.size_of(1)), ((5, 3), (3, 2)));
        assert_eq!(planes.data().len(), 15 + 6 + 6);
        assert_eq!(planes.plane(2).len(), 6);
    }

    #[test]
    fn sides_that_no_jpeg_has_are_refused() {
        assert!(Planes::default().reshape(0, 3, Sampling::Gray).is_err());
        assert!(Planes::default().reshape(70_000, 3, Sampling::Gray).is_err());
    }

    #[test]
    fn colours_survive_the_way_there_and_back() {
        for rgb in [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 255], [0, 0, 0], [12, 200, 99]] {
            let there = from_rgb(Color { r: rgb[0], g: rgb[1], b: rgb[2] });
            for (before, after) in rgb.iter().zip(to_rgb(there)) {
                assert!(before.abs_diff(after) <= 2, "{rgb:?}: {:?}", to_rgb(there));
            }
        }
    }

    #[test]
    fn colour_comes_back_neutral() {
        let mut planes = Planes::default();
        planes.reshape(4, 4, Sampling::S420).unwrap();
        planes.plane_mut(1).fill(7);
        planes.make_gray();
        planes.add_colour(Sampling::S444);
        assert!(planes.plane(1).iter().chain(planes.plane(2)).all(|&byte| byte == NEUTRAL));
    }
}
