//! Sizes and colours of pictures.

use std::{fmt, num::NonZeroU32};

use serde_json::json;

use super::scalar::{Wrong, scalar};

/// Largest picture that is drawn, in pixels a side: the limit of most JPEG decoders in hardware.
pub(crate) const MAX_SIDE: u64 = 8192;

/// Width and height in pixels, written `640x480`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels across.
    pub width: NonZeroU32,
    /// Pixels down.
    pub height: NonZeroU32,
}

impl Size {
    /// Width times height.
    pub(crate) fn pixels(self) -> u64 {
        u64::from(self.width.get()) * u64::from(self.height.get())
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

scalar!(impl Size => Size, "width x height", "", |text| {
    let side = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse::<NonZeroU32>().ok().filter(|side| plain && u64::from(side.get()) <= MAX_SIDE)
    };
    let sides = text.split_once('x').and_then(|(width, height)| Some((side(width)?, side(height)?)));
    let want = || format!("must be width x height in pixels, such as 640x480, up to {MAX_SIDE}");
    sides.map(|(width, height)| Size { width, height }).ok_or_else(|| Wrong::shown(want()))
}, write |size| size.to_string(), schema json!({"type": "string", "pattern": "^[0-9]+x[0-9]+$"}));

/// Red, green and blue, written `#rrggbb` or `#rgb`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Color {
    /// Red.
    pub r: u8,
    /// Green.
    pub g: u8,
    /// Blue.
    pub b: u8,
}

/// Reads `#` and hexadecimal digits: one or two for each of three or four parts.
fn parts(text: &str) -> Option<Vec<u8>> {
    let digit = |c: char| c.to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let digits: Vec<u8> = text.strip_prefix('#')?.chars().map(digit).collect::<Option<_>>()?;
    match digits.len() {
        3 | 4 => Some(digits.iter().map(|digit| digit * 17).collect()),
        6 | 8 => Some(digits.chunks(2).map(|two| two[0] * 16 + two[1]).collect()),
        _ => None,
    }
}

scalar!(impl Color => Color, "colour, in quotes", "", |text| match parts(text).as_deref() {
    Some(&[r, g, b]) => Ok(Color { r, g, b }),
    _ => Err(Wrong::shown("must be a colour such as \"#ff8800\" or \"#f80\"")),
}, write |Color { r, g, b }| format!("#{r:02x}{g:02x}{b:02x}"));

/// A colour that may let through what is beneath: also `#rrggbbaa` or `#rgba`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ink {
    /// The colour.
    pub color: Color,
    /// 255 hides what is beneath.
    pub alpha: u8,
}

scalar!(impl Ink => Ink, Color::unit(), "", |text| match parts(text).as_deref() {
    Some(&[r, g, b]) => Ok(Ink { color: Color { r, g, b }, alpha: 255 }),
    Some(&[r, g, b, alpha]) => Ok(Ink { color: Color { r, g, b }, alpha }),
    _ => Err(Wrong::shown("must be a colour such as \"#ff8800\", \"#f80\" or \"#f808\"")),
}, write |Ink { color: Color { r, g, b }, alpha }| match alpha {
    255 => format!("#{r:02x}{g:02x}{b:02x}"),
    _ if [r, g, b, alpha].iter().all(|part| **part % 17 == 0) => {
        format!("#{:x}{:x}{:x}{:x}", r / 17, g / 17, b / 17, alpha / 17)
    }
    _ => format!("#{r:02x}{g:02x}{b:02x}{alpha:02x}"),
});
