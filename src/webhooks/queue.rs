//! The events that wait for delivery to one webhook, in order and bounded, and the counters of the others.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::Notify;

use super::event::WebhookEvent;

/// Maximum number of waiting events: a bad night of a dozen cameras, in less than 100 kB. Beyond it the
/// oldest are dropped, since the newest describe the current state; the next one that is delivered contains
/// the number of dropped ones.
pub(super) const MAX_WAITING: usize = 200;

/// The waiting events of one webhook, oldest first.
#[derive(Debug, Default)]
pub(super) struct DeliveryQueue {
    waiting: Mutex<Waiting>,
    more: Notify,
    delivered: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
    retries: AtomicU64,
}

#[derive(Debug, Default)]
struct Waiting {
    events: VecDeque<WebhookEvent>,
    /// Number of dropped events that has not been delivered yet.
    missed: u64,
    /// The oldest event is being delivered.
    in_progress: bool,
}

/// The delivery counters of a hook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deliveries {
    /// Events accepted by the receiver.
    pub delivered: u64,
    /// Events that were rejected, or tried for too long.
    pub failed: u64,
    /// Events for which there was no space, or no time before the end.
    pub dropped: u64,
    /// Tries after the first.
    pub retries: u64,
    /// Events that wait now.
    pub waiting: usize,
}

impl DeliveryQueue {
    /// Adds an event; true if the oldest one was dropped for it.
    pub(super) fn push(&self, event: WebhookEvent) -> bool {
        let mut waiting = self.waiting();
        let full = waiting.events.len() == MAX_WAITING;
        if full {
            let oldest = usize::from(waiting.in_progress);
            waiting.events.remove(oldest);
            waiting.missed += 1;
            self.dropped.fetch_add(1, Relaxed);
        }
        waiting.events.push_back(event);
        drop(waiting);
        self.more.notify_one();
        full
    }

    /// Waits for the oldest event, and returns it with the number of events dropped before it. It stays in
    /// the queue until [`DeliveryQueue::finish`].
    pub(super) async fn next(&self) -> (WebhookEvent, u64) {
        loop {
            if let Some(oldest) = self.begin_oldest() {
                return oldest;
            }
            self.more.notified().await;
        }
    }

    /// Returns the oldest event, if there is one, and marks it as being delivered.
    pub(super) fn begin_oldest(&self) -> Option<(WebhookEvent, u64)> {
        let mut waiting = self.waiting();
        let oldest = waiting.events.front()?.clone();
        waiting.in_progress = true;
        Some((oldest, waiting.missed))
    }

    /// Removes the event that was being delivered. If it was `delivered`, so was the number of `missed` ones.
    pub(super) fn finish(&self, missed: u64, delivered: bool) {
        let mut waiting = self.waiting();
        waiting.events.pop_front();
        waiting.in_progress = false;
        if delivered {
            waiting.missed -= missed;
            self.delivered.fetch_add(1, Relaxed);
        } else {
            // The next event reports this one as dropped.
            waiting.missed += 1;
            self.failed.fetch_add(1, Relaxed);
        }
    }

    /// Counts another try.
    pub(super) fn count_retry(&self) {
        self.retries.fetch_add(1, Relaxed);
    }

    /// Drops all waiting events, and returns their number.
    pub(super) fn discard_all(&self) -> usize {
        let left = std::mem::take(&mut self.waiting().events).len();
        self.dropped.fetch_add(left as u64, Relaxed);
        left
    }

    /// Returns the delivery counters so far.
    pub(super) fn deliveries(&self) -> Deliveries {
        let waiting = self.waiting().events.len();
        let [delivered, failed, dropped, retries] =
            [&self.delivered, &self.failed, &self.dropped, &self.retries].map(|count| count.load(Relaxed));
        Deliveries { delivered, failed, dropped, retries, waiting }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The queue of each hook, by its name.
pub(super) type Queues = Mutex<HashMap<String, Arc<DeliveryQueue>>>;

/// Locks the queues.
pub(super) fn lock(queues: &Queues) -> MutexGuard<'_, HashMap<String, Arc<DeliveryQueue>>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::HookEvent;

    fn event(n: usize) -> WebhookEvent {
        WebhookEvent {
            id: n.to_string(),
            kind: HookEvent::Lost,
            stream: "door".parse().unwrap(),
            title: String::new(),
            time: std::time::SystemTime::now(),
            message: String::new(),
        }
    }

    #[tokio::test]
    async fn a_full_queue_loses_its_oldest_and_says_how_many() {
        let queue = DeliveryQueue::default();
        for n in 0..MAX_WAITING {
            assert!(!queue.push(event(n)));
        }
        let (in_progress, missed) = queue.next().await;
        assert_eq!((in_progress.id.as_str(), missed), ("0", 0));
        assert!(queue.push(event(1000)) && queue.push(event(1001)));
        assert_eq!(queue.begin_oldest().unwrap().0.id, "0", "the one in hand stays");
        queue.finish(missed, true);
        let (next, missed) = queue.next().await;
        assert_eq!((next.id.as_str(), missed), ("3", 2));
        queue.finish(missed, true);
        let (next, missed) = queue.next().await;
        assert_eq!((next.id.as_str(), missed), ("4", 0));
        queue.finish(missed, false);
        assert_eq!(queue.next().await.1, 1, "one that could not be told is missing");
        let counts = queue.deliveries();
        assert_eq!((counts.delivered, counts.failed, counts.dropped), (2, 1, 2));
        assert_eq!((counts.waiting, queue.discard_all()), (MAX_WAITING - 3, MAX_WAITING - 3));
        assert_eq!(queue.deliveries().dropped, MAX_WAITING as u64 - 1);
    }
}
