//! The current time on the two clocks that access control depends on.

#[cfg(test)]
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A point in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    /// Monotonic time, which sessions and limits use.
    pub(super) instant: Instant,
    /// Wall-clock time since the Unix epoch, by which links expire.
    pub(super) unix: Duration,
}

/// A source of the current time; tests can advance it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    #[cfg(test)]
    ahead: Mutex<Ahead>,
}

#[cfg(test)]
#[derive(Debug, Default, Clone, Copy)]
struct Ahead {
    both: Duration,
    wall_only: Duration,
}

impl Clock {
    /// Returns the current time. Before the Unix epoch every link counts as expired.
    pub(super) fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::MAX);
        let now = Now { instant: Instant::now(), unix };
        #[cfg(test)]
        let now = {
            let Ahead { both, wall_only } = *self.ahead.lock().unwrap_or_else(PoisonError::into_inner);
            Now { instant: now.instant + both, unix: now.unix + both + wall_only }
        };
        now
    }
}

#[cfg(test)]
impl Clock {
    /// Advances both clocks.
    pub(super) fn advance(&self, by: Duration) {
        self.ahead.lock().unwrap().both += by;
    }

    /// Sets the wall clock forward, as NTP does on a machine that booted with an old date.
    pub(super) fn step_wall_clock(&self, by: Duration) {
        self.ahead.lock().unwrap().wall_only += by;
    }
}
