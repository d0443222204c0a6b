//! The notices that wait for delivery to one hook, in order and bounded, and the counters of the others.

use std::{
    collections::VecDeque,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use super::event::Notice;

/// Most that wait: a bad night of a dozen cameras, in less than 100 kB. Beyond that the oldest go, since the
/// newest say how things are; the next one that is told says how many are missing.
pub(super) const MAX_WAITING: usize = 200;

/// Waiting notices of one hook, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    more: Notify,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    retries: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    notices: VecDeque<Notice>,
    /// Dropped, and not told yet that they were.
    missed: u64,
    /// The oldest is being told.
    in_hand: bool,
}

/// The delivery counters of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deliveries {
    /// Taken by the receiver.
    pub delivered: u64,
    /// Refused for good, or tried for too long.
    pub failed: u64,
    /// There was no room, or no time before the end.
    pub dropped: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Wait now.
    pub waiting: usize,
}

impl Queue {
    /// One more; true if the oldest had to go for it.
    pub(super) fn push(&self, notice: Notice) -> bool {
        let mut waiting = self.waiting();
        let full = waiting.notices.len() == MAX_WAITING;
        if full {
            let oldest = usize::from(waiting.in_hand);
            waiting.notices.remove(oldest);
            waiting.missed += 1;
            self.dropped.fetch_add(1, Relaxed);
        }
        waiting.notices.push_back(notice);
        drop(waiting);
        self.more.notify_one();
        full
    }

    /// The oldest, as soon as there is one, with how many were dropped before it. It is in hand, and stays,
    /// until [`Queue::done`].
    pub(super) async fn oldest(&self) -> (Notice, u64) {
        loop {
            if let Some(oldest) = self.take_in_hand() {
                return oldest;
            }
            self.more.notified().await;
        }
    }

    /// Returns the oldest notice, if there is one, and marks it as being delivered.
    pub(super) fn take_in_hand(&self) -> Option<(Notice, u64)> {
        let mut waiting = self.waiting();
        let oldest = waiting.notices.front()?.clone();
        waiting.in_hand = true;
        Some((oldest, waiting.missed))
    }

    /// The one in hand was told, and of `missed` others too; or cannot be.
    pub(super) fn done(&self, missed: u64, delivered: bool) {
        let mut waiting = self.waiting();
        waiting.notices.pop_front();
        waiting.in_hand = false;
        if delivered {
            waiting.missed -= missed;
            self.delivered.fetch_add(1, Relaxed);
        } else {
            // The next one says that this is missing.
            waiting.missed += 1;
            self.failed.fetch_add(1, Relaxed);
        }
    }

    /// It is tried once more.
    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Nobody will be told any more; how many waited.
    pub(super) fn give_up(&self) -> usize {
        let left = std::mem::take(&mut self.waiting().notices).len();
        self.dropped.fetch_add(left as u64, Relaxed);
        left
    }

    /// Returns the delivery counters so far.
    pub(super) fn deliveries(&self) -> Deliveries {
        let waiting = self.waiting().notices.len();
        let [delivered, failed, dropped, retries] =
            [&self.delivered, &self.failed, &self.dropped, &self.retries].map(|count| count.load(Relaxed));
        Deliveries { delivered, failed, dropped, retries, waiting }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookEvent;

    fn notice(n: usize) -> Notice {
        Notice {
            id: n.to_string(),
            event: HookEvent::Lost,
            stream: "door".parse().unwrap(),
            title: String::new(),
            time: std::time::SystemTime::now(),
            message: String::new(),
        }
    }

    #[tokio::test]
    async fn a_full_queue_loses_its_oldest_and_says_how_many() {
        let queue = Queue::default();
        for n in 0..MAX_WAITING {
            assert!(!queue.push(notice(n)));
        }
        let (in_hand, missed) = queue.oldest().await;
        assert_eq!((in_hand.id.as_str(), missed), ("0", 0));
        assert!(queue.push(notice(1000)) && queue.push(notice(1001)));
        assert_eq!(queue.take_in_hand().unwrap().0.id, "0", "the one in hand stays");
        queue.done(missed, true);
        let (next, missed) = queue.oldest().await;
        assert_eq!((next.id.as_str(), missed), ("3", 2));
        queue.done(missed, true);
        let (next, missed) = queue.oldest().await;
        assert_eq!((next.id.as_str(), missed), ("4", 0));
        queue.done(missed, false);
        assert_eq!(queue.oldest().await.1, 1, "one that could not be told is missing");
        let counts = queue.deliveries();
        assert_eq!((counts.delivered, counts.failed, counts.dropped), (2, 1, 2));
        assert_eq!((counts.waiting, queue.give_up()), (MAX_WAITING - 3, MAX_WAITING - 3));
        assert_eq!(queue.deliveries().dropped, MAX_WAITING as u64 - 1);
    }
}
