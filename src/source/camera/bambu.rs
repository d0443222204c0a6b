//! The camera of a printer of Bambu Lab's P1 or A1 series: `type: bambu`.
//!
//! The printer serves its camera over a protocol of its own: TLS on port 6000, with a certificate that no
//! public authority signed; 80 bytes with user and access code from the client; then for each picture a head
//! of 16 bytes and a JPEG, for as long as the connection lasts. All numbers are little-endian.
//!
//! One run is one connection, and never two: the printer has places for one or two viewers only. A wrong
//! code is answered by closing, a missing place by silence.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use futures_util::future::LocalBoxFuture;
use tokio::task::yield_now;

use crate::{
    bus::{DropReason, Ingest},
    config::{BambuConfig, Limits},
    media::multipart::parser::DiscardReason,
    source::{
        error::{Deadline, PrinterError, SourceError},
        http_client::{BodyDeadline, BodyReader},
        traits::Source,
    },
};

/// The user that every printer has.
const USER: &[u8] = b"bblp";

/// Length of a picture's head.
const HEAD_BYTES: usize = 16;

/// Bytes that are read at a time, at least: a TLS record.
const READ_BYTES: usize = 16 * 1024;

/// Number of consecutive pictures that cannot be shown after which the source ends: that many are no
/// accident.
const MAX_UNUSABLE_IN_A_ROW: u32 = 10;

/// A printer's camera.
#[derive(Debug)]
pub struct BambuSource {
    config: BambuConfig,
    max_frame_bytes: usize,
}

impl BambuSource {
    /// Creates a source that connects to the printer of `config` at each run.
    pub fn new(config: BambuConfig, limits: &Limits) -> Self {
        Self { config, max_frame_bytes: limits.max_frame_bytes }
    }

    async fn stream(&self, ingest: &Ingest) -> Result<(), SourceError> {
        let BambuConfig { host: address, access_code, .. } = &self.config;
        let host = address.to_string();
        let hello = hello(access_code.reveal().as_bytes());
        let mut pictures = PictureReader::new(self.max_frame_bytes);
        let ended =
            match BodyReader::over_tls((&address.host, address.port), &hello, self.config.connect_timeout)
                .await
            {
                Ok(body) => self.pictures(&host, body, &mut pictures, ingest).await,
                Err(error) => Err(error),
            };
        if pictures.is_inside() && pictures.heads > 0 {
            ingest.bus().stats().count_discard(DiscardReason::Invalid, 1);
            ingest.count_drop(DropReason::Invalid);
        }
        ended.map_err(|error| reason(error, host, &pictures))
    }

    /// Publishes the pictures until the connection ends.
    async fn pictures(
        &self,
        host: &str,
        mut body: BodyReader,
        pictures: &mut PictureReader,
        ingest: &Ingest,
    ) -> Result<(), SourceError> {
        let printer = |source| SourceError::Printer { host: host.to_owned(), source };
        let within = |waiting_for, within: Duration| BodyDeadline::new(waiting_for, within);
        let mut deadline = within(Deadline::FirstFrame, self.config.first_frame_timeout);
        // As in an MJPEG stream: a printer that always has bytes ready must not keep the thread from others.
        let mut unseen = false;
        let (mut shown, mut unusable) = (false, 0);
        loop {
            while let Some(picture) = pictures.next_picture().map_err(printer)? {
                if std::mem::replace(&mut unseen, true) {
                    yield_now().await;
                }
                let host = || host.to_owned();
                let error = match ingest.push_jpeg(picture) {
                    Ok(info) if ingest.fits(&info) => {
                        deadline = within(Deadline::NextFrame, self.config.frame_timeout);
                        (shown, unusable) = (true, 0);
                        continue;
                    }
                    Ok(info) => {
                        SourceError::TooManyPixels { host: host(), width: info.width, height: info.height }
                    }
                    Err(source) => {
                        pictures.distrust();
                        SourceError::BrokenPictures { host: host(), source }
                    }
                };
                unusable += 1;
                if unusable >= MAX_UNUSABLE_IN_A_ROW {
                    return Err(error);
                }
            }
            match body.read_into(pictures.buffer_mut(), deadline).await? {
                0 if shown => return Ok(()),
                0 => return Err(SourceError::Empty { host: host.to_owned() }),
                _ => unseen &= !body.waited(),
            }
        }
    }
}

