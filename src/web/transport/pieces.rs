//! A part on its way into a socket: which bytes of it are not written yet.

use std::{
    io::{self, IoSlice},
    ops::Range,
    sync::Arc,
};

use bytes::{Buf, Bytes};

use super::channel::Lane;
use crate::{bus::SealedPart, multipart::writer::Framing};

/// A part has at most five pieces (chunk size, headers, frame, delimiter, chunk end).
const MAX_PIECES: usize = 5;

/// A part that is not wholly written yet.
#[derive(Debug)]
pub(in crate::web) struct Pieces {
    pieces: [Bytes; MAX_PIECES],
    /// `pieces[next..end]` is not written yet.
    next: usize,
    end: usize,
    /// A part as a file, behind the pieces, and which of its bytes are not sent yet.
    file: Option<(Arc<SealedPart>, Range<u64>)>,
    sends_files: bool,
}

impl Pieces {
    pub(super) fn new(sends_files: bool) -> Self {
        Self { pieces: std::array::from_fn(|_| Bytes::new()), next: 0, end: 0, file: None, sends_files }
    }

    /// All is written.
    pub(in crate::web) fn is_empty(&self) -> bool {
        self.next == self.end && self.file.is_none()
    }

    /// Whether [`Pieces::put_file`] may be used on this connection.
    pub(in crate::web) fn sends_files(&self) -> bool {
        self.sends_files
    }

    /// Adds a part that is sent from its file.
    pub(in crate::web) fn put_file(&mut self, part: Arc<SealedPart>, framing: Framing) {
        let range = part.range(framing);
        self.file = Some((part, range));
    }

    /// Adds pieces behind those that wait.
    pub(in crate::web) fn put(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        if self.next == self.end {
            (self.next, self.end) = (0, 0);
        }
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.pieces[self.end] = piece;
            self.end += 1;
        }
    }

    /// Writes all that waits, as far as that goes without waiting.
    pub(super) fn write_all(&mut self, lane: &dyn Lane) -> io::Result<()> {
        while !self.is_empty() {
            self.write_some(lane)?;
        }
        while lane.try_push()? > 0 {}
        Ok(())
    }

    /// Writes what the lane takes at once; answers how many bytes.
    ///
    /// # Errors
    /// The lane's, [`io::ErrorKind::WouldBlock`] among them.
    pub(super) fn write_some(&mut self, lane: &dyn Lane) -> io::Result<usize> {
        let written = match &mut self.file {
            Some((part, range)) if self.next == self.end => {
                let sent = lane.try_send_file(part, range.clone())?;
                range.start += sent as u64;
                if range.is_empty() {
                    self.file = None;
                }
                sent
            }
            _ => {
                let (slices, count) = self.slices();
                let written = lane.try_write(&slices[..count])?;
                self.advance(written);
                written
            }
        };
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
    }

    pub(super) fn slices(&self) -> ([IoSlice<'_>; MAX_PIECES], usize) {
        let waiting = &self.pieces[self.next..self.end];
        (std::array::from_fn(|n| IoSlice::new(waiting.get(n).map_or(&[], |piece| piece))), waiting.len())
    }

    /// Notes that `written` bytes are gone, and lets go of the pieces that are.
    pub(super) fn advance(&mut self, mut written: usize) {
        while written > 0 && self.next < self.end {
            let piece = &mut self.pieces[self.next];
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if piece.is_empty() {
                // The frame is not kept alive by a viewer that has it.
                *piece = Bytes::new();
                self.next += 1;
            }
        }
    }
}
