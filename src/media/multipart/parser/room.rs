//! The buffer's room: enough for the frame that is arriving, in memory that is used again.

use bytes::BytesMut;

use super::{PartParser, State};

/// Room beyond what the next frame is expected to take: a TLS record, and what most reads of a socket give.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// Room that [`PartParser::space`] promises. With less a read is not worth its call.
const LEAST_ROOM: usize = 4 * 1024;

/// The next frame is expected to be longer than the last by this part of it, at most.
const GROWTH: usize = 8;

/// A buffer so many times larger than needed is given back: it was a much larger frame's.
const MUCH_LARGER: usize = 4;

/// Most memory that is set aside for a frame on the word of its `Content-Length` alone; larger ones grow as
/// they come.
const TRUSTED_LENGTH: usize = 1024 * 1024;

impl PartParser {
    /// The buffer, to read into instead of [`PartParser::push`], with room at its end: for the rest of the
    /// frame that is arriving, or for the whole next one, so far as that can be known. Bytes may only be
    /// added.
    pub fn space(&mut self) -> &mut BytesMut {
        let len = self.buffer.len();
        let rest = match self.state {
            State::Jpeg(_) => self.expected_len().saturating_sub(len),
            State::Gap | State::Hunt { .. } => {
                let next = self.last_len + self.last_len / GROWTH;
                next.min(self.limits.max_frame_bytes)
            }
        };
        let room = rest + READ_BYTES;
        if self.buffer.capacity() > MUCH_LARGER * (len + room) {
            self.spare = BytesMut::new();
            self.make_room(room);
            self.spare = BytesMut::new();
        } else if self.buffer.capacity() - len < rest.max(LEAST_ROOM) {
            // A frame that has outgrown what was expected may go on doing so; doubling keeps copying in
            // bounds.
            self.make_room(room.max(if rest == 0 { len } else { 0 }));
        }
        &mut self.buffer
    }

    /// Moves on to other memory with so much room behind what is in the buffer. That is the memory of the
    /// frame before the last, if nobody holds it any more: fresh memory costs a page fault every 4 KiB.
    pub(super) fn make_room(&mut self, room: usize) {
        let needed = self.buffer.len() + room;
        let mut next = std::mem::take(&mut self.spare);
        if !next.try_reclaim(needed) {
            next = BytesMut::with_capacity(needed);
        }
        next.extend_from_slice(&self.buffer);
        self.spare = std::mem::replace(&mut self.buffer, next);
        self.spare.clear();
    }

    /// Returns the expected length of the JPEG that is arriving.
    pub(super) fn expected_len(&self) -> usize {
        let promised = self.head.length.unwrap_or_default().min(TRUSTED_LENGTH);
        promised.max(self.last_len).min(self.limits.max_frame_bytes)
    }
}
