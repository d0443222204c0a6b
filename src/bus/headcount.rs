//! How many there are of those who may be so many and no more. `loom/` tries it in every order.

use std::sync::atomic::Ordering::Relaxed;

use crate::sync::AtomicUsize;

/// A number that never grows beyond what is allowed.
///
/// Nothing else is told by it, so that its orderings may be relaxed.
#[derive(Debug, Default)]
pub struct Headcount(AtomicUsize);

impl Headcount {
    /// One more, if there are fewer than `most`; the caller answers for one [`Headcount::leave`].
    ///
    /// # Errors
    /// How many there are, when that is as many as allowed.
    pub fn join(&self, most: usize) -> Result<(), usize> {
        self.0.fetch_update(Relaxed, Relaxed, |now| (now < most).then_some(now + 1))?;
        Ok(())
    }

    /// One less.
    pub fn leave(&self) {
        self.0.fetch_sub(1, Relaxed);
    }

    /// How many there are.
    pub fn now(&self) -> usize {
        self.0.load(Relaxed)
    }
}
