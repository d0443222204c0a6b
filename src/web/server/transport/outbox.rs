//! The bytes that wait to be written to one viewer, their origin, and whether anybody is busy with the
//! connection.
//!
//! Shared by three: the response body, which the viewer's [`PartProducer`] hides behind; the socket, whose
//! `poll_flush` writes what waits; and the stream's fan-out, which shows each frame to the outbox and, while
//! the connection rests, writes it past both. Only what the socket does not take at once is left to the
//! connection's task.
//!
//! A feed may be moved from one stream's bus to another's, between two parts. Such a connection is shown
//! frames through a [`SwitchableReceiver`] for each bus, of which only the last one's counts: which that is
//! stands under the same lock as all else.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{direct_write::DirectWriter, write_queue::WriteQueue};
use crate::{
    bus::{Bus, Current, FrameReceiver, SplicePipe},
    platform::sync::{Mutex, MutexGuard},
    registry::RenditionGuard,
};

/// Produces the bytes that a viewer gets.
pub(in crate::web) trait PartProducer: fmt::Debug + Send {
    /// Puts the next part, or whatever belongs between parts, into `pieces`, which are empty.
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill;

    /// Returns whether [`PartProducer::fill`] would do something.
    fn has_next(&self, current: &Current) -> bool;

    /// Makes the feed end: nothing follows but its last bytes.
    fn end(&mut self) {}

    /// Switches the feed to another bus: that of the rendition, or of the stream itself. Returns what
    /// it held before.
    fn move_to(&mut self, rendition: Option<RenditionGuard>) -> Option<RenditionGuard>;
}

/// The result of a [`PartProducer`]'s turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Fill {
    /// Bytes were added.
    Data,
    /// There is nothing to send now.
    Pending,
    /// The feed has ended.
    Done,
}

/// The output of one connection: at most one part.
#[derive(Debug, Clone)]
pub(in crate::web) struct Outbox(pub(super) Arc<Shared>);

/// The state that clones of an [`Outbox`] share.
#[derive(Debug)]
pub(super) struct Shared {
    pending: Mutex<Pending>,
    /// The connection's socket is a plain one. Not under the lock, which the fan-out would wait for to count
    /// such viewers.
    can_splice: bool,
}

/// The bytes that wait to be written, and the connection's state.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) pieces: WriteQueue,
    producer: Option<Box<dyn PartProducer>>,
    /// The bus that the feed follows.
    bus: Option<Arc<Bus>>,
    /// The number of times it was moved.
    moves: u64,
    /// A feed was attached once. A stream's answer ends its connection, so there is no second.
    used: bool,
    /// All that the connection's task had to write is written, the answer's head and the part before above
    /// all.
    flushed: bool,
    /// Set when a write to it panicked.
    pub(super) broken: bool,
    /// The number of times that was so.
    flush_count: u64,
    /// The way past the task.
    pub(super) direct_writer: Option<Arc<dyn DirectWriter>>,
    /// The body's task.
    task: Option<Waker>,
    /// Wake the task when all is written: there is something newer.
    wake_when_flushed: bool,
    pub(super) stall_timeout: Duration,
    pub(super) answering: u32,
    pub(super) receiving: u32,
    /// Requests that have arrived and are not served yet.
    pub(super) pipelined: u32,
}

/// The work of a handler during which nothing may be written for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Busy {
    /// A stream, or waiting for a picture. Nothing more is wanted of the client meanwhile.
    Answering,
    /// A push.
    Receiving,
}

/// Keeps the connection from being idle for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct BusyGuard(Outbox, Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        *self.0.lock().count(self.1) -= 1;
    }
}

/// Lets a feed fill the outbox for as long as it exists; one at a time.
#[derive(Debug)]
pub(in crate::web) struct ProducerGuard {
    outbox: Outbox,
}

/// Tells whether a feed stays with its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum BusBinding {
    /// It never changes its bus.
    Fixed,
    /// [`ProducerGuard::move_to`] may be used.
    Switchable,
}

