//! The subscribers of a bus, which its fan-out shows each frame to one after the other, instead of each
//! waking up for each frame by itself.
//!
//! A thousand tasks that are woken for a frame cost more than half of what writing it to their sockets costs.
//! So one loop a stream shows each frame to all [`Watcher`]s; those that write to sockets do so there and
//! then.

use std::{fmt::Debug, sync::Arc};

use super::{current::Current, splice_pipe::Pages};
use crate::platform::sync::{Mutex, MutexGuard, Notified, Notify};

/// A subscriber of a bus.
pub trait Watcher: Debug + Send + Sync {
    /// Handles the current frame of the bus, perhaps not for the first time. Must not block: all other
    /// subscribers wait. With `pages` the newest frame's part may be sent from there, if they hold it.
    fn show(&self, current: &Current, pages: Option<&mut Pages>);

    /// Has the subscriber handle the frame by itself, on another thread: the calling thread has enough to do.
    fn call(&self, current: &Current);

    /// Returns whether [`Watcher::show`] can make use of `pages`: whether it writes to a plain TCP socket.
    /// That never changes. The default is that of a watcher that does not.
    fn takes_pages(&self) -> bool {
        false
    }

    /// Disconnects the subscriber after [`Watcher::show`] panicked: it gets no more frames and ends by
    /// itself.
    fn break_off(&self);

    /// Returns whether the subscriber has left; the fan-out then forgets it.
    fn is_gone(&self) -> bool;
}

/// The subscribers of a bus. Those who join wait here until the fan-out takes them in.
#[derive(Debug, Default)]
pub struct Audience {
    changes: Mutex<Changes>,
    left: Notify,
}

/// Changes of an audience that the fan-out has not seen.
#[derive(Debug, Default)]
struct Changes {
    joined: Vec<Arc<dyn Watcher>>,
    some_left: bool,
}

impl Audience {
    /// Adds a subscriber, which gets each frame from the next one on. It must look at the current frame
    /// itself, after this call, so that no frame in between is lost.
    pub fn join(&self, watcher: Arc<dyn Watcher>) {
        self.changes().joined.push(watcher);
    }

    /// Has the fan-out forget a subscriber that has left before the next frame, which may never come.
    pub fn left(&self) {
        self.changes().some_left = true;
        self.left.notify_one();
    }

    /// Moves those who joined to `watchers`, and removes those who are gone. Returns whether anybody joined
    /// or left since the last time.
    pub fn take_in(&self, watchers: &mut Vec<Arc<dyn Watcher>>) -> bool {
        let mut changes = self.changes();
        let (some_joined, some_left) = (!changes.joined.is_empty(), std::mem::take(&mut changes.some_left));
        watchers.append(&mut changes.joined);
        drop(changes);
        if some_left {
            watchers.retain(|watcher| !watcher.is_gone());
        }
        some_joined || some_left
    }

    /// Completes when a subscriber has left since the last call.
    pub fn change(&self) -> Notified<'_> {
        self.left.notified()
    }

    fn changes(&self) -> MutexGuard<'_, Changes> {
        self.changes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl Watcher for Nobody {
        fn show(&self, _: &Current, _: Option<&mut Pages>) {}
        fn call(&self, _: &Current) {}
        fn break_off(&self) {}
        fn is_gone(&self) -> bool {
            false
        }
    }

    #[test]
    fn who_joins_is_taken_in_once_and_who_leaves_is_told() {
        let audience = Audience::default();
        let mut watchers: Vec<Arc<dyn Watcher>> = vec![Arc::new(Nobody)];
        audience.join(Arc::new(Nobody));
        audience.join(Arc::new(Nobody));
        assert!(audience.take_in(&mut watchers));
        assert!(!audience.take_in(&mut watchers));
        assert_eq!(watchers.len(), 3);
        assert!(audience.change().now_or_never().is_none());
        audience.left();
        assert!(audience.change().now_or_never().is_some(), "also if it left before");
        assert!(audience.change().now_or_never().is_none());
        assert!(audience.take_in(&mut watchers));
        assert!(!audience.take_in(&mut watchers));
    }
}
