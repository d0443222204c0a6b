//! The format of a file, by its first bytes.

use image::ImageFormat;

/// Number of the first bytes that an error shows if their format is unknown.
const QUOTED_BYTES: usize = 4;

/// A file format that is converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConvertibleFormat {
    Png,
    WebP,
    Gif,
    Bmp,
}

impl ConvertibleFormat {
    /// Returns the format of a file by its first bytes; `None` if it is not one of these.
    pub(super) fn detect(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x89, b'P', b'N', b'G', ..] => Some(Self::Png),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Self::WebP),
            [b'G', b'I', b'F', b'8', ..] => Some(Self::Gif),
            // Two letters alone would take any text that starts with "BM": the reserved field is 0.
            [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(Self::Bmp),
            _ => None,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Png => "PNG",
            Self::WebP => "WebP",
            Self::Gif => "GIF",
            Self::Bmp => "BMP",
        }
    }
}

impl From<ConvertibleFormat> for ImageFormat {
    fn from(format: ConvertibleFormat) -> Self {
        match format {
            ConvertibleFormat::Png => Self::Png,
            ConvertibleFormat::WebP => Self::WebP,
            ConvertibleFormat::Gif => Self::Gif,
            ConvertibleFormat::Bmp => Self::Bmp,
        }
    }
}

/// Names the type of data that are no picture, for the error message to their sender.
pub(super) fn looks_like(bytes: &[u8]) -> String {
    let text = bytes.trim_ascii_start();
    let lower = text[..text.len().min(64)].to_ascii_lowercase();
    let known = match bytes {
        [] => Some("an empty body"),
        [b'%', b'P', b'D', b'F', ..] => Some("a PDF"),
        [b'P', b'K', 3, 4, ..] => Some("a ZIP archive"),
        [0x1F, 0x8B, ..] => Some("gzip data"),
        [b'I', b'I', b'*', 0, ..] | [b'M', b'M', 0, b'*', ..] => Some("a TIFF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', ..] => Some("an AVIF"),
        [_, _, _, _, b'f', b't', b'y', b'p', b'h' | b'm', b'e' | b'i', ..] => Some("a HEIC"),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some("an MP4"),
        [0x1A, 0x45, 0xDF, 0xA3, ..] => Some("a Matroska or WebM video"),
        _ if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") => Some("an HTML page"),
        _ if lower.starts_with(b"<svg") => Some("an SVG"),
        _ if lower.starts_with(b"<") => Some("XML"),
        _ if lower.starts_with(b"{") || lower.starts_with(b"[") => Some("JSON"),
        _ if lower.starts_with(b"--") => Some("multipart data"),
        _ if lower.iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()) => Some("text"),
        _ => None,
    };
    known.map_or_else(
        || {
            let first: Vec<_> = bytes.iter().take(QUOTED_BYTES).map(|byte| format!("{byte:02X}")).collect();
            format!("something that starts with {}", first.join(" "))
        },
        str::to_owned,
    )
}
