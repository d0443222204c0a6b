//! The replay buffer: the pictures of the last seconds of a stream, in memory.
//!
//! It shares the frames' bytes and copies none.
//!
//! It is bounded in time and in bytes. Readers keep pictures in memory that the ring has removed meanwhile.
//! These bytes are counted too; while they reach the limit of the ring, no further reader is admitted. So the
//! ring and all its readers together hold three times `max_bytes` at most.

use std::{
    collections::VecDeque,
    num::NonZeroU64,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, SystemTime},
};

use super::current::PublishedFrame;
use crate::media::{
    formats::ClipFrame,
    frame::{Frame, FrameKind},
    multipart::writer::PreparedPart,
};

/// Bytes that a picture takes besides its own: the headers of its part, and its entry in this buffer.
const OVERHEAD: usize = 512;

/// A picture that was shown.
#[derive(Debug)]
pub struct ReplayFrame {
    /// Number of the frame on the bus.
    pub seq: u64,
    /// The picture.
    pub frame: Frame,
    /// The frame as a multipart part, ready to be sent.
    pub part: PreparedPart,
    held: Arc<AtomicUsize>,
}

impl ReplayFrame {
    fn memory_bytes(&self) -> usize {
        self.frame.jpeg().len() + OVERHEAD
    }
}

impl Drop for ReplayFrame {
    fn drop(&mut self) {
        self.held.fetch_sub(self.memory_bytes(), Relaxed);
    }
}

impl ClipFrame for Arc<ReplayFrame> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

impl ReplayFrame {
    /// Returns the picture as it was when it was the newest one.
    pub fn published(&self) -> PublishedFrame {
        PublishedFrame::new(self.seq, self.frame.clone(), self.part.clone())
    }
}

/// Returns the time between two times.
pub fn distance(one: SystemTime, other: SystemTime) -> Duration {
    one.duration_since(other).unwrap_or_else(|error| error.duration())
}

/// The replay buffer of one stream.
#[derive(Debug)]
pub struct ReplayBuffer {
    span: Duration,
    max_bytes: usize,
    ring: Mutex<FrameRing>,
    /// Bytes of all pictures that are held, by the ring or by readers.
    held: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct FrameRing {
    /// Pictures, oldest first.
    frames: VecDeque<Arc<ReplayFrame>>,
    bytes: usize,
}

/// The number of frames and bytes that a [`ReplayBuffer`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayUsage {
    /// Number of pictures.
    pub frames: usize,
    /// Number of bytes, including the overhead of each picture.
    pub bytes: usize,
    /// Time from the oldest picture to the newest.
    pub span: Duration,
}

/// An error on reading the replay buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReplayError {
    /// No picture has come yet.
    #[error("the replay buffer is empty")]
    Empty,
    /// Current readers hold too many bytes.
    #[error("readers still hold {held} bytes of the replay buffer; limits.max_replay_bytes allows {allowed}")]
    Busy {
        /// Bytes that only readers hold.
        held: usize,
        /// Number of bytes below which another reader may begin.
        allowed: usize,
    },
}

impl ReplayBuffer {
    /// Creates a buffer for the pictures of `span`, of at most `max_bytes`.
    pub fn new(span: Duration, max_bytes: usize) -> Self {
        Self { span, max_bytes, ring: Mutex::default(), held: Arc::default() }
    }

    /// Returns the longest time that the buffer reaches back.
    pub fn span(&self) -> Duration {
        self.span
    }

    /// Adds a frame if it is a picture, and removes pictures that are too old or too many.
    pub(super) fn push(&self, shown: &PublishedFrame) {
        if shown.frame.kind() != FrameKind::Picture {
            return;
        }
        let (seq, frame, part) = (shown.seq, shown.frame.clone(), shown.part.clone());
        let past = Arc::new(ReplayFrame { seq, frame, part, held: self.held.clone() });
        let cost = past.memory_bytes();
        self.held.fetch_add(cost, Relaxed);
        let mut ring = self.ring();
        // Of two that publish at the same moment the second may come here first.
        let place = ring.frames.partition_point(|earlier| earlier.seq < seq);
        ring.frames.insert(place, past);
        ring.bytes += cost;
        while let Some(old) = self.pop_surplus(&mut ring) {
            drop(ring);
            // Freed without holding the lock.
            drop(old);
            ring = self.ring();
        }
    }

    fn pop_surplus(&self, ring: &mut FrameRing) -> Option<Arc<ReplayFrame>> {
        let newest = ring.frames.back()?.frame.arrived_at();
        let oldest = ring.frames.front()?;
        let age = newest.saturating_duration_since(oldest.frame.arrived_at());
        if age <= self.span && ring.bytes <= self.max_bytes {
            return None;
        }
        ring.bytes -= oldest.memory_bytes();
        ring.frames.pop_front()
    }

    /// Returns the pictures of the last `wanted` before the newest, oldest first; at least one.
    ///
    /// # Errors
    /// [`ReplayError`] if there is none, or if other readers hold too many that the ring has removed.
    pub fn last(&self, wanted: Duration) -> Result<Vec<Arc<ReplayFrame>>, ReplayError> {
        let ring = self.ring();
        let newest = ring.frames.back().ok_or(ReplayError::Empty)?.frame.arrived_at();
        let held = self.held.load(Relaxed).saturating_sub(ring.bytes);
        if held >= self.max_bytes {
            return Err(ReplayError::Busy { held, allowed: self.max_bytes });
        }
        let age = |past: &Arc<ReplayFrame>| newest.saturating_duration_since(past.frame.arrived_at());
        Ok(ring.frames.iter().filter(|past| age(past) <= wanted).cloned().collect())
    }

