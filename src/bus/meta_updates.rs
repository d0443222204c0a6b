//! The frames whose JSON came after them, for readers who have had the frame already.

use std::collections::VecDeque;

use crate::media::capture::FrameFacts;

/// Number of updates that are kept for readers that are busy: two seconds of a stream whose JSON is late.
const MAX_UPDATES: usize = 64;

/// The newest updates of a stream.
#[derive(Debug, Clone, Default)]
pub struct MetaUpdates {
    /// Number of updates so far.
    count: u64,
    recent: VecDeque<FrameFacts>,
}

impl MetaUpdates {
    pub(super) fn push(&mut self, facts: FrameFacts) {
        if self.recent.len() == MAX_UPDATES {
            self.recent.pop_front();
        }
        self.recent.push_back(facts);
        self.count += 1;
    }

    /// Returns the number of updates so far.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Returns the updates after the first `seen`, as far as they are kept.
    pub fn after(&self, seen: u64) -> impl Iterator<Item = &FrameFacts> {
        let new = usize::try_from(self.count.saturating_sub(seen)).unwrap_or(usize::MAX);
        self.recent.iter().skip(self.recent.len().saturating_sub(new))
    }
}
