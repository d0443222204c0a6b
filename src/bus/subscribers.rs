//! The subscribers of a bus, which its fan-out shows each frame to one after the other, instead of each
//! waking up for each frame by itself.
//!
//! A thousand tasks that are woken for a frame cost more than half of what writing it to their sockets costs.
//! So one loop a stream shows each frame to all [`FrameReceiver`]s; those that write to sockets do so there
//! and then.

use std::{fmt::Debug, sync::Arc};

use super::{current::Current, splice_pipe::SplicePipe};
use crate::platform::sync::{Mutex, MutexGuard, Notified, Notify};

/// A subscriber of a bus.
pub trait FrameReceiver: Debug + Send + Sync {
    /// Handles the current frame of the bus, perhaps not for the first time. Must not block: all other
    /// subscribers wait. With `pipe` the newest frame's part may be sent from there, if they hold it.
    fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>);

    /// Has the subscriber handle the frame by itself, on another thread: the calling thread has enough to do.
    fn wake(&self, current: &Current);

    /// Returns whether [`FrameReceiver::on_frame`] can make use of `pipe`: whether it writes to a plain TCP
    /// socket. That never changes. The default is that of a receiver that does not.
    fn can_splice(&self) -> bool {
        false
    }

    /// Disconnects the subscriber after [`FrameReceiver::on_frame`] panicked: it gets no more frames and ends
    /// by itself.
    fn abort(&self);

    /// Returns whether the subscriber has left; the fan-out then forgets it.
    fn is_closed(&self) -> bool;
}

/// The subscribers of a bus. Those who join wait here until the fan-out takes them in.
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
    /// Adds a subscriber, which gets each frame from the next one on. It must look at the current frame
    /// itself, after this call, so that no frame in between is lost.
    pub fn add(&self, receiver: Arc<dyn FrameReceiver>) {
        self.lock().joined.push(receiver);
    }

    /// Has the fan-out forget a subscriber that has left before the next frame, which may never come.
    pub fn notify_left(&self) {
        self.lock().some_left = true;
        self.left.notify_one();
    }

    /// Moves those who joined to `receivers`, and removes those who are gone. Returns whether anybody joined
    /// or left since the last time.
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
