//! The publisher of a push stream: one at a time, since the pictures of two would be shown in turns.
//!
//! What becomes of a second one is the stream's setting (docs/adr/0006). Single pictures take no turn.

use crate::{config::SecondPublisher, platform::sync::watch};

/// The slot of a stream's publisher. Clones share them.
#[derive(Debug, Clone, Default)]
pub(super) struct PublisherSlot(watch::Sender<SlotState>);

/// The current publisher.
#[derive(Debug, Clone, Copy, Default)]
struct SlotState {
    number: u64,
    is_taken: bool,
}

/// Holds the slot until it is dropped, unless another publisher took over.
#[derive(Debug)]
pub struct PublisherGuard {
    slot: PublisherSlot,
    number: u64,
}

/// An error because another publisher feeds the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("another publisher is connected")]
pub struct AlreadyPublishing;

impl PublisherSlot {
    /// Takes the slot.
    ///
    /// # Errors
    /// [`AlreadyPublishing`] when it is another's, and is not to be taken away.
    pub(super) fn acquire(&self, second: SecondPublisher) -> Result<PublisherGuard, AlreadyPublishing> {
        let mut mine = None;
        // Under the channel's lock: of two that come at the same moment one sees the other.
        self.0.send_if_modified(|turn| {
            if turn.is_taken && second == SecondPublisher::Refused {
                return false;
            }
            *turn = SlotState { number: turn.number + 1, is_taken: true };
            mine = Some(turn.number);
            true
        });
        mine.map(|mine| PublisherGuard { slot: self.clone(), number: mine }).ok_or(AlreadyPublishing)
    }

    /// Returns whether there is a publisher.
    pub(super) fn is_taken(&self) -> bool {
        self.0.borrow().is_taken
    }

    /// Disconnects the current publisher.
    pub(super) fn evict(&self) {
        self.0.send_modify(|turn| *turn = SlotState { number: turn.number + 1, is_taken: false });
    }
}

impl PublisherGuard {
    /// Completes when another publisher took over, or the stream disconnects its publishers.
    pub async fn replaced(&self) {
        // An error would mean that the sender is gone, which this holds itself.
        let _ = self.slot.0.subscribe().wait_for(|turn| turn.number != self.number).await;
    }
}

impl Drop for PublisherGuard {
    fn drop(&mut self) {
        self.slot.0.send_if_modified(|turn| {
            if turn.number == self.number {
                turn.is_taken = false;
            }
            // Nobody waits for that.
            false
        });
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn the_newest_replaces_the_one_before() {
        let turns = PublisherSlot::default();
        let first = turns.acquire(SecondPublisher::Replaces).unwrap();
        assert!(first.replaced().now_or_never().is_none());
        let second = turns.acquire(SecondPublisher::Replaces).unwrap();
        assert!(first.replaced().now_or_never().is_some() && second.replaced().now_or_never().is_none());
        drop(first);
        assert!(turns.is_taken(), "it was not its turn any more");
        drop(second);
        assert!(!turns.is_taken());
    }

    #[test]
    fn where_the_second_is_refused_it_may_come_when_the_first_has_gone() {
        let turns = PublisherSlot::default();
        let first = turns.acquire(SecondPublisher::Refused).unwrap();
        assert_eq!(turns.acquire(SecondPublisher::Refused).unwrap_err(), AlreadyPublishing);
        assert!(first.replaced().now_or_never().is_none(), "nobody took over");
        drop(first);
        turns.acquire(SecondPublisher::Refused).unwrap();
    }

    #[test]
    fn those_who_are_sent_away_have_to_come_again() {
        let turns = PublisherSlot::default();
        let first = turns.acquire(SecondPublisher::Refused).unwrap();
        turns.evict();
        assert!(first.replaced().now_or_never().is_some());
        let again = turns.acquire(SecondPublisher::Refused).unwrap();
        drop(first);
        assert!(again.replaced().now_or_never().is_none() && turns.is_taken());
    }
}
