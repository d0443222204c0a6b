//! Iterates over the segments of a JPEG and skips the picture data between them (T.81, Annex B).

use super::error::LosslessError;

pub(super) mod marker {
    pub(in super::super) const TEM: u8 = 0x01;
    pub(in super::super) const SOF0: u8 = 0xc0;
    pub(in super::super) const SOF1: u8 = 0xc1;
    pub(in super::super) const SOF2: u8 = 0xc2;
    pub(in super::super) const DHT: u8 = 0xc4;
    pub(in super::super) const SOF15: u8 = 0xcf;
    pub(in super::super) const RST0: u8 = 0xd0;
    pub(in super::super) const RST7: u8 = 0xd7;
    pub(in super::super) const SOI: u8 = 0xd8;
    pub(in super::super) const EOI: u8 = 0xd9;
    pub(in super::super) const SOS: u8 = 0xda;
    pub(in super::super) const DQT: u8 = 0xdb;
    pub(in super::super) const DRI: u8 = 0xdd;
    pub(in super::super) const APP0: u8 = 0xe0;
    pub(in super::super) const APP1: u8 = 0xe1;
    pub(in super::super) const APP2: u8 = 0xe2;
    pub(in super::super) const APP14: u8 = 0xee;
    pub(in super::super) const APP15: u8 = 0xef;
    pub(in super::super) const COM: u8 = 0xfe;
}

/// One segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    /// The marker's second byte.
    pub(super) code: u8,
    /// Offset of its FF.
    pub(super) at: usize,
    /// Offset after its last byte; picture data follows there when it is SOS.
    pub(super) end: usize,
    /// Content of the segment, without marker and length.
    pub(super) body: &'a [u8],
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
pub(super) struct Segments<'a> {
    jpeg: &'a [u8],
    at: usize,
    /// Whether picture data start at `at`; their end is searched for only when the next segment is read.
    in_data: bool,
}

impl<'a> Segments<'a> {
    pub(super) fn new(jpeg: &'a [u8]) -> Self {
        Self { jpeg, at: 0, in_data: false }
    }

    /// Returns the bytes of a segment with its marker and length.
    pub(super) fn bytes(&self, segment: &Segment<'a>) -> &'a [u8] {
        &self.jpeg[segment.at..segment.end]
    }

    /// Returns the next segment; bytes that end before EOI are an error.
    pub(super) fn next(&mut self) -> Result<Segment<'a>, LosslessError> {
        if self.at == 0 {
            if !self.jpeg.starts_with(&[0xff, marker::SOI]) {
                return Err(LosslessError::damaged(0, "no FF D8"));
            }
            self.at = 2;
        }
        if std::mem::take(&mut self.in_data) {
            self.at = end_of_data(self.jpeg, self.at);
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

/// Returns the offset of the first marker after picture data; the end of the bytes when there is none.
fn end_of_data(jpeg: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = memchr::memchr(0xff, jpeg.get(at..).unwrap_or_default()) {
        match jpeg.get(at + found + 1) {
            Some(0 | marker::RST0..=marker::RST7) => at += found + 2,
            Some(0xff) => at += found + 1,
            _ => return at + found,
        }
    }
    jpeg.len()
}
