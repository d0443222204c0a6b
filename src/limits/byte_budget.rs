//! A shared budget of bytes: a weighted semaphore with counters.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, TryAcquireError};

/// Bytes that one permit of the semaphore stands for: it counts in 32 bits, which are too few for bytes.
const UNIT: usize = 1024;

/// A bounded number of bytes, given out as [`BytePermit`]s in the order in which they were asked for.
#[derive(Debug)]
pub struct ByteBudget {
    semaphore: Arc<Semaphore>,
    /// Total, in units.
    capacity: AtomicUsize,
    /// Units that a reduced capacity removes as soon as they are returned.
    debt: Mutex<usize>,
    waiting: AtomicUsize,
    refused: AtomicU64,
}

/// Bytes taken from a budget; dropping it gives them back.
#[derive(Debug)]
pub struct BytePermit {
    budget: Arc<ByteBudget>,
    units: OwnedSemaphorePermit,
    bytes: usize,
}

/// Why bytes were not granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// Other permits hold the missing bytes.
    #[error("{bytes} bytes are not free now (total: {capacity})")]
    Full {
        /// Bytes asked for.
        bytes: usize,
        /// Total bytes.
        capacity: usize,
    },
    /// The whole budget is smaller, so waiting does not help.
    #[error("{bytes} bytes are more than the total of {capacity}")]
    TooLarge {
        /// Bytes asked for.
        bytes: usize,
        /// Total bytes.
        capacity: usize,
    },
}

