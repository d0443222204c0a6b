//! Adaptive bitrate (ABR): decides when a viewer is moved to smaller pictures, and back. Pure: times and
//! counters are arguments.
//!
//! A viewer is measured in windows of [`WINDOW`]: how many frames were offered to it, and how many of them
//! its link took. If it took less than half, the viewer moves down, by as many steps as the share suggests.
//! If it took nearly all for long enough, the viewer moves up one step, on trial: if the link does not carry
//! that step, the viewer moves back, and the time before the next trial doubles. In between it stays.

use std::time::Duration;

use tokio::time::Instant;

use crate::bus::STEPS;

/// Time for which a viewer is measured, for at least [`MIN_OFFERED`] frames. A part that takes a second to go
/// through a narrow link does not decide by itself.
const WINDOW: Duration = Duration::from_secs(2);

/// Smallest number of frames to judge by: of fewer, one more or less says nothing.
const MIN_OFFERED: u64 = 8;

/// Time after a move that is not measured: the part before has still to be sent, and what fills the link
/// before that.
const SETTLE: Duration = Duration::from_secs(1);

/// A link that takes less than this share of the frames does not carry the stream.
const LOW_SHARE: f64 = 0.5;

/// A link that takes this share carries it.
const GOOD_SHARE: f64 = 0.9;

/// Time for which a link must carry the stream before more is tried.
const FIRST_HOLD_TIME: Duration = Duration::from_secs(10);

/// Longest such time, however many trials failed: links get better.
const MAX_HOLD_TIME: Duration = Duration::from_secs(320);

/// Time after which a move up counts as a success.
const TRIAL_TIME: Duration = Duration::from_secs(20);

/// Estimated size of the pictures of each step, relative to those of the stream: roughly as for JPEGs of
/// cameras of quality 85. The true sizes are measured in the next window.
const COSTS: [f64; STEPS] = [1.0, 0.55, 0.38, 0.16, 0.10, 0.04];

/// Counters of the bus that the viewer reads: frames that it showed, and frames that the viewer took. They
/// only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FrameCounts {
    /// Frames shown.
    pub offered: u64,
    /// Frames taken.
    pub taken: u64,
}

/// The ABR controller of one viewer. Step 0 is the stream as it is.
#[derive(Debug, Clone, PartialEq)]
pub struct AbrController {
    step: usize,
    /// Beginning of the window, once `counts` is set.
    begins: Instant,
    counts: Option<FrameCounts>,
    good_since: Option<Instant>,
    /// Time of the last move up, while it is on trial.
    raised_at: Option<Instant>,
    hold_time: Duration,
}

impl AbrController {
    /// Creates the controller of a new viewer of the unchanged stream.
    pub fn new(now: Instant) -> Self {
        Self {
            step: 0,
            begins: now + SETTLE,
            counts: None,
            good_since: None,
            raised_at: None,
            hold_time: FIRST_HOLD_TIME,
        }
    }

    /// Returns the current step.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Evaluates the counters, about once a second. Returns the step to move to, if it is another.
    pub fn update(&mut self, now: Instant, counts: FrameCounts) -> Option<usize> {
        if now < self.begins {
            return None;
        }
        let Some(before) = self.counts else {
            (self.begins, self.counts) = (now, Some(counts));
            return None;
        };
        let offered = counts.offered.saturating_sub(before.offered);
        let taken = counts.taken.saturating_sub(before.taken);
        if now.duration_since(self.begins) < WINDOW || offered < MIN_OFFERED {
            return None;
        }
        (self.begins, self.counts) = (now, Some(counts));
        self.decide(now, offered, taken)
    }

    fn decide(&mut self, now: Instant, offered: u64, taken: u64) -> Option<usize> {
        let share = taken as f64 / offered as f64;
        // One frame may be on its way.
        let well = (taken + 1) as f64 / offered as f64 >= GOOD_SHARE;
        let on_trial = self.raised_at.is_some_and(|risen| now.duration_since(risen) < TRIAL_TIME);
        if share < LOW_SHARE || (on_trial && !well) {
            self.good_since = None;
            return step_down(self.step, share);
        }
        if !well {
            self.good_since = None;
            return None;
        }
        if self.raised_at.is_some() && !on_trial {
            (self.raised_at, self.hold_time) = (None, FIRST_HOLD_TIME);
        }
        let since = *self.good_since.get_or_insert(now);
        let is_held = now.duration_since(since) >= self.hold_time;
        if is_held && self.step > 0 { Some(self.step - 1) } else { None }
    }

    /// Records a move to the step that [`AbrController::update`] returned.
    pub fn moved(&mut self, now: Instant, step: usize) {
        if step > self.step {
            if self.raised_at.take().is_some() {
                self.hold_time = (self.hold_time * 2).min(MAX_HOLD_TIME);
            }
        } else {
            self.raised_at = Some(now);
        }
        self.step = step;
        self.stay(now);
    }

    /// Records that the move was not possible, because there was no room; measures again.
    pub fn stay(&mut self, now: Instant) {
        self.good_since = None;
        self.counts = None;
        self.begins = now + SETTLE;
    }
}

