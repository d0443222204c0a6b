//! The line in front of the workers: who is next.
//!
//! A structure without threads, clock or memory of its own.

use std::{
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    frame::StreamName,
    limits::{BudgetError, BytePermit},
};

/// Jobs of one kind that may wait of one stream: pictures that come later are newer.
pub(super) const WAITING_JOBS_PER_STREAM: usize = 4;

/// For so long after other work conversions leave half of the workers alone: nearly all streams have a
/// picture more often, and one that has not can wait for a conversion.
const RESERVED_FOR: Duration = Duration::from_secs(1);

/// Does a piece of work in the memory that was taken for it, or is told that there never will be so much.
type Work = Box<dyn FnOnce(Result<BytePermit, BudgetError>) + Send>;

/// Who has work.
pub(super) struct Queue {
    bounds: Bounds,
    /// Each once; the first is next.
    turns: VecDeque<Turn>,
    jobs: HashMap<Origin, VecDeque<Piece>>,
    waiting_jobs: usize,
    waiting_conversions: usize,
    converting: usize,
    /// The piece that was taken last was a conversion.
    converted_last: bool,
    /// When other work than conversions was last there.
    other_work: Option<Instant>,
}

/// What bounds a queue.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) workers: usize,
    /// Jobs that may wait, and one more of each stream.
    pub(super) max_jobs: usize,
    /// Conversions at the same time while there is other work.
    pub(super) max_conversions: usize,
}

/// Too many jobs wait.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Full;

/// Whose jobs they are.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Origin {
    pub(super) stream: StreamName,
    pub(super) kind: JobKind,
}

/// What a job is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum JobKind {
    /// A picture that framecast draws, or makes of one that it has.
    Drawing,
    /// A pushed file that is to become a JPEG.
    Conversion,
}

enum Turn {
    Jobs(Origin),
    Lane(Arc<LaneState>),
}

/// A piece of work, and the bytes that it takes.
pub(crate) struct Piece {
    pub(super) bytes: usize,
    pub(super) work: Work,
}

/// A piece that is taken out of the line.
pub(super) struct Taken {
    pub(super) piece: Piece,
    pub(super) lane: Option<Arc<LaneState>>,
    pub(super) is_conversion: bool,
}

/// One who has work again and again.
pub(super) struct LaneState {
    work: Box<dyn Fn() -> Option<Piece> + Send + Sync>,
    stands: Mutex<Stands>,
}

/// Where a lane is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stands {
    Outside,
    InQueue,
    AtWork,
    /// At work, and there is more.
    AtWorkAndMore,
}

impl Queue {
    /// An empty one.
    pub(super) fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            turns: VecDeque::new(),
            jobs: HashMap::new(),
            waiting_jobs: 0,
            waiting_conversions: 0,
            converting: 0,
            converted_last: false,
            other_work: None,
        }
    }

    /// Lets a job wait.
    ///
    /// # Errors
    /// [`Full`] when too many do.
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

    /// Lets a lane wait, which does not do so yet.
    pub(super) fn add_lane(&mut self, lane: Arc<LaneState>, now: Instant) {
        self.other_work = Some(now);
        self.turns.push_back(Turn::Lane(lane));
    }

    /// Takes the next piece out of the line, if there is one that may be done now. [`Queue::done`] is due once
    /// it is.
    pub(super) fn take(&mut self, now: Instant) -> Option<Taken> {
        let at = self.turns.iter().position(|turn| !turn.is_conversion() || self.may_convert(now))?;
        match self.turns.remove(at)? {
            Turn::Lane(lane) => {
                self.converted_last = false;
                let piece = lane.piece();
                Some(Taken { piece, lane: Some(lane), is_conversion: false })
            }
            Turn::Jobs(origin) => {
                let is_conversion = origin.kind == JobKind::Conversion;
                let jobs = self.jobs.get_mut(&origin)?;
                let piece = jobs.pop_front()?;
                self.waiting_jobs -= 1;
                self.waiting_conversions -= usize::from(is_conversion);
                if jobs.is_empty() {
                    self.jobs.remove(&origin);
                } else {
                    self.turns.push_back(Turn::Jobs(origin));
                }
                self.converting += usize::from(is_conversion);
                self.converted_last = is_conversion;
                Some(Taken { piece, lane: None, is_conversion })
            }
        }
    }

    /// A piece that was taken is done.
    pub(super) fn done(&mut self, is_conversion: bool, now: Instant) {
        self.converting -= usize::from(is_conversion);
        if !is_conversion {
            self.other_work = Some(now);
        }
    }

    /// Whether one more conversion may begin.
    fn may_convert(&self, now: Instant) -> bool {
        let others_wait = self.turns.iter().any(|turn| !turn.is_conversion());
        if others_wait && self.bounds.workers == 1 && self.converted_last {
            return false;
        }
        self.converting < self.bounds.max_conversions || !others_wait && self.reserved_for(now).is_none()
    }

    /// For how long half of the workers are still left to others.
    pub(super) fn reserved_for(&self, now: Instant) -> Option<Duration> {
        RESERVED_FOR.checked_sub(now.duration_since(self.other_work?)).filter(|left| !left.is_zero())
    }

    /// Whether nobody has work.
    pub(super) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }

    /// Returns how many jobs wait.
    pub(super) fn jobs(&self) -> usize {
        self.waiting_jobs
    }

    /// Returns how many lanes wait.
    pub(super) fn lanes(&self) -> usize {
        self.turns.iter().filter(|turn| matches!(turn, Turn::Lane(_))).count()
    }

    /// Takes all that waits.
    pub(super) fn take_all(&mut self) -> Self {
        std::mem::replace(self, Self::new(self.bounds))
    }
}

impl Turn {
    fn is_conversion(&self) -> bool {
        matches!(self, Self::Jobs(Origin { kind: JobKind::Conversion, .. }))
    }
}

impl Piece {
    /// A piece of work that takes `bytes` of memory.
    pub(crate) fn new(
        bytes: usize,
        work: impl FnOnce(Result<BytePermit, BudgetError>) + Send + 'static,
    ) -> Self {
        Self { bytes, work: Box::new(work) }
    }
}

impl LaneState {
    /// One that is outside of the line.
    pub(super) fn new(work: impl Fn() -> Option<Piece> + Send + Sync + 'static) -> Self {
        Self { work: Box::new(work), stands: Mutex::new(Stands::Outside) }
    }

    pub(super) fn stands(&self) -> MutexGuard<'_, Stands> {
        self.stands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins its turn.
    fn piece(&self) -> Piece {
        *self.stands() = Stands::AtWork;
        // Who has a lane minds its panics; the worker must live on all the same.
        let piece = catch_unwind(AssertUnwindSafe(|| (self.work)())).ok().flatten();
        piece.unwrap_or_else(|| Piece::new(0, drop))
    }
}
