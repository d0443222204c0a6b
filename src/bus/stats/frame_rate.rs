//! The frame rate of a stream, from the times at which its last frames arrived.

use std::time::{Duration, Instant};

use super::fps_history::FpsHistory;

/// Arrivals remembered for the frame rate: 4 s at 30 frames a second.
const REMEMBERED_ARRIVALS: usize = 128;

/// Period over which the frame rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(4);

/// The arrivals of the last frames, and the number of frames in each interval of the last minutes.
#[derive(Debug)]
pub(super) struct Arrivals {
    times: [Option<Instant>; REMEMBERED_ARRIVALS],
    next: usize,
    fps_history: FpsHistory,
}

impl Arrivals {
    pub(super) fn new(begun: Instant) -> Self {
        Self { times: [None; REMEMBERED_ARRIVALS], next: 0, fps_history: FpsHistory::new(begun) }
    }

    /// Counts a frame that arrived at this time.
    pub(super) fn count(&mut self, at: Instant) {
        self.fps_history.count(at);
        let slot = self.next;
        self.times[slot] = Some(at);
        self.next = (slot + 1) % REMEMBERED_ARRIVALS;
    }

    /// Returns the frames per second of each interval of the last minutes, oldest first.
    pub(super) fn rates(&mut self, now: Instant) -> Vec<f64> {
        self.fps_history.fps(now)
    }

    /// Returns the frames per second over the last few seconds before `now`.
    pub(super) fn fps(&self, now: Instant) -> f64 {
        let recent = |at: &Instant| now.saturating_duration_since(*at) <= RATE_WINDOW;
        let times = self.times.iter().flatten().copied().filter(recent);
        let (mut first, mut last, mut count) = (None::<Instant>, None::<Instant>, 0u32);
        for at in times {
            first = Some(first.map_or(at, |f| f.min(at)));
            last = Some(last.map_or(at, |l| l.max(at)));
            count += 1;
        }
        let (Some(first), Some(last)) = (first, last) else { return 0.0 };
        // The silence since the last frame counts, so that a dead source's rate falls.
        let span = last.duration_since(first);
        let silence = now.saturating_duration_since(last);
        let interval = if count > 1 { span / (count - 1) } else { RATE_WINDOW };
        let span = if silence > interval * 2 { span + silence } else { span };
        if count < 2 || span.is_zero() { 0.0 } else { f64::from(count - 1) / span.as_secs_f64() }
    }
}
