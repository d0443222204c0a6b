//! Which way a frame is sent to its viewers: copied to each, or from pages of the kernel that all of them share.
//!
//! Which is cheaper depends on the kernel, the processor's caches, the network card, the frame and the number of viewers.
//! So both are weighed on the live stream: the CPU time of a frame's whole fan-out, by bytes.

use crate::config::SendFile;

/// With fewer viewers, filling the pages costs more than they save: docs/performance.md.
const LEAST_VIEWERS: usize = 8;

/// While one way is in use, one frame of so many goes the other way, to notice when that has become the cheaper one.
const TRY_EVERY: u32 = 64;

/// Each way is tried so often before one is preferred.
const FIRST_TRIES: u32 = 4;

/// A frame's cost counts so much against the average of those before: single ones are disturbed by whatever else runs.
const WEIGHT: f64 = 0.1;

/// The other way must be cheaper by this factor: what is measured is not that exact.
const WORTH_A_CHANGE: f64 = 0.9;

/// How a frame is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// Written from memory to each viewer.
    Write,
    /// Copied into the kernel once, and sent from there.
    Pages,
}

impl Way {
    fn other(self) -> Self {
        match self {
            Self::Write => Self::Pages,
            Self::Pages => Self::Write,
        }
    }
}

/// Weighs both ways for one stream.
#[derive(Debug)]
pub(super) struct Scale {
    preferred: Way,
    frames: u32,
    /// CPU time by bytes, and how often it was noted, by way.
    costs: [(f64, u32); 2],
}

impl Scale {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { preferred: Way::Write, frames: 0, costs: [(0.0, 0); 2] }
    }

    /// Which way the next frame goes to so many viewers.
    pub(super) fn choose(&mut self, setting: SendFile, viewers: usize) -> Way {
        match setting {
            SendFile::Always if viewers >= LEAST_VIEWERS => Way::Pages,
            SendFile::Auto if viewers >= LEAST_VIEWERS => {
                self.frames = self.frames.wrapping_add(1);
                let untried = [Way::Write, Way::Pages]
                    .into_iter()
                    .find(|way| self.costs[*way as usize].1 < FIRST_TRIES);
                match untried {
                    Some(way) => way,
                    None if self.frames.is_multiple_of(TRY_EVERY) => self.preferred.other(),
                    None => self.preferred,
                }
            }
            _ => Way::Write,
        }
    }

    /// Whether [`Scale::note`] is wanted.
    pub(super) fn weighs(setting: SendFile, viewers: usize) -> bool {
        setting == SendFile::Auto && viewers >= LEAST_VIEWERS
    }

    /// Notes what a frame has cost.
    pub(super) fn note(&mut self, way: Way, cpu_s: f64, bytes: u64) {
        if bytes == 0 {
            return;
        }
        let cost = cpu_s / bytes as f64;
        let (average, times) = &mut self.costs[way as usize];
        *average += (cost - *average) * if *times == 0 { 1.0 } else { WEIGHT };
        *times = times.saturating_add(1);
        let of = |way: Way| self.costs[way as usize];
        let (present, other) = (of(self.preferred), of(self.preferred.other()));
        if other.1 >= FIRST_TRIES && other.0 < present.0 * WORTH_A_CHANGE {
            self.preferred = self.preferred.other();
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    /// Sends so many frames where a byte costs this much each way; how many of the last hundred went by pages.
    fn by_pages(scale: &mut Scale, write: f64, pages: f64) -> usize {
        let mut ways = Vec::new();
        for _ in 0..1000 {
            let way = scale.choose(SendFile::Auto, 100);
            scale.note(way, if way == Way::Write { write } else { pages } * 1e7, 10_000_000);
            ways.push(way);
        }
        ways[900..].iter().filter(|way| **way == Way::Pages).count()
    }

    #[test]
    fn the_cheaper_way_is_found_and_found_again_when_that_changes() {
        let mut scale = Scale::new();
        assert!(by_pages(&mut scale, 1e-10, 2e-10) <= 2);
        assert!(by_pages(&mut scale, 2e-10, 1e-10) >= 98);
        assert!(by_pages(&mut scale, 1e-10, 2e-10) <= 2);
    }

    #[test]
    fn what_is_not_much_cheaper_is_not_worth_a_change() {
        assert!(by_pages(&mut Scale::new(), 1e-10, 0.95e-10) <= 2);
    }

    #[test]
    fn few_viewers_and_the_setting_leave_nothing_to_weigh() {
        for (setting, way) in [(SendFile::Never, Way::Write), (SendFile::Always, Way::Pages)] {
            assert_eq!(Scale::new().choose(setting, 1000), way);
            assert!(!Scale::weighs(setting, 1000));
        }
        for setting in [SendFile::Never, SendFile::Always, SendFile::Auto] {
            assert_eq!(Scale::new().choose(setting, LEAST_VIEWERS - 1), Way::Write);
            assert!(!Scale::weighs(setting, LEAST_VIEWERS - 1));
        }
        assert!(Scale::weighs(SendFile::Auto, LEAST_VIEWERS));
    }

    #[test]
    fn a_frame_without_bytes_says_nothing() {
        let mut scale = Scale::new();
        scale.note(Way::Pages, 1.0, 0);
        assert_eq!(scale.costs, [(0.0, 0); 2]);
    }
}