    /// Returns the picture that has this number in its stream.
    pub fn find(&self, seq: u64) -> Option<Arc<ReplayFrame>> {
        let ring = self.ring();
        let number = |past: &Arc<ReplayFrame>| past.frame.seq().map_or(0, NonZeroU64::get);
        let at = ring.frames.partition_point(|past| number(past) < seq);
        ring.frames.get(at).filter(|past| number(past) == seq).cloned()
    }

    /// Returns the picture that was taken nearest to `time`.
    pub fn nearest(&self, time: SystemTime) -> Option<Arc<ReplayFrame>> {
        let off = |past: &&Arc<ReplayFrame>| distance(past.frame.capture().time, time);
        self.ring().frames.iter().min_by_key(off).cloned()
    }

    /// Returns the number of frames and bytes that are held.
    pub fn usage(&self) -> ReplayUsage {
        let ring = self.ring();
        let arrived = |past: Option<&Arc<ReplayFrame>>| past.map(|past| past.frame.arrived_at());
        let span = match (arrived(ring.frames.front()), arrived(ring.frames.back())) {
            (Some(oldest), Some(newest)) => newest.saturating_duration_since(oldest),
            _ => Duration::ZERO,
        };
        ReplayUsage { frames: ring.frames.len(), bytes: ring.bytes, span }
    }

    fn ring(&self) -> MutexGuard<'_, FrameRing> {
        self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::channel::{Bus, tests::tiny_frame};

    const LONG: Duration = Duration::from_secs(3600);

    fn bus(max_bytes: usize) -> Bus {
        Bus::with_replay_buffer(Some(ReplayBuffer::new(LONG, max_bytes)))
    }

    fn numbers(replay_buffer: &ReplayBuffer) -> Vec<u64> {
        replay_buffer.last(LONG).unwrap().iter().map(|past| past.seq).collect()
    }

    #[test]
    fn pictures_are_kept_in_order_without_a_copy_and_placeholders_are_not() {
        let bus = bus(1 << 20);
        let replay_buffer = bus.replay_buffer().unwrap();
        assert_eq!(replay_buffer.last(LONG).unwrap_err(), ReplayError::Empty);
        bus.publish(tiny_frame());
        bus.publish(tiny_frame().into_offline_image());
        bus.publish(tiny_frame());
        assert_eq!(numbers(replay_buffer), [1, 3]);
        let kept = &replay_buffer.last(LONG).unwrap()[1];
        assert_eq!(kept.frame.jpeg().as_ptr(), bus.newest().unwrap().frame.jpeg().as_ptr());
        bus.clear();
        assert_eq!(numbers(replay_buffer), [1, 3], "what happened stays when the source goes");
    }

    #[test]
    fn bytes_are_bounded_and_the_oldest_go_first() {
        let cost = tiny_frame().jpeg().len() + OVERHEAD;
        let bus = bus(3 * cost);
        (0..10).for_each(|_| bus.publish(tiny_frame()));
        let replay_buffer = bus.replay_buffer().unwrap();
        assert_eq!(numbers(replay_buffer), [8, 9, 10]);
        assert_eq!((replay_buffer.usage().frames, replay_buffer.usage().bytes), (3, 3 * cost));
        assert_eq!(replay_buffer.held.load(Relaxed), 3 * cost, "what is forgotten is freed");
    }

    #[test]
    fn what_is_older_than_the_span_goes() {
        let replay_buffer = ReplayBuffer::new(Duration::ZERO, 1 << 20);
        let bus = Bus::with_replay_buffer(Some(replay_buffer));
        bus.publish(tiny_frame());
        bus.publish(tiny_frame());
        assert_eq!(numbers(bus.replay_buffer().unwrap()), [2]);
    }

    #[test]
    fn readers_that_hold_too_much_of_what_is_forgotten_keep_others_out_until_they_let_go() {
        let cost = tiny_frame().jpeg().len() + OVERHEAD;
        let bus = bus(3 * cost);
        let replay_buffer = bus.replay_buffer().unwrap();
        (0..3).for_each(|_| bus.publish(tiny_frame()));
        let reader = replay_buffer.last(LONG).unwrap();
        let beside = replay_buffer.last(LONG).unwrap();
        assert_eq!(replay_buffer.held.load(Relaxed), 3 * cost, "what readers share costs once");
        (0..3).for_each(|_| bus.publish(tiny_frame()));
        let refused = replay_buffer.last(LONG).unwrap_err();
        assert_eq!(refused, ReplayError::Busy { held: 3 * cost, allowed: 3 * cost });
        drop((reader, beside));
        assert_eq!(numbers(replay_buffer), [4, 5, 6]);
    }

    #[test]
    fn what_is_kept_is_told_and_the_newest_is_always_among_the_last() {
        let replay_buffer = ReplayBuffer::new(LONG, 1 << 20);
        assert_eq!((replay_buffer.span(), replay_buffer.usage().span), (LONG, Duration::ZERO));
        let bus = Bus::with_replay_buffer(Some(replay_buffer));
        let [first, second] = [tiny_frame(), tiny_frame()];
        let span = second.arrived_at() - first.arrived_at();
        assert!(span > Duration::ZERO);
        bus.publish(first);
        bus.publish(second);
        let replay_buffer = bus.replay_buffer().unwrap();
        assert_eq!((replay_buffer.usage().frames, replay_buffer.usage().span), (2, span));
        let last =
            |wanted| replay_buffer.last(wanted).unwrap().iter().map(ClipFrame::seq).collect::<Vec<_>>();
        assert_eq!((last(Duration::ZERO), last(span)), (vec![2], vec![1, 2]));
        assert_eq!(last(span - Duration::from_nanos(1)), [2]);
    }
}
