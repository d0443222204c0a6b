//! The bytes that wait to be written to one viewer, the [`PartProducer`] that supplies them, and the state of
//! the connection.
//!
//! An outbox is shared by the response body, which owns the [`ProducerGuard`]; the socket, whose `poll_flush`
//! writes the waiting bytes; and the stream's fan-out, which offers each frame to the outbox and, if the
//! connection is idle, writes it directly. The connection's task writes only what the socket does not accept
//! at once.
//!
//! A producer may be moved from one stream's bus to another's, between two parts. Such a connection gets
//! frames through a [`SwitchableReceiver`] for each bus, of which only the latest is in use; the lock of the
//! outbox protects which one that is.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{direct_write::DirectWriter, interim::Interim, write_queue::WriteQueue};
use crate::{
    bus::{Bus, Current, FrameReceiver, SplicePipe},
    platform::sync::{Mutex, MutexGuard},
    registry::RenditionGuard,
};

/// Produces the bytes that a viewer gets.
pub(in crate::web) trait PartProducer: fmt::Debug + Send {
    /// Puts the next part, or what belongs between parts, into `pieces`, which is empty.
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill;

    /// Returns whether [`PartProducer::fill`] would do something.
    fn has_next(&self, current: &Current) -> bool;

    /// Ends the producer: only its last bytes follow.
    fn end(&mut self) {}

    /// Switches the producer to another bus: that of the rendition, or of the stream itself. Returns the
    /// rendition that it held before.
    fn move_to(&mut self, rendition: Option<RenditionGuard>) -> Option<RenditionGuard>;
}

/// The result of [`PartProducer::fill`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Fill {
    /// Bytes were added.
    Data,
    /// There is nothing to send now.
    Pending,
    /// The producer has ended.
    Done,
}

/// The output of one connection: at most one part.
#[derive(Debug, Clone)]
pub(in crate::web) struct Outbox(pub(super) Arc<Shared>);

/// The state that clones of an [`Outbox`] share.
#[derive(Debug)]
pub(super) struct Shared {
    pending: Mutex<Pending>,
    /// The connection's socket is a plain one. Not under the lock, for which the fan-out would wait when it
    /// counts such viewers.
    can_splice: bool,
}

/// The bytes that wait to be written, and the connection's state.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) pieces: WriteQueue,
    producer: Option<Box<dyn PartProducer>>,
    /// The bus that the producer follows.
    bus: Option<Arc<Bus>>,
    /// The number of times that the producer was moved to another bus.
    moves: u64,
    /// A producer was attached once. A stream's answer ends its connection, so there is no second.
    used: bool,
    /// The connection is idle: its task has written everything, including the answer's head and the previous
    /// part.
    flushed: bool,
    /// Set when a write to it panicked.
    pub(super) broken: bool,
    /// The number of times that everything was written.
    flush_count: u64,
    /// Writes without the connection's task.
    pub(super) direct_writer: Option<Arc<dyn DirectWriter>>,
    /// The body's task.
    task: Option<Waker>,
    /// Wake the task when everything is written: the producer has more.
    wake_when_flushed: bool,
    pub(super) stall_timeout: Duration,
    pub(super) answering: u32,
    pub(super) receiving: u32,
    /// Requests that have arrived and are not answered yet.
    pub(super) pipelined: u32,
    pub(super) interim: Interim,
}

/// The kind of handler that keeps a connection open without writing to it for long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Busy {
    /// A stream, or waiting for a picture. The client need not send anything meanwhile.
    Answering,
    /// A push.
    Receiving,
}

/// Exempts the connection from the idle timeout for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct BusyGuard(Outbox, Busy);

impl Drop for BusyGuard {
    fn drop(&mut self) {
        *self.0.lock().count(self.1) -= 1;
    }
}

/// Keeps a producer attached to the outbox for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct ProducerGuard {
    outbox: Outbox,
}

/// Tells whether a producer may change its bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum BusBinding {
    /// It never changes its bus.
    Fixed,
    /// [`ProducerGuard::move_to`] may be used.
    Switchable,
}

impl ProducerGuard {
    /// Lets the producer fill the outbox. Ready when the producer has ended and everything is written;
    /// otherwise the task is woken when there is more to do.
    pub(in crate::web) fn poll_ended(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut pending = self.outbox.lock();
        if !pending.task.as_ref().is_some_and(|task| task.will_wake(cx.waker())) {
            pending.task = Some(cx.waker().clone());
        }
        if pending.broken {
            return Poll::Ready(());
        }
        // The bus is read under the lock: the fan-out offers a frame after it is published, so that the frame
        // is either read here or offered later.
        let Pending { pieces, producer, bus, flushed, wake_when_flushed, .. } = &mut *pending;
        let current = bus.as_ref().expect("it is set together with the producer").current();
        let producer = producer.as_mut().expect("it is taken away only when this guard is dropped");
        if *flushed {
            match producer.fill(&current, pieces) {
                Fill::Data => *flushed = false,
                Fill::Pending => return Poll::Pending,
                Fill::Done => return Poll::Ready(()),
            }
        }
        *wake_when_flushed |= producer.has_next(&current);
        Poll::Pending
    }

