//! Numbers in a range, times and sizes.

use std::{fmt::Display, marker::PhantomData, str::FromStr, time::Duration};

use serde_json::{Value, json};

use super::scalar::{Scalar, Wrong, scalar};

/// Times in milliseconds.
pub(crate) const SECOND: u64 = 1000;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

/// Sizes in bytes.
pub(crate) const KIB: u64 = 1024;
pub(crate) const MIB: u64 = 1024 * KIB;
pub(crate) const GIB: u64 = 1024 * MIB;

/// A whole number in a range.
pub(crate) struct Count<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: FromStr + Display, const MIN: u64, const MAX: u64> Scalar for Count<T, MIN, MAX> {
    type Value = T;

    fn unit() -> String {
        format!("number, {MIN} to {MAX}")
    }

    fn read(text: &str) -> Result<T, Wrong> {
        let is_in_range = text.parse().is_ok_and(|number| (MIN..=MAX).contains(&number));
        let number = text.parse().ok().filter(|_| is_in_range);
        number.ok_or_else(|| Wrong::shown(format!("must be a whole number from {MIN} to {MAX}")))
    }

    fn write(value: &T) -> Option<String> {
        Some(value.to_string())
    }

    fn schema() -> Value {
        json!({"type": "integer", "minimum": MIN, "maximum": MAX})
    }
}

/// Defines a number with a fraction in a range, and how it is kept.
macro_rules! decimal {
    ($(#[$doc:meta])* $name:ident => $value:ty, $unit:expr, $min:literal, $max:literal, $of:literal,
     |$number:ident| $kept:expr, |$written:ident| $write:expr) => {
        scalar!(
            $(#[$doc])*
            struct $name => $value, $unit, "", |text| {
                let fits = |number: &f64| ($min..=$max).contains(number);
                let want = || Wrong::shown(format!("must be a number {}from {} to {}", $of, $min, $max));
                number(text).filter(fits).map(|$number| $kept).ok_or_else(want)
            },
            write |$written| $write.to_string(),
            schema json!({"type": "number", "minimum": $min, "maximum": $max})
        );
    };
}

decimal!(
    /// Frames per second; at least somewhat less than one a day, since a clock must be able to add the time
    /// between two.
    Fps => f64, "number from 0.00001 to 240", 0.00001, 240.0, "", |number| number, |fps| fps
);
decimal!(
    /// The height of letters.
    LetterHeight => f32, "pixels, 4 to 512", 4.0, 512.0, "of pixels ", |number| number as f32, |height| height
);
decimal!(
    /// A share, 0 to 1, kept as 0 to 255.
    Share => u8, "number, 0 to 1", 0.0, 1.0, "", |number| (number * 255.0).round() as u8,
    |share| (f64::from(*share) / 255.0)
);

scalar!(
    /// A number that may be below zero.
    struct Signed => f64, "number", "", |text| {
        let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
        let number = number(digits).filter(|number| number.is_finite());
        number.map(|number| number * sign).ok_or_else(|| Wrong::shown("must be a number such as -12.5"))
    }
);

/// Reads digits with at most one point: `inf`, `nan` and `1e9` are no settings.
fn number(text: &str) -> Option<f64> {
    let digits = |c: char| c.is_ascii_digit() || c == '.';
    text.chars().all(digits).then(|| text.parse().ok()).flatten()
}

/// A size in bytes: `8MiB`, `500kB`, `65536`.
pub(crate) struct Bytes<T, const MIN: u64, const MAX: u64>(PhantomData<T>);

impl<T: FromStr + Display, const MIN: u64, const MAX: u64> Scalar for Bytes<T, MIN, MAX> {
    type Value = T;

    fn unit() -> String {
        format!("size, {} to {}", written_bytes(MIN), written_bytes(MAX))
    }

    fn read(text: &str) -> Result<T, Wrong> {
        let want = || Wrong::shown("must be a size such as 8MiB, 500kB or a number of bytes");
        let (digits, unit) = split_unit(text);
        let factor = match unit {
            "" | "B" => 1_u64,
            "kB" | "KB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            "KiB" | "kiB" => KIB,
            "MiB" => MIB,
            "GiB" => GIB,
            _ => return Err(want()),
        };
        let bytes =
            digits.parse::<u64>().ok().and_then(|count| count.checked_mul(factor)).ok_or_else(want)?;
        let bytes = Some(bytes).filter(|bytes| (MIN..=MAX).contains(bytes));
        let (min, max) = (written_bytes(MIN), written_bytes(MAX));
        let want = || Wrong::shown(format!("must be a size from {min} to {max}"));
        bytes.and_then(|bytes| bytes.to_string().parse().ok()).ok_or_else(want)
    }

    fn write(value: &T) -> Option<String> {
        value.to_string().parse().ok().map(written_bytes)
    }

    fn schema() -> Value {
        let size = json!({"type": "string", "pattern": "^[0-9]+ *(B|kB|KB|MB|GB|KiB|kiB|MiB|GiB)?$"});
        json!({"anyOf": [size, {"type": "integer", "minimum": 0}]})
    }
}

fn written_bytes(bytes: u64) -> String {
    [(GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")]
        .into_iter()
        .find(|(factor, _)| bytes >= *factor && bytes.is_multiple_of(*factor))
        .map_or_else(|| format!("{bytes} bytes"), |(factor, unit)| format!("{}{unit}", bytes / factor))
}

/// A time in milliseconds: `500ms`, `10s`, `1.5s`, `2m`, `1h`.
pub(crate) struct Time<const MIN: u64, const MAX: u64>;

impl<const MIN: u64, const MAX: u64> Scalar for Time<MIN, MAX> {
    type Value = Duration;

    fn unit() -> String {
        format!("time, {} to {}", written_time(MIN.into()), written_time(MAX.into()))
    }

    fn read(text: &str) -> Result<Duration, Wrong> {
        let want = || Wrong::shown("must be a time with its unit (ms, s, m or h), such as 10s");
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
        if (Duration::from_millis(MIN)..=Duration::from_millis(MAX)).contains(&time) {
            return Ok(time);
        }
        let (min, max) = (written_time(MIN.into()), written_time(MAX.into()));
        Err(Wrong::shown(format!("must be a time from {min} to {max}")))
    }

    fn write(value: &Duration) -> Option<String> {
        Some(written_time(value.as_millis()))
    }

    fn schema() -> Value {
        json!({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? *(ms|s|m|h)$"})
    }
}

fn written_time(millis: u128) -> String {
    match millis {
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
