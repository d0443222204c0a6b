//! Walks a JPEG's segments without decoding: whether it is whole, its size, and whether it has Huffman
//! tables.
//!
//! Segments are walked by their lengths (ITU-T T.81, Annex B), never by searching for `FF D9`: the thumbnail
//! in a camera's EXIF segment holds one. JPEGs that no browser can show are refused here, with the offset of
//! the error. The picture data are not decoded, so errors in them are not found.

pub(crate) mod huffman;
pub(crate) mod marker;
pub(crate) mod scan;
pub(crate) mod exif;
pub(crate) mod completeness;
pub(crate) mod multi_picture;
mod error;
#[cfg(test)]
pub(crate) mod tests;

pub use error::JpegError;

/// The content of a JPEG's segments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JpegInfo {
    /// Width in pixels.
    pub width: u16,
    /// Height in pixels.
    pub height: u16,
    /// Colour components: 1 grey, 3 colour.
    pub components: u8,
    /// Whether a DHT segment is before the first scan.
    pub has_huffman_tables: bool,
    /// Whether it is progressive (SOF2).
    pub progressive: bool,
    /// Bytes from SOI to EOI, both included.
    pub len: usize,
}

impl JpegInfo {
    /// Returns whether the picture has fewer pixels than one of this size.
    pub(crate) fn is_smaller_than(&self, (width, height): (u16, u16)) -> bool {
        u32::from(self.width) * u32::from(self.height) < u32::from(width) * u32::from(height)
    }
}

/// The progress of a [`Walk`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// EOI has not arrived yet.
    NeedMore,
    /// The JPEG is whole.
    Done(JpegInfo),
}

/// The next part of the JPEG that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Expect {
    #[default]
    Soi,
    Marker,
    /// Picture data, up to a marker.
    Scan,
}

/// A resumable walk over the segments: each byte is examined once, however the JPEG arrives.
#[derive(Debug, Default)]
pub struct Walk {
    /// Offset of the next byte to examine; may be beyond the bytes that have arrived, as segments are skipped
    /// unseen.
    at: usize,
    expect: Expect,
    frame: Option<FrameHeader>,
    first_scan: Option<usize>,
    has_huffman_tables: bool,
    /// Offset of the segment with the index of further pictures behind EOI.
    multi_picture: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct FrameHeader {
    width: u16,
    height: u16,
    components: u8,
    progressive: bool,
}

/// The result of one step of the walk.
enum Step {
    Continue,
    NeedMore,
    Done(JpegInfo),
}

impl Walk {
    /// Continues the walk. `bytes` are all bytes from SOI so far: those of the previous call, and more.
    ///
    /// # Errors
    /// [`JpegError`] as soon as it is found; the walk must not be used after that.
    pub fn advance(&mut self, bytes: &[u8]) -> Result<Progress, JpegError> {
        loop {
            let step = match self.expect {
                Expect::Soi => self.soi(bytes)?,
                Expect::Marker => self.segment(bytes)?,
                Expect::Scan => self.scan(bytes),
            };
            match step {
                Step::Continue => {}
                Step::NeedMore => return Ok(Progress::NeedMore),
                Step::Done(info) => return Ok(Progress::Done(info)),
            }
        }
    }

    /// Returns the offset of the next byte to examine; after an error, the offset of that.
    pub fn offset(&self) -> usize {
        self.at
    }

    /// Returns the offset of the segment with an index of further pictures behind EOI (MPF).
    pub(crate) fn multi_picture(&self) -> Option<usize> {
        self.multi_picture
    }

    fn soi(&mut self, bytes: &[u8]) -> Result<Step, JpegError> {
        match bytes {
            [0xff, marker::SOI, ..] => {
                self.at = 2;
                self.expect = Expect::Marker;
                Ok(Step::Continue)
            }
            [] | [0xff] => Ok(Step::NeedMore),
            _ => Err(JpegError::NoSoi),
        }
    }

