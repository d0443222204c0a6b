//! Recognition of bodies that contain no picture, by their first bytes or their `Content-Type`.
//!
//! A body that is not a camera's may be anything: the page of a router, or a document of a service that
//! viewers must not read. So only its type is repeated, from the closed list of [`MediaType`], and for
//! administrators the title of a page.

use std::fmt;

/// First bytes of a body that are examined: the head of most pages, with its title.
pub const SNIFF_BYTES: usize = 1024;

/// Longest title that is kept, in characters.
const MAX_TITLE: usize = 80;

/// Types that may be shown to everybody.
const KNOWN_TYPES: [&str; 54] = [
    "text/html",
    "text/plain",
    "text/css",
    "text/csv",
    "text/javascript",
    "text/xml",
    "application/xhtml+xml",
    "application/xml",
    "application/json",
    "application/problem+json",
    "application/javascript",
    "application/octet-stream",
    "application/pdf",
    "application/zip",
    "application/gzip",
    "application/sdp",
    "application/x-rtsp-tunnelled",
    "application/vnd.apple.mpegurl",
    "application/x-mpegurl",
    "application/dash+xml",
    "image/jpeg",
    "image/png",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/svg+xml",
    "image/avif",
    "image/heic",
    "image/tiff",
    "image/x-icon",
    "video/mp4",
    "video/mpeg",
    "video/mp2t",
    "video/webm",
    "video/x-flv",
    "video/x-msvideo",
    "video/quicktime",
    "video/h264",
    "video/h265",
    "video/hevc",
    "video/mp4v-es",
    "audio/mp4",
    "audio/pcm",
    "audio/l16",
    "audio/g711",
    "audio/g726",
    "audio/x-wav",
    "audio/x-mulaw",
    "audio/mpeg",
    "audio/aac",
    "audio/ogg",
    "audio/wav",
    "audio/basic",
    "multipart/form-data",
];

/// A media type of a closed list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MediaType(&'static str);

impl MediaType {
    /// Returns the type in a `Content-Type` header, without its parameters; `None` if it is not in the
    /// list.
    pub fn from_header(header: &str) -> Option<Self> {
        let essence = header.split(';').next().unwrap_or_default().trim();
        KNOWN_TYPES.into_iter().find(|known| known.eq_ignore_ascii_case(essence)).map(Self)
    }

    /// Returns the type that a body's first bytes show, or `text/plain` if they are words.
    pub fn sniff_or_words(bytes: &[u8]) -> Option<Self> {
        let bytes = &bytes[..bytes.len().min(SNIFF_BYTES)];
        let is_plain = |text: &str| !text.chars().any(|c| c.is_control() && !c.is_whitespace());
        Self::sniff(bytes).or_else(|| match str::from_utf8(bytes) {
            Ok(text) if is_plain(text) && !text.trim().is_empty() => Some(Self("text/plain")),
            _ => None,
        })
    }

    /// Returns whether it is a type of films, which cameras send in place of pictures.
    pub fn is_video(self) -> bool {
        self.0.starts_with("video/")
    }

    /// Returns advice for a camera that sends this type in place of JPEGs, where there is any.
    pub fn advice(self) -> Option<&'static str> {
        const ADVICE: &str = "framecast takes JPEG: choose MJPEG in the camera's settings, or use its \
                              rtsp:// address";
        (self.is_video() || self.0.starts_with("audio/")).then_some(ADVICE)
    }

    /// Returns the type that a body's first bytes show; `None` for JPEGs and unknown types.
    pub fn sniff(bytes: &[u8]) -> Option<Self> {
        let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii_start();
        let found = match bytes {
            [0x89, b'P', b'N', b'G', ..] => "image/png",
            [b'G', b'I', b'F', b'8', ..] => "image/gif",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => "image/webp",
            [b'R', b'I', b'F', b'F', _, _, _, _, b'A', b'V', b'I', b' ', ..] => "video/x-msvideo",
            [b'B', b'M', ..] => "image/bmp",
            [b'%', b'P', b'D', b'F', ..] => "application/pdf",
            [b'P', b'K', 3, 4, ..] => "application/zip",
            [0x1f, 0x8b, ..] => "application/gzip",
            [b'F', b'L', b'V', ..] => "video/x-flv",
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => "video/mp4",
            _ if text.starts_with(b"#EXTM3U") => "application/vnd.apple.mpegurl",
            _ if starts_with_word(text, b"<?xml") => "application/xml",
            _ if starts_with_word(text, b"<svg") => "image/svg+xml",
            _ if text.starts_with(b"<") => "text/html",
            _ if text.starts_with(b"{") || text.starts_with(b"[") => "application/json",
            _ => return None,
        };
        Some(Self(found))
    }

    /// Returns the type as in a `Content-Type`.
    pub fn as_str(self) -> &'static str {
        self.0
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The title of an HTML page: foreign text, for administrators only. Bounded, and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageTitle(String);

