//! A counter with an upper bound. `loom/` tests it in every order of events.

use std::sync::atomic::Ordering::Relaxed;

use crate::platform::sync::AtomicUsize;

/// A number that never exceeds its limit.
///
/// No other memory is synchronized by it, so its orderings may be relaxed.
#[derive(Debug, Default)]
pub(crate) struct BoundedCounter(AtomicUsize);

impl BoundedCounter {
    /// Adds one if there are fewer than `most`; the caller must call [`BoundedCounter::decrement`] once.
    ///
    /// # Errors
    /// Returns the current count if it has reached `most`.
    pub(crate) fn try_increment(&self, most: usize) -> Result<(), usize> {
        self.0.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1))?;
        Ok(())
    }

    /// Subtracts one.
    pub(crate) fn decrement(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Returns the current count.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Relaxed)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_join_as_are_allowed_and_no_more() {
        let count = BoundedCounter::default();
        assert_eq!(
            [3, 3, 3, 3, 4, 2].map(|most| count.try_increment(most)),
            [Ok(()), Ok(()), Ok(()), Err(3), Ok(()), Err(4)]
        );
        count.decrement();
        count.decrement();
        assert_eq!((count.count(), count.try_increment(3), count.count()), (2, Ok(()), 3));
        assert_eq!(BoundedCounter::default().try_increment(0), Err(0));
    }
}
