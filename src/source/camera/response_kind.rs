//! Decides what the answer of a camera holds: pictures and their framing, or something else.
//!
//! The only place for it: streams, snapshots, `framecast probe` and the page's test all ask here, so that
//! they cannot disagree. The first bytes decide; the announced type matters only where they are neither a
//! JPEG nor a multipart body.

use std::time::Duration;

use bytes::BytesMut;

use crate::{
    media::multipart::{
        content_type::ContentKind,
        sniff::{MediaType, PageTitle, SNIFF_BYTES},
    },
    source::{
        error::{Deadline, SourceError},
        http_client::{BodyDeadline, Response},
    },
};

/// Blank bytes in front of a body that are skipped while it is judged: cameras write a line break or NULs.
const MAX_LEADING_BLANKS: usize = 64;

/// Bytes after the blanks from which every verdict can be given.
const ENOUGH: usize = 16;

/// Longest wait for the rest of a page, whose title is for the reason only: the stream is offline meanwhile.
const TITLE_TIMEOUT: Duration = Duration::from_secs(1);

/// Content that a URL should return. It only chooses words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A stream of pictures.
    Stream,
    /// One picture.
    Picture,
}

/// The kind of a body, by its first bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// More bytes are needed.
    NeedMore,
    /// Pictures in this framing.
    Pictures(ContentKind),
    /// Something else.
    Other,
}

/// The head of an answer that may hold pictures.
#[derive(Debug, Clone)]
pub struct Announced {
    kind: ContentKind,
    host: String,
    expected: Expected,
}

impl Announced {
    /// Reads an answer's head.
    ///
    /// # Errors
    /// [`SourceError::Status`] unless it is a success (any 2xx: some cameras answer 206 without being asked
    /// for a range), [`SourceError::ContentType`] for a compressed body, which was never asked for.
    pub fn read(response: &Response<'_>, expected: Expected) -> Result<Self, SourceError> {
        let host = response.host().to_owned();
        if !(200..300).contains(&response.status()) {
            return Err(SourceError::Status { host, status: response.status_text() });
        }
        let kind = ContentKind::from_header(response.content_type());
        let coding = response.header("content-encoding").filter(|coding| *coding != "identity");
        let announced = Self { kind, host, expected };
        match coding {
            Some(coding) => {
                Err(announced.refusal_of(&format!("a body compressed with {coding}"), None, None))
            }
            None => Ok(announced),
        }
    }

    /// Judges the first bytes of the body; `ended` says that there are no more.
    pub fn judge(&self, first: &[u8], ended: bool) -> Verdict {
        if matches!(self.kind, ContentKind::Multipart { .. }) {
            return Verdict::Pictures(self.kind.clone());
        }
        let blanks = first.iter().take_while(|&&byte| byte == 0 || byte.is_ascii_whitespace()).count();
        let bytes = &first[blanks.min(MAX_LEADING_BLANKS)..];
        if bytes.starts_with(b"\xff\xd8") {
            return Verdict::Pictures(ContentKind::Jpeg);
        }
        if bytes.len() < ENOUGH && blanks < MAX_LEADING_BLANKS && !ended {
            return Verdict::NeedMore;
        }
        let multipart = bytes.starts_with(b"--")
            || bytes.get(..8).is_some_and(|start| start.eq_ignore_ascii_case(b"content-"));
        if multipart {
            return Verdict::Pictures(ContentKind::Multipart { boundary: None, quoted: false });
        }
        match self.kind {
            ContentKind::Other(_) => Verdict::Other,
            _ if MediaType::sniff(bytes).is_some() => Verdict::Other,
            // Labelled as pictures, or not at all: whatever stands in front of the first is skipped.
            _ => Verdict::Pictures(self.kind.clone()),
        }
    }

    /// Returns the error for a body that [`Announced::judge`] found to be something else.
    pub fn refusal(&self, first: &[u8]) -> SourceError {
        let label = match &self.kind {
            ContentKind::Other(label) => label.as_str(),
            ContentKind::Multipart { .. } => "multipart",
            ContentKind::Jpeg => "image/jpeg",
            ContentKind::Missing => "",
        };
        self.refusal_of(label, MediaType::sniff(first), PageTitle::find(first))
    }

    fn refusal_of(&self, label: &str, sniffed: Option<MediaType>, title: Option<PageTitle>) -> SourceError {
        let (expected, what) = match self.expected {
            Expected::Stream => ("a multipart or JPEG body", "stream's"),
            Expected::Picture => ("a JPEG picture", "picture's"),
        };
        let (host, content_type) = (self.host.clone(), label.to_owned());
        SourceError::ContentType { host, content_type, sniffed, title, expected, what }
    }
}

