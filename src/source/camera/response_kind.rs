//! Detects what a camera's response holds: pictures and their framing, or something else.
//!
//! Streams, snapshots, `framecast probe` and the page's test all use this module, so that their results
//! agree. The first bytes of the body decide; the announced type matters only where they are neither a JPEG
//! nor a multipart body.

use std::time::Duration;

use bytes::BytesMut;

use crate::{
    media::multipart::{
        content_type::ContentKind,
        parser::ParseError,
        sniff::{BodyContent, MediaType, PageTitle, SNIFF_BYTES},
    },
    source::{
        error::{Deadline, SourceError},
        http_client::{BodyDeadline, Response},
    },
};

/// Maximum number of blank bytes that are skipped before a body is classified: cameras write a line break or
/// NULs.
const MAX_LEADING_BLANKS: usize = 64;

/// Bytes after the blanks that are enough to classify any body.
const ENOUGH: usize = 16;

/// Longest wait for the rest of a page, whose title is for the reason only: the stream is offline meanwhile.
const TITLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Content that a URL should return. It only selects the wording of errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A stream of pictures.
    Stream,
    /// One picture.
    Picture,
}

/// The kind of a body, by its first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BodyKind {
    /// More bytes are needed.
    NeedMore,
    /// Pictures in this framing.
    Pictures(ContentKind),
    /// Something else.
    Other,
}

/// The head of a response that may hold pictures.
#[derive(Debug, Clone)]
pub struct ResponseHead {
    kind: ContentKind,
    /// The announced type, without its parameters.
    label: String,
    host: String,
    expected: Expected,
}

impl ResponseHead {
    /// Reads a response's head.
    ///
    /// # Errors
    /// [`SourceError::Status`] unless it is a success (any 2xx: some cameras answer 206 without a request for
    /// a range), [`SourceError::ContentType`] for a compressed body, which was not requested.
    pub fn read(response: &Response<'_>, expected: Expected) -> Result<Self, SourceError> {
        let host = response.host().to_owned();
        if !(200..300).contains(&response.status()) {
            return Err(response.status_error());
        }
        let kind = ContentKind::from_header(response.content_type());
        let label = label(response.content_type());
        let coding = response.header("content-encoding").filter(|coding| *coding != "identity");
        let head = Self { kind, label, host, expected };
        match coding {
            Some(coding) => Err(head.content_error(&format!("a body compressed with {coding}"), None, None)),
            None => Ok(head),
        }
    }

    /// Classifies the body by its first bytes; `ended` says that there are no more.
    pub fn classify(&self, first: &[u8], ended: bool) -> BodyKind {
        if matches!(self.kind, ContentKind::Multipart { .. }) {
            return BodyKind::Pictures(self.kind.clone());
        }
        let blanks = first.iter().take_while(|&&byte| byte == 0 || byte.is_ascii_whitespace()).count();
        let bytes = &first[blanks.min(MAX_LEADING_BLANKS)..];
        if bytes.starts_with(b"\xff\xd8") {
            return BodyKind::Pictures(ContentKind::Jpeg);
        }
        if bytes.len() < ENOUGH && blanks < MAX_LEADING_BLANKS && !ended {
            return BodyKind::NeedMore;
        }
        let multipart = bytes.starts_with(b"--")
            || bytes.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
        if multipart {
            return BodyKind::Pictures(ContentKind::Multipart { boundary: None, quoted: false });
        }
        match self.kind {
            ContentKind::Other(_) => BodyKind::Other,
            _ if MediaType::sniff(bytes).is_some() => BodyKind::Other,
            // Labelled as pictures, or not at all: data before the first picture are skipped.
            _ => BodyKind::Pictures(self.kind.clone()),
        }
    }

    /// Returns the error for a body that [`ResponseHead::classify`] found to be something else.
    pub fn unexpected_content(&self, first: &[u8]) -> SourceError {
        self.content_error(&self.label, MediaType::sniff_or_words(first), PageTitle::find(first))
    }

    /// Returns the error for a body in which the parser found no picture.
    pub fn no_pictures(&self, error: ParseError) -> SourceError {
        let host = self.host.clone();
        match error {
            ParseError::Ended { bytes: 0, .. } => SourceError::Empty { host },
            ParseError::OtherParts { media } => SourceError::OtherParts { host, media },
            ParseError::Ended { content: BodyContent { media, title }, .. } if media.is_some() => {
                self.content_error(&self.label, media, title)
            }
            source => SourceError::NoPictures { host, source },
        }
    }

    fn content_error(
        &self,
        label: &str,
        sniffed: Option<MediaType>,
        title: Option<PageTitle>,
    ) -> SourceError {
        let (expected, what) = match self.expected {
            Expected::Stream => ("a multipart or JPEG body", "stream's"),
            Expected::Picture => ("a JPEG picture", "picture's"),
        };
        let (host, content_type) = (self.host.clone(), label.to_owned());
        SourceError::ContentType { host, content_type, sniffed, title, expected, what }
    }
}

/// Longest label that is kept, in characters.
const MAX_LABEL: usize = 80;

