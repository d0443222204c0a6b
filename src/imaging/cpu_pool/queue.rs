//! The queue in front of the workers, which decides the next piece of work.
//!
//! Conversions, and pieces that take more than a quarter of the memory, are large. Together they hold at most
//! three quarters of it, and wait in the order in which they came. Small pieces pass a large one that waits,
//! and have the last quarter. So conversions delay only large pieces, however many there are and however long
//! they take. A piece that alone takes more than three quarters is done while no other large one is at work,
//! unless it is a conversion: that never fits.
//!
//! A latest queue that waits for memory keeps its piece, which a newer one may replace; its bytes are those
//! of the newest.
//!
//! Not here: threads, the clock, and the memory itself.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    time::{Duration, Instant},
};

use super::work_item::{Work, WorkItem};
use crate::media::stream_name::StreamName;

/// Queued jobs of one kind of one stream. More are refused, since later pictures are newer.
pub(super) const WAITING_JOBS_PER_STREAM: usize = 4;

/// Time after other work during which conversions leave half of the workers free. Nearly all streams have a
/// picture more often; the others can wait for a conversion.
const RESERVED_FOR: Duration = Duration::from_secs(1);

/// Streams and latest queues that have work.
pub(super) struct Queue {
    bounds: QueueBounds,
    /// Each stream's kind of job, and each latest queue, once; the first is next.
    entries: VecDeque<QueueEntry>,
    jobs: HashMap<JobOrigin, VecDeque<WorkItem>>,
    /// The latest queues that are in the queue or at work, each with its newest piece, until that begins.
    latest_queues: HashMap<LatestQueueId, Option<WorkItem>>,
    created_latest_queues: u64,
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
pub(super) struct QueueBounds {
    pub(super) workers: usize,
    /// Queued jobs, besides one of each stream.
    pub(super) max_jobs: usize,
    /// Conversions at work while there is other work.
    pub(super) max_conversions: usize,
}

/// Division of the memory for pieces at work.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemoryShares {
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
pub(super) struct JobOrigin {
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

/// The identity of a latest queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct LatestQueueId(u64);

/// An entry of the queue: whose piece of work is next.
enum QueueEntry {
    Jobs(JobOrigin),
    Latest(LatestQueueId),
}

/// An entry that may begin, until the queue is changed.
pub(super) struct PendingEntry {
    at: usize,
    /// Bytes that its piece takes.
    pub(super) bytes: usize,
    pub(super) share: ResourceShare,
}

/// An entry that has begun.
pub(super) struct Running {
    latest: Option<LatestQueueId>,
    share: ResourceShare,
}

/// The part of the workers and of the memory that a piece at work holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceShare {
    pub(super) is_conversion: bool,
    large_bytes: usize,
}

impl Queue {
    /// Returns an empty queue.
    pub(super) fn new(bounds: QueueBounds) -> Self {
        Self {
            bounds,
            entries: VecDeque::new(),
            jobs: HashMap::new(),
            latest_queues: HashMap::new(),
            created_latest_queues: 0,
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
    pub(super) fn add_job(&mut self, origin: JobOrigin, item: WorkItem, now: Instant) -> Result<(), Full> {
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
        self.jobs.entry(origin.clone()).or_default().push_back(item);
        if of_stream == 0 {
            self.entries.push_back(QueueEntry::Jobs(origin));
        }
        Ok(())
    }

    /// Returns a new latest queue, without work.
    pub(super) fn new_latest_queue(&mut self) -> LatestQueueId {
        self.created_latest_queues += 1;
        LatestQueueId(self.created_latest_queues)
    }

    /// Gives a latest queue its newest piece. Returns the piece that this one replaces, and whether the
    /// latest queue enters the queue.
    pub(super) fn put(
        &mut self,
        latest: LatestQueueId,
        item: WorkItem,
        now: Instant,
    ) -> (Option<WorkItem>, bool) {
        match self.latest_queues.entry(latest) {
            Entry::Occupied(mut waiting) => (waiting.get_mut().replace(item), false),
            Entry::Vacant(outside) => {
                outside.insert(Some(item));
                self.enqueue(latest, now);
                (None, true)
            }
        }
    }

    /// Removes the waiting piece of a latest queue. Its entry remains, which takes no memory.
    pub(super) fn clear(&mut self, latest: LatestQueueId) -> Option<WorkItem> {
        self.latest_queues.get_mut(&latest)?.take()
    }

    fn enqueue(&mut self, latest: LatestQueueId, now: Instant) {
        self.other_work = Some(now);
        self.entries.push_back(QueueEntry::Latest(latest));
    }

    /// Returns the next entry whose piece may be done now, if there is one. An entry whose piece never fits
    /// `shares` is next at once and holds nothing, so that the piece can be refused.
    pub(super) fn next(&self, now: Instant, shares: MemoryShares) -> Option<PendingEntry> {
        let may_convert = self.may_convert(now);
        let mut large_waits = false;
        for (at, entry) in self.entries.iter().enumerate() {
            let is_conversion = entry.is_conversion();
            if is_conversion && !may_convert {
                continue;
            }
            let bytes = self.bytes_of(entry);
            let is_large = is_conversion || bytes > shares.small;
            let is_refused = bytes > if is_conversion { shares.large } else { shares.most };
            let fits = self.large_bytes == 0 || self.large_bytes.saturating_add(bytes) <= shares.large;
            if !is_large || is_refused || fits && !large_waits {
                let large_bytes = if is_large && !is_refused { bytes } else { 0 };
                return Some(PendingEntry { at, bytes, share: ResourceShare { is_conversion, large_bytes } });
            }
            large_waits = true;
        }
        None
    }

    /// Returns the bytes of the next piece of this entry.
    fn bytes_of(&self, entry: &QueueEntry) -> usize {
        let item = match entry {
            QueueEntry::Jobs(origin) => self.jobs.get(origin).and_then(VecDeque::front),
            QueueEntry::Latest(latest) => self.latest_queues.get(latest).and_then(Option::as_ref),
        };
        item.map_or(0, |item| item.bytes)
    }

    /// Begins an entry: removes it with its piece, which is no work for a latest queue that was cleared. The
    /// caller calls [`Queue::done`] when it is done.
    pub(super) fn begin(&mut self, PendingEntry { at, share, .. }: PendingEntry) -> (Work, Running) {
        let entry = self.entries.remove(at).expect("it was found in the queue, which has not changed since");
        let (item, latest) = match entry {
            QueueEntry::Jobs(origin) => (self.take_job(origin, share), None),
            QueueEntry::Latest(latest) => (self.clear(latest), Some(latest)),
        };
        self.converting += usize::from(share.is_conversion);
        self.large_bytes += share.large_bytes;
        self.converted_last = share.is_conversion;
        (item.map_or_else(|| Box::new(drop) as Work, |item| item.work), Running { latest, share })
    }

    fn take_job(&mut self, origin: JobOrigin, share: ResourceShare) -> Option<WorkItem> {
        let jobs = self.jobs.get_mut(&origin)?;
        let job = jobs.pop_front()?;
        self.waiting_jobs -= 1;
        self.waiting_conversions -= usize::from(share.is_conversion);
        if jobs.is_empty() {
            self.jobs.remove(&origin);
        } else {
            self.entries.push_back(QueueEntry::Jobs(origin));
        }
        Some(job)
    }

    /// Ends an entry. A latest queue that got a piece meanwhile gets another entry.
    pub(super) fn done(&mut self, Running { latest, share }: Running, now: Instant) {
        self.converting -= usize::from(share.is_conversion);
        self.large_bytes -= share.large_bytes;
        if !share.is_conversion {
            self.other_work = Some(now);
        }
        if let Some(latest) = latest {
            match self.latest_queues.get(&latest) {
                Some(Some(_)) => self.enqueue(latest, now),
                _ => drop(self.latest_queues.remove(&latest)),
            }
        }
    }

    /// Returns whether one more conversion may begin.
    fn may_convert(&self, now: Instant) -> bool {
        let others_wait = self.entries.iter().any(|entry| !entry.is_conversion());
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
        self.entries.is_empty()
    }

    /// Returns the number of queued jobs.
    pub(super) fn jobs(&self) -> usize {
        self.waiting_jobs
    }

    /// Returns the maximum number of queued jobs, besides one of each stream.
    pub(super) fn max_jobs(&self) -> usize {
        self.bounds.max_jobs
    }

    /// Returns the number of queued latest queues.
    pub(super) fn latest_queues(&self) -> usize {
        self.entries.iter().filter(|entry| matches!(entry, QueueEntry::Latest(_))).count()
    }

    /// Removes everything and returns it, to be dropped; pieces at work stay counted.
    pub(super) fn take_all(&mut self) -> impl Sized + use<> {
        self.entries.clear();
        (std::mem::take(&mut self.jobs), std::mem::take(&mut self.latest_queues))
    }
}

impl QueueEntry {
    fn is_conversion(&self) -> bool {
        matches!(self, Self::Jobs(JobOrigin { kind: JobKind::Conversion, .. }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARES: MemoryShares = MemoryShares { most: 100, large: 75, small: 25 };

    /// A queue and the time.
    struct Tested(Queue, Instant);

    impl Tested {
        fn new(workers: usize) -> Self {
            let bounds = QueueBounds { workers, max_jobs: 100, max_conversions: (workers / 2).max(1) };
            Self(Queue::new(bounds), Instant::now())
        }

        fn job(&mut self, stream: &str, kind: JobKind, bytes: usize) {
            let origin = JobOrigin { stream: stream.parse().unwrap(), kind };
            self.0.add_job(origin, WorkItem::new(bytes, drop), self.1).unwrap();
        }

        fn convert(&mut self, stream: &str, bytes: usize) {
            self.job(stream, JobKind::Conversion, bytes);
        }

        fn draw(&mut self, stream: &str, bytes: usize) {
            self.job(stream, JobKind::Drawing, bytes);
        }

        fn latest(&mut self, bytes: usize) {
            let latest = self.0.new_latest_queue();
            self.put(latest, bytes);
        }

        /// Gives a latest queue a piece; returns whether that replaced another.
        fn put(&mut self, latest: LatestQueueId, bytes: usize) -> bool {
            self.0.put(latest, WorkItem::new(bytes, drop), self.1).0.is_some()
        }

        /// Begins all entries that may be done now. Returns the bytes of their pieces.
        fn take(&mut self) -> (Vec<usize>, Vec<Running>) {
            let begin = || {
                let next = self.0.next(self.1, SHARES)?;
                Some((next.bytes, self.0.begin(next).1))
            };
            std::iter::from_fn(begin).unzip()
        }

        fn done(&mut self, entries: Vec<Running>) {
            entries.into_iter().for_each(|entry| self.0.done(entry, self.1));
        }
    }

    #[test]
    fn conversions_hold_three_quarters_together_and_the_others_pass_them() {
        let mut queue = Tested::new(16);
        (0..4).for_each(|n| queue.convert(&format!("inbox-{n}"), 30));
        queue.draw("a", 20);
        queue.latest(5);
        let (taken, shares) = queue.take();
        assert_eq!(taken, [30, 30, 20, 5], "two more conversions wait, and no other work waits for them");
        // However often the others have work meanwhile.
        for _ in 0..100 {
            queue.latest(5);
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
        queue.latest(50);
        queue.draw("a", 40);
        queue.convert("inbox", 1);
        queue.latest(25);
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
        queue.latest(30);
        queue.convert("other", 76);
        queue.latest(101);
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
        queue.latest(90);
        queue.convert("inbox", 10);
        queue.latest(5);
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
    fn a_latest_queue_that_waits_for_memory_keeps_its_piece_and_the_bytes_of_the_newest_count() {
        let mut queue = Tested::new(2);
        queue.draw("a", 70);
        let (_, first) = queue.take();
        let latest = queue.0.new_latest_queue();
        assert!(!queue.put(latest, 30));
        assert!(queue.take().0.is_empty());
        assert!(queue.put(latest, 40), "it waits where it can be replaced");
        queue.latest(30);
        assert!(queue.take().0.is_empty(), "the other one, which would fit soon, is queued behind it");
        assert_eq!(queue.0.latest_queues(), 2);
        queue.done(first);
        let (taken, shares) = queue.take();
        assert_eq!(taken, [40, 30]);
        queue.done(shares);
    }

    #[test]
    fn a_latest_queue_whose_newest_piece_is_small_does_not_wait_for_the_memory_of_an_older_one() {
        let mut queue = Tested::new(2);
        queue.draw("a", 75);
        let (_, first) = queue.take();
        let [smaller, cleared] = [(); 2].map(|()| queue.0.new_latest_queue());
        queue.put(smaller, 30);
        queue.put(cleared, 30);
        assert!(queue.take().0.is_empty());
        queue.put(smaller, 25);
        assert!(queue.0.clear(cleared).is_some());
        assert_eq!(queue.take().0, [25, 0]);
        queue.done(first);
    }

    #[test]
    fn a_latest_queue_whose_newest_piece_is_larger_keeps_its_place() {
        let mut queue = Tested::new(2);
        let latest = queue.0.new_latest_queue();
        queue.put(latest, 30);
        queue.latest(50);
        assert_eq!(queue.0.next(queue.1, SHARES).unwrap().bytes, 30);
        queue.put(latest, 60);
        let (taken, entries) = queue.take();
        assert_eq!(taken, [60], "its entry is before the other one, and holds 60 of 75");
        queue.done(entries);
        assert_eq!(queue.take().0, [50], "one entry, one piece");
    }

    #[test]
    fn a_latest_queue_that_gets_a_piece_while_at_work_has_another_entry() {
        let mut queue = Tested::new(2);
        let latest = queue.0.new_latest_queue();
        for cleared in [false, true] {
            queue.put(latest, 1);
            let (_, entries) = queue.take();
            assert!(!queue.put(latest, 2));
            assert!(queue.take().0.is_empty(), "one entry at a time");
            if cleared {
                assert!(queue.0.clear(latest).is_some());
            }
            queue.done(entries);
            let (taken, entries) = queue.take();
            assert_eq!(taken, if cleared { &[][..] } else { &[2] });
            queue.done(entries);
            assert!(queue.0.latest_queues.is_empty(), "nothing is kept of a latest queue without work");
        }
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