    /// Skips picture data up to the next marker that is not a restart.
    fn scan(&mut self, bytes: &[u8]) -> Step {
        let rest = bytes.get(self.at..).unwrap_or_default();
        if let Some(found) = scan::end_of_scan(rest) {
            self.at += found;
            self.expect = Expect::Marker;
            return Step::Continue;
        }
        // The last FF may be a marker's, whose second byte is still to come.
        self.at += rest.len() - usize::from(rest.last() == Some(&0xff));
        Step::NeedMore
    }

    fn segment(&mut self, bytes: &[u8]) -> Result<Step, JpegError> {
        let Some(&found) = bytes.get(self.at) else { return Ok(Step::NeedMore) };
        if found != 0xff {
            return Err(JpegError::NoMarker { offset: self.at, found });
        }
        let Some(&code) = bytes.get(self.at + 1) else { return Ok(Step::NeedMore) };
        let offset = self.at;
        match code {
            0xff => self.at += 1,
            marker::TEM | marker::RST0..=marker::RST7 => self.at += 2,
            marker::SOI => return Err(JpegError::NewSoi { offset }),
            marker::EOI => return self.end().map(Step::Done),
            0x00..=0xbf => return Err(JpegError::Marker { offset, code }),
            _ => {
                let Some(rest) = bytes.get(offset + 2..).filter(|rest| rest.len() >= 2) else {
                    return Ok(Step::NeedMore);
                };
                return self.body(code, u16::from_be_bytes([rest[0], rest[1]]), &rest[2..]);
            }
        }
        Ok(Step::Continue)
    }

    /// Reads a segment that has a length; `body` is its content and what follows, as far as it has arrived.
    fn body(&mut self, code: u8, length: u16, body: &[u8]) -> Result<Step, JpegError> {
        let offset = self.at;
        let wrong_length = JpegError::SegmentLength { offset, code, length };
        let Some(body_len) = usize::from(length).checked_sub(2) else { return Err(wrong_length) };
        match code {
            marker::APP2 if self.multi_picture.is_none() => {
                let Some(start) = body.get(..body_len.min(multi_picture::SIGNATURE.len())) else {
                    return Ok(Step::NeedMore);
                };
                self.multi_picture = (start == multi_picture::SIGNATURE).then_some(offset);
            }
            marker::DHT => self.has_huffman_tables |= self.first_scan.is_none(),
            marker::SOF0..=marker::SOF2 => {
                let Some(body) = body.get(..body_len) else { return Ok(Step::NeedMore) };
                if self.frame.is_some() {
                    return Err(JpegError::Marker { offset, code });
                }
                self.frame = Some(frame_header(code, body, offset)?.ok_or(wrong_length)?);
            }
            marker::SOF3..=marker::SOF15 => {
                return Err(JpegError::Unsupported {
                    offset,
                    what: "lossless, hierarchical or arithmetic coding",
                });
            }
            marker::SOS => {
                // Ns, two bytes for each of Ns components, and three more (T.81, B.2.3).
                let Some(&components) = body.first() else { return Ok(Step::NeedMore) };
                if !(1..=4).contains(&components) || body_len != 4 + 2 * usize::from(components) {
                    return Err(wrong_length);
                }
                if self.frame.is_none() {
                    return Err(JpegError::NoFrameHeader { offset });
                }
                self.first_scan.get_or_insert(offset);
                self.expect = Expect::Scan;
            }
            _ => {}
        }
        if code != marker::SOS {
            self.expect = Expect::Marker;
        }
        self.at = offset + 2 + usize::from(length);
        Ok(Step::Continue)
    }

