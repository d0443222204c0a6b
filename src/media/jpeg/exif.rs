//! The time in a picture's EXIF segment (EXIF 2.32, 4.6.5).

use std::time::SystemTime;

use jiff::{
    civil::DateTime,
    tz::{Offset, TimeZone},
};

use super::marker;

const HEADER: &[u8] = b"Exif\0\0";

const EXIF_DIRECTORY: u16 = 0x8769;
const DATE_TIME_ORIGINAL: u16 = 0x9003;
const OFFSET_TIME_ORIGINAL: u16 = 0x9011;
const SUB_SEC_TIME_ORIGINAL: u16 = 0x9291;

/// Maximum number of entries that are searched: a camera's directory has some 40.
const MAX_ENTRIES: u16 = 256;

/// Returns the time at which a picture was taken (`DateTimeOriginal` with its fraction and offset); without an
/// offset in this machine's time zone. `None` when there is no EXIF segment before the tables, or no such
/// time in it.
pub(crate) fn capture_time(jpeg: &[u8]) -> Option<SystemTime> {
    let tiff = tiff(jpeg)?;
    let order = match tiff.get(..4)? {
        b"II*\0" => Order::Little,
        b"MM\0*" => Order::Big,
        _ => return None,
    };
    let tiff = Tiff { bytes: tiff, order };
    let first = tiff.u32(4)?;
    let directory = tiff.u32(tiff.entry(first, EXIF_DIRECTORY)? + 8)?;
    let time: DateTime = {
        let text = tiff.text(tiff.entry(directory, DATE_TIME_ORIGINAL)?)?;
        DateTime::strptime("%Y:%m:%d %H:%M:%S", text).ok()?
    };
    let text = |tag| tiff.entry(directory, tag).and_then(|entry| tiff.text(entry));
    let fraction = text(SUB_SEC_TIME_ORIGINAL).filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let nanos = format!("{:0<9.9}", fraction.unwrap_or_default()).parse().ok()?;
    let time = time.with().subsec_nanosecond(nanos).build().ok()?;
    let zone = text(OFFSET_TIME_ORIGINAL).and_then(offset).map_or_else(TimeZone::system, TimeZone::fixed);
    Some(time.to_zoned(zone).ok()?.timestamp().into())
}

/// Returns the content of the EXIF segment, which is among the first segments.
fn tiff(jpeg: &[u8]) -> Option<&[u8]> {
    let mut rest = jpeg.get(2..)?;
    while let [0xff, code @ marker::APP0..=marker::APP15, high, low, ..] = *rest {
        let segment = rest.get(4..2 + usize::from(u16::from_be_bytes([high, low])))?;
        if code == marker::APP1
            && let Some(tiff) = segment.strip_prefix(HEADER)
        {
            return Some(tiff);
        }
        rest = &rest[4 + segment.len()..];
    }
    None
}

/// Parses `+02:00`.
fn offset(text: &str) -> Option<Offset> {
    let (sign, rest) = text.split_at_checked(1)?;
    let (hours, minutes) = rest.split_once(':')?;
    let seconds = hours.parse::<u8>().ok().filter(|hours| *hours < 24).map(i32::from)? * 3600
        + minutes.parse::<u8>().ok().filter(|minutes| *minutes < 60).map(i32::from)? * 60;
    match sign {
        "+" => Offset::from_seconds(seconds).ok(),
        "-" => Offset::from_seconds(-seconds).ok(),
        _ => None,
    }
}

#[derive(Clone, Copy)]
enum Order {
    Little,
    Big,
}

struct Tiff<'a> {
    bytes: &'a [u8],
    order: Order,
}

impl<'a> Tiff<'a> {
    fn u16(&self, at: u32) -> Option<u16> {
        let two = self.bytes.get(at as usize..)?.first_chunk()?;
        Some(match self.order {
            Order::Little => u16::from_le_bytes(*two),
            Order::Big => u16::from_be_bytes(*two),
        })
    }

