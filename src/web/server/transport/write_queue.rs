//! The bytes of a part that are not written to the socket yet.

use std::io::{self, IoSlice};

use bytes::{Buf, Bytes};

use super::direct_write::DirectWriter;
use crate::{
    bus::{PublishedFrame, SplicePipe},
    media::multipart::writer::Framing,
};

/// A part has at most five pieces (chunk size, headers, frame, delimiter, chunk end).
const MAX_QUEUED_PIECES: usize = 5;

/// A part that is not wholly written yet.
#[derive(Debug, Default)]
pub(in crate::web) struct WriteQueue {
    pieces: [Bytes; MAX_QUEUED_PIECES],
    /// `pieces[next..end]` is not written yet.
    next: usize,
    end: usize,
    /// The number of the frame whose whole part this is, which may be sent from a pipe.
    unsent_part: Option<(u64, Framing)>,
}

impl WriteQueue {
    /// Takes the first piece out, for an answer that does not go through an outbox.
    pub(in crate::web) fn pop(&mut self) -> Option<Bytes> {
        if self.is_empty() {
            return None;
        }
        let piece = std::mem::take(&mut self.pieces[self.next]);
        self.next += 1;
        Some(piece)
    }

    /// Returns whether everything is written.
    pub(in crate::web) fn is_empty(&self) -> bool {
        self.next == self.end
    }

    /// Returns the longest waiting piece; `None` if none waits.
    pub(super) fn longest(&self) -> Option<&[u8]> {
        self.pieces[self.next..self.end].iter().map(|piece| &**piece).max_by_key(|piece| piece.len())
    }

    /// Adds the part of a frame, as it is shared by all its viewers.
    pub(in crate::web) fn put_part(&mut self, frame: &PublishedFrame, framing: Framing) {
        let whole = self.is_empty().then_some((frame.seq, framing));
        self.put(frame.part.pieces(framing));
        self.unsent_part = whole;
    }

    /// Adds pieces after those that wait.
    pub(in crate::web) fn put(&mut self, pieces: impl IntoIterator<Item = Bytes>) {
        if self.next == self.end {
            (self.next, self.end) = (0, 0);
        }
        self.unsent_part = None;
        for piece in pieces.into_iter().filter(|piece| !piece.is_empty()) {
            self.pieces[self.end] = piece;
            self.end += 1;
        }
    }

    /// Writes everything that the socket accepts at once; from `pipe` if it holds the part.
    pub(super) fn write_all(
        &mut self,
        direct_writer: &dyn DirectWriter,
        pipe: Option<&mut SplicePipe>,
    ) -> io::Result<()> {
        if let (Some((seq, framing)), Some(pipe)) = (self.unsent_part, pipe)
            && direct_writer.can_splice()
            && pipe.holds(seq, framing)
            // The write meets the same error again.
            && let Ok(sent) = direct_writer.try_splice(pipe)
        {
            self.advance(sent);
        }
        while !self.is_empty() {
            self.write_some(direct_writer)?;
        }
        while direct_writer.try_push()? > 0 {}
        Ok(())
    }

    /// Writes what the socket accepts at once; returns the number of bytes.
    ///
    /// # Errors
    /// Those of the socket, including [`io::ErrorKind::WouldBlock`].
    pub(super) fn write_some(&mut self, direct_writer: &dyn DirectWriter) -> io::Result<usize> {
        let (slices, count) = self.slices();
        let written = direct_writer.try_write(&slices[..count])?;
        self.advance(written);
        if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
    }

    pub(super) fn slices(&self) -> ([IoSlice<'_>; MAX_QUEUED_PIECES], usize) {
        let waiting = &self.pieces[self.next..self.end];
        (std::array::from_fn(|n| IoSlice::new(waiting.get(n).map_or(&[], |piece| piece))), waiting.len())
    }

    /// Removes `written` bytes, and drops the pieces that are completely written.
    pub(super) fn advance(&mut self, mut written: usize) {
        self.unsent_part = None;
        while written > 0 && self.next < self.end {
            let piece = &mut self.pieces[self.next];
            let taken = written.min(piece.len());
            piece.advance(taken);
            written -= taken;
            if piece.is_empty() {
                // A viewer that has the whole frame does not keep it in memory.
                *piece = Bytes::new();
                self.next += 1;
            }
        }
    }
}
