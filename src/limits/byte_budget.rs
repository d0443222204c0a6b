//! A shared budget of bytes with counters.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

/// A bounded number of bytes, given out as [`BytePermit`]s.
#[derive(Debug)]
pub struct ByteBudget {
    bytes: Mutex<Bytes>,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

#[derive(Debug)]
struct Bytes {
    capacity: usize,
    /// More than the capacity after that was reduced, until enough has been returned.
    in_use: usize,
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub struct BytePermit {
    budget: Arc<ByteBudget>,
    bytes: usize,
}

/// An error of a request for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Other permits hold the missing bytes.
    #[error("{bytes} bytes are not free now (total: {capacity})")]
    Full {
        /// Bytes requested.
        bytes: usize,
        /// Total bytes.
        capacity: usize,
    },
    /// The whole budget is smaller, so waiting does not help.
    #[error("{bytes} bytes are more than the total of {capacity}")]
    TooLarge {
        /// Bytes requested.
        bytes: usize,
        /// Total bytes.
        capacity: usize,
    },
}

/// Counts a waiter for as long as it exists.
#[derive(Debug)]
pub struct Waiter(Arc<ByteBudget>);

impl Drop for Waiter {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Relaxed);
    }
}

impl ByteBudget {
    /// Returns a budget of `bytes`.
    pub fn new(bytes: usize) -> Self {
        let bytes = Mutex::new(Bytes { capacity: bytes, in_use: 0 });
        Self { bytes, waiting: AtomicUsize::new(0), refused: AtomicU64::new(0) }
    }

    /// Takes `bytes` if they are free now.
    ///
    /// # Errors
    /// [`BudgetError`]; counted as refused.
    pub fn try_acquire(self: &Arc<Self>, bytes: usize) -> Result<BytePermit, BudgetError> {
        self.take(0, bytes).inspect_err(|_| self.count_refused())?;
        Ok(BytePermit { budget: self.clone(), bytes })
    }

    /// Takes `bytes` if they are free now. Returns `None` if other permits hold them, which is not counted:
    /// the caller tries again later.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`]; counted as refused.
    pub fn acquire_if_free(self: &Arc<Self>, bytes: usize) -> Result<Option<BytePermit>, BudgetError> {
        match self.take(0, bytes) {
            Ok(()) => Ok(Some(BytePermit { budget: self.clone(), bytes })),
            Err(BudgetError::Full { .. }) => Ok(None),
            Err(error) => {
                self.count_refused();
                Err(error)
            }
        }
    }

    /// Changes the capacity. Permits stay valid: if they hold more than `bytes`, nothing is granted until
    /// enough has been returned.
    pub fn resize(&self, bytes: usize) {
        self.bytes().capacity = bytes;
    }

    /// Returns the total number of bytes.
    pub fn capacity(&self) -> usize {
        self.bytes().capacity
    }

    /// Returns the number of bytes held.
    pub fn in_use(&self) -> usize {
        self.bytes().in_use
    }

    /// Counts a waiter until the result is dropped.
    pub fn count_waiter(self: &Arc<Self>) -> Waiter {
        self.waiting.fetch_add(1, Relaxed);
        Waiter(self.clone())
    }

    /// Returns the number of waiters.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Relaxed)
    }

    /// Returns how often bytes have been refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Counts a refusal by an owner that divides the budget further.
    pub fn count_refused(&self) {
        self.refused.fetch_add(1, Relaxed);
    }

    fn bytes(&self) -> MutexGuard<'_, Bytes> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `more` bytes for a permit that has `has`.
    fn take(&self, has: usize, more: usize) -> Result<(), BudgetError> {
        let mut held = self.bytes();
        let (bytes, capacity) = (has.saturating_add(more), held.capacity);
        if bytes > capacity {
            return Err(BudgetError::TooLarge { bytes, capacity });
        }
        // A permit of 0 bytes is granted even while more than the capacity is held.
        if more > 0 && held.in_use.saturating_add(more) > capacity {
            return Err(BudgetError::Full { bytes: more, capacity });
        }
        held.in_use += more;
        Ok(())
    }
}

impl BytePermit {
    /// Adds `more` bytes to the permit, if they are free now.
    ///
    /// # Errors
    /// [`BudgetError`], counted as refused; the permit keeps its bytes.
    pub fn try_grow(&mut self, more: usize) -> Result<(), BudgetError> {
        self.budget.take(self.bytes, more).inspect_err(|_| self.budget.count_refused())?;
        self.bytes += more;
        Ok(())
    }

    /// Returns all but `bytes` to the budget. Has no effect if the permit has no more.
    pub fn shrink_to(&mut self, bytes: usize) {
        let surplus = self.bytes.saturating_sub(bytes);
        self.budget.bytes().in_use -= surplus;
        self.bytes -= surplus;
    }

    /// Returns the number of bytes of the permit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        self.shrink_to(0);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UNIT: usize = 1024;

    fn budget(kib: usize) -> Arc<ByteBudget> {
        Arc::new(ByteBudget::new(kib * UNIT))
    }