    fn end(&self) -> Result<JpegInfo, JpegError> {
        let offset = self.at;
        let frame = self.frame.ok_or(JpegError::NoFrameHeader { offset })?;
        if self.first_scan.is_none() {
            return Err(JpegError::NoScan { offset });
        }
        Ok(JpegInfo {
            width: frame.width,
            height: frame.height,
            components: frame.components,
            has_huffman_tables: self.has_huffman_tables,
            progressive: frame.progressive,
            len: offset + 2,
        })
    }
}

/// Reads SOF0 to SOF2 (T.81, B.2.2); `None` when the segment is shorter or longer than its components need.
fn frame_header(code: u8, body: &[u8], offset: usize) -> Result<Option<FrameHeader>, JpegError> {
    let &[precision, y1, y0, x1, x0, components, ref specifications @ ..] = body else { return Ok(None) };
    let (width, height) = (u16::from_be_bytes([x1, x0]), u16::from_be_bytes([y1, y0]));
    if !(1..=4).contains(&components) {
        return Err(JpegError::Components { components });
    }
    if specifications.len() != 3 * usize::from(components) {
        return Ok(None);
    }
    if precision != 8 {
        return Err(JpegError::Unsupported { offset, what: "samples of more than 8 bits" });
    }
    if width == 0 || height == 0 {
        return Err(JpegError::NoPixels { width, height });
    }
    Ok(Some(FrameHeader { width, height, components, progressive: code == marker::SOF2 }))
}

/// Bytes before a JPEG's start marker that are skipped in a picture of its own: further start markers, line
/// breaks, a length field.
pub(crate) const MAX_LEADING_BYTES: usize = 16;

/// Returns where the JPEG in a picture file starts: at the last SOI before its first segment, after at most
/// 16 bytes of anything else. `None` when there is no SOI that near.
pub fn start(bytes: &[u8]) -> Option<usize> {
    let begins = |at: &usize| {
        let rest = &bytes[*at..];
        rest.starts_with(&[0xff, marker::SOI]) && !matches!(rest, [_, _, 0xff, marker::SOI, ..])
    };
    (0..bytes.len().min(MAX_LEADING_BYTES + 1)).find(begins)
}

/// Returns whether bytes that may be a JPEG have no EOI. Those that end with one are not walked.
pub fn lacks_eoi(bytes: &[u8]) -> bool {
    let begin = start(bytes).unwrap_or_default();
    !bytes.ends_with(&[0xff, marker::EOI])
        && matches!(inspect(&bytes[begin..]), Err(JpegError::Truncated { .. }))
}

/// Returns the number of bytes of a JPEG of `info` and of the pictures behind it that belong to it: by its
/// index, or because a smaller picture, such as a thumbnail, follows its end at once.
pub(crate) fn len_with_further_pictures(bytes: &[u8], info: &JpegInfo, index: Option<usize>) -> usize {
    if let Some((end, starts)) = index.and_then(|at| multi_picture::indexed(bytes, at))
        && end <= bytes.len()
        && multi_picture::are_there(bytes, info.len, &starts)
    {
        return end;
    }
    match inspect(&bytes[info.len..]) {
        Ok(next) if next.is_smaller_than((info.width, info.height)) => bytes.len(),
        _ => info.len,
    }
}

/// Walks a whole JPEG; bytes after its end are ignored.
///
/// # Errors
/// [`JpegError`] with its offset; [`JpegError::Truncated`] when only the end is missing.
pub fn inspect(bytes: &[u8]) -> Result<JpegInfo, JpegError> {
    match Walk::default().advance(bytes)? {
        Progress::Done(info) => Ok(info),
        Progress::NeedMore => Err(JpegError::Truncated { len: bytes.len() }),
    }
}

/// Returns the offset of the first scan's header (SOS).
pub(super) fn first_scan(bytes: &[u8]) -> Option<usize> {
    let mut walk = Walk::default();
    while walk.first_scan.is_none() {
        let step = if walk.expect == Expect::Soi { walk.soi(bytes) } else { walk.segment(bytes) };
        let Ok(Step::Continue) = step else { return None };
    }
    walk.first_scan
}
