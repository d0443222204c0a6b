//! `transform:` and `encode:` of a stream.

use std::{num::NonZeroU32, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::{
    Color, Ink, Size,
    reader::LOCAL,
    source::sixteen,
    values::{
        Count, Given, MAX_SIDE, Number, OrNone, Scalar, Share, Text, Words, Wrong, list_of, scalar, word,
    },
};

/// Most steps of a stream, and most masks of a step: more are a mistake, and each costs time for every
/// picture.
const MAX_STEPS: usize = 32;

/// A place on a picture in pixels: no JPEG has more on a side.
type Pixel = Pixels<u32, 0, 65_535>;
type Side = Pixels<NonZeroU32, 1, 65_535>;

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
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    /// Keep a part.
    Crop(Region),
    /// Make it smaller or larger: `width`, `height`, or both.
    Scale(Scale),
    /// Turn it clockwise.
    Rotate(Rotation),
    /// Mirror it: `horizontal` makes left right.
    Flip(Flip),
    /// Take its colours.
    #[schemars(with = "bool")]
    Grayscale,
    /// Hide parts.
    #[serde(deserialize_with = "masks")]
    Mask(Vec<Mask>),
    /// Draw a text.
    Text(Caption),
    /// Draw a picture.
    Image(Logo),
    /// Make it smaller, if it is larger than this. Not in the file: viewers ask for it.
    #[serde(skip)]
    Within(Bounds),
}

/// A list of steps, or `none`.
pub(super) fn steps<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Step>, D::Error> {
    Ok(Option::<Steps>::deserialize(deserializer)?.map(|steps| steps.0).unwrap_or_default())
}

struct Steps(Vec<Step>);

impl<'de> Deserialize<'de> for Steps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        list_of(deserializer, MAX_STEPS, "steps, such as [{scale: {width: 640}}]").map(Self)
    }
}

fn masks<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Mask>, D::Error> {
    list_of(deserializer, MAX_STEPS, "parts to hide, such as [{x: 10, y: 10, width: 80, height: 40}]")
}

/// A number of pixels, without its range in the documents.
struct Pixels<T, const MIN: u64, const MAX: u64>(std::marker::PhantomData<T>);

impl<T, const MIN: u64, const MAX: u64> Scalar for Pixels<T, MIN, MAX>
where
    Count<T, MIN, MAX>: Scalar<Value = T>,
{
    type Value = T;

    fn unit() -> String {
        if MAX == MAX_SIDE { format!("pixels, up to {MAX}") } else { "pixels".to_owned() }
    }

    fn read(text: &str) -> Result<T, Wrong> {
        Count::<T, MIN, MAX>::read(text)
    }

    fn write(value: &T) -> Option<String> {
        Count::<T, MIN, MAX>::write(value)
    }

    fn schema() -> serde_json::Value {
        Count::<T, MIN, MAX>::schema()
    }
}

/// A part of a picture, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Region {
    /// From the left side.
    #[serde(default, with = "Text::<Pixel>")]
    pub x: u32,
    /// From the top.
    #[serde(default, with = "Text::<Pixel>")]
    pub y: u32,
    /// Pixels across; what is beyond the picture is left out.
    #[serde(with = "Text::<Side>")]
    #[schemars(extend("x-need" = "pixels across"))]
    pub width: NonZeroU32,
    /// Pixels down; what is beyond the picture is left out.
    #[serde(with = "Text::<Side>")]
    #[schemars(extend("x-need" = "pixels down"))]
    pub height: NonZeroU32,
}

/// A new size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "ScaleYaml")]
#[schemars(with = "ScaleYaml")]
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScaleYaml {
    /// New width.
    #[serde(default, with = "Text::<Given<Pixels<NonZeroU32, 1, MAX_SIDE>>>")]
    #[schemars(extend("x-default" = "as `height` makes it"))]
    width: Option<NonZeroU32>,
    /// New height.
    #[serde(default, with = "Text::<Given<Pixels<NonZeroU32, 1, MAX_SIDE>>>")]
    #[schemars(extend("x-default" = "as `width` makes it"))]
    height: Option<NonZeroU32>,
    /// With both: the whole picture within the size; or exactly the size, cut evenly at two sides; or
    /// stretched.
    #[serde(default)]
    fit: Fit,
}

impl TryFrom<ScaleYaml> for Scale {
    type Error = &'static str;

