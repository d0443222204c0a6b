//! The numbers of a stream's frames, which viewers see as `X-Framecast-Seq`.
//!
//! They grow by one with each frame. A frame of another stream, or of another framecast, keeps the number that
//! it has there: both then mean the same picture. Where such a number would go back (the other one was
//! started anew, or another source was in use meanwhile), it and those after it are moved up. The same
//! frame again, as another framecast repeats it, has the same number again.

use std::{num::NonZeroU64, sync::PoisonError, time::SystemTime};

use crate::platform::sync::Mutex;

/// The numbers that were assigned so far.
#[derive(Debug, Default)]
pub struct FrameNumbers(Mutex<Numbering>);

#[derive(Debug, Default, Clone)]
struct Numbering {
    last: u64,
    /// What is added to the numbers that frames bring with them.
    offset: u64,
    /// The number that the last frame brought with it, and when it was taken.
    last_own: Option<(NonZeroU64, SystemTime)>,
}

/// The number of a frame, as [`FrameNumbers::assign`] gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameNumber {
    /// The number.
    pub seq: NonZeroU64,
    /// Whether it is the last frame again, as another framecast repeats it.
    pub is_repeat: bool,
}

impl FrameNumbers {
    /// Returns numbers that continue these.
    pub fn continued(&self) -> Self {
        Self(Mutex::new(self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()))
    }

    /// Assigns a number to a frame, which may bring one with it and was taken at `taken`. No other frame gets one until `publish` has
    /// returned, so frames are published in the order of their numbers.
    pub fn assign<T>(
        &self,
        own: Option<NonZeroU64>,
        taken: SystemTime,
        publish: impl FnOnce(FrameNumber) -> T,
    ) -> T {
        let mut numbering = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = own.map(|own| (own, taken));
        let is_repeat = own.is_some() && numbering.last_own == own;
        numbering.last_own = own;
        if !is_repeat {
            numbering.last = numbering.next(own.map(|(own, _)| own.get()));
        }
        publish(FrameNumber { seq: NonZeroU64::new(numbering.last).unwrap_or(NonZeroU64::MIN), is_repeat })
    }
}

impl Numbering {
    fn next(&mut self, own: Option<u64>) -> u64 {
        let next = self.last.saturating_add(1);
        let Some(own) = own else { return next };
        if own > self.last {
            self.offset = 0;
        } else if own.saturating_add(self.offset) <= self.last {
            self.offset = next - own;
        }
        own.saturating_add(self.offset)
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_grow_and_those_of_others_are_kept_unless_they_would_go_back() {
        let numbers = FrameNumbers::default();
        let mut taken = SystemTime::UNIX_EPOCH;
        let mut check = |steps: &[(Option<u64>, u64)]| {
            for (own, expected) in steps {
                taken += std::time::Duration::from_secs(1);
                let assign = || numbers.assign(own.and_then(NonZeroU64::new), taken, |number| number);
                let number = assign();
                assert_eq!((number.seq.get(), number.is_repeat), (*expected, false), "{own:?} of {steps:?}");
                if own.is_some() {
                    let again = assign();
                    assert_eq!((again.seq, again.is_repeat), (number.seq, true), "{own:?} of {steps:?}");
                }
            }
        };
        check(&[(None, 1), (None, 2)]);
        // Another framecast, which has run for longer, with a gap.
        check(&[(Some(100), 100), (Some(101), 101), (Some(105), 105)]);
        // It was started anew.
        check(&[(Some(1), 106), (Some(2), 107), (Some(4), 109)]);
        // Another source stands in, and the first comes back.
        check(&[(None, 110), (Some(6), 111), (Some(7), 112)]);
        // It has caught up.
        check(&[(Some(500), 500), (Some(501), 501)]);
        assert_eq!(numbers.continued().assign(None, taken, |number| number.seq.get()), 502);
    }
}
