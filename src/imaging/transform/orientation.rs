//! Quarter turns and mirrors: the eight orientations of a rectangle.

use crate::{
    config::{Flip, Rotation},
    imaging::lossless::{self, LosslessOp},
};

/// One of the eight orientations: rows and columns exchanged or not, then left and right, then top and
/// bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Orientation {
    /// Exchanges rows and columns, first of all.
    pub transpose: bool,
    /// Exchanges left and right, after that.
    pub mirror_x: bool,
    /// Exchanges top and bottom, after that.
    pub mirror_y: bool,
}

impl Orientation {
    /// No change.
    pub const NONE: Self = Self { transpose: false, mirror_x: false, mirror_y: false };

    /// Returns the turn that makes a picture with this EXIF orientation (1 to 8) upright. Any other value
    /// means that it is upright.
    pub fn from_exif(orientation: u16) -> Self {
        let (transpose, mirror_x, mirror_y) = match orientation {
            2 => (false, true, false),
            3 => (false, true, true),
            4 => (false, false, true),
            5 => (true, false, false),
            6 => (true, true, false),
            7 => (true, true, true),
            8 => (true, false, true),
            _ => (false, false, false),
        };
        Self { transpose, mirror_x, mirror_y }
    }

    /// Returns the turn that makes this JPEG upright, according to its EXIF data.
    pub fn upright(jpeg: &[u8]) -> Self {
        Self::from_exif(lossless::orientation(jpeg).to_exif().into())
    }

    /// Returns this turn followed by `next`.
    #[must_use]
    pub fn followed_by(self, next: Self) -> Self {
        if next.transpose {
            Self {
                transpose: !self.transpose,
                mirror_x: self.mirror_y ^ next.mirror_x,
                mirror_y: self.mirror_x ^ next.mirror_y,
            }
        } else {
            Self {
                transpose: self.transpose,
                mirror_x: self.mirror_x ^ next.mirror_x,
                mirror_y: self.mirror_y ^ next.mirror_y,
            }
        }
    }

    /// Returns width and height after the turn, of a picture with these before.
    pub fn size<T>(self, (width, height): (T, T)) -> (T, T) {
        if self.transpose { (height, width) } else { (width, height) }
    }

    /// Returns the turn as a step on the blocks of a JPEG; none for [`Orientation::NONE`].
    pub fn lossless(self) -> Option<LosslessOp> {
        match (self.transpose, self.mirror_x, self.mirror_y) {
            (false, false, false) => None,
            (false, true, false) => Some(LosslessOp::FlipHorizontal),
            (false, true, true) => Some(LosslessOp::Rotate180),
            (false, false, true) => Some(LosslessOp::FlipVertical),
            (true, false, false) => Some(LosslessOp::Transpose),
            (true, true, false) => Some(LosslessOp::Rotate90),
            (true, true, true) => Some(LosslessOp::Transverse),
            (true, false, true) => Some(LosslessOp::Rotate270),
        }
    }

    /// Turns a plane of `size` (width, height), row by row, into `to`.
    pub fn apply(self, from: &[u8], (width, height): (usize, usize), to: &mut Vec<u8>) {
        to.clear();
        if !self.transpose {
            to.reserve(from.len());
            for row in 0..height {
                let row = if self.mirror_y { height - 1 - row } else { row };
                let row = &from[row * width..][..width];
                if self.mirror_x { to.extend(row.iter().rev()) } else { to.extend_from_slice(row) }
            }
            return;
        }
        to.resize(from.len(), 0);
        // In squares, so that the columns written stay in the cache while the rows are read.
        for top in (0..height).step_by(SQUARE) {
            for left in (0..width).step_by(SQUARE) {
                for y in top..(top + SQUARE).min(height) {
                    let column = if self.mirror_x { height - 1 - y } else { y };
                    for x in left..(left + SQUARE).min(width) {
                        let row = if self.mirror_y { width - 1 - x } else { x };
                        to[row * height + column] = from[y * width + x];
                    }
                }
            }
        }
    }
}

/// Side of the squares that are turned one by one: a square and its target fit the fastest cache.
const SQUARE: usize = 32;

impl From<Rotation> for Orientation {
    fn from(rotation: Rotation) -> Self {
        match rotation {
            Rotation::By90 => Self { transpose: true, mirror_x: true, mirror_y: false },
            Rotation::By180 => Self { transpose: false, mirror_x: true, mirror_y: true },
            Rotation::By270 => Self { transpose: true, mirror_x: false, mirror_y: true },
        }
    }
}

impl From<Flip> for Orientation {
    fn from(flip: Flip) -> Self {
        Self { transpose: false, mirror_x: flip == Flip::Horizontal, mirror_y: flip == Flip::Vertical }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 0 1 2
    /// 3 4 5
    const PICTURE: [u8; 6] = [0, 1, 2, 3, 4, 5];

    fn turned(orientation: Orientation) -> Vec<u8> {
        let mut to = Vec::new();
        orientation.apply(&PICTURE, (3, 2), &mut to);
        to
    }

    #[test]
    fn each_turn_lays_the_picture_down_its_way() {
        assert_eq!(turned(Rotation::By90.into()), [3, 0, 4, 1, 5, 2]);
        assert_eq!(turned(Rotation::By180.into()), [5, 4, 3, 2, 1, 0]);
        assert_eq!(turned(Rotation::By270.into()), [2, 5, 1, 4, 0, 3]);
        assert_eq!(turned(Flip::Horizontal.into()), [2, 1, 0, 5, 4, 3]);
        assert_eq!(turned(Flip::Vertical.into()), [3, 4, 5, 0, 1, 2]);
        assert_eq!(
            turned(Orientation::from_exif(6)),
            turned(Rotation::By90.into()),
            "a telephone held upright"
        );
        assert_eq!(turned(Orientation::from_exif(1)), PICTURE);
        assert_eq!(turned(Orientation::from_exif(99)), PICTURE);
    }

    #[test]
    fn two_turns_are_one() {
        let all: Vec<_> = (1..=8).map(Orientation::from_exif).collect();
        for &first in &all {
            for &second in &all {
                let (mut step, mut both) = (Vec::new(), Vec::new());
                first.apply(&PICTURE, (3, 2), &mut step);
                second.apply(&step, first.size((3, 2)), &mut both);
                assert_eq!(turned(first.followed_by(second)), both, "{first:?} then {second:?}");
            }
        }
    }
}
