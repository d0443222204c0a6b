//! A counter with an upper bound. `loom/` tests it in every order of events.

use std::sync::atomic::Ordering::Relaxed;

use crate::platform::sync::AtomicUsize;

/// A number that never exceeds its limit.
///
/// Nothing else is told by it, so that its orderings may be relaxed.
#[derive(Debug, Default)]
pub(crate) struct Headcount(AtomicUsize);

impl Headcount {
    /// Adds one if there are fewer than `most`; the caller must call [`Headcount::leave`] once.
    ///
    /// # Errors
    /// Returns the current count if it has reached `most`.
    pub(crate) fn join(&self, most: usize) -> Result<(), usize> {
        self.0.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1))?;
        Ok(())
    }

    /// Subtracts one.
    pub(crate) fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// Returns the current count.
    pub(crate) fn now(&self) -> usize {
        self.0.load(Relaxed)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_join_as_are_allowed_and_no_more() {
        let count = Headcount::default();
        assert_eq!(
            [3, 3, 3, 3, 4, 2].map(|most| count.join(most)),
            [Ok(()), Ok(()), Ok(()), Err(3), Ok(()), Err(4)]
        );
        count.leave();
        count.leave();
        assert_eq!((count.now(), count.join(3), count.now()), (2, Ok(()), 3));
        assert_eq!(Headcount::default().join(0), Err(0));
    }
}
