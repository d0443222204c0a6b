//! The subscribers of a bus. The fan-out of the stream calls each of them for each frame, so that no task has
//! to be woken for it.
//!
//! Waking a thousand tasks for a frame costs more than half of what writing it to their sockets costs. So one
//! loop per stream calls all [`FrameReceiver`]s for each frame; those that write to sockets do so in that
//! call.

use std::{fmt::Debug, sync::Arc};

use super::{current::Current, splice_pipe::SplicePipe};
use crate::platform::sync::{Mutex, MutexGuard, Notified, Notify};

/// A subscriber of a bus.
pub trait FrameReceiver: Debug + Send + Sync {
    /// Handles the current frame of the bus, perhaps not for the first time. Must not block: all other
    /// subscribers wait. With `pipe` the newest frame's part may be sent from the pipe, if the pipe holds it.
    fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>);

    /// Makes the subscriber handle the frame in its own task, to take load off the calling thread.
    fn wake(&self, current: &Current);

    /// Returns whether [`FrameReceiver::on_frame`] can make use of `pipe`: whether it writes to a plain TCP
    /// socket. The result never changes. The default is `false`.
    fn can_splice(&self) -> bool {
        false
    }

    /// Disconnects the subscriber after [`FrameReceiver::on_frame`] panicked: it gets no more frames and ends
    /// by itself.
    fn abort(&self);

    /// Returns whether the subscriber has left; the fan-out then removes it.
    fn is_closed(&self) -> bool;
}

/// The subscribers of a bus. New ones are queued here until the fan-out collects them.
#[derive(Debug, Default)]
pub struct Subscribers {
    pending: Mutex<PendingChanges>,
    left: Notify,
}

/// Changes of the subscribers that the fan-out has not seen.
#[derive(Debug, Default)]
struct PendingChanges {
    joined: Vec<Arc<dyn FrameReceiver>>,
    some_left: bool,
}

impl Subscribers {
    /// Adds a subscriber, which gets each frame from the next one on. It must read the current frame itself
    /// after this call, so that no frame in between is lost.
    pub fn add(&self, receiver: Arc<dyn FrameReceiver>) {
        self.lock().joined.push(receiver);
    }

    /// Makes the fan-out remove subscribers that have left now, not at the next frame, which may never come.
    pub fn notify_left(&self) {
        self.lock().some_left = true;
        self.left.notify_one();
    }

    /// Moves new subscribers to `receivers`, and removes those that have left. Returns whether any joined or
    /// left since the last call.
    pub fn drain_new(&self, receivers: &mut Vec<Arc<dyn FrameReceiver>>) -> bool {
        let mut changes = self.lock();
        let (some_joined, some_left) = (!changes.joined.is_empty(), std::mem::take(&mut changes.some_left));
        receivers.append(&mut changes.joined);
        drop(changes);
        if some_left {
            receivers.retain(|receiver| !receiver.is_closed());
        }
        some_joined || some_left
    }

    /// Completes when a subscriber has left since the last call.
    pub fn changed(&self) -> Notified<'_> {
        self.left.notified()
    }

    fn lock(&self) -> MutexGuard<'_, PendingChanges> {
        self.pending.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl FrameReceiver for Nobody {
        fn on_frame(&self, _: &Current, _: Option<&mut SplicePipe>) {}
        fn wake(&self, _: &Current) {}
        fn abort(&self) {}
        fn is_closed(&self) -> bool {
            false
        }
    }

    #[test]
    fn who_joins_is_taken_in_once_and_who_leaves_is_told() {
        let subscribers = Subscribers::default();
        let mut receivers: Vec<Arc<dyn FrameReceiver>> = vec![Arc::new(Nobody)];
        subscribers.add(Arc::new(Nobody));
        subscribers.add(Arc::new(Nobody));
        assert!(subscribers.drain_new(&mut receivers));
        assert!(!subscribers.drain_new(&mut receivers));
        assert_eq!(receivers.len(), 3);
        assert!(subscribers.changed().now_or_never().is_none());
        subscribers.notify_left();
        assert!(subscribers.changed().now_or_never().is_some(), "also if it left before");
        assert!(subscribers.changed().now_or_never().is_none());
        assert!(subscribers.drain_new(&mut receivers));
        assert!(!subscribers.drain_new(&mut receivers));
    }
}
