//! The number of pictures that may be on their way to one page at the same time. Pure.
//!
//! A page acknowledges each picture that it has drawn. While acknowledgements arrive quickly, more pictures
//! may be on their way; when they take longer, fewer, so that the latency of a slow page or a slow link is at
//! most [`SLOW_LATENCY`] and does not depend on the size of buffers.

use std::time::{Duration, Instant};

/// A new connection begins with so many: a screen full of tiles is filled in one or two turns.
pub(super) const INITIAL_WINDOW: usize = 8;

/// The minimum: one frame is drawn while the other is sent.
const MIN_WINDOW: usize = 2;

/// The maximum: 30 tiles with two each.
const MAX_WINDOW: usize = 64;

/// The time from sending to drawing above which a frame is late: far longer than a network takes.
const SLOW_LATENCY: Duration = Duration::from_millis(300);

/// The window of one connection, in pictures.
#[derive(Debug)]
pub(super) struct CongestionWindow {
    size: usize,
    /// Permits that are removed when they are returned.
    owed: usize,
    /// Frames sent before this time are not measures of the current size.
    shrunk: Option<Instant>,
}

impl Default for CongestionWindow {
    fn default() -> Self {
        Self { size: INITIAL_WINDOW, owed: 0, shrunk: None }
    }
}

impl CongestionWindow {
    /// A picture that was sent at `sent` is drawn; answers how many places are free for that. `full` says
    /// whether all were taken: only then would more be of use.
    pub(super) fn on_drawn(&mut self, sent: Instant, now: Instant, full: bool) -> usize {
        let late = now.saturating_duration_since(sent) > SLOW_LATENCY;
        if late && self.size > MIN_WINDOW && self.shrunk.is_none_or(|shrunk| sent > shrunk) {
            let smaller = (self.size * 3 / 4).max(MIN_WINDOW);
            self.owed += self.size - smaller;
            self.size = smaller;
            self.shrunk = Some(now);
        } else if !late && full && self.owed == 0 && self.size < MAX_WINDOW {
            self.size += 1;
            return 2;
        }
        self.on_freed(1)
    }

    /// Frees the places of pictures that are no longer expected. Returns how many may be
    /// taken again.
    pub(super) fn on_freed(&mut self, places: usize) -> usize {
        let kept = places.min(self.owed);
        self.owed -= kept;
        places - kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A page that draws each picture `delay` after it was sent, as many as may be on their way.
    fn after(pictures: usize, delay: Duration) -> CongestionWindow {
        let mut window = CongestionWindow::default();
        let (mut free, mut now) = (INITIAL_WINDOW, Instant::now());
        for _ in 0..pictures {
            // One place is always taken: that of the picture which is drawn now.
            free = (free + window.on_drawn(now, now + delay, true)).saturating_sub(1);
            now += delay;
        }
        window
    }

    #[test]
    fn a_quick_page_gets_more_and_more_up_to_the_most() {
        assert_eq!(after(10, Duration::from_millis(5)).size, INITIAL_WINDOW + 10);
        assert_eq!(after(1000, Duration::from_millis(5)).size, MAX_WINDOW);
    }

    #[test]
    fn a_slow_page_gets_fewer_down_to_the_least() {
        assert_eq!(after(100, Duration::from_secs(1)).size, MIN_WINDOW);
    }

    #[test]
    fn a_page_that_does_not_use_its_places_gets_no_more() {
        let (mut window, now) = (CongestionWindow::default(), Instant::now());
        assert_eq!(window.on_drawn(now, now + Duration::from_millis(5), false), 1);
        assert_eq!(window.size, INITIAL_WINDOW);
    }

    #[test]
    fn places_that_are_owed_are_not_given_back() {
        let (mut window, sent) = (CongestionWindow::default(), Instant::now());
        let late = sent + Duration::from_secs(1);
        assert_eq!(window.on_drawn(sent, late, true), 0, "two of eight are owed");
        assert_eq!(window.size, 6);
        assert_eq!(window.on_drawn(sent, late, true), 0, "and it does not shrink twice for the same delay");
        assert_eq!(window.size, 6);
        assert_eq!(window.on_drawn(sent, late, true), 1);
        assert_eq!(window.on_freed(3), 3);
    }
}
