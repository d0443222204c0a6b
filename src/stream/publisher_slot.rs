//! The publisher of a push stream: one at a time, since the pictures of two publishers would alternate.
//!
//! A setting of the stream decides what happens to a second one (docs/adr/0006). Pictures that are pushed one
//! by one do not take the slot.

use crate::{config::SecondPublisher, platform::sync::watch};

/// The slot of a stream's publisher. Clones share it.
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
    /// [`AlreadyPublishing`] if another publisher has it and `second` does not allow to replace that.
    pub(super) fn acquire(&self, second: SecondPublisher) -> Result<PublisherGuard, AlreadyPublishing> {
        let mut mine = None;
        // Under the channel's lock: of two concurrent publishers one sees the other.
        self.0.send_if_modified(|state| {
            if state.is_taken && second == SecondPublisher::Refused {
                return false;
            }
            *state = SlotState { number: state.number + 1, is_taken: true };
            mine = Some(state.number);
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
        self.0.send_modify(|state| *state = SlotState { number: state.number + 1, is_taken: false });
    }
}

impl PublisherGuard {
    /// Completes when another publisher took over, or the stream disconnects its publishers.
    pub async fn replaced(&self) {
        // An error would mean that the sender is gone, which this holds itself.
        let _ = self.slot.0.subscribe().wait_for(|state| state.number != self.number).await;
    }
}

impl Drop for PublisherGuard {
    fn drop(&mut self) {
        self.slot.0.send_if_modified(|state| {
            if state.number == self.number {
                state.is_taken = false;
            }
            // No task waits for this change.
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
        let slot = PublisherSlot::default();
        let first = slot.acquire(SecondPublisher::Replaces).unwrap();
        assert!(first.replaced().now_or_never().is_none());
        let second = slot.acquire(SecondPublisher::Replaces).unwrap();
        assert!(first.replaced().now_or_never().is_some() && second.replaced().now_or_never().is_none());
        drop(first);
        assert!(slot.is_taken(), "it was not its turn any more");
        drop(second);
        assert!(!slot.is_taken());
    }

    #[test]
    fn where_the_second_is_refused_it_may_come_when_the_first_has_gone() {
        let slot = PublisherSlot::default();
        let first = slot.acquire(SecondPublisher::Refused).unwrap();
        assert_eq!(slot.acquire(SecondPublisher::Refused).unwrap_err(), AlreadyPublishing);
        assert!(first.replaced().now_or_never().is_none(), "nobody took over");
        drop(first);
        slot.acquire(SecondPublisher::Refused).unwrap();
    }

    #[test]
    fn those_who_are_sent_away_have_to_come_again() {
        let slot = PublisherSlot::default();
        let first = slot.acquire(SecondPublisher::Refused).unwrap();
        slot.evict();
        assert!(first.replaced().now_or_never().is_some());
        let again = slot.acquire(SecondPublisher::Refused).unwrap();
        drop(first);
        assert!(again.replaced().now_or_never().is_none() && slot.is_taken());
    }
}