/// Returns the next step down whose pictures should fit a link that took this share of those of `step`.
fn step_down(step: usize, share: f64) -> Option<usize> {
    let last = STEPS - 1;
    let enough = |to: &usize| COSTS[*to] <= COSTS[step] * share;
    (step < last).then(|| (step + 1..STEPS).find(enough).unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// A stream of 20 frames a second over a link that carries so much of the stream as it is, for so many
    /// seconds; where the viewer was each second.
    fn ride(controller: &mut AbrController, now: &mut Instant, carries: f64, seconds: u64) -> Vec<usize> {
        let (mut counts, mut taken) = (FrameCounts::default(), 0.0);
        controller.stay(*now);
        (0..seconds)
            .map(|_| {
                *now += SECOND;
                counts.offered += 20;
                taken += 20.0 * (carries / COSTS[controller.step()]).min(1.0);
                counts.taken = taken as u64;
                if let Some(step) = controller.update(*now, counts) {
                    controller.moved(*now, step);
                    (counts, taken) = (FrameCounts::default(), 0.0);
                }
                controller.step()
            })
            .collect()
    }

    #[test]
    fn what_is_seen_in_a_window_decides() {
        use std::ops::ControlFlow::{Break as Goes, Continue as Stays};
        #[rustfmt::skip]
        let table = [
            // step, offered, taken, well for so long
            (0, 40, 40, 3600, Stays(())), // there is nothing above
            (0, 40, 20, 0,    Stays(())), // half is half
            (0, 40, 19, 0,    Goes(2)),   // 0.38 of the bytes
            (0, 40, 16, 0,    Goes(2)),
            (0, 40, 12, 0,    Goes(3)),
            (0, 40, 4,  0,    Goes(4)),   // a tenth
            (0, 40, 0,  0,    Goes(5)),
            (1, 40, 19, 0,    Goes(3)),
            (4, 40, 19, 0,    Goes(5)),
            (5, 40, 0,  0,    Stays(())), // there is nothing below
            (3, 40, 30, 3600, Stays(())), // neither well nor bad
            (3, 40, 39, 0,    Stays(())), // not for long enough
            (3, 40, 39, 9,    Stays(())),
            (3, 40, 39, 10,   Goes(2)),   // one step at a time
            (3, 8,  7,  10,   Goes(2)),   // one is on its way
        ];
        for (step, offered, taken, well_for, wanted) in table {
            let start = Instant::now();
            let now = start + Duration::from_secs(well_for);
            let mut controller = AbrController { step, good_since: Some(start), ..AbrController::new(start) };
            let got = controller.decide(now, offered, taken).map_or(Stays(()), Goes);
            assert_eq!(got, wanted, "step {step}, {taken} of {offered}, well for {well_for} s");
        }
    }

    #[test]
    fn a_narrow_link_is_met_within_seconds_and_tried_less_and_less_often() {
        let mut now = Instant::now();
        let mut controller = AbrController::new(now);
        let steps = ride(&mut controller, &mut now, 0.1, 600);
        assert_eq!(steps[0], 0);
        assert!(steps[3..12].iter().all(|step| *step == 4), "{:?}", &steps[..12]);
        let trials: Vec<usize> = (1..steps.len()).filter(|&at| steps[at] < steps[at - 1]).collect();
        let apart: Vec<usize> = trials.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(apart.windows(2).all(|pair| pair[1] > pair[0]), "{trials:?}");
        assert!(trials.len() <= 6, "{trials:?}");
        let lost = steps[4..].iter().filter(|step| **step < 4).count();
        assert!(lost <= trials.len() * 5, "a trial that fails is short: {lost} s of {}", trials.len());
    }

    #[test]
    fn a_link_that_gets_better_is_used_again_and_not_left_for_a_moments_trouble() {
        let mut now = Instant::now();
        let mut controller = AbrController::new(now);
        ride(&mut controller, &mut now, 0.1, 20);
        let steps = ride(&mut controller, &mut now, 1.0, 120);
        assert_eq!(steps.last(), Some(&0), "{steps:?}");
        assert!(steps.windows(2).all(|pair| pair[1] + 1 >= pair[0] && pair[1] <= pair[0]), "{steps:?}");
        assert_eq!(ride(&mut controller, &mut now, 0.6, 60).last(), Some(&0), "more than half");
    }

    #[test]
    fn a_stream_that_gives_no_frames_says_nothing_about_the_link() {
        let start = Instant::now();
        let mut controller = AbrController::new(start);
        for second in 0..600 {
            let counts = FrameCounts { offered: 3, taken: 0 };
            assert_eq!(controller.update(start + SECOND * second, counts), None);
        }
    }

    #[test]
    fn a_slow_stream_is_looked_at_for_longer() {
        let start = Instant::now();
        let mut controller = AbrController::new(start);
        let went = (1..60).find_map(|second: u32| {
            // A frame each second, of which none comes through.
            let counts = FrameCounts { offered: second.into(), taken: 0 };
            controller.update(start + SECOND * second, counts).map(|step| (second, step))
        });
        assert_eq!(went, Some((9, 5)));
    }
}
