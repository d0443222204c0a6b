//! The benchmark's pictures: JPEGs to everything that walks segments, with the time they were sent and their
//! number.
//!
//! All processes of a run share one machine and its clock, so that a viewer can tell a picture's age.

use std::time::{SystemTime, UNIX_EPOCH};

/// Stands at the start of the comment segment right behind SOI.
const MAGIC: &[u8] = b"framecast-fanout";

/// SOI, the comment's marker and length.
const STAMP_AT: usize = 6;

/// Magic, nanoseconds since 1970 and tick, both hexadecimal.
const STAMP_LEN: usize = MAGIC.len() + 16 + 8;

/// Number of bytes of a picture that hold its stamp.
pub(crate) const STAMPED_BYTES: usize = STAMP_AT + STAMP_LEN;

/// When a picture was sent, and which of its camera's ticks it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    /// Nanoseconds since 1970.
    pub sent_ns: u64,
    /// Counts intervals since the camera process started; ticks that the camera had to leave out are missing.
    pub tick: u32,
}

/// Nanoseconds since 1970.
pub(crate) fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

impl Stamp {
    /// Writes it into a picture made by [`picture`].
    pub(crate) fn write(self, jpeg: &mut [u8]) {
        let text = format!("{:016x}{:08x}", self.sent_ns, self.tick);
        jpeg[STAMP_AT + MAGIC.len()..STAMPED_BYTES].copy_from_slice(text.as_bytes());
    }

    /// The stamp of a picture, of which the first [`STAMPED_BYTES`] are enough; none in other pictures.
    pub(crate) fn read(jpeg: &[u8]) -> Option<Self> {
        let stamp = jpeg.get(STAMP_AT..STAMPED_BYTES)?.strip_prefix(MAGIC)?;
        let stamp = std::str::from_utf8(stamp).ok()?;
        let (sent, tick) = stamp.split_at(16);
        Some(Self { sent_ns: u64::from_str_radix(sent, 16).ok()?, tick: u32::from_str_radix(tick, 16).ok()? })
    }
}

/// A picture of exactly `len` bytes.
pub(crate) fn picture(len: usize) -> Vec<u8> {
    const HUFFMAN: [u8; 21] = [0xff, 0xc4, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    const FRAME: [u8; 13] = [0xff, 0xc0, 0, 11, 8, 0x02, 0xd0, 0x05, 0x00, 1, 1, 0x11, 0];
    const SCAN: [u8; 10] = [0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0];
    let mut jpeg = vec![0xff, 0xd8, 0xff, 0xfe, 0];
    jpeg.push(u8::try_from(STAMP_LEN + 2).expect("a stamp is shorter than 254 bytes"));
    jpeg.extend_from_slice(MAGIC);
    jpeg.resize(STAMPED_BYTES, b'0');
    jpeg.extend_from_slice(&HUFFMAN);
    jpeg.extend_from_slice(&FRAME);
    jpeg.extend_from_slice(&SCAN);
    // As in real picture data, every 256th byte or so is FF, and a zero stands behind it.
    let mut random = fastrand::Rng::with_seed(len as u64);
    while jpeg.len() < len - 2 {
        let byte = random.u8(..);
        if byte != 0xff {
            jpeg.push(byte);
        } else if jpeg.len() < len - 3 {
            jpeg.extend_from_slice(&[0xff, 0]);
        }
    }
    jpeg.extend_from_slice(&[0xff, 0xd9]);
    jpeg
}