impl Source for BambuSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(self.stream(ingest))
    }
}

/// Returns the client's first bytes: their length after the head, the kind of request, two zeros, user and
/// access code of 32 bytes each.
fn hello(access_code: &[u8]) -> [u8; 80] {
    let mut hello = [0; 80];
    hello[..4].copy_from_slice(&0x40_u32.to_le_bytes());
    hello[4..8].copy_from_slice(&0x3000_u32.to_le_bytes());
    hello[16..][..USER.len()].copy_from_slice(USER);
    hello[48..][..access_code.len()].copy_from_slice(access_code);
    hello
}

/// Returns the reason for an error of the connection, in words for printers.
fn reason(error: SourceError, host: String, pictures: &PictureReader) -> SourceError {
    // Questions about a camera's URL do not apply.
    let without_question = |reason: String| match reason.rsplit_once(": ") {
        Some((what, question)) if question.ends_with('?') => what.to_owned(),
        _ => reason,
    };
    let is_before_first = pictures.heads == 0;
    let source = match error {
        SourceError::Connect { reason, .. } => PrinterError::Unreachable(without_question(reason)),
        SourceError::Late { waiting_for: Deadline::Connect, within, .. } => {
            PrinterError::Unreachable(format!("no answer within {} s", within.as_secs_f64()))
        }
        SourceError::Tls { reason, .. } | SourceError::OldTls { reason, .. } => {
            PrinterError::Tls(without_question(reason))
        }
        SourceError::Late { within, .. } if is_before_first => PrinterError::Silent(within),
        SourceError::Empty { .. } | SourceError::Broken { .. } if is_before_first => PrinterError::Rejected,
        other => return other,
    };
    SourceError::Printer { host, source }
}

/// Splits the bytes of a connection into pictures: add bytes to [`PictureReader::buffer_mut`], then call
/// [`PictureReader::next_picture`] until it returns `None`. Holds at most one picture and the bytes added
/// last.
#[derive(Debug)]
pub(crate) struct PictureReader {
    limit: usize,
    buffer: BytesMut,
    /// Length of the picture whose head was read.
    length: Option<usize>,
    /// The last head without its length, and the number of heads.
    rest_of_head: [u8; HEAD_BYTES - 4],
    heads: u64,
    distrusted: bool,
}

