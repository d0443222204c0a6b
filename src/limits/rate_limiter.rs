//! Limits the rate of requests by address or name: each has a bucket of tries that refills with time.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// Maximum number of buckets: enough for a busy day; with more callers than that, those whose buckets are
/// fullest are removed first.
const MAX_BUCKETS: usize = 8192;

/// A rate limiter with one bucket for each key. A full bucket takes no room.
#[derive(Debug)]
pub struct RateLimiter<K> {
    /// Time at which each bucket will be full again.
    full_at: Mutex<HashMap<K, Instant>>,
    /// Interval at which a bucket gets another try.
    interval: Duration,
    /// Time in which an empty bucket fills.
    refill_time: Duration,
}

impl<K: Hash + Eq + Clone> RateLimiter<K> {
    /// Creates a limiter whose buckets hold `burst` tries, and get another one each `every`.
    pub fn new(burst: u32, every: Duration) -> Self {
        Self { full_at: Mutex::default(), interval: every, refill_time: every * burst }
    }

    fn buckets(&self) -> MutexGuard<'_, HashMap<K, Instant>> {
        self.full_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks whether this key may try now.
    ///
    /// # Errors
    /// The time to wait.
    pub fn check(&self, key: &K, now: Instant) -> Result<(), Duration> {
        self.wait(self.buckets().get(key).copied(), now)
    }

    fn wait(&self, full_at: Option<Instant>, now: Instant) -> Result<(), Duration> {
        let missing = full_at.map_or(Duration::ZERO, |at| at.saturating_duration_since(now));
        let after = missing + self.interval;
        if after <= self.refill_time { Ok(()) } else { Err(after - self.refill_time) }
    }

    /// Takes one try from the bucket of `key`.
    ///
    /// # Errors
    /// The time to wait; none was taken then.
    pub fn try_acquire(&self, key: &K, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets();
        self.wait(buckets.get(key).copied(), now)?;
        if buckets.len() >= MAX_BUCKETS && !buckets.contains_key(key) {
            evict(&mut buckets, now);
        }
        let full_at = buckets.entry(key.clone()).or_insert(now);
        *full_at = now.max(*full_at) + self.interval;
        Ok(())
    }

    /// Returns a try to the bucket.
    pub fn refund(&self, key: &K, now: Instant) {
        let mut buckets = self.buckets();
        if let Some(full_at) = buckets.get_mut(key) {
            match full_at.checked_sub(self.interval).filter(|at| *at > now) {
                Some(sooner) => *full_at = sooner,
                None => _ = buckets.remove(key),
            }
        }
    }
}

/// Removes the buckets that are full, and at least one in four.
fn evict<K: Hash + Eq + Clone>(buckets: &mut HashMap<K, Instant>, now: Instant) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() > MAX_BUCKETS * 3 / 4 {
        let mut times: Vec<_> = buckets.values().copied().collect();
        times.sort_unstable();
        let quarter = times[times.len() / 4];
        buckets.retain(|_, full_at| *full_at > quarter);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_bucket_empties_and_fills_again_and_is_one_callers_own() {
        let limiter = RateLimiter::new(3, SECOND);
        let now = Instant::now();
        for _ in 0..3 {
            assert_eq!(limiter.try_acquire(&1, now), Ok(()));
        }
        assert_eq!(limiter.try_acquire(&1, now), Err(SECOND));
        assert_eq!(limiter.check(&1, now), Err(SECOND));
        assert_eq!(limiter.try_acquire(&2, now), Ok(()), "another's is full");
        assert_eq!(limiter.try_acquire(&1, now + SECOND / 2), Err(SECOND / 2));
        assert_eq!(limiter.try_acquire(&1, now + SECOND), Ok(()));
        assert_eq!(limiter.try_acquire(&1, now + SECOND), Err(SECOND));
        for _ in 0..3 {
            assert_eq!(limiter.try_acquire(&1, now + 100 * SECOND), Ok(()));
        }
        assert!(
            limiter.try_acquire(&1, now + 100 * SECOND).is_err(),
            "it holds no more for having waited long"
        );
    }

    #[test]
    fn what_is_given_back_may_be_taken_again() {
        let limiter = RateLimiter::new(1, SECOND);
        let now = Instant::now();
        for _ in 0..5 {
            assert_eq!(limiter.try_acquire(&1, now), Ok(()));
            assert!(limiter.check(&1, now).is_err());
            limiter.refund(&1, now);
        }
        assert!(limiter.buckets().is_empty());
    }

    #[test]
    fn the_number_of_buckets_is_bounded_and_the_emptiest_stay() {
        let limiter = RateLimiter::new(10, SECOND);
        let now = Instant::now();
        for _ in 0..10 {
            limiter.try_acquire(&usize::MAX, now).unwrap();
        }
        for key in 0..3 * MAX_BUCKETS {
            limiter.try_acquire(&key, now).unwrap();
        }
        assert!(limiter.buckets().len() <= MAX_BUCKETS);
        assert!(limiter.check(&usize::MAX, now).is_err(), "many others do not help whoever guesses");
    }

    #[test]
    fn full_buckets_are_forgotten_first_and_then_a_quarter_of_the_fullest() {
        const QUARTER: usize = MAX_BUCKETS / 4;
        /// Returns a limiter with as many buckets as are kept, of which `full` are full again at the time
        /// that is returned.
        fn filled(full: usize) -> (RateLimiter<usize>, Instant) {
            let (limiter, start) = (RateLimiter::new(10, SECOND), Instant::now());
            let nanos = Duration::from_nanos;
            for key in 0..full {
                limiter.try_acquire(&key, start).unwrap();
            }
            for key in full..MAX_BUCKETS {
                limiter.try_acquire(&key, start + SECOND / 2 + nanos(key as u64)).unwrap();
            }
            assert_eq!(limiter.buckets().len(), MAX_BUCKETS, "nobody is forgotten before");
            limiter.try_acquire(&0, start + SECOND).unwrap();
            assert_eq!(limiter.buckets().len(), MAX_BUCKETS, "one that has a bucket needs no other");
            limiter.refund(&0, start + SECOND);
            assert_eq!(limiter.buckets().len(), MAX_BUCKETS - 1);
            limiter.try_acquire(&0, start).unwrap();
            (limiter, start + SECOND)
        }
        let (limiter, now) = filled(QUARTER);
        limiter.try_acquire(&MAX_BUCKETS, now).unwrap();
        assert_eq!(limiter.buckets().len(), MAX_BUCKETS - QUARTER + 1);
        assert!(!limiter.buckets().contains_key(&(QUARTER - 1)));
        let (limiter, now) = filled(1);
        limiter.try_acquire(&MAX_BUCKETS, now).unwrap();
        assert_eq!(limiter.buckets().len(), MAX_BUCKETS - QUARTER);
        let buckets = limiter.buckets();
        assert!(!buckets.contains_key(&1) && buckets.contains_key(&(MAX_BUCKETS - 1)), "the emptiest stay");
    }
}
