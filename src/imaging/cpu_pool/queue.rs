//! The queue in front of the workers: which piece of work is next.
//!
//! Conversions, and pieces that take more than a quarter of the memory, are large. Together they hold at most
//! three quarters of it, and wait in the order in which they came. Small pieces pass a large one that waits,
//! and have the last quarter. So conversions delay only large pieces, however many there are and however long
//! they take. A piece that alone takes more than three quarters is done while no other large one is at work,
//! unless it is a conversion: that never fits.
//!
//! Not here: threads, the clock, and the memory itself.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    limits::{BudgetError, BytePermit},
    media::stream_name::StreamName,
};

/// Queued jobs of one kind of one stream. More are refused, since later pictures are newer.
pub(super) const WAITING_JOBS_PER_STREAM: usize = 4;

/// Time after other work during which conversions leave half of the workers free. Nearly all streams have a
/// picture more often; the others can wait for a conversion.
const RESERVED_FOR: Duration = Duration::from_secs(1);

/// Does a piece of work in the memory that was taken for it, or handles the refusal of that memory.
type Work = Box<dyn FnOnce(Result<BytePermit, BudgetError>) + Send>;

/// Streams and lanes that have work.
pub(super) struct Queue {
    bounds: Bounds,
    /// Each stream's kind of job, and each lane, once; the first is next.
    turns: VecDeque<Turn>,
    jobs: HashMap<Origin, VecDeque<Piece>>,
    waiting_jobs: usize,
    waiting_conversions: usize,
    converting: usize,
    /// Bytes of the large pieces that are at work.
    large_bytes: usize,
    /// The piece that was taken last was a conversion.
    converted_last: bool,
    /// Last time of other work than conversions.
    other_work: Option<Instant>,
}

/// Bounds of a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) workers: usize,
    /// Queued jobs, besides one of each stream.
    pub(super) max_jobs: usize,
    /// Conversions at work while there is other work.
    pub(super) max_conversions: usize,
}

/// Division of the memory for pieces at work.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    /// Bytes that one piece may take.
    pub(super) most: usize,
    /// Bytes that all large pieces may hold together, which is also the limit of one conversion.
    pub(super) large: usize,
    /// Bytes above which a piece is large.
    pub(super) small: usize,
}

/// An error: too many jobs are queued.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// A stream and a kind of its jobs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) stream: StreamName,
    pub(super) kind: JobKind,
}

/// A kind of job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum JobKind {
    /// Drawing a picture, or making one of another that framecast has.
    Drawing,
    /// Making a JPEG of a pushed file.
    Conversion,
}

enum Turn {
    Jobs(Origin),
    /// With its piece, if that waits for its share of the memory.
    Lane(Arc<LaneState>, Option<Piece>),
}

/// A piece of work, and the bytes that it takes.
pub(crate) struct Piece {
    pub(super) bytes: usize,
    pub(super) work: Work,
}

/// A piece that was removed from the queue.
pub(super) struct Taken {
    pub(super) piece: Piece,
    pub(super) lane: Option<Arc<LaneState>>,
    pub(super) share: Share,
}

/// The part of the workers and of the memory that a piece at work holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Share {
    pub(super) is_conversion: bool,
    large_bytes: usize,
}

/// The state of a lane.
pub(super) struct LaneState {
    work: Box<dyn Fn() -> Option<Piece> + Send + Sync>,
    stands: Mutex<Stands>,
}

/// A lane's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Outside,
    InQueue,
    AtWork,
    /// At work, and more work was announced meanwhile.
    AtWorkAndMore,
}