    fn try_from(ScaleYaml { width, height, fit }: ScaleYaml) -> Result<Self, Self::Error> {
        match (width, height) {
            (Some(width), Some(height)) => Ok(Self::Both { size: Size { width, height }, fit }),
            (Some(width), None) => Ok(Self::Width(width)),
            (None, Some(height)) => Ok(Self::Height(height)),
            (None, None) => Err("must have width, height, or both"),
        }
    }
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

/// Clockwise.
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

/// A part to hide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(from = "MaskYaml")]
#[schemars(with = "MaskYaml")]
pub struct Mask {
    /// Which part.
    pub region: Region,
    /// What is there instead.
    pub fill: Fill,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MaskYaml {
    /// From the left side.
    #[serde(default, with = "Text::<Pixel>")]
    x: u32,
    /// From the top.
    #[serde(default, with = "Text::<Pixel>")]
    y: u32,
    /// Pixels across; what is beyond the picture is left out.
    #[serde(with = "Text::<Side>")]
    #[schemars(extend("x-need" = "pixels across"))]
    width: NonZeroU32,
    /// Pixels down; what is beyond the picture is left out.
    #[serde(with = "Text::<Side>")]
    #[schemars(extend("x-need" = "pixels down"))]
    height: NonZeroU32,
    /// What is there instead.
    #[serde(default, with = "Text::<Fill>")]
    fill: Fill,
}

impl From<MaskYaml> for Mask {
    fn from(MaskYaml { x, y, width, height, fill }: MaskYaml) -> Self {
        Self { region: Region { x, y, width, height }, fill }
    }
}

/// What hides a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fill {
    /// A few soft spots of colour.
    #[default]
    Blur,
    /// One colour.
    Color(Color),
}

impl Scalar for Fill {
    type Value = Self;

    fn unit() -> String {
        "`blur`, or colour in quotes".to_owned()
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        let wrong = |wrong: Wrong| Wrong { want: wrong.want.replace("must be", "must be blur or"), ..wrong };
        if text == "blur" { Ok(Self::Blur) } else { Color::read(text).map(Self::Color).map_err(wrong) }
    }

    fn write(_: &Self) -> Option<String> {
        Some("blur".to_owned())
    }
}

/// A text on the picture.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Caption {
    /// What to draw, with strftime's conversions for the time at which the picture came, and `{title}` for
    /// the stream's title.
    #[serde(with = "Text::<Words<1000>>")]
    #[schemars(extend("x-need" = "the text to draw, with strftime's % conversions and {title}"))]
    pub text: String,
    /// `top-left`, `top`, `top-right`, `left`, `center`, `right`, `bottom-left`, `bottom` or `bottom-right`.
    #[serde(default = "bottom_left", with = "Text::<Spot>")]
    pub position: Spot,
    /// Height of the letters.
    #[serde(default = "sixteen", with = "Text::<Number<4, 512>>")]
    pub size: f32,
    /// Colour of the letters; `"#rrggbbaa"` and `"#rgba"` let through what is beneath.
    #[serde(default = "white", with = "Text::<Ink>")]
    pub color: Ink,
    /// Colour behind them.
    #[serde(default = "shade", with = "Text::<OrNone<Ink>>")]
    pub background: Option<Ink>,
}

fn white() -> Ink {
    Ink { color: Color { r: 255, g: 255, b: 255 }, alpha: 255 }
}

fn shade() -> Option<Ink> {
    Some(Ink { color: Color { r: 0, g: 0, b: 0 }, alpha: 0x88 })
}

/// A picture on the picture.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Logo {
    /// Which picture; with its transparency. At most 4096 pixels a side.
    #[serde(with = "Text::<Png>")]
    #[schemars(extend("x-need" = "the PNG file to draw"))]
    pub path: PathBuf,
    /// As of `text`.
    #[serde(default = "top_right", with = "Text::<Spot>")]
    pub position: Spot,
    /// How much it covers: 255 is as the file says.
    #[serde(default = "opaque", with = "Text::<Share>")]
    #[schemars(description = "How much it covers.")]
    pub opacity: u8,
}

scalar!(Png => PathBuf, "PNG file", LOCAL, |text| {
    let path = PathBuf::from(text);
    path.is_file().then_some(path).ok_or_else(|| Wrong::shown("must be a PNG file that exists"))
});

fn opaque() -> u8 {
    255
}

/// Where something stands on a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spot {
    /// Left to right.
    pub across: Place,
    /// Top to bottom.
    pub down: Place,
}

/// The words of all positions.
const SPOTS: [(&str, Spot); 9] = {
    use Place::{End, Middle, Start};
    const fn spot(across: Place, down: Place) -> Spot {
        Spot { across, down }
    }
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

impl Scalar for Spot {
    type Value = Self;

    fn unit() -> String {
        "word".to_owned()
    }

    fn read(text: &str) -> Result<Self, Wrong> {
        word(text, &SPOTS)
    }

    fn write(value: &Self) -> Option<String> {
        SPOTS.iter().find(|(_, spot)| spot == value).map(|(word, _)| (*word).to_owned())
    }

    fn schema() -> serde_json::Value {
        serde_json::json!({"enum": SPOTS.map(|(word, _)| word)})
    }
}

fn bottom_left() -> Spot {
    SPOTS[6].1
}

fn top_right() -> Spot {
    SPOTS[2].1
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Encode {
    /// JPEG quality.
    #[serde(with = "Text::<Count<u8, 1, 100>>")]
    pub quality: u8,
    /// How many pixels share a colour: four, two, or none.
    pub subsampling: Subsampling,
}

impl Default for Encode {
    fn default() -> Self {
        Self { quality: 80, subsampling: Subsampling::S420 }
    }
}

/// How many pixels share a colour.
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