/// Returns the type in a `Content-Type`, without its parameters.
fn label(content_type: Option<&str>) -> String {
    let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase().chars().take(MAX_LABEL).collect()
}

/// A body whose framing is known, with the bytes that were read to find it out.
#[derive(Debug)]
pub struct DetectedBody {
    /// The head before it.
    pub head: ResponseHead,
    /// The framing of the pictures in the body.
    pub kind: ContentKind,
    /// The first bytes of the body.
    pub first: BytesMut,
    /// Whether the body ended with them.
    pub ended: bool,
}

/// Reads as much of the body as is needed to classify it.
///
/// # Errors
/// Those of reading, and [`SourceError::ContentType`] for something else than pictures.
pub async fn detect_body(
    head: &ResponseHead,
    response: &mut Response<'_>,
    deadline: BodyDeadline,
) -> Result<DetectedBody, SourceError> {
    let mut first = BytesMut::new();
    let mut ended = false;
    loop {
        match head.classify(&first, ended) {
            BodyKind::Pictures(kind) => return Ok(DetectedBody { head: head.clone(), kind, first, ended }),
            BodyKind::Other => break,
            BodyKind::NeedMore => match response.chunk(deadline).await? {
                Some(piece) => first.extend_from_slice(&piece),
                None => ended = true,
            },
        }
    }
    let soon = BodyDeadline::new(Deadline::FirstFrame, TITLE_TIMEOUT);
    // An error ends it as well: the bytes so far are enough for a reason.
    while first.len() < SNIFF_BYTES
        && let Ok(Some(piece)) = response.chunk(soon).await
    {
        first.extend_from_slice(&piece);
    }
    Err(head.unexpected_content(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(content_type: Option<&str>) -> ResponseHead {
        let kind = ContentKind::from_header(content_type);
        ResponseHead { kind, label: label(content_type), host: "cam:80".into(), expected: Expected::Stream }
    }

    const PAGE: &[u8] = b"<html><title>Log in</title></html>";

    #[test]
    fn a_jpeg_is_one_whatever_its_label() {
        for label in ["text/plain", "text/html", "application/force-download", "image/jpeg", "video/h264"] {
            for start in [&b""[..], b"\r\n", b"\0\0\0\0", b"\n \t"] {
                let body = [start, b"\xff\xd8\xff\xe0"].concat();
                for end in 0..start.len() + 2 {
                    assert_eq!(head(Some(label)).classify(&body[..end], false), BodyKind::NeedMore);
                }
                let kind = head(Some(label)).classify(&body, false);
                assert_eq!(kind, BodyKind::Pictures(ContentKind::Jpeg), "{label} {start:?}");
            }
        }
    }

    #[test]
    fn a_multipart_body_is_one_whatever_its_label() {
        let learnt = BodyKind::Pictures(ContentKind::Multipart { boundary: None, quoted: false });
        for body in [
            &b"--frame\r\nContent-Type: image/jpeg"[..],
            b"\r\n--frame\r\nContent-T",
            b"Content-Type: image/jpeg",
        ] {
            assert_eq!(head(Some("text/plain")).classify(body, false), learnt);
            assert_eq!(head(None).classify(body, false), learnt);
        }
        let known = head(Some("multipart/x-mixed-replace; boundary=x"));
        assert!(matches!(known.classify(b"", false), BodyKind::Pictures(ContentKind::Multipart { .. })));
    }

    #[test]
    fn anything_else_is_refused_with_its_type_its_label_and_its_title() {
        for (label, body, reason) in [
            (Some("text/html"), PAGE, "answered text/html (\"Log in\")"),
            (Some("image/jpeg"), PAGE, "answered text/html labelled image/jpeg (\"Log in\")"),
            (None, PAGE, "answered text/html without a type (\"Log in\")"),
            (Some("text/plain"), b"please log in first", "answered text/plain"),
            (Some("video/h264"), b"\0\0\0\x01\x67 and so on, and on", "answered video/h264"),
            (Some("text/html"), b"{\"error\": \"log in\"}", "answered application/json labelled text/html"),
            (Some("text/html"), b"please log in first", "answered text/plain labelled text/html"),
            (
                Some("Application/Octet-Stream; a=b"),
                PAGE,
                "answered text/html labelled application/octet-stream (\"Log in\")",
            ),
            (Some("image/jpeg"), b"\x89PNG\r\n\x1a\n0123456789", "answered image/png labelled image/jpeg"),
        ] {
            let head = head(label);
            assert_eq!(head.classify(body, true), BodyKind::Other, "{label:?}");
            let error = head.unexpected_content(body).to_string();
            let expected = format!("cam:80 {reason} where a multipart or JPEG body was expected");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn unknown_bytes_under_a_fitting_label_are_left_to_the_parser() {
        for label in [None, Some("image/jpeg"), Some("application/octet-stream")] {
            let kind = head(label).classify(&[0x55; 20], false);
            assert_eq!(kind, BodyKind::Pictures(ContentKind::from_header(label)));
        }
        assert_eq!(head(None).classify(b"", true), BodyKind::Pictures(ContentKind::Missing));
        assert_eq!(head(Some("text/html")).classify(b"", true), BodyKind::Other);
    }
}