impl ProducerGuard {
    /// Lets the feed fill the outbox. Ready when the feed has ended and all is written; else the task is
    /// woken when there is more to do for it.
    pub(in crate::web) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pending = self.outbox.lock();
        if !pending.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            pending.task = Some(cx.waker().clone());
        }
        if pending.broken {
            return Poll::Ready(());
        }
        // Looked at under the lock: the fan-out shows a frame behind publishing it, so that it is either seen
        // here or shown later.
        let Pending {
            pieces,
            producer: feed,
            bus,
            flushed: resting,
            wake_when_flushed: wake_when_resting,
            ..
        } = &mut *pending;
        let current = bus.as_ref().expect("it goes with the feed").current();
        let feed = feed.as_mut().expect("it is taken away only when this guard is dropped");
        if *resting {
            match feed.fill(&current, pieces) {
                Fill::Data => *resting = false,
                Fill::Pending => return Poll::Pending,
                Fill::Done => return Poll::Ready(()),
            }
        }
        *wake_when_resting |= feed.has_next(&current);
        Poll::Pending
    }

    /// Moves the feed to another bus: that of `rendition`, or of the stream itself. For feeds that can move.
    /// The task has to call [`ProducerGuard::poll_ended`] behind it: what that bus shows already is seen
    /// there.
    pub(in crate::web) fn move_to(&self, bus: &Arc<Bus>, rendition: Option<RenditionGuard>) {
        let mut pending = self.outbox.lock();
        pending.moves += 1;
        let moves = pending.moves;
        let before = pending.bus.replace(bus.clone());
        let held = pending.producer.as_mut().map(|feed| feed.move_to(rendition));
        drop(pending);
        bus.subscribers().add(Arc::new(SwitchableReceiver { outbox: self.outbox.0.clone(), moves }));
        if let Some(before) = before {
            before.subscribers().notify_left();
        }
        // Behind the lock: its going may stop a stream.
        drop(held);
    }
}

impl ProducerGuard {
    /// Calls `look` with what waits to be written: the part's number, and the longest piece that is left of
    /// it, if any.
    pub(in crate::web) fn with_waiting<T>(&self, look: impl FnOnce(u64, Option<&[u8]>) -> T) -> T {
        let pending = self.outbox.lock();
        look(pending.flush_count, pending.pieces.longest())
    }

    /// Makes the feed end in an orderly way. The task has to call [`ProducerGuard::poll_ended`] afterwards.
    pub(in crate::web) fn end(&self) {
        if let Some(feed) = &mut self.outbox.lock().producer {
            feed.end();
        }
    }
}

impl Drop for ProducerGuard {
    fn drop(&mut self) {
        let mut pending = self.outbox.lock();
        // Dropped behind the lock: the last viewer's going may stop the stream.
        let (feed, bus) = (pending.producer.take(), pending.bus.take());
        pending.task = None;
        drop(pending);
        drop(feed);
        if let Some(bus) = bus {
            bus.subscribers().notify_left();
        }
    }
}