impl Queue {
    /// Returns an empty queue.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            turns: VecDeque::new(),
            jobs: HashMap::new(),
            waiting_jobs: 0,
            waiting_conversions: 0,
            converting: 0,
            large_bytes: 0,
            converted_last: false,
            other_work: None,
        }
    }

    /// Adds a job.
    ///
    /// # Errors
    /// [`Full`] if too many are queued.
    pub(super) fn add_job(&mut self, origin: Origin, piece: Piece, now: Instant) -> Result<(), Full> {
        let is_conversion = origin.kind == JobKind::Conversion;
        let of_stream = self.jobs.get(&origin).map_or(0, VecDeque::len);
        let is_full = of_stream >= WAITING_JOBS_PER_STREAM
            || self.waiting_jobs >= self.bounds.max_jobs && of_stream > 0
            || self.waiting_conversions >= self.bounds.max_jobs && is_conversion;
        if is_full {
            return Err(Full);
        }
        self.waiting_jobs += 1;
        self.waiting_conversions += usize::from(is_conversion);
        if !is_conversion {
            self.other_work = Some(now);
        }
        self.jobs.entry(origin.clone()).or_default().push_back(piece);
        if of_stream == 0 {
            self.turns.push_back(Turn::Jobs(origin));
        }
        Ok(())
    }

    /// Adds a lane that is not in the queue.
    pub(super) fn add_lane(&mut self, lane: Arc<LaneState>, now: Instant) {
        self.other_work = Some(now);
        self.turns.push_back(Turn::Lane(lane, None));
    }

    /// Removes the next piece that may be done now, if there is one. The caller calls [`Queue::done`] when it
    /// is done. A piece that never fits `shares` is removed at once and holds nothing, so that it can be
    /// refused.
    pub(super) fn take(&mut self, now: Instant, shares: Shares) -> Option<Taken> {
        let may_convert = self.may_convert(now);
        let mut large_waits = false;
        for at in 0..self.turns.len() {
            let is_conversion = self.turns[at].is_conversion();
            if is_conversion && !may_convert {
                continue;
            }
            let bytes = self.bytes_of(at);
            let is_large = is_conversion || bytes > shares.small;
            let is_refused = bytes > if is_conversion { shares.large } else { shares.most };
            let fits = self.large_bytes == 0 || self.large_bytes.saturating_add(bytes) <= shares.large;
            if !is_large || is_refused || fits && !large_waits {
                let large_bytes = if is_large && !is_refused { bytes } else { 0 };
                return self.take_at(at, Share { is_conversion, large_bytes });
            }
            large_waits = true;
        }
        None
    }

    /// Returns the bytes of the next piece of this turn.
    fn bytes_of(&mut self, at: usize) -> usize {
        match &mut self.turns[at] {
            Turn::Jobs(origin) => self.jobs.get(origin).and_then(VecDeque::front).map_or(0, |job| job.bytes),
            Turn::Lane(lane, piece) => piece.get_or_insert_with(|| lane.piece()).bytes,
        }
    }

    fn take_at(&mut self, at: usize, share: Share) -> Option<Taken> {
        let (piece, lane) = match self.turns.remove(at)? {
            Turn::Lane(lane, piece) => (piece.unwrap_or_else(|| lane.piece()), Some(lane)),
            Turn::Jobs(origin) => {
                let jobs = self.jobs.get_mut(&origin)?;
                let piece = jobs.pop_front()?;
                self.waiting_jobs -= 1;
                self.waiting_conversions -= usize::from(share.is_conversion);
                if jobs.is_empty() {
                    self.jobs.remove(&origin);
                } else {
                    self.turns.push_back(Turn::Jobs(origin));
                }
                (piece, None)
            }
        };
        self.converting += usize::from(share.is_conversion);
        self.large_bytes += share.large_bytes;
        self.converted_last = share.is_conversion;
        Some(Taken { piece, lane, share })
    }

    /// Ends a piece that was removed with [`Queue::take`].
    pub(super) fn done(&mut self, share: Share, now: Instant) {
        self.converting -= usize::from(share.is_conversion);
        self.large_bytes -= share.large_bytes;
        if !share.is_conversion {
            self.other_work = Some(now);
        }
    }

    /// Returns whether one more conversion may begin.
    fn may_convert(&self, now: Instant) -> bool {
        let others_wait = self.turns.iter().any(|turn| !turn.is_conversion());
        if others_wait && self.bounds.workers == 1 && self.converted_last {
            return false;
        }
        self.converting < self.bounds.max_conversions || !others_wait && self.reserved_for(now).is_none()
    }

    /// Returns the time for which half of the workers are still reserved for other work.
    pub(super) fn reserved_for(&self, now: Instant) -> Option<Duration> {
        RESERVED_FOR.checked_sub(now.duration_since(self.other_work?)).filter(|left| !left.is_zero())
    }

    /// Returns whether the queue is empty.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Returns the number of queued jobs.
    pub(super) fn jobs(&self) -> usize {
        self.waiting_jobs
    }

    /// Returns the number of queued lanes.
    pub(super) fn lanes(&self) -> usize {
        self.turns.iter().filter(|turn| matches!(turn, Turn::Lane(..))).count()
    }

    /// Removes everything; pieces at work stay counted.
    pub(super) fn take_all(&mut self) -> impl Sized + use<> {
        (std::mem::take(&mut self.turns), std::mem::take(&mut self.jobs))
    }
}

