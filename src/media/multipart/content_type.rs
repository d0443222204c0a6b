//! Reads the kind of a body from the `Content-Type` of a camera's response.
//!
//! Lenient, as cameras are: quoted boundaries, other parameters around, missing boundaries, any case. The
//! boundary of the body may differ from the announced one, which
//! [`PartParser`](crate::media::multipart::parser::PartParser) detects.

/// Longest boundary that is searched for; RFC 2046 allows 70 characters, some cameras use more.
const MAX_BOUNDARY: usize = 200;

/// Longest type of other bodies that is kept, in characters.
const MAX_TYPE: usize = 80;

/// The kind of body that is announced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ContentKind {
    /// A body of parts between delimiters.
    Multipart {
        /// The announced boundary without quotes; `None` when it is missing, empty or too long.
        boundary: Option<String>,
        /// Whether it was quoted.
        quoted: bool,
    },
    /// A body of JPEGs end to end, or a single one.
    Jpeg,
    /// A body without an announced type, which is examined.
    Missing,
    /// Another body, such as a login page, with its type in lower case.
    Other(String),
}

impl ContentKind {
    /// Reads the value of a `Content-Type` header.
    pub fn from_header(value: Option<&str>) -> Self {
        let value = value.map(str::trim).unwrap_or_default();
        let (essence, parameters) = value.split_once(';').unwrap_or((value, ""));
        let essence = essence.trim().to_ascii_lowercase();
        match essence.as_str() {
            "" => Self::Missing,
            "image/jpeg"
            | "image/jpg"
            | "image/pjpeg"
            | "video/x-motion-jpeg"
            | "video/x-jpeg"
            | "video/mjpeg"
            | "application/octet-stream" => Self::Jpeg,
            _ if essence.starts_with("multipart/") => match boundary(parameters) {
                Some((boundary, quoted)) => Self::Multipart { boundary: Some(boundary), quoted },
                None => Self::Multipart { boundary: None, quoted: false },
            },
            _ => Self::Other(essence.chars().take(MAX_TYPE).collect()),
        }
    }

    /// Returns the announced boundary.
    pub fn boundary(&self) -> Option<&str> {
        match self {
            Self::Multipart { boundary, .. } => boundary.as_deref(),
            _ => None,
        }
    }
}

/// Returns the `boundary` among parameters such as ` charset=utf-8; boundary="a;b"; x=y`, and whether it was
/// quoted.
fn boundary(parameters: &str) -> Option<(String, bool)> {
    let mut rest = parameters;
    loop {
        rest = rest.trim_start_matches([';', ',', ' ', '\t']);
        if rest.is_empty() {
            return None;
        }
        let name_end = rest.find(['=', ';']).unwrap_or(rest.len());
        let name = rest[..name_end].trim();
        rest = &rest[name_end..];
        let Some(value) = rest.strip_prefix('=') else { continue };
        let (value, quoted, after) = parameter_value(value.trim_start());
        if name.eq_ignore_ascii_case("boundary") {
            let fits = (1..=MAX_BOUNDARY).contains(&value.len());
            return fits.then_some((value, quoted));
        }
        rest = after;
    }
}

/// Reads a token or a quoted string (RFC 9110, 5.6.4); returns it, whether it was quoted, and the rest. A
/// quote that is never closed ends with the text.
fn parameter_value(text: &str) -> (String, bool, &str) {
    let Some(inner) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim_end().to_owned(), false, &text[end..]);
    };
    let mut value = String::new();
    let mut characters = inner.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return (value, true, &inner[at + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(character),
        }
    }
    (value, true, "")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kind(value: &str) -> ContentKind {
        ContentKind::from_header(Some(value))
    }

    #[test]
    fn the_boundary_is_found_wherever_and_however_it_stands() {
        let plain =
            |boundary: &str| ContentKind::Multipart { boundary: Some(boundary.into()), quoted: false };
        let quoted =
            |boundary: &str| ContentKind::Multipart { boundary: Some(boundary.into()), quoted: true };
        for (value, expected) in [
            ("multipart/x-mixed-replace;boundary=cam", plain("cam")),
            ("multipart/x-mixed-replace; boundary=--cam", plain("--cam")),
            ("multipart/x-mixed-replace; boundary = cam ", plain("cam")),
            ("Multipart/X-Mixed-Replace ;BOUNDARY=Cam", plain("Cam")),
            ("multipart/mixed; charset=utf-8; boundary=cam; x=y", plain("cam")),
            ("multipart/x-mixed-replace; flag; boundary=cam", plain("cam")),
            ("multipart/x-mixed-replace;; boundary=a=b", plain("a=b")),
            ("multipart/x-mixed-replace; boundary=\"cam\"", quoted("cam")),
            ("multipart/x-mixed-replace; x=\"boundary=no;\\\"\"; boundary=\"a;b\"; y", quoted("a;b")),
            ("multipart/x-mixed-replace; boundary=\"cam", quoted("cam")),
        ] {
            assert_eq!(kind(value), expected, "{value}");
        }
    }

    #[test]
    fn a_boundary_that_is_no_use_is_none() {
        let long = format!("multipart/x-mixed-replace; boundary={}", "x".repeat(MAX_BOUNDARY + 1));
        for value in
            ["multipart/x-mixed-replace", "multipart/x-mixed-replace; boundary=", "multipart/a; b=c;", &long]
        {
            assert_eq!(kind(value), ContentKind::Multipart { boundary: None, quoted: false }, "{value}");
        }
    }

    #[test]
    fn bodies_without_parts_are_told_apart() {
        for value in ["image/jpeg", "Image/JPG; x=y", "video/x-motion-jpeg", "application/octet-stream"] {
            assert_eq!(kind(value), ContentKind::Jpeg, "{value}");
        }
        assert_eq!(ContentKind::from_header(None), ContentKind::Missing);
        assert_eq!(kind("  "), ContentKind::Missing);
        assert_eq!(kind("Text/HTML; charset=utf-8"), ContentKind::Other("text/html".into()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(value in "(multipart/a;)?[ -~é;=\"\\\\]*") {
            kind(&value);
        }
    }
}