/// A body whose framing is known, with the bytes that were read to find it out.
#[derive(Debug)]
pub struct Judged {
    /// The framing.
    pub kind: ContentKind,
    /// The first bytes of the body.
    pub first: BytesMut,
    /// Whether the body ended with them.
    pub ended: bool,
}

/// Reads as much of the body as is needed to tell what it holds.
///
/// # Errors
/// Those of reading, and [`SourceError::ContentType`] for something else than pictures.
pub async fn judged(
    announced: &Announced,
    response: &mut Response<'_>,
    deadline: BodyDeadline,
) -> Result<Judged, SourceError> {
    let mut first = BytesMut::new();
    let mut ended = false;
    loop {
        match announced.judge(&first, ended) {
            Verdict::Pictures(kind) => return Ok(Judged { kind, first, ended }),
            Verdict::Other => break,
            Verdict::NeedMore => match response.chunk(deadline).await? {
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
    Err(announced.refusal(&first))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn announced(content_type: Option<&str>) -> Announced {
        let kind = ContentKind::from_header(content_type);
        Announced { kind, host: "cam:80".into(), expected: Expected::Stream }
    }

    const PAGE: &[u8] = b"<html><title>Log in</title></html>";

    #[test]
    fn a_jpeg_is_one_whatever_its_label() {
        for label in ["text/plain", "text/html", "application/force-download", "image/jpeg", "video/h264"] {
            for start in [&b""[..], b"\r\n", b"\0\0\0\0", b"\n \t"] {
                let body = [start, b"\xff\xd8\xff\xe0"].concat();
                for end in 0..start.len() + 2 {
                    assert_eq!(announced(Some(label)).judge(&body[..end], false), Verdict::NeedMore);
                }
                let verdict = announced(Some(label)).judge(&body, false);
                assert_eq!(verdict, Verdict::Pictures(ContentKind::Jpeg), "{label} {start:?}");
            }
        }
    }

    #[test]
    fn a_multipart_body_is_one_whatever_its_label() {
        let learnt = Verdict::Pictures(ContentKind::Multipart { boundary: None, quoted: false });
        for body in [
            &b"--frame\r\nContent-Type: image/jpeg"[..],
            b"\r\n--frame\r\nContent-T",
            b"Content-Type: image/jpeg",
        ] {
            assert_eq!(announced(Some("text/plain")).judge(body, false), learnt);
            assert_eq!(announced(None).judge(body, false), learnt);
        }
        let known = announced(Some("multipart/x-mixed-replace; boundary=x"));
        assert!(matches!(known.judge(b"", false), Verdict::Pictures(ContentKind::Multipart { .. })));
    }

    #[test]
    fn anything_else_is_refused_with_its_type_its_label_and_its_title() {
        for (label, body, reason) in [
            (Some("text/html"), PAGE, "answered text/html (\"Log in\")"),
            (Some("image/jpeg"), PAGE, "answered text/html labelled image/jpeg (\"Log in\")"),
            (None, PAGE, "answered text/html without a type (\"Log in\")"),
            (Some("text/plain"), b"please log in first", "answered text/plain"),
            (Some("video/h264"), b"\0\0\0\x01\x67 and so on, and on", "answered video/h264"),
            (Some("image/jpeg"), b"\x89PNG\r\n\x1a\n0123456789", "answered image/png labelled image/jpeg"),
        ] {
            let announced = announced(label);
            assert_eq!(announced.judge(body, true), Verdict::Other, "{label:?}");
            let error = announced.refusal(body).to_string();
            let expected = format!("cam:80 {reason} where a multipart or JPEG body was expected");
            assert!(error.starts_with(&expected), "{error}");
        }
    }

    #[test]
    fn unknown_bytes_under_a_fitting_label_are_left_to_the_parser() {
        for label in [None, Some("image/jpeg"), Some("application/octet-stream")] {
            let verdict = announced(label).judge(&[0x55; 20], false);
            assert_eq!(verdict, Verdict::Pictures(ContentKind::from_header(label)));
        }
        assert_eq!(announced(None).judge(b"", true), Verdict::Pictures(ContentKind::Missing));
        assert_eq!(announced(Some("text/html")).judge(b"", true), Verdict::Other);
    }
}
