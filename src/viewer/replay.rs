//! Plays a replay buffer for one viewer: which picture is sent next, and when.

use std::{
    sync::Arc,
    time::{Duration, Instant},
    vec,
};

use crate::bus::{Current, PublishedFrame, ReplayFrame};

/// Plays pictures at the rate at which they came, or at a multiple of it. No picture is skipped, even if the
/// viewer is slow.
#[derive(Debug)]
pub struct ReplayCursor {
    frames: vec::IntoIter<Arc<ReplayFrame>>,
    speed: f64,
    /// Time at which the first picture was sent, and time at which it had arrived.
    begun: Option<(Instant, Instant)>,
    last_seq: u64,
}

impl ReplayCursor {
    /// Plays `pictures`, oldest first, `speed` times as fast as they came.
    pub fn new(pictures: Vec<Arc<ReplayFrame>>, speed: f64) -> Self {
        Self { frames: pictures.into_iter(), speed, begun: None, last_seq: 0 }
    }

    /// Returns the time at which the next picture is due; none when all have been sent.
    pub fn due(&mut self, now: Instant) -> Option<Instant> {
        let came = self.frames.as_slice().first()?.frame.arrived_at();
        let (start, first) = *self.begun.get_or_insert((now, came));
        let later = came.saturating_duration_since(first).as_secs_f64() / self.speed;
        Some(start + Duration::from_secs_f64(later))
    }

    /// Returns the next picture.
    pub fn next_frame(&mut self) -> Option<Arc<ReplayFrame>> {
        let next = self.frames.next()?;
        self.last_seq = next.seq;
        Some(next)
    }

    /// Returns the current frame if it is newer than what was played.
    pub fn next_live(&mut self, current: &Current) -> Option<Arc<PublishedFrame>> {
        let newest = current.frame.as_ref().filter(|newest| newest.seq > self.last_seq)?;
        self.last_seq = newest.seq;
        Some(newest.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Bus, ReplayBuffer, tests::tiny_frame};

    fn replay_buffer() -> Bus {
        let bus = Bus::with_replay_buffer(Some(ReplayBuffer::new(Duration::from_secs(60), 1 << 20)));
        (0..3).for_each(|_| bus.publish(tiny_frame()));
        bus
    }

    #[test]
    fn pictures_are_due_as_they_came_or_in_a_multiple_of_that() {
        let bus = replay_buffer();
        let pictures = bus.replay_buffer().unwrap().last(Duration::from_secs(60)).unwrap();
        let came: Vec<_> = pictures.iter().map(|past| past.frame.arrived_at()).collect();
        for speed in [0.1, 1.0, 4.0] {
            let mut replay = ReplayCursor::new(pictures.clone(), speed);
            let start = Instant::now();
            for (n, came_at) in came.iter().enumerate() {
                // The due times depend on the first call only, however late the later ones are.
                let due = replay.due(start + Duration::from_secs(n as u64)).unwrap();
                let wanted = came_at.duration_since(came[0]).div_f64(speed);
                let off = due.duration_since(start).abs_diff(wanted);
                assert!(off < Duration::from_micros(1), "{speed}: {off:?}");
                assert_eq!(replay.next_frame().unwrap().seq, n as u64 + 1);
            }
            assert!(replay.due(start).is_none() && replay.next_frame().is_none());
        }
    }

    #[test]
    fn the_present_comes_once_and_only_if_it_was_not_played() {
        let bus = replay_buffer();
        let pictures = bus.replay_buffer().unwrap().last(Duration::from_secs(60)).unwrap();
        let mut replay = ReplayCursor::new(pictures, 1.0);
        while replay.next_frame().is_some() {}
        assert!(replay.next_live(&bus.current()).is_none());
        bus.publish(tiny_frame());
        assert_eq!(replay.next_live(&bus.current()).unwrap().seq, 4);
        assert!(replay.next_live(&bus.current()).is_none());
    }
}
