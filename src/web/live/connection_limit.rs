//! The number of pages that are connected to `/api/live`, and its limit.

use std::sync::Arc;

use crate::{limits::bounded_counter::BoundedCounter, web::middleware::problem::Problem};

/// Counts the connected pages.
#[derive(Debug, Default)]
pub struct LiveConnections(Arc<BoundedCounter>);

/// Counts a page for as long as it exists.
pub(super) struct LiveConnectionGuard(Arc<BoundedCounter>);

impl LiveConnections {
    /// Returns the number of connected pages.
    pub(in crate::web) fn count(&self) -> usize {
        self.0.count()
    }

    pub(super) fn join(&self, most: usize) -> Result<LiveConnectionGuard, Problem> {
        self.0.try_increment(most).map_err(|pages| {
            let limit = "limits.max_live_connections";
            Problem::unavailable(format!("{limit} is reached: {pages} pages are connected"))
        })?;
        Ok(LiveConnectionGuard(self.0.clone()))
    }
}

impl Drop for LiveConnectionGuard {
    fn drop(&mut self) {
        self.0.decrement();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_bounded() {
        let pages = LiveConnections::default();
        let first = pages.join(2).unwrap();
        let second = pages.join(2).unwrap();
        assert!(pages.join(2).is_err());
        drop(first);
        assert!(pages.join(2).is_ok());
        drop(second);
        assert_eq!(pages.count(), 0);
    }
}
