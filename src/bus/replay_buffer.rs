//! The replay buffer: the pictures of the last seconds of a stream, in memory.
//!
//! It shares the frames' bytes and copies none.
//!
//! Bounded in time and in bytes. Whoever reads holds on to what the ring has let go of meanwhile; those bytes
//! are counted too, and while they are as many as the ring may have nobody else may begin. So the ring and
//! all its readers together hold three times `max_bytes` at most.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use super::current::PublishedFrame;
use crate::media::{
    formats::Picture,
    frame::{Frame, FrameKind},
    multipart::writer::PreparedPart,
};

/// Bytes that a picture takes besides its own: the headers of its part, and its entry in this buffer.
const OVERHEAD: usize = 512;

/// A picture that was shown.
#[derive(Debug)]
pub struct Past {
    /// Number of the frame on the bus.
    pub seq: u64,
    /// The picture.
    pub frame: Frame,
    /// The frame as a multipart part, ready to be sent.
    pub part: PreparedPart,
    held: Arc<AtomicUsize>,
}

impl Past {
    fn cost(&self) -> usize {
        self.frame.jpeg().len() + OVERHEAD
    }
}

impl Drop for Past {
    fn drop(&mut self) {
        self.held.fetch_sub(self.cost(), Relaxed);
    }
}

impl Picture for Arc<Past> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn seq(&self) -> u64 {
        self.seq
    }
}

/// The replay buffer of one stream.
#[derive(Debug)]
pub struct History {
    span: Duration,
    max_bytes: usize,
    ring: Mutex<Ring>,
    /// Bytes of all pictures that are held, by the ring or by readers.
    held: Arc<AtomicUsize>,
}

#[derive(Debug, Default)]
struct Ring {
    /// Pictures, oldest first.
    pictures: VecDeque<Arc<Past>>,
    bytes: usize,
}

/// The number of frames and bytes that a [`History`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// Number of pictures.
    pub frames: usize,
    /// Number of bytes, including the overhead of each picture.
    pub bytes: usize,
    /// Time from the oldest picture to the newest.
    pub span: Duration,
}

/// An error on reading the replay buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HistoryError {
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

