//! Values with units: sizes, times, colours, numbers. Pure: text in, value or what would be right out.

use std::{num::NonZeroU32, ops::RangeInclusive, time::Duration};

use super::{
    model::{Color, Size},
    rework::Ink,
};

/// Largest picture a renderer draws, in pixels a side: the limit of most JPEG decoders in hardware.
pub(super) const MAX_SIDE: u32 = 8192;

/// Fewest frames per second, somewhat less than one a day: the time between two must be one that a clock can add.
const MIN_FPS: f64 = 0.00001;

/// Most frames per second.
const MAX_FPS: f64 = 240.0;

/// Why a value does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// What would be right.
    pub(super) want: String,
    /// What is there instead, where it cannot be a secret.
    pub(super) found: Option<String>,
}

impl Wrong {
    /// Without showing what is there.
    pub(super) fn want(want: impl Into<String>) -> Self {
        Self { want: want.into(), found: None }
    }

    /// Showing what is there.
    pub(super) fn want_not(want: impl Into<String>, found: &str) -> Self {
        Self { want: want.into(), found: Some(found.to_owned()) }
    }
}

/// `true` or `false`.
pub(super) fn boolean(text: &str) -> Result<bool, Wrong> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        _ => Err(Wrong::want_not("must be true or false", text)),
    }
}

/// A whole number in a range.
pub(super) fn count(text: &str, range: RangeInclusive<u64>) -> Result<u64, Wrong> {
    let want =
        || Wrong::want_not(format!("must be a whole number from {} to {}", range.start(), range.end()), text);
    let number = text.parse().map_err(|_| want())?;
    if range.contains(&number) { Ok(number) } else { Err(want()) }
}

/// Frames per second.
pub(super) fn fps(text: &str) -> Result<f64, Wrong> {
    number(text)
        .filter(|fps| (MIN_FPS..=MAX_FPS).contains(fps))
        .ok_or_else(|| Wrong::want_not(format!("must be a number from {MIN_FPS} to {MAX_FPS}"), text))
}

/// A height in pixels.
#[expect(clippy::cast_possible_truncation, reason = "the range is checked, and a letter needs no 16 digits")]
pub(super) fn pixels(text: &str, range: RangeInclusive<f64>) -> Result<f32, Wrong> {
    let want = format!("must be a number of pixels from {} to {}", range.start(), range.end());
    let pixels = number(text).filter(|pixels| range.contains(pixels));
    pixels.map(|pixels| pixels as f32).ok_or_else(|| Wrong::want_not(want, text))
}

/// A number that may be below zero.
pub(super) fn signed(text: &str) -> Result<f64, Wrong> {
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    let number = number(digits).filter(|number| number.is_finite());
    number.map(|number| number * sign).ok_or_else(|| Wrong::want_not("must be a number such as -12.5", text))
}

/// A share, 0 to 1, as 0 to 255.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
pub(super) fn share(text: &str) -> Result<u8, Wrong> {
    let share = number(text).filter(|share| (0.0..=1.0).contains(share));
    share
        .map(|share| (share * 255.0).round() as u8)
        .ok_or_else(|| Wrong::want_not("must be a number from 0 to 1", text))
}

/// Digits with at most one point: `inf`, `nan` and `1e9` are no settings.
fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    text.chars().all(digits).then(|| text.parse().ok()).flatten()
}

/// Bytes: `8MiB`, `500kB`, `65536`.
pub(super) fn bytes(text: &str, range: RangeInclusive<u64>) -> Result<u64, Wrong> {
    let want = || Wrong::want_not("must be a size such as 8MiB, 500kB or a number of bytes", text);
    let (digits, unit) = split_unit(text);
    let factor = match unit {
        "" | "B" => 1_u64,
        "kB" | "KB" => 1000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "KiB" | "kiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(want()),
    };
    let bytes = digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(want)?;
    if range.contains(&bytes) {
        return Ok(bytes);
    }
    let want =
        format!("must be a size from {} to {}", written_bytes(*range.start()), written_bytes(*range.end()));
    Err(Wrong::want_not(want, text))
}