impl PictureReader {
    /// Returns a reader of pictures of at most `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        let (buffer, rest_of_head) = Default::default();
        Self { limit, buffer, length: None, rest_of_head, heads: 0, distrusted: false }
    }

    /// Returns the buffer, with free memory for the rest of the picture.
    pub(crate) fn buffer_mut(&mut self) -> &mut BytesMut {
        let rest = self.length.unwrap_or_default().saturating_sub(self.buffer.len());
        self.buffer.reserve(rest.max(READ_BYTES));
        &mut self.buffer
    }

    /// Returns the next whole picture, whatever its bytes are; `None` when more bytes are needed.
    ///
    /// # Errors
    /// A head that cannot be one; then nothing more can be read.
    pub(crate) fn next_picture(&mut self) -> Result<Option<Bytes>, PrinterError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.head()? {
                Some(length) => *self.length.insert(length),
                None => return Ok(None),
            },
        };
        if self.buffer.len() < length {
            return Ok(None);
        }
        self.length = None;
        Ok(Some(self.buffer.split_to(length).freeze()))
    }

    /// Notes that the last picture was no JPEG: the next head must be like the last one, since a wrong length
    /// would lead to a head in the middle of a picture.
    pub(crate) fn distrust(&mut self) {
        self.distrusted = true;
    }

    fn head(&mut self) -> Result<Option<usize>, PrinterError> {
        let Some(&head) = self.buffer.first_chunk::<HEAD_BYTES>() else { return Ok(None) };
        let [l0, l1, l2, l3, rest @ ..] = head;
        let length = u32::from_le_bytes([l0, l1, l2, l3]);
        let wrong_length = PrinterError::Length { length, limit: self.limit };
        let checked = usize::try_from(length).ok().filter(|length| (1..=self.limit).contains(length));
        if std::mem::take(&mut self.distrusted) && (checked.is_none() || rest != self.rest_of_head) {
            return Err(PrinterError::OutOfStep);
        }
        let checked = checked.ok_or(wrong_length)?;
        self.buffer.advance(HEAD_BYTES);
        self.rest_of_head = rest;
        self.heads += 1;
        Ok(Some(checked))
    }

    /// Returns whether the bytes end inside a picture or a head.
    fn is_inside(&self) -> bool {
        self.length.is_some() || !self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn framed(flags: u8, picture: &[u8]) -> Vec<u8> {
        let length = u32::try_from(picture.len()).unwrap().to_le_bytes();
        [&length[..], &[0, 0, 0, 0, flags, 0, 0, 0, 0, 0, 0, 0], picture].concat()
    }

    fn read(bytes: &[u8], piece: usize) -> (Vec<Vec<u8>>, Option<PrinterError>) {
        let mut reader = PictureReader::new(100);
        let mut pictures = Vec::new();
        for piece in bytes.chunks(piece) {
            reader.buffer_mut().extend_from_slice(piece);
            loop {
                match reader.next_picture() {
                    Ok(Some(picture)) => {
                        if picture.starts_with(b"no") {
                            reader.distrust();
                        }
                        pictures.push(picture.to_vec());
                    }
                    Ok(None) => break,
                    Err(error) => return (pictures, Some(error)),
                }
            }
        }
        (pictures, None)
    }

    #[test]
    fn the_hello_is_that_of_the_protocol() {
        let hello = hello(b"12345678");
        assert_eq!(hello[..16], [0x40, 0, 0, 0, 0, 0x30, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&hello[16..48], [&b"bblp"[..], &[0; 28]].concat());
        assert_eq!(&hello[48..], [&b"12345678"[..], &[0; 24]].concat());
        assert_eq!(super::hello(&[b'9'; 32])[48..], [b'9'; 32]);
    }

    #[test]
    fn pictures_are_the_same_however_they_are_cut() {
        let bytes = [framed(1, b"first"), framed(1, &[7; 100]), framed(2, b"x")].concat();
        let expected = vec![b"first".to_vec(), vec![7; 100], b"x".to_vec()];
        for piece in 1..=bytes.len() {
            assert_eq!(read(&bytes, piece), (expected.clone(), None), "pieces of {piece}");
        }
    }

    #[test]
    fn a_length_that_no_picture_has_is_named() {
        for length in [0, 101, u32::MAX] {
            let bytes = [framed(1, b"first"), length.to_le_bytes().to_vec(), vec![0; 12]].concat();
            let error = PrinterError::Length { length, limit: 100 };
            for piece in 1..=bytes.len() {
                assert_eq!(read(&bytes, piece), (vec![b"first".to_vec()], Some(error.clone())), "{length}");
            }
        }
    }

    #[test]
    fn after_a_picture_that_is_none_the_next_head_must_be_alike() {
        let kept = [framed(1, b"none"), framed(1, b"second"), framed(2, b"third")].concat();
        assert_eq!(read(&kept, 7), (vec![b"none".to_vec(), b"second".to_vec(), b"third".to_vec()], None));
        for next in [framed(2, b"second"), vec![0; 16]] {
            let lost = [framed(1, b"none"), next].concat();
            assert_eq!(read(&lost, 7), (vec![b"none".to_vec()], Some(PrinterError::OutOfStep)));
        }
    }
}