/// Counts a waiter for as long as it exists.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn new(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl ByteBudget {
    /// Returns a budget of `bytes`, rounded down to whole KiB.
    pub fn new(bytes: usize) -> Self {
        let units = units_in(bytes);
        Self {
            semaphore: Arc::new(Semaphore::new(units)),
            capacity: AtomicUsize::new(units),
            debt: Mutex::new(0),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes `bytes`, waiting in line until they are free. Small requests do not overtake a large one.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`] immediately if the whole budget is smaller. Counted as refused.
    pub async fn acquire(self: &Arc<Self>, bytes: usize) -> Result<BytePermit, BudgetError> {
        let units = self.fitting(bytes)?;
        let waiting = Waiting::new(&self.waiting);
        let taken = self.semaphore.clone().acquire_many_owned(units).await;
        drop(waiting);
        let units = taken.expect("the semaphore is never closed");
        Ok(BytePermit { budget: self.clone(), units, bytes })
    }

    /// Takes `bytes` if they are free now and nobody is waiting.
    ///
    /// # Errors
    /// [`BudgetError`]; counted as refused.
    pub fn try_acquire(self: &Arc<Self>, bytes: usize) -> Result<BytePermit, BudgetError> {
        let units = self.try_units(self.fitting(bytes)?, bytes)?;
        Ok(BytePermit { budget: self.clone(), units, bytes })
    }

    /// Changes the capacity. Permits stay valid: if they hold more than `bytes`, nothing is granted until
    /// enough has been returned.
    pub fn resize(&self, bytes: usize) {
        let units = units_in(bytes);
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        let before = self.capacity.swap(units, Relaxed);
        if units >= before {
            let more = units - before;
            let owed = more.min(*debt);
            *debt -= owed;
            self.semaphore.add_permits(more - owed);
        } else {
            *debt += before - units;
            *debt -= self.semaphore.forget_permits(*debt);
        }
    }

    /// Returns the total number of bytes.
    pub fn capacity(&self) -> usize {
        self.capacity.load(Relaxed) * UNIT
    }

    /// Returns the number of bytes held.
    pub fn in_use(&self) -> usize {
        let debt = *self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        (self.capacity.load(Relaxed) + debt).saturating_sub(self.semaphore.available_permits()) * UNIT
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

    /// Pays the debt from free units. A waiter that stops waiting returns its units without paying.
    fn settle(&self) {
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        if *debt > 0 {
            *debt -= self.semaphore.forget_permits(*debt);
        }
    }

    fn fitting(&self, bytes: usize) -> Result<u32, BudgetError> {
        self.settle();
        let (units, capacity) = (bytes.div_ceil(UNIT), self.capacity.load(Relaxed));
        match u32::try_from(units) {
            Ok(fitting) if units <= capacity => Ok(fitting),
            _ => {
                self.refused.fetch_add(1, Relaxed);
                Err(BudgetError::TooLarge { bytes, capacity: capacity * UNIT })
            }
        }
    }

    fn try_units(&self, units: u32, bytes: usize) -> Result<OwnedSemaphorePermit, BudgetError> {
        self.semaphore.clone().try_acquire_many_owned(units).map_err(|error| {
            debug_assert_eq!(error, TryAcquireError::NoPermits, "the semaphore is never closed");
            self.refused.fetch_add(1, Relaxed);
            BudgetError::Full { bytes, capacity: self.capacity() }
        })
    }
}

/// The semaphore's own bound is far above the memory of any machine.
fn units_in(bytes: usize) -> usize {
    (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS)
}

impl BytePermit {
    /// Adds `more` bytes to the permit, if they are free now.
    ///
    /// # Errors
    /// [`BudgetError`], counted as refused; the permit keeps its bytes.
    pub fn try_grow(&mut self, more: usize) -> Result<(), BudgetError> {
        let bytes = self.bytes.saturating_add(more);
        let needed = self.budget.fitting(bytes)?;
        let has = u32::try_from(self.units.num_permits()).expect("each part of it fitted");
        if let Some(missing) = needed.checked_sub(has).filter(|missing| *missing > 0) {
            self.units.merge(self.budget.try_units(missing, more)?);
        }
        self.bytes = bytes;
        Ok(())
    }

    /// Returns all but `bytes` to the budget. Has no effect if the permit has no more.
    pub fn shrink_to(&mut self, bytes: usize) {
        if bytes >= self.bytes {
            return;
        }
        self.bytes = bytes;
        let surplus = self.units.num_permits() - bytes.div_ceil(UNIT);
        if let Some(units) = self.units.split(surplus) {
            self.budget.give_back(units);
        }
    }

    /// Returns the number of bytes of the permit.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Drop for BytePermit {
    fn drop(&mut self) {
        if let Some(units) = self.units.split(self.units.num_permits()) {
            self.budget.give_back(units);
        }
    }
}

impl ByteBudget {
    /// Pays the debt of a reduced capacity, and frees the rest.
    fn give_back(&self, mut units: OwnedSemaphorePermit) {
        let mut debt = self.debt.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(paid) = units.split(units.num_permits().min(*debt)) {
            *debt -= paid.num_permits();
            paid.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use proptest::prelude::*;

    use super::*;

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
    fn those_who_wait_are_served_in_order_and_not_overtaken() {
        let budget = budget(4);
        let held = budget.try_acquire(2 * UNIT).unwrap();
        let mut large = Box::pin(budget.acquire(4 * UNIT));
        assert!((&mut large).now_or_never().is_none());
        assert_eq!(budget.waiting(), 1);
        assert!(budget.try_acquire(UNIT).is_err(), "there is room, but somebody waits for it");
        let mut small = Box::pin(budget.acquire(UNIT));
        assert!((&mut small).now_or_never().is_none());
        drop(held);
        let large = (&mut large).now_or_never().expect("all came back").unwrap();
        assert!((&mut small).now_or_never().is_none());
        drop(large);
        assert!((&mut small).now_or_never().is_some());
        assert_eq!(budget.waiting(), 0);
    }

    #[test]
    fn who_stops_waiting_leaves_nothing_behind() {
        let budget = budget(2);
        let held = budget.try_acquire(2 * UNIT).unwrap();
        let mut waits = Box::pin(budget.acquire(2 * UNIT));
        assert!((&mut waits).now_or_never().is_none());
        drop(waits);
        assert_eq!(budget.waiting(), 0);
        drop(held);
        assert!(budget.try_acquire(2 * UNIT).is_ok());
    }

    #[test]
    fn what_was_promised_to_somebody_who_stops_waiting_pays_for_a_smaller_capacity() {
        let budget = budget(4);
        let held = budget.try_acquire(UNIT).unwrap();
        let mut waits = Box::pin(budget.acquire(4 * UNIT));
        assert!((&mut waits).now_or_never().is_none());
        budget.resize(2 * UNIT);
        drop(waits);
        assert!(budget.try_acquire(2 * UNIT).is_err(), "one of two is held");
        let other = budget.try_acquire(UNIT).unwrap();
        assert_eq!(budget.in_use(), 2 * UNIT);
        drop((held, other));
        assert!(budget.try_acquire(2 * UNIT).is_ok());
        assert_eq!(budget.in_use(), 0);
    }

    #[test]
    fn returned_bytes_pay_for_a_smaller_capacity_before_they_serve_a_waiter() {
        let budget = budget(4);
        let mut held = [1, 3].map(|kib| budget.try_acquire(kib * UNIT).unwrap());
        let mut waits = Box::pin(budget.acquire(UNIT));
        assert!((&mut waits).now_or_never().is_none());
        budget.resize(2 * UNIT);
        held[1].shrink_to(2 * UNIT);
        assert!((&mut waits).now_or_never().is_none(), "three of two are held");
        let [one, two] = held;
        drop(one);
        assert!((&mut waits).now_or_never().is_none(), "two of two are held");
        drop(two);
        assert!((&mut waits).now_or_never().is_some());
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
        assert_eq!(budget.in_use(), 2 * UNIT);
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
                let units: usize = held.iter().map(|permit| permit.units.num_permits()).sum();
                for permit in &held {
                    prop_assert_eq!(permit.units.num_permits(), permit.bytes.div_ceil(UNIT));
                }
                prop_assert_eq!(budget.in_use(), units * UNIT);
            }
            held.clear();
            budget.resize(4 * UNIT);
            prop_assert_eq!(budget.in_use(), 0);
            prop_assert!(budget.try_acquire(4 * UNIT).is_ok());
            prop_assert!(budget.try_acquire(4 * UNIT + 1).is_err());
        }
    }
}
