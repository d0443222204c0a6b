//! `transform:` and `encode:` of a stream.

use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;

use crate::config::{
    reader::LOCAL,
    values::{
        Color, Count, Ink, LetterHeight, MAX_SIDE, OrNone, Share, Size, Text, Words, Wrong, list_of, number,
        rgb, scalar, word,
    },
};

/// Most steps of a stream, and most masks of a step: more are a mistake, and each costs time for every
/// picture.
const MAX_STEPS: usize = 32;

/// A place on a picture in pixels: no JPEG has more on a side.
type Pixel = Count<u32, 0, 65_535>;
type Side = Count<NonZeroU32, 1, 65_535>;
type NewSide = Option<Count<NonZeroU32, 1, MAX_SIDE>>;

/// The processing of a stream's pictures between its source and its viewers.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Transform {
    /// `transform:`, in the order in which it is done.
    pub steps: Vec<Step>,
    /// `encode:`; none encodes as [`Encode::default`] if the steps need it.
    pub encode: Option<Encode>,
    /// Take out EXIF, GPS and other metadata.
    pub strip_metadata: bool,
}

impl Transform {
    /// Returns whether pictures pass as the very bytes received.
    pub fn is_nothing(&self) -> bool {
        self.steps.is_empty() && self.encode.is_none() && !self.strip_metadata
    }
}

/// One thing done to a picture.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Cut out a part.
    Crop(Region),
    /// Resize to `width`, `height`, or both.
    Scale(Scale),
    /// Rotate clockwise.
    Rotate(Rotation),
    /// Mirror; `horizontal` swaps left and right.
    Flip(Flip),
    /// Remove the colours.
    #[schemars(with = "bool")]
    Grayscale,
    /// Hide parts.
    #[serde(deserialize_with = "masks")]
    Mask(Vec<Mask>),
    /// Draw a text.
    Text(Caption),
    /// Draw an image.
    Image(Logo),
    /// Make it smaller, if it is larger than this. Not in the file: viewers ask for it.
    #[serde(skip)]
    Within(Bounds),
}

/// Reads a list of steps, or `none`.
pub(crate) fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Step>, D::Error> {
    struct Steps(Vec<Step>);

    impl<'de> Deserialize<'de> for Steps {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            list_of(deserializer, MAX_STEPS, "steps, such as [{scale: {width: 640}}]").map(Self)
        }
    }

    Ok(Option::<Steps>::deserialize(deserializer)?.map(|steps| steps.0).unwrap_or_default())
}

fn masks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Mask>, D::Error> {
    list_of(deserializer, MAX_STEPS, "parts to hide, such as [{x: 10, y: 10, width: 80, height: 40}]")
}

/// Defines the keys of a part of a picture, alone and with others beside them.
macro_rules! region {
    ($(#[$doc:meta])* pub struct $name:ident { $($others:tt)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// Distance from the left in pixels.
            #[serde(default, with = "Text::<Pixel>")]
            pub x: u32,
            /// Distance from the top in pixels.
            #[serde(default, with = "Text::<Pixel>")]
            pub y: u32,
            /// Width; parts outside the picture are cut off.
            #[serde(with = "Text::<Side>")]
            #[schemars(extend("x-need" = "pixels across"))]
            pub width: NonZeroU32,
            /// Height; parts outside the picture are cut off.
            #[serde(with = "Text::<Side>")]
            #[schemars(extend("x-need" = "pixels down"))]
            pub height: NonZeroU32,
            $($others)*
        }
    };
}

region! {
    /// A part of a picture.
    pub struct Region {}
}

region! {
    /// A part to hide.
    pub struct Mask {
        /// Replacement of the part: `blur`, or a colour.
        #[serde(default, with = "Text::<Fill>")]
        pub fill: Fill,
    }
}

/// The content of a hidden part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// A few soft spots of colour.
    #[default]
    Blur,
    /// One colour.
    Color(Color),
}

scalar!(impl Fill => Fill, "`blur`, or colour in quotes", "", |text| {
    let wanted = |wrong: Wrong| Wrong { want: wrong.want.replace("must be", "must be blur or"), ..wrong };
    if text == "blur" { Ok(Fill::Blur) } else { Color::read(text).map(Fill::Color).map_err(wanted) }
}, write |_| "blur".to_owned());

/// A new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "ScaleMap")]
#[schemars(with = "ScaleMap")]
pub enum Scale {
    /// A width; the height follows.
    Width(NonZeroU32),
    /// A height; the width follows.
    Height(NonZeroU32),
    /// Both.
    Both {
        /// Width and height.
        size: Size,
        /// The property that gives way when the proportions differ.
        fit: Fit,
    },
}

/// The keys of [`Scale`].
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScaleMap {
    /// New width in pixels.
    #[serde(default, with = "Text::<NewSide>")]
    #[schemars(extend("x-default" = "as `height` makes it"))]
    width: Option<NonZeroU32>,
    /// New height in pixels.
    #[serde(default, with = "Text::<NewSide>")]
    #[schemars(extend("x-default" = "as `width` makes it"))]
    height: Option<NonZeroU32>,
    /// With both: the whole picture within the size; exactly the size, cropped evenly at two sides; or
    /// stretched.
    #[serde(default)]
    fit: Fit,
}

