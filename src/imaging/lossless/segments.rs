//! Iterates over the segments of a JPEG and skips the picture data between them (T.81, Annex B).

use super::error::LosslessError;
use crate::media::jpeg::{marker, scan::end_of_scan};

/// One segment.
#[derive(Debug, Clone, Copy)]
pub(in crate::imaging) struct Segment<'a> {
    /// The marker's second byte.
    pub(in crate::imaging) code: u8,
    /// Offset of its FF.
    pub(super) at: usize,
    /// Offset after its last byte; picture data follows there when it is SOS.
    pub(super) end: usize,
    /// Content of the segment, without marker and length.
    pub(in crate::imaging) body: &'a [u8],
}

impl Segment<'_> {
    /// Returns the error of this segment, which is broken; `what` names the broken part.
    pub(super) fn damaged(&self, what: &'static str) -> LosslessError {
        LosslessError::damaged(self.at, what)
    }

    /// Returns whether it is the APP0 of JFIF, which means YCbCr. Its extensions (thumbnails, AVI) are not.
    pub(super) fn is_jfif(&self) -> bool {
        self.code == marker::APP0 && self.body.starts_with(b"JFIF\0")
    }

    /// Returns whether it is the APP14 of Adobe, which tells whether the components are RGB or YCbCr.
    pub(super) fn is_adobe(&self) -> bool {
        self.code == marker::APP14 && self.body.starts_with(b"Adobe")
    }

    /// Returns whether it is a piece of a colour profile.
    pub(super) fn is_icc(&self) -> bool {
        self.code == marker::APP2 && self.body.starts_with(b"ICC_PROFILE\0")
    }
}

/// An iterator over the segments up to and including EOI.
#[derive(Debug)]
pub(in crate::imaging) struct Segments<'a> {
    jpeg: &'a [u8],
    at: usize,
    /// Whether picture data start at `at`; their end is searched for only when the next segment is read.
    in_data: bool,
}

impl<'a> Segments<'a> {
    pub(in crate::imaging) fn new(jpeg: &'a [u8]) -> Self {
        Self { jpeg, at: 0, in_data: false }
    }

    /// Returns the bytes of a segment with its marker and length.
    pub(super) fn bytes(&self, segment: &Segment<'a>) -> &'a [u8] {
        &self.jpeg[segment.at..segment.end]
    }

    /// Returns the next segment; bytes that end before EOI are an error.
    pub(in crate::imaging) fn next(&mut self) -> Result<Segment<'a>, LosslessError> {
        if self.at == 0 {
            if !self.jpeg.starts_with(&[0xff, marker::SOI]) {
                return Err(LosslessError::damaged(0, "no FF D8"));
            }
            self.at = 2;
        }
        if std::mem::take(&mut self.in_data) {
            let data = &self.jpeg[self.at..];
            self.at += end_of_scan(data).unwrap_or(data.len());
        }
        loop {
            let at = self.at;
            let rest = self.jpeg.get(at..).unwrap_or_default();
            let &[0xff, code, ref rest @ ..] = rest else {
                let what = if rest.len() < 2 { "the end of the bytes" } else { "no marker" };
                return Err(LosslessError::damaged(at, what));
            };
            match code {
                0xff => self.at += 1,
                marker::TEM | marker::RST0..=marker::RST7 => self.at += 2,
                0..=0xbf | marker::SOI => return Err(LosslessError::damaged(at, "a marker out of place")),
                // The walk stays here: another call gives EOI again.
                marker::EOI => return Ok(Segment { code, at, end: at + 2, body: &[] }),
                _ => return self.segment(code, rest),
            }
        }
    }

    fn segment(&mut self, code: u8, rest: &'a [u8]) -> Result<Segment<'a>, LosslessError> {
        let at = self.at;
        let &[high, low, ..] = rest else { return Err(LosslessError::damaged(at, "a segment cut off")) };
        let length = usize::from(u16::from_be_bytes([high, low]));
        let body = rest.get(2..length).ok_or(LosslessError::damaged(at, "a segment of impossible length"))?;
        let end = at + 2 + length;
        self.at = end;
        self.in_data = code == marker::SOS;
        Ok(Segment { code, at, end, body })
    }
}