fn written_bytes(bytes: u64) -> String {
    [(1_u64 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")]
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(|| format!("{bytes} bytes"), |(factor, unit)| format!("{}{unit}", bytes / factor))
}

/// A time: `500ms`, `10s`, `1.5s`, `2m`, `1h`.
pub(super) fn duration(text: &str, range: RangeInclusive<Duration>) -> Result<Duration, Wrong> {
    let want = || Wrong::want_not("must be a time with its unit (ms, s, m or h), such as 10s", text);
    let (digits, unit) = split_unit(text);
    let millis = match unit {
        "ms" => 1.0,
        "s" => 1000.0,
        "m" => 60_000.0,
        "h" => 3_600_000.0,
        _ => return Err(want()),
    };
    let seconds = number(digits).ok_or_else(want)? * millis / 1000.0;
    let time = Duration::try_from_secs_f64(seconds).map_err(|_| want())?;
    if range.contains(&time) {
        return Ok(time);
    }
    let want =
        format!("must be a time from {} to {}", written_time(*range.start()), written_time(*range.end()));
    Err(Wrong::want_not(want, text))
}

fn written_time(time: Duration) -> String {
    match time.as_millis() {
        0 => "0s".to_owned(),
        ms if ms.is_multiple_of(3_600_000) => format!("{}h", ms / 3_600_000),
        ms if ms.is_multiple_of(60_000) => format!("{}m", ms / 60_000),
        ms if ms.is_multiple_of(1000) => format!("{}s", ms / 1000),
        ms => format!("{ms}ms"),
    }
}

fn split_unit(text: &str) -> (&str, &str) {
    let at = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    (&text[..at], text[at..].trim_start())
}

/// Width and height: `640x480`.
pub(super) fn size(text: &str) -> Result<Size, Wrong> {
    let side = |digits: &str| {
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        let side = digits.parse::<NonZeroU32>().ok().filter(|side| plain && side.get() <= MAX_SIDE);
        side.ok_or(())
    };
    let size = text
        .split_once('x')
        .ok_or(())
        .and_then(|(width, height)| Ok(Size { width: side(width)?, height: side(height)? }));
    size.map_err(|()| {
        Wrong::want_not(format!("must be width x height in pixels, such as 640x480, up to {MAX_SIDE}"), text)
    })
}

/// As [`color`], or with a fourth part that says how much it covers: `#rrggbbaa` or `#rgba`.
pub(super) fn ink(text: &str) -> Result<Ink, Wrong> {
    let want = || Wrong::want_not("must be a colour such as \"#ff8800\", \"#f80\" or \"#f808\"", text);
    let digit = |at: usize| text.as_bytes().get(at).and_then(|&byte| char::from(byte).to_digit(16));
    let (opaque, alpha) = match text.len() {
        5 if text.is_ascii() => (&text[..4], digit(4).map(|a| a * 17)),
        9 if text.is_ascii() => (&text[..7], digit(7).zip(digit(8)).map(|(a, aa)| a * 16 + aa)),
        _ => (text, Some(255)),
    };
    let color = color(opaque).map_err(|_| want())?;
    let alpha = alpha.and_then(|alpha| u8::try_from(alpha).ok()).ok_or_else(want)?;
    Ok(Ink { color, alpha })
}

/// `#rrggbb` or `#rgb`.
pub(super) fn color(text: &str) -> Result<Color, Wrong> {
    let want = || Wrong::want_not("must be a colour such as \"#ff8800\" or \"#f80\"", text);
    let digits: Option<Vec<u8>> = text.strip_prefix('#').and_then(|digits| {
        digits.chars().map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok())).collect()
    });
    match digits.as_deref() {
        Some(&[r, g, b]) => Ok(Color { r: r * 17, g: g * 17, b: b * 17 }),
        Some(&[r, rr, g, gg, b, bb]) => Ok(Color { r: r * 16 + rr, g: g * 16 + gg, b: b * 16 + bb }),
        _ => Err(want()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY_TIME: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(86_400);

    #[test]
    fn times_have_units() {
        for (text, millis) in [
            ("500ms", 500),
            ("10s", 10_000),
            ("1.5s", 1500),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("0s", 0),
            ("10 s", 10_000),
        ] {
            assert_eq!(duration(text, ANY_TIME), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in
            ["10", "", "s", "10sec", "-1s", "1e3s", "infs", "1..2s", "10S", "99999999999999999999999s"]
        {
            assert!(duration(text, ANY_TIME).is_err(), "{text}");
        }
        assert!(duration("10", ANY_TIME).unwrap_err().want.contains("10s"));
        assert_eq!(duration("25h", ANY_TIME).unwrap_err().want, "must be a time from 0s to 24h");
    }

    #[test]
    fn sizes_are_bytes_by_thousand_or_by_1024() {
        for (text, expected) in
            [("8MiB", 8 << 20), ("500kB", 500_000), ("65536", 65_536), ("1 GB", 1_000_000_000)]
        {
            assert_eq!(bytes(text, 1..=u64::MAX), Ok(expected), "{text}");
        }
        for text in ["", "MiB", "8M", "1.5MiB", "-1", "99999999999999GiB", "8 potatoes"] {
            assert!(bytes(text, 1..=u64::MAX).is_err(), "{text}");
        }
        assert_eq!(bytes("1", 1024..=1 << 30).unwrap_err().want, "must be a size from 1KiB to 1GiB");
    }

    #[test]
    fn pictures_have_two_sides_and_colours_three_parts() {
        assert_eq!(size("1280x720").unwrap().to_string(), "1280x720");
        for text in ["", "640", "0x480", "640x", "640X480", "640 x 480", "+640x480", "9000x10", "640x480x3"] {
            assert!(size(text).is_err(), "{text}");
        }
        assert_eq!(color("#f80"), Ok(Color { r: 255, g: 136, b: 0 }));
        assert_eq!(color("#FF8801"), Ok(Color { r: 255, g: 136, b: 1 }));
        for text in ["", "#", "ff8800", "#ff880", "#gggggg", "#äöü", "red"] {
            assert!(color(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates_are_above_zero_and_finite() {
        for (text, expected) in [("1", 1.0), ("0.2", 0.2), ("29.97", 29.97), ("240", 240.0)] {
            assert_eq!(fps(text), Ok(expected));
        }
        for text in ["0.00000000000000000001", "0", "-1", "241", "nan", "inf", "1e2", "fast", "", ".", "1,5"]
        {
            assert!(fps(text).is_err(), "{text}");
        }
    }
}