impl PageTitle {
    /// Returns the title in a page's first bytes, of which [`SNIFF_BYTES`] are examined.
    pub fn find(page: &[u8]) -> Option<Self> {
        let page = &page[..page.len().min(SNIFF_BYTES)];
        let tag = page.windows(6).position(|window| window.eq_ignore_ascii_case(b"<title"))?;
        let after = &page[tag + 6..];
        let start = memchr::memchr(b'>', after)? + 1;
        let text = &after[start..];
        // Without the end tag the page was cut within the title.
        let end = memchr::memchr(b'<', text).unwrap_or(text.len());
        let text = String::from_utf8_lossy(&text[..end]);
        let plain: String = text.chars().map(|c| if is_invisible(c) { ' ' } else { c }).collect();
        let title: Vec<_> = plain.split_whitespace().collect();
        let title: String = title.join(" ").chars().take(MAX_TITLE).collect();
        (!title.is_empty()).then_some(Self(title))
    }
}

impl fmt::Display for PageTitle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Type and title of a body without pictures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyContent {
    /// The type; `None` if it was not recognised.
    pub media: Option<MediaType>,
    /// The page's title.
    pub title: Option<PageTitle>,
}

impl BodyContent {
    /// Examines the first bytes of a body without a picture.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self { media: MediaType::sniff_or_words(bytes), title: PageTitle::find(bytes) }
    }
}

/// Returns ` (text/html, "Log in")` for administrators, or an empty text.
impl fmt::Display for BodyContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.media, &self.title) {
            (Some(media), Some(title)) => write!(f, " ({media}, \"{title}\")"),
            (Some(media), None) => write!(f, " ({media})"),
            (None, _) => Ok(()),
        }
    }
}

/// Returns whether a character is a control character, changes the direction of text, or is invisible.
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

fn starts_with_word(text: &[u8], word: &[u8]) -> bool {
    text.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_types_of_the_list_are_named() {
        assert_eq!(
            MediaType::from_header("Text/HTML; charset=utf-8").map(MediaType::as_str),
            Some("text/html")
        );
        for header in ["", "text/s3cret", "s3cret", "text/html2", "text/html,s3cret"] {
            assert_eq!(MediaType::from_header(header), None, "{header}");
        }
        for (bytes, media) in [
            (&b"<!DOCTYPE html><p>s3cret"[..], Some("text/html")),
            (b"\xef\xbb\xbf\r\n <HTML>", Some("text/html")),
            (b"<?xml version", Some("application/xml")),
            (b" {\"password\": 1}", Some("application/json")),
            (b"\x89PNG\r\n", Some("image/png")),
            (b"\xff\xd8\xff", None),
            (b"root:x:0:0:", None),
            (b"", None),
        ] {
            assert_eq!(MediaType::sniff(bytes).map(MediaType::as_str), media, "{bytes:?}");
        }
        for (bytes, media) in [
            (&b"root:x:0:0:"[..], Some("text/plain")),
            ("bitte anmelden: Tür\r\n".as_bytes(), Some("text/plain")),
            (b"{\"password\": 1}", Some("application/json")),
            (b" \r\n", None),
            (b"\x55\xaa\x55\xaa", None),
            (b"words\0", None),
        ] {
            assert_eq!(MediaType::sniff_or_words(bytes).map(MediaType::as_str), media, "{bytes:?}");
        }
    }

    #[test]
    fn a_title_is_bounded_and_plain() {
        let title = |page: &str| PageTitle::find(page.as_bytes()).map(|title| title.to_string());
        assert_eq!(
            title("<html><head><Title lang=de>\n  Log\u{7}\u{202e}in \t</title>"),
            Some("Log in".into())
        );
        assert_eq!(title(&format!("<title>{}", "x".repeat(5000))).map(|title| title.len()), Some(MAX_TITLE));
        assert_eq!(title(&format!("{}<title>late</title>", " ".repeat(SNIFF_BYTES))), None);
        for none in ["", "<title></title>", "<title", "no page", "<p>title</p>"] {
            assert_eq!(title(none), None, "{none}");
        }
    }
}
