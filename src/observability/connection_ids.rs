//! Numbers the connections in the log: viewers, publishers, connections to cameras.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

static LAST: AtomicU64 = AtomicU64::new(0);

/// Returns a number that nothing else had since the program was started; never 0. One count for all: in a log
/// a number means one thing.
pub fn next_id() -> u64 {
    LAST.fetch_add(1, Relaxed) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_comes_twice_and_none_is_nothing() {
        let first = next_id();
        assert!(first > 0 && next_id() > first);
    }
}