    /// Moves the producer to another bus: that of `rendition`, or of the stream itself. Requires
    /// [`BusBinding::Switchable`]. The task has to call [`ProducerGuard::poll_ended`] afterwards, which reads
    /// the frame that the bus already has.
    pub(in crate::web) fn move_to(&self, bus: &Arc<Bus>, rendition: Option<RenditionGuard>) {
        let mut pending = self.outbox.lock();
        pending.moves += 1;
        let moves = pending.moves;
        let before = pending.bus.replace(bus.clone());
        let held = pending.producer.as_mut().map(|producer| producer.move_to(rendition));
        drop(pending);
        bus.subscribers().add(Arc::new(SwitchableReceiver { outbox: self.outbox.0.clone(), moves }));
        if let Some(before) = before {
            before.subscribers().notify_left();
        }
        // After the lock is released: dropping a rendition may stop its stream.
        drop(held);
    }
}

impl ProducerGuard {
    /// Calls `inspect` with what waits to be written: the part's number, and the longest piece that is left
    /// of it, if any.
    pub(in crate::web) fn with_waiting<T>(&self, inspect: impl FnOnce(u64, Option<&[u8]>) -> T) -> T {
        let pending = self.outbox.lock();
        inspect(pending.flush_count, pending.pieces.longest())
    }

    /// Ends the producer in an orderly way. The task has to call [`ProducerGuard::poll_ended`] afterwards.
    pub(in crate::web) fn end(&self) {
        if let Some(producer) = &mut self.outbox.lock().producer {
            producer.end();
        }
    }
}

impl Drop for ProducerGuard {
    fn drop(&mut self) {
        let mut pending = self.outbox.lock();
        // Dropped after the lock is released: dropping the last viewer may stop the stream.
        let (producer, bus) = (pending.producer.take(), pending.bus.take());
        pending.task = None;
        drop(pending);
        drop(producer);
        if let Some(bus) = bus {
            bus.subscribers().notify_left();
        }
    }
}

impl Outbox {
    pub(in crate::web) fn new(stall_timeout: Duration, direct_writer: Option<Arc<dyn DirectWriter>>) -> Self {
        let can_splice = direct_writer.as_ref().is_some_and(|direct_writer| direct_writer.can_splice());
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
            interim: Interim::None,
        });
        Self(Arc::new(Shared { pending, can_splice }))
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

    /// Sets after how long without a write the viewer is disconnected.
    pub(in crate::web) fn set_stall_timeout(&self, timeout: Duration) {
        self.lock().stall_timeout = timeout;
    }

    /// Fills the outbox from `producer`, with the frames of `bus`. `None` on a connection that was used for a
    /// stream before, whose fan-out may still write to it.
    pub(in crate::web) fn attach(
        &self,
        producer: Box<dyn PartProducer>,
        bus: &Arc<Bus>,
        binding: BusBinding,
    ) -> Option<ProducerGuard> {
        let mut pending = self.lock();
        if std::mem::replace(&mut pending.used, true) {
            return None;
        }
        pending.producer = Some(producer);
        pending.bus = Some(bus.clone());
        pending.flushed = false;
        drop(pending);
        bus.subscribers().add(match binding {
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

/// The outbox itself, without an indirection: the fan-out calls a thousand of them for each frame.
impl FrameReceiver for Shared {
    /// Writes the newest frame, if the connection is idle. Otherwise the task reads the bus when it has
    /// written everything.
    fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>) {
        self.lock().on_frame(current, true, pipe);
    }

    /// Wakes the task, which reads the bus.
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

/// Receives the frames of one bus for a connection whose producer may be moved. Does nothing after the
/// producer was moved to another bus.
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
    /// Ends the connection: a write was interrupted, so a part may be incomplete.
    fn abort(&mut self) {
        self.broken = true;
        if let Some(task) = &self.task {
            task.wake_by_ref();
        }
    }

    /// Offers the newest frame to the producer if the connection is idle: writes it if `here` permits,
    /// otherwise wakes the task.
    fn on_frame(&mut self, current: &Current, here: bool, mut pipe: Option<&mut SplicePipe>) {
        let Pending {
            pieces,
            producer: Some(producer),
            flushed,
            direct_writer,
            task,
            wake_when_flushed,
            broken: false,
            ..
        } = self
        else {
            return;
        };
        if !*flushed {
            *wake_when_flushed = true;
            return;
        }
        let task_is_needed = match direct_writer {
            // The body writes the end of the answer.
            Some(direct_writer) if here && !current.closed => {
                // A first frame is followed by its repeat.
                while *flushed && producer.fill(current, pieces) == Fill::Data {
                    // The task meets the same error again, and ends the connection.
                    *flushed = pieces.write_all(&**direct_writer, pipe.as_deref_mut()).is_ok();
                }
                !*flushed
            }
            _ => producer.has_next(current),
        };
        if task_is_needed && let Some(task) = task {
            task.wake_by_ref();
        }
    }

    /// Returns whether the connection's answer is a stream, which is its last.
    pub(super) fn is_streaming(&self) -> bool {
        self.used
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
        if self.interim == Interim::Queued {
            self.interim = Interim::None;
        }
        if std::mem::take(&mut self.wake_when_flushed) {
            cx.waker().wake_by_ref();
        }
    }
}