    fn u32(&self, at: u32) -> Option<u32> {
        let four = self.bytes.get(at as usize..)?.first_chunk()?;
        Some(match self.order {
            Order::Little => u32::from_le_bytes(*four),
            Order::Big => u32::from_be_bytes(*four),
        })
    }

    /// Returns the offset of an entry in the directory at `directory`.
    fn entry(&self, directory: u32, tag: u16) -> Option<u32> {
        let count = self.u16(directory)?.min(MAX_ENTRIES);
        let entries = (0..u32::from(count)).map_while(|n| directory.checked_add(2 + 12 * n));
        entries.into_iter().find(|at| self.u16(*at) == Some(tag))
    }

    /// Returns the text of an entry, without the NUL at its end.
    fn text(&self, entry: u32) -> Option<&'a str> {
        let len = self.u32(entry + 4)?;
        // Up to four bytes stand in the entry itself.
        let at = if len <= 4 { entry + 8 } else { self.u32(entry + 8)? } as usize;
        let bytes = self.bytes.get(at..at.checked_add(len as usize)?)?;
        Some(str::from_utf8(bytes).ok()?.trim_end_matches('\0').trim())
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    /// A picture's start with an EXIF segment that has these texts.
    pub(crate) fn with_texts(little: bool, texts: &[(u16, &str)]) -> Vec<u8> {
        let short = |n: u16| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let long = |n: u32| if little { n.to_le_bytes() } else { n.to_be_bytes() };
        let mut tiff = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
        tiff.extend(long(8));
        tiff.extend(short(1));
        tiff.extend([&short(EXIF_DIRECTORY)[..], &short(4), &long(1), &long(26), &long(0)].concat());
        tiff.extend(short(texts.len() as u16));
        let mut data = Vec::new();
        let start = tiff.len() + 12 * texts.len();
        for (tag, text) in texts {
            let value = [text.as_bytes(), b"\0"].concat();
            tiff.extend([&short(*tag)[..], &short(2), &long(value.len() as u32)].concat());
            if value.len() <= 4 {
                tiff.extend(value.iter().copied().chain([0; 4]).take(4));
            } else {
                tiff.extend(long((start + data.len()) as u32));
                data.extend(value);
            }
        }
        let body = [HEADER, &tiff, &data].concat();
        let length = (body.len() as u16 + 2).to_be_bytes();
        [b"\xff\xd8\xff\xe0\0\x04ab\xff\xe1", &length[..], &body, b"\xff\xdb"].concat()
    }

    #[test]
    fn the_time_is_read_with_its_fraction_and_offset_in_both_byte_orders() {
        for little in [false, true] {
            let jpeg = with_texts(
                little,
                &[
                    (DATE_TIME_ORIGINAL, "2023:11:15 00:13:20"),
                    (OFFSET_TIME_ORIGINAL, "+02:00"),
                    (SUB_SEC_TIME_ORIGINAL, "25"),
                ],
            );
            assert_eq!(capture_time(&jpeg), Some(UNIX_EPOCH + Duration::from_millis(1_700_000_000_250)));
            (0..jpeg.len() - 2).for_each(|len| _ = capture_time(&jpeg[..len]));
        }
    }

    #[test]
    fn nonsense_is_no_time() {
        for text in ["", "0000:00:00 00:00:00", "2023-11-15T00:13:20", "    :  :     :  :  "] {
            assert_eq!(capture_time(&with_texts(true, &[(DATE_TIME_ORIGINAL, text)])), None, "{text}");
        }
        assert_eq!(capture_time(&with_texts(true, &[])), None);
        assert_eq!(capture_time(b"\xff\xd8\xff\xdb\0\x04ab"), None);
        for text in ["02:00", "+2", "+25:00", "+02:60", "", "±02:00"] {
            assert_eq!(offset(text), None, "{text}");
        }
    }

    #[test]
    fn offsets_that_lead_outside_are_not_followed() {
        let whole = with_texts(true, &[(DATE_TIME_ORIGINAL, "2023:11:15 00:13:20")]);
        for at in 8..whole.len() - 1 {
            let mut broken = whole.clone();
            broken[at] = 0xff;
            let _ = capture_time(&broken);
        }
    }
}