impl History {
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
        let past = Arc::new(Past { seq, frame, part, held: self.held.clone() });
        let cost = past.cost();
        self.held.fetch_add(cost, Relaxed);
        let mut ring = self.ring();
        // Of two that publish at the same moment the second may come here first.
        let place = ring.pictures.partition_point(|earlier| earlier.seq < seq);
        ring.pictures.insert(place, past);
        ring.bytes += cost;
        while let Some(old) = self.surplus(&mut ring) {
            drop(ring);
            // Freed while nobody waits for the ring.
            drop(old);
            ring = self.ring();
        }
    }

    fn surplus(&self, ring: &mut Ring) -> Option<Arc<Past>> {
        let newest = ring.pictures.back()?.frame.arrived();
        let oldest = ring.pictures.front()?;
        let age = newest.saturating_duration_since(oldest.frame.arrived());
        if age <= self.span && ring.bytes <= self.max_bytes {
            return None;
        }
        ring.bytes -= oldest.cost();
        ring.pictures.pop_front()
    }

    /// Returns the pictures of the last `wanted` before the newest, oldest first; at least one.
    ///
    /// # Errors
    /// [`HistoryError`] when there is none, or when others hold too many that are forgotten already.
    pub fn last(&self, wanted: Duration) -> Result<Vec<Arc<Past>>, HistoryError> {
        let ring = self.ring();
        let newest = ring.pictures.back().ok_or(HistoryError::Empty)?.frame.arrived();
        let held = self.held.load(Relaxed).saturating_sub(ring.bytes);
        if held >= self.max_bytes {
            return Err(HistoryError::Busy { held, allowed: self.max_bytes });
        }
        let age = |past: &Arc<Past>| newest.saturating_duration_since(past.frame.arrived());
        Ok(ring.pictures.iter().filter(|past| age(past) <= wanted).cloned().collect())
    }

    /// Returns the number of frames and bytes that are held.
    pub fn kept(&self) -> Kept {
        let ring = self.ring();
        let arrived = |past: Option<&Arc<Past>>| past.map(|past| past.frame.arrived());
        let span = match (arrived(ring.pictures.front()), arrived(ring.pictures.back())) {
            (Some(oldest), Some(newest)) => newest.saturating_duration_since(oldest),
            _ => Duration::ZERO,
        };
        Kept { frames: ring.pictures.len(), bytes: ring.bytes, span }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::channel::{Bus, tests::tiny_frame};

    const LONG: Duration = Duration::from_secs(3600);

    fn bus(max_bytes: usize) -> Bus {
        Bus::with_replay_buffer(Some(History::new(LONG, max_bytes)))
    }

    fn numbers(history: &History) -> Vec<u64> {
        history.last(LONG).unwrap().iter().map(|past| past.seq).collect()
    }

    #[test]
    fn pictures_are_kept_in_order_without_a_copy_and_placeholders_are_not() {
        let bus = bus(1 << 20);
        let history = bus.history().unwrap();
        assert_eq!(history.last(LONG).unwrap_err(), HistoryError::Empty);
        bus.publish(tiny_frame());
        bus.publish(tiny_frame().as_placeholder());
        bus.publish(tiny_frame());
        assert_eq!(numbers(history), [1, 3]);
        let kept = &history.last(LONG).unwrap()[1];
        assert_eq!(kept.frame.jpeg().as_ptr(), bus.newest().unwrap().frame.jpeg().as_ptr());
        bus.clear();
        assert_eq!(numbers(history), [1, 3], "what happened stays when the source goes");
    }

    #[test]
    fn bytes_are_bounded_and_the_oldest_go_first() {
        let cost = tiny_frame().jpeg().len() + OVERHEAD;
        let bus = bus(3 * cost);
        (0..10).for_each(|_| bus.publish(tiny_frame()));
        let history = bus.history().unwrap();
        assert_eq!(numbers(history), [8, 9, 10]);
        assert_eq!((history.kept().frames, history.kept().bytes), (3, 3 * cost));
        assert_eq!(history.held.load(Relaxed), 3 * cost, "what is forgotten is freed");
    }

    #[test]
    fn what_is_older_than_the_span_goes() {
        let history = History::new(Duration::ZERO, 1 << 20);
        let bus = Bus::with_replay_buffer(Some(history));
        bus.publish(tiny_frame());
        bus.publish(tiny_frame());
        assert_eq!(numbers(bus.history().unwrap()), [2]);
    }

    #[test]
    fn readers_that_hold_too_much_of_what_is_forgotten_keep_others_out_until_they_let_go() {
        let cost = tiny_frame().jpeg().len() + OVERHEAD;
        let bus = bus(3 * cost);
        let history = bus.history().unwrap();
        (0..3).for_each(|_| bus.publish(tiny_frame()));
        let reader = history.last(LONG).unwrap();
        let beside = history.last(LONG).unwrap();
        assert_eq!(history.held.load(Relaxed), 3 * cost, "what readers share costs once");
        (0..3).for_each(|_| bus.publish(tiny_frame()));
        let refused = history.last(LONG).unwrap_err();
        assert_eq!(refused, HistoryError::Busy { held: 3 * cost, allowed: 3 * cost });
        drop((reader, beside));
        assert_eq!(numbers(history), [4, 5, 6]);
    }

    #[test]
    fn what_is_kept_is_told_and_the_newest_is_always_among_the_last() {
        let history = History::new(LONG, 1 << 20);
        assert_eq!((history.span(), history.kept().span), (LONG, Duration::ZERO));
        let bus = Bus::with_replay_buffer(Some(history));
        let [first, second] = [tiny_frame(), tiny_frame()];
        let span = second.arrived() - first.arrived();
        assert!(span > Duration::ZERO);
        bus.publish(first);
        bus.publish(second);
        let history = bus.history().unwrap();
        assert_eq!((history.kept().frames, history.kept().span), (2, span));
        let last = |wanted| history.last(wanted).unwrap().iter().map(Picture::seq).collect::<Vec<_>>();
        assert_eq!((last(Duration::ZERO), last(span)), (vec![2], vec![1, 2]));
        assert_eq!(last(span - Duration::from_nanos(1)), [2]);
    }
}