impl Outbox {
    pub(in crate::web) fn new(stall_timeout: Duration, direct_writer: Option<Arc<dyn DirectWriter>>) -> Self {
        let takes_pages = direct_writer.as_ref().is_some_and(|direct_writer| direct_writer.can_splice());
        let pending = Mutex::new(Pending {
            pieces: WriteQueue::default(),
            producer: None,
            bus: None,
            moves: 0,
            used: false,
            flushed: false,
            broken: false,
            flush_count: 0,
            direct_writer,
            task: None,
            wake_when_flushed: false,
            stall_timeout,
            answering: 0,
            receiving: 0,
            pipelined: 0,
        });
        Self(Arc::new(Shared { pending, can_splice: takes_pages }))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Pending> {
        self.0.lock()
    }

    /// Returns how many times everything was written.
    pub(in crate::web) fn flush_count(&self) -> u64 {
        self.lock().flush_count
    }

    /// Marks the connection as busy with a handler.
    pub(in crate::web) fn busy(&self, with: Busy) -> BusyGuard {
        *self.lock().count(with) += 1;
        BusyGuard(self.clone(), with)
    }

    /// Lets the viewer go when it takes nothing for so long.
    pub(in crate::web) fn set_stall_timeout(&self, timeout: Duration) {
        self.lock().stall_timeout = timeout;
    }

    /// Fills the outbox from `feed`, with what `bus` shows. None on a connection that a stream was sent on
    /// before, which another stream's fan-out may still know.
    pub(in crate::web) fn attach(
        &self,
        feed: Box<dyn PartProducer>,
        bus: &Arc<Bus>,
        stays: BusBinding,
    ) -> Option<ProducerGuard> {
        let mut pending = self.lock();
        if std::mem::replace(&mut pending.used, true) {
            return None;
        }
        pending.producer = Some(feed);
        pending.bus = Some(bus.clone());
        pending.flushed = false;
        drop(pending);
        bus.subscribers().add(match stays {
            BusBinding::Fixed => self.0.clone(),
            BusBinding::Switchable => Arc::new(SwitchableReceiver { outbox: self.0.clone(), moves: 0 }),
        });
        Some(ProducerGuard { outbox: self.clone() })
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

/// The outbox itself, without a detour: a thousand of them are looked at for each frame.
impl FrameReceiver for Shared {
    /// Writes what the bus shows, if the connection rests. Else the task will look at the bus when it is
    /// done.
    fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>) {
        self.lock().on_frame(current, true, pipe);
    }

    /// The task will look at the bus.
    fn wake(&self, current: &Current) {
        self.lock().on_frame(current, false, None);
    }

    fn can_splice(&self) -> bool {
        self.can_splice
    }

    fn abort(&self) {
        self.lock().abort();
    }

    fn is_closed(&self) -> bool {
        self.lock().producer.is_none()
    }
}

/// Shows a connection whose feed may move one bus. When the feed has moved on, nothing comes through
/// any more.
#[derive(Debug)]
struct SwitchableReceiver {
    outbox: Arc<Shared>,
    moves: u64,
}

impl SwitchableReceiver {
    fn on_frame_at(&self, current: &Current, here: bool, pipe: Option<&mut SplicePipe>) {
        let mut pending = self.outbox.lock();
        if pending.moves == self.moves {
            pending.on_frame(current, here, pipe);
        }
    }
}

impl FrameReceiver for SwitchableReceiver {
    fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>) {
        self.on_frame_at(current, true, pipe);
    }

    fn wake(&self, current: &Current) {
        self.on_frame_at(current, false, None);
    }

    fn can_splice(&self) -> bool {
        self.outbox.can_splice
    }

    fn abort(&self) {
        self.outbox.lock().abort();
    }

    fn is_closed(&self) -> bool {
        let pending = self.outbox.lock();
        pending.producer.is_none() || pending.moves != self.moves
    }
}

impl Pending {
    /// The connection ends: what it was being written is half written at best.
    fn abort(&mut self) {
        self.broken = true;
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Offers the newest frame to the feed if the connection is idle: writes it if `here` permits, otherwise
    /// wakes the task.
    fn on_frame(&mut self, current: &Current, here: bool, mut pipe: Option<&mut SplicePipe>) {
        let Pending {
            pieces,
            producer: Some(feed),
            flushed: resting,
            direct_writer,
            task,
            wake_when_flushed: wake_when_resting,
            broken: false,
            ..
        } = self
        else {
            return;
        };
        if !*resting {
            *wake_when_resting = true;
            return;
        }
        let task_is_needed = match direct_writer {
            // The end of the answer is the body's.
            Some(direct_writer) if here && !current.closed => {
                // A first frame is followed by its repeat.
                while *resting && feed.fill(current, pieces) == Fill::Data {
                    // An error is met again by the task, whose connection it ends.
                    *resting = pieces.write_all(&**direct_writer, pipe.as_deref_mut()).is_ok();
                }
                !*resting
            }
            _ => feed.has_next(current),
        };
        if task_is_needed && let Some(task) = task {
            task.wake_by_ref();
        }
    }

    pub(super) fn count(&mut self, busy: Busy) -> &mut u32 {
        match busy {
            Busy::Answering => &mut self.answering,
            Busy::Receiving => &mut self.receiving,
        }
    }

    /// Ends writes by other threads than the task. Returns the time limit for its last bytes.
    pub(super) fn end(&mut self) -> Duration {
        self.flushed = false;
        self.stall_timeout
    }

    /// All is written; wakes the body if there is more for it to do.
    pub(super) fn on_flushed(&mut self, cx: &mut Context<'_>) {
        self.flushed = true;
        self.flush_count += 1;
        if std::mem::take(&mut self.wake_when_flushed) {
            cx.waker().wake_by_ref();
        }
    }
}
