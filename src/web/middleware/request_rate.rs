//! Counts the requests of each address.

use std::{
    net::IpAddr,
    num::NonZeroU32,
    sync::Arc,
    time::{Duration, Instant},
};

use arc_swap::ArcSwapOption;

use crate::{auth::limit_key, limits::rate_limiter::RateLimiter};

/// The burst of an address, in seconds of its rate: a page asks for many tiles at once.
const BURST_SECONDS: u32 = 10;

/// A rate, and the remaining burst of each address.
#[derive(Debug)]
struct AddressRates {
    rate: NonZeroU32,
    limiter: RateLimiter<Option<IpAddr>>,
}

/// The limit `limits.max_requests_per_second`, which a reload may change.
#[derive(Debug, Default)]
pub struct RequestRate(ArcSwapOption<AddressRates>);

impl RequestRate {
    /// Allows `rate` requests a second from each address.
    pub fn new(rate: Option<NonZeroU32>) -> Self {
        let counting = Self::default();
        counting.set(rate);
        counting
    }

    /// Changes the rate. An unchanged rate gives no address a new burst.
    pub fn set(&self, rate: Option<NonZeroU32>) {
        if self.0.load().as_ref().map(|counted| counted.rate) == rate {
            return;
        }
        self.0.store(rate.map(|rate| {
            let burst = rate.get().saturating_mul(BURST_SECONDS);
            Arc::new(AddressRates {
                rate,
                limiter: RateLimiter::new(burst, Duration::from_secs(1) / rate.get()),
            })
        }));
    }

    /// Counts a request, if any are.
    ///
    /// # Errors
    /// The time to wait.
    pub(in crate::web) fn try_acquire(
        &self,
        address: impl FnOnce() -> Option<IpAddr>,
    ) -> Result<(), Duration> {
        let counted = self.0.load();
        counted
            .as_ref()
            .map_or(Ok(()), |counted| counted.limiter.try_acquire(&limit_key(address()), Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_may_be_set_changed_and_taken_away_while_requests_come() {
        let rate = RequestRate::new(None);
        let ask = |times: usize| (0..times).filter(|_| rate.try_acquire(|| None).is_ok()).count();
        assert_eq!(ask(1000), 1000);
        rate.set(NonZeroU32::new(1));
        assert!((10..20).contains(&ask(1000)), "ten at once");
        rate.set(NonZeroU32::new(1));
        assert!(ask(1000) < 10, "the same rate gives nobody more");
        rate.set(NonZeroU32::new(2));
        assert!((20..40).contains(&ask(1000)));
        rate.set(None);
        assert_eq!(ask(1000), 1000);
    }

    #[test]
    fn a_rate_holds_from_the_start_and_says_how_long_to_wait() {
        let rate = RequestRate::new(NonZeroU32::new(4));
        let wait = (0..1000).find_map(|_| rate.try_acquire(|| None).err()).expect("there is a limit");
        assert!(wait <= Duration::from_millis(250), "{wait:?}");
    }
}