    #[test]
    fn exactly_the_capacity_is_given_out_and_comes_back() {
        let budget = budget(4);
        let held = [budget.try_acquire(UNIT).unwrap(), budget.try_acquire(3 * UNIT).unwrap()];
        assert_eq!(budget.in_use(), 4 * UNIT);
        let full = BudgetError::Full { bytes: 1, capacity: 4 * UNIT };
        assert_eq!(budget.try_acquire(1).unwrap_err(), full);
        drop(held);
        assert_eq!((budget.in_use(), budget.refused()), (0, 1));
        let too_large = BudgetError::TooLarge { bytes: 4 * UNIT + 1, capacity: 4 * UNIT };
        assert_eq!(budget.try_acquire(4 * UNIT + 1).unwrap_err(), too_large);
        assert_eq!(budget.try_acquire(usize::MAX).unwrap_err().to_string().split(' ').nth(1), Some("bytes"));
        assert!(budget.try_acquire(4 * UNIT).is_ok());
        assert_eq!(budget.refused(), 3);
    }

    #[test]
    fn bytes_that_others_hold_are_no_refusal_of_one_who_waits() {
        let budget = budget(4);
        let held = budget.try_acquire(2 * UNIT).unwrap();
        assert!(budget.acquire_if_free(3 * UNIT).unwrap().is_none());
        let waiter = budget.count_waiter();
        assert_eq!((budget.refused(), budget.waiting(), budget.in_use()), (0, 1, 2 * UNIT));
        drop((held, waiter));
        let taken = budget.acquire_if_free(3 * UNIT).unwrap().expect("all came back");
        assert_eq!((budget.waiting(), budget.in_use(), taken.bytes()), (0, 3 * UNIT, 3 * UNIT));
        let too_large = BudgetError::TooLarge { bytes: 5 * UNIT, capacity: 4 * UNIT };
        assert_eq!(budget.acquire_if_free(5 * UNIT).unwrap_err(), too_large);
        assert_eq!(budget.refused(), 1);
    }

    #[test]
    fn nothing_is_granted_while_more_than_a_smaller_capacity_is_held() {
        let budget = budget(4);
        let [one, mut three] = [1, 3].map(|kib| budget.try_acquire(kib * UNIT).unwrap());
        budget.resize(2 * UNIT);
        assert_eq!((budget.capacity(), budget.in_use()), (2 * UNIT, 4 * UNIT));
        three.shrink_to(2 * UNIT);
        assert!(budget.try_acquire(1).is_err(), "three of two are held");
        assert!(budget.try_acquire(0).is_ok());
        drop(one);
        assert!(budget.try_acquire(1).is_err(), "two of two are held");
        drop(three);
        assert!(budget.try_acquire(2 * UNIT).is_ok());
        assert!(budget.try_acquire(2 * UNIT + 1).is_err());
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn an_owner_that_divides_the_budget_counts_its_own_refusals() {
        let budget = budget(1);
        budget.count_refused();
        budget.count_refused();
        assert_eq!((budget.refused(), budget.in_use()), (2, 0));
    }

    #[test]
    fn a_permit_grows_by_bytes_and_shrinks() {
        let budget = budget(3);
        let mut permit = budget.try_acquire(0).unwrap();
        for _ in 0..UNIT {
            permit.try_grow(1).unwrap();
        }
        assert_eq!((permit.bytes(), budget.in_use()), (UNIT, UNIT), "single bytes add up");
        permit.try_grow(2 * UNIT).unwrap();
        assert!(permit.try_grow(1).is_err());
        assert_eq!(permit.bytes(), 3 * UNIT);
        permit.shrink_to(UNIT + 1);
        assert_eq!(budget.in_use(), UNIT + 1);
        permit.shrink_to(5 * UNIT);
        assert_eq!(permit.bytes(), UNIT + 1);
        permit.shrink_to(0);
        assert_eq!(budget.in_use(), 0);
    }

    proptest! {
        #[test]
        fn no_order_of_changes_loses_or_invents_a_byte(
            steps in proptest::collection::vec((0_u8..4, 0_usize..10_000), 1..60)
        ) {
            let budget = budget(8);
            let mut held: Vec<BytePermit> = Vec::new();
            for (what, bytes) in steps {
                match what {
                    0 => held.extend(budget.try_acquire(bytes).ok()),
                    1 => drop((!held.is_empty()).then(|| held.swap_remove(bytes % held.len()))),
                    2 => budget.resize(bytes * 2),
                    _ => if let Some(permit) = held.last_mut() {
                        let _ = permit.try_grow(bytes / 4);
                    },
                }
                let bytes: usize = held.iter().map(BytePermit::bytes).sum();
                prop_assert_eq!(budget.in_use(), bytes);
            }
            held.clear();
            budget.resize(4 * UNIT);
            prop_assert_eq!(budget.in_use(), 0);
            prop_assert!(budget.try_acquire(4 * UNIT).is_ok());
            prop_assert!(budget.try_acquire(4 * UNIT + 1).is_err());
        }
    }
}
