//! What a stream's counters say at one moment, to be added up: a stream's renditions come and go, and what they sent stays
//! counted.

use std::ops::AddAssign;

use super::{DropReason, Way, timing::Timed};

/// Of a stream, or of several.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Frames given to viewers, repeats included.
    pub frames_out: u64,
    /// Bytes given to viewers.
    pub bytes_out: u64,
    /// Frames that viewers missed.
    pub skipped: u64,
    pub(super) dropped: [u64; DropReason::ALL.len()],
    pub(super) made: [u64; Way::ALL.len()],
    /// How long it took to encode frames anew.
    pub encoding: Timed,
}

impl Totals {
    /// Frames not shown, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.dropped)
    }

    /// Frames shown, by what was done to them.
    pub fn made(&self) -> impl Iterator<Item = (Way, u64)> {
        Way::ALL.into_iter().zip(self.made)
    }
}

impl AddAssign<&Totals> for Totals {
    fn add_assign(&mut self, other: &Self) {
        self.frames_out += other.frames_out;
        self.bytes_out += other.bytes_out;
        self.skipped += other.skipped;
        for (count, more) in self.dropped.iter_mut().zip(other.dropped) {
            *count += more;
        }
        for (count, more) in self.made.iter_mut().zip(other.made) {
            *count += more;
        }
        self.encoding += &other.encoding;
    }
}
