//! Which way up a camera says its picture is.

/// The EXIF orientation, 1 to 8; 1, upright, when the picture does not say.
pub(crate) fn orientation(jpeg: &[u8]) -> u16 {
    let mut rest = jpeg.get(2..).unwrap_or_default();
    while let [0xff, code, high, low, ..] = *rest {
        let len = usize::from(u16::from_be_bytes([high, low]));
        if code == 0xda || len < 2 {
            break;
        }
        let Some(segment) = rest.get(4..2 + len) else { break };
        if code == 0xe1
            && let Some(tiff) = segment.strip_prefix(b"Exif\0\0")
        {
            return in_tiff(tiff).filter(|found| (1..=8).contains(found)).unwrap_or(1);
        }
        rest = &rest[2 + len..];
    }
    1
}

/// Tag 0x0112 in the first directory (TIFF 6.0).
fn in_tiff(tiff: &[u8]) -> Option<u16> {
    const ORIENTATION: u16 = 0x0112;
    let little = tiff.starts_with(b"II");
    let short = |at: usize| {
        let bytes = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if little { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    };
    let halves = (usize::from(short(4)?), usize::from(short(6)?));
    let directory = if little { halves.1 << 16 | halves.0 } else { halves.0 << 16 | halves.1 };
    let entries = usize::from(short(directory)?);
    (0..entries)
        .map(|n| directory + 2 + 12 * n)
        .find(|&at| short(at) == Some(ORIENTATION))
        .and_then(|at| short(at + 8))
}
