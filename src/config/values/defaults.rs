//! Defaults for fields: `#[serde(default = "secs::<10>")]`.

use std::{num::NonZeroU32, time::Duration};

use serde::de::{DeserializeOwned, value};

use super::picture::{Color, Size};

pub(crate) const fn yes() -> bool {
    true
}

pub(crate) const fn secs<const SECONDS: u64>() -> Duration {
    Duration::from_secs(SECONDS)
}

/// A small whole number, of whatever type.
pub(crate) fn number<T: From<u8>, const NUMBER: u8>() -> T {
    NUMBER.into()
}

/// A number of things or bytes.
pub(crate) fn count<T: TryFrom<u64>, const COUNT: u64>() -> T {
    T::try_from(COUNT).ok().expect("the type holds its default")
}

/// A number of things that need not have a bound.
pub(crate) fn some_count<T: TryFrom<u64>, const COUNT: u64>() -> Option<T> {
    Some(count::<T, COUNT>())
}

/// A size, whose sides are not zero.
pub(crate) const fn size<const WIDTH: u32, const HEIGHT: u32>() -> Size {
    match (NonZeroU32::new(WIDTH), NonZeroU32::new(HEIGHT)) {
        (Some(width), Some(height)) => Size { width, height },
        _ => panic!("a picture has two sides"),
    }
}

/// The colour `0xrrggbb`.
pub(crate) const fn rgb<const RGB: u32>() -> Color {
    let [_, r, g, b] = RGB.to_be_bytes();
    Color { r, g, b }
}

/// A section without keys, each of which has a default.
pub(crate) fn all_defaults<T: DeserializeOwned>() -> T {
    let keys = std::iter::empty::<(&str, &str)>();
    T::deserialize(value::MapDeserializer::<_, value::Error>::new(keys)).expect("each key has a default")
}
