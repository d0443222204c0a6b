//! The number of pages that are connected to `/api/live`, and its limit.

use std::sync::Arc;

use crate::{limits::bounded_counter::BoundedCounter, web::middleware::problem::Problem};

/// Counts the connected pages.
#[derive(Debug, Default)]
pub struct Pages(Arc<BoundedCounter>);

/// Counts a page for as long as it exists.
pub(super) struct Page(Arc<BoundedCounter>);

impl Pages {
    /// Returns the number of connected pages.
    pub(in crate::web) fn count(&self) -> usize {
        self.0.count()
    }

    pub(super) fn join(&self, most: usize) -> Result<Page, Problem> {
        self.0.try_increment(most).map_err(|pages| {
            let limit = "limits.max_live_connections";
            Problem::unavailable(format!("{limit} is reached: {pages} pages are connected"))
        })?;
        Ok(Page(self.0.clone()))
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.0.decrement();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_counted_and_bounded() {
        let pages = Pages::default();
        let first = pages.join(2).unwrap();
        let second = pages.join(2).unwrap();
        assert!(pages.join(2).is_err());
        drop(first);
        assert!(pages.join(2).is_ok());
        drop(second);
        assert_eq!(pages.count(), 0);
    }
}
