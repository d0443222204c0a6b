//! Reserves memory for the frame that is arriving, and reuses it.

use bytes::BytesMut;

use super::{PartParser, State};

/// Bytes reserved beyond the expected length of the next frame: a TLS record, or most reads of a socket.
pub(super) const READ_BYTES: usize = 16 * 1024;

/// Least number of free bytes that [`PartParser::buffer_mut`] returns. With less a read is not worth its
/// call.
const MIN_ROOM: usize = 4 * 1024;

/// Divisor of the last frame's length by which the next one is expected to be longer, at most.
const GROWTH: usize = 8;

/// Ratio to the needed length from which a buffer is freed: it was that of a much larger frame.
const SHRINK_RATIO: usize = 4;

/// Maximum number of bytes reserved for a frame by its `Content-Length` alone; the buffers of larger ones
/// grow as they arrive.
const TRUSTED_LENGTH: usize = 1024 * 1024;

impl PartParser {
    /// Returns the buffer, to read into instead of [`PartParser::push`], with free memory at its end: for the
    /// rest of the frame that is arriving, or for the whole next one, so far as that can be known. Bytes may
    /// only be added.
    pub fn buffer_mut(&mut self) -> &mut BytesMut {
        let len = self.buffer.len();
        let rest = match self.state {
            State::Jpeg(_) | State::Png { .. } => self.expected_len().saturating_sub(len),
            State::Gap | State::Hunt { .. } => {
                let next = self.last_len + self.last_len / GROWTH;
                next.min(self.limits.max_frame_bytes)
            }
        };
        let room = rest + READ_BYTES;
        if self.buffer.capacity() > SHRINK_RATIO * (len + room) {
            self.spare = BytesMut::new();
            self.make_room(room);
            self.spare = BytesMut::new();
        } else if self.buffer.capacity() - len < rest.max(MIN_ROOM) {
            // A frame that has outgrown what was expected may go on doing so; doubling keeps copying in
            // bounds.
            self.make_room(room.max(if rest == 0 { len } else { 0 }));
        }
        &mut self.buffer
    }

    /// Moves the buffer's content to other memory with so many free bytes after it. That is the memory of the
    /// frame before the last, if no reader holds it any more: fresh memory costs a page fault every 4 KiB.
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