impl TryFrom<ScaleMap> for Scale {
    type Error = &'static str;

    fn try_from(ScaleMap { width, height, fit }: ScaleMap) -> Result<Self, Self::Error> {
        match (width, height) {
            (Some(width), Some(height)) => Ok(Self::Both { size: Size { width, height }, fit }),
            (Some(width), None) => Ok(Self::Width(width)),
            (None, Some(height)) => Ok(Self::Height(height)),
            (None, None) => Err("must have width, height, or both"),
        }
    }
}

/// The largest size of a picture; its proportions stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Across.
    pub width: Option<NonZeroU32>,
    /// Down.
    pub height: Option<NonZeroU32>,
}

/// The property that gives way when a picture's proportions are not those of its new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// The size: the whole picture within it.
    #[default]
    Contain,
    /// The picture's sides: the size exactly, what does not fit is cut off evenly.
    Cover,
    /// The proportions.
    Stretch,
}

/// A turn, clockwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize, JsonSchema)]
pub enum Rotation {
    /// A quarter.
    #[serde(rename = "90")]
    By90,
    /// Upside down.
    #[serde(rename = "180")]
    By180,
    /// A quarter the other way.
    #[serde(rename = "270")]
    By270,
}

/// A mirror.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Flip {
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

/// A text on the picture.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caption {
    /// Text to draw, with strftime's conversions for the time at which the picture came, and `{title}` for
    /// the stream's title.
    #[serde(with = "Text::<Words<1000>>")]
    #[schemars(extend("x-need" = "the text to draw, with strftime's % conversions and {title}"))]
    pub text: String,
    /// `top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom` or `bottom-right`.
    #[serde(default = "spot::<6>", with = "Text::<Spot>")]
    pub position: Spot,
    /// Font size.
    #[serde(default = "number::<_, 16>", with = "Text::<LetterHeight>")]
    pub size: f32,
    /// Text colour; `"#rrggbbaa"` and `"#rgba"` are translucent.
    #[serde(default = "white", with = "Text::<Ink>")]
    pub color: Ink,
    /// Background colour.
    #[serde(default = "shade", with = "Text::<OrNone<Ink>>")]
    pub background: Option<Ink>,
}

fn white() -> Ink {
    Ink { color: rgb::<0xff_ffff>(), alpha: 255 }
}

fn shade() -> Option<Ink> {
    Some(Ink { color: rgb::<0>(), alpha: 0x88 })
}

/// A picture on the picture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logo {
    /// PNG file to draw, with its transparency. At most 4096 pixels a side.
    #[serde(with = "Text::<Png>")]
    #[schemars(extend("x-need" = "the PNG file to draw"))]
    pub path: PathBuf,
    /// Position on the picture, as of `text`.
    #[serde(default = "spot::<2>", with = "Text::<Spot>")]
    pub position: Spot,
    /// Share of the picture beneath that it covers.
    #[serde(default = "number::<_, 255>", with = "Text::<Share>")]
    pub opacity: u8,
}

scalar!(struct Png => PathBuf, "PNG file", LOCAL, |text| {
    let path = PathBuf::from(text);
    path.is_file().then_some(path).ok_or_else(|| Wrong::shown("must be a PNG file that exists"))
});

/// The place of something on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Left to right.
    pub across: Place,
    /// Top to bottom.
    pub down: Place,
}

/// A place on one axis of a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Left or top.
    Start,
    /// The middle.
    Middle,
    /// Right or bottom.
    End,
}

/// The words of all positions.
const SPOTS: [(&str, Spot); 9] = {
    const fn spot(across: Place, down: Place) -> Spot {
        Spot { across, down }
    }
    use super::transform::Place::{End, Middle, Start};
    [
        ("top-left", spot(Start, Start)),
        ("top", spot(Middle, Start)),
        ("top-right", spot(End, Start)),
        ("left", spot(Start, Middle)),
        ("center", spot(Middle, Middle)),
        ("right", spot(End, Middle)),
        ("bottom-left", spot(Start, End)),
        ("bottom", spot(Middle, End)),
        ("bottom-right", spot(End, End)),
    ]
};

/// The position with this number in [`SPOTS`].
const fn spot<const NUMBER: usize>() -> Spot {
    SPOTS[NUMBER].1
}

scalar!(impl Spot => Spot, "word", "", |text| word(text, &SPOTS), write |value| {
    SPOTS.iter().find(|(_, spot)| spot == value).map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}, schema json!({"enum": SPOTS.map(|(word, _)| word)}));

/// Encoding of a reworked picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Encode {
    /// JPEG quality.
    #[serde(with = "Text::<Count<u8, 1, 100>>")]
    pub quality: u8,
    /// Number of pixels that share a colour: four, two, or one.
    pub subsampling: Subsampling,
}

impl Default for Encode {
    fn default() -> Self {
        Self { quality: 80, subsampling: Subsampling::S420 }
    }
}

/// The number of pixels that share a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub enum Subsampling {
    /// Two by two: the smallest.
    #[serde(rename = "420")]
    S420,
    /// Two beside each other.
    #[serde(rename = "422")]
    S422,
    /// None: letters stay sharp.
    #[serde(rename = "444")]
    S444,
}