impl Turn {
    fn is_conversion(&self) -> bool {
        matches!(self, Self::Jobs(Origin { kind: JobKind::Conversion, .. }))
    }
}

impl Piece {
    /// Returns a piece of work that takes `bytes` of memory.
    pub(crate) fn new(
        bytes: usize,
        work: impl FnOnce(Result<BytePermit, BudgetError>) + Send + 'static,
    ) -> Self {
        Self { bytes, work: Box::new(work) }
    }
}

impl LaneState {
    /// Returns the state of a lane outside of the queue.
    pub(super) fn new(work: impl Fn() -> Option<Piece> + Send + Sync + 'static) -> Self {
        Self { work: Box::new(work), stands: Mutex::new(Stands::Outside) }
    }

    pub(super) fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins its turn.
    fn piece(&self) -> Piece {
        *self.stands() = Stands::AtWork;
        // The owner of a lane handles its panics; the worker must go on in any case.
        let piece = catch_unwind(AssertUnwindSafe(|| (self.work)())).ok().flatten();
        piece.unwrap_or_else(|| Piece::new(0, drop))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: Shares = Shares { most: 100, large: 75, small: 25 };

    /// A queue and the time.
    struct Tested(Queue, Instant);

    impl Tested {
        fn new(workers: usize) -> Self {
            let bounds = Bounds { workers, max_jobs: 100, max_conversions: (workers / 2).max(1) };
            Self(Queue::new(bounds), Instant::now())
        }

        fn job(&mut self, stream: &str, kind: JobKind, bytes: usize) {
            let origin = Origin { stream: stream.parse().unwrap(), kind };
            self.0.add_job(origin, Piece::new(bytes, drop), self.1).unwrap();
        }

        fn convert(&mut self, stream: &str, bytes: usize) {
            self.job(stream, JobKind::Conversion, bytes);
        }

        fn draw(&mut self, stream: &str, bytes: usize) {
            self.job(stream, JobKind::Drawing, bytes);
        }

        fn lane(&mut self, bytes: usize) {
            let state = LaneState::new(move || Some(Piece::new(bytes, drop)));
            *state.stands() = Stands::InQueue;
            self.0.add_lane(Arc::new(state), self.1);
        }

        /// Removes all pieces that may be done now. Returns their bytes, and their shares.
        fn take(&mut self) -> (Vec<usize>, Vec<Share>) {
            std::iter::from_fn(|| self.0.take(self.1, SHARES))
                .map(|taken| (taken.piece.bytes, taken.share))
                .unzip()
        }

        fn done(&mut self, shares: Vec<Share>) {
            shares.into_iter().for_each(|share| self.0.done(share, self.1));
        }
    }

    #[test]
    fn conversions_hold_three_quarters_together_and_the_others_pass_them() {
        let mut queue = Tested::new(16);
        (0..4).for_each(|n| queue.convert(&format!("inbox-{n}"), 30));
        queue.draw("a", 20);
        queue.lane(5);
        let (taken, shares) = queue.take();
        assert_eq!(taken, [30, 30, 20, 5], "two more conversions wait in line, and nobody for them");
        // However often the others have work meanwhile.
        for _ in 0..100 {
            queue.lane(5);
            queue.draw("a", 25);
            let (taken, shares) = queue.take();
            assert_eq!(taken, [5, 25]);
            queue.done(shares);
        }
        queue.done(shares);
        assert_eq!(queue.take().0, [30, 30]);
    }

    #[test]
    fn large_pictures_of_any_kind_wait_in_the_order_in_which_they_came() {
        let mut queue = Tested::new(16);
        queue.convert("inbox", 60);
        let (_, first) = queue.take();
        queue.lane(50);
        queue.draw("a", 40);
        queue.convert("inbox", 1);
        queue.lane(25);
        let (taken, small) = queue.take();
        assert_eq!(taken, [25], "10 bytes are free for large ones, and all of them wait for the first");
        queue.done(small);
        queue.done(first);
        let (taken, second) = queue.take();
        assert_eq!(taken, [50]);
        queue.done(second);
        assert_eq!(queue.take().0, [40, 1]);
    }

    #[test]
    fn what_never_fits_is_taken_at_once_and_holds_nothing() {
        let mut queue = Tested::new(16);
        queue.convert("inbox", 75);
        let (_, first) = queue.take();
        queue.lane(30);
        queue.convert("other", 76);
        queue.lane(101);
        let (taken, shares) = queue.take();
        assert_eq!(taken, [76, 101], "to be refused");
        queue.done(shares);
        queue.done(first);
        let (taken, shares) = queue.take();
        assert_eq!(taken, [30]);
        queue.done(shares);
        queue.convert("inbox", 75);
        assert_eq!(queue.take().0, [75], "the refused ones hold nothing");
    }

    #[test]
    fn a_piece_that_takes_more_than_the_share_of_large_ones_is_done_while_no_other_is_at_work() {
        let mut queue = Tested::new(16);
        queue.convert("inbox", 10);
        let (_, first) = queue.take();
        queue.lane(90);
        queue.convert("inbox", 10);
        queue.lane(5);
        let (taken, small) = queue.take();
        assert_eq!(taken, [5]);
        queue.done(small);
        queue.done(first);
        let (taken, oversized) = queue.take();
        assert_eq!(taken, [90]);
        queue.done(oversized);
        assert_eq!(queue.take().0, [10]);
    }

    #[test]
    fn a_lane_that_waits_for_memory_gives_its_piece_once() {
        let mut queue = Tested::new(2);
        queue.draw("a", 75);
        let (_, first) = queue.take();
        let asked = Arc::new(Mutex::new(0));
        let counted = asked.clone();
        let state = Arc::new(LaneState::new(move || {
            *counted.lock().unwrap() += 1;
            Some(Piece::new(30, drop))
        }));
        queue.0.add_lane(state.clone(), queue.1);
        (0..3).for_each(|_| assert!(queue.take().0.is_empty()));
        assert_eq!(*state.stands(), Stands::AtWork, "what comes meanwhile is another turn");
        queue.done(first);
        assert_eq!(queue.take().0, [30]);
        assert_eq!(*asked.lock().unwrap(), 1);
    }

    #[test]
    fn what_is_at_work_when_all_is_taken_is_done_after_it() {
        let mut queue = Tested::new(2);
        queue.convert("inbox", 60);
        let (_, shares) = queue.take();
        queue.convert("inbox", 60);
        drop(queue.0.take_all());
        queue.done(shares);
        assert!(queue.take().0.is_empty());
    }
}
