//! `transform:`, `encode:` and `strip_metadata:` of a stream, checked.

use std::{num::NonZeroU32, path::PathBuf};

use super::model::{Color, Size};

/// What is done to a stream's pictures between its source and its viewers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rework {
    /// `transform:`, in the order in which it is done.
    pub steps: Vec<Step>,
    /// `encode:`; none encodes as [`Encode::default`] if the steps need it.
    pub encode: Option<Encode>,
    /// Take out EXIF, GPS and other metadata.
    pub strip_metadata: bool,
}

impl Rework {
    /// Whether pictures pass as the very bytes received.
    pub fn is_nothing(&self) -> bool {
        self.steps.is_empty() && self.encode.is_none() && !self.strip_metadata
    }
}

/// One thing done to a picture.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// Keep a part.
    Crop(Region),
    /// Make it smaller or larger.
    Scale(Scale),
    /// Make it smaller, if it is larger than this. Not in the file: viewers ask for it.
    Within(Bounds),
    /// Turn it clockwise.
    Rotate(Rotation),
    /// Mirror it.
    Flip(Flip),
    /// Take its colours.
    Grayscale,
    /// Hide parts.
    Mask(Vec<Mask>),
    /// Draw a text.
    Text(Caption),
    /// Draw a picture.
    Image(Logo),
}

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Region {
    /// From the left side.
    pub x: u32,
    /// From the top.
    pub y: u32,
    /// Pixels across.
    pub width: NonZeroU32,
    /// Pixels down.
    pub height: NonZeroU32,
}

/// A new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// So wide, as high as that makes it.
    Width(NonZeroU32),
    /// So high, as wide as that makes it.
    Height(NonZeroU32),
    /// Within or exactly so large.
    Both {
        /// Width and height.
        size: Size,
        /// What gives way when the proportions differ.
        fit: Fit,
    },
}

/// What a picture is at most; its proportions stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Across.
    pub width: Option<NonZeroU32>,
    /// Down.
    pub height: Option<NonZeroU32>,
}

/// What gives way when a picture's proportions are not those of its new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fit {
    /// The size: the whole picture within it.
    Contain,
    /// The picture's sides: the size exactly, what does not fit is cut off evenly.
    Cover,
    /// The proportions.
    Stretch,
}

/// Clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rotation {
    /// A quarter.
    By90,
    /// Upside down.
    By180,
    /// A quarter the other way.
    By270,
}

/// A mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flip {
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

/// A part to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mask {
    /// Which part.
    pub region: Region,
    /// What is there instead.
    pub fill: Fill,
}

/// What hides a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fill {
    /// A few soft spots of colour.
    Blur,
    /// One colour.
    Color(Color),
}

/// A text on the picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Caption {
    /// With strftime's conversions, and `{title}`.
    pub text: String,
    /// Where.
    pub position: Spot,
    /// Height of a line's letters, in pixels.
    pub size: f32,
    /// Of the letters.
    pub color: Ink,
    /// Behind them.
    pub background: Option<Ink>,
}

/// A colour that may let through what is beneath.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// The colour.
    pub color: Color,
    /// 255 hides what is beneath.
    pub alpha: u8,
}

/// A picture on the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    /// A PNG file.
    pub path: PathBuf,
    /// Where.
    pub position: Spot,
    /// 255 is as the file says.
    pub opacity: u8,
}

/// Where something stands on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Left to right.
    pub across: Place,
    /// Top to bottom.
    pub down: Place,
}

/// At the beginning, in the middle, at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Left or top.
    Start,
    /// The middle.
    Middle,
    /// Right or bottom.
    End,
}

/// How a reworked picture is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encode {
    /// JPEG quality, 1 to 100.
    pub quality: u8,
    /// How many pixels share a colour.
    pub subsampling: Subsampling,
}

impl Default for Encode {
    fn default() -> Self {
        Self { quality: 80, subsampling: Subsampling::S420 }
    }
}

/// How many pixels share a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subsampling {
    /// None: letters stay sharp.
    S444,
    /// Two beside each other.
    S422,
    /// Two by two: the smallest.
    S420,
}
