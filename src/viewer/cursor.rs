//! The cursor of a viewer: which frame is sent next.

use std::time::Instant;

use super::counters::ViewerCounters;
use crate::{
    bus::{Current, PublishedFrame},
    media::frame::FrameKind,
    platform::sync::Arc,
    stream::{StreamHandle, ViewerGuard},
};

/// The cursor of a viewer. Each frame must be sent whole before the next is requested.
#[derive(Debug)]
pub struct FrameCursor {
    guard: ViewerGuard,
    /// Number and repeat of the last frame.
    seen: Option<(u64, u64)>,
    /// Time at which the last frame arrived from the source.
    arrived: Option<Instant>,
    /// Time since which it reads another bus, from which it takes nothing older.
    not_before: Option<Instant>,
    repeat_first: bool,
    counts: Arc<ViewerCounters>,
}

impl FrameCursor {
    /// Creates the cursor of a viewer that has joined.
    pub fn new(guard: ViewerGuard) -> Self {
        let counts = Arc::default();
        Self { guard, seen: None, arrived: None, not_before: None, repeat_first: false, counts }
    }

    /// Returns the stream that is viewed.
    pub fn stream(&self) -> &StreamHandle {
        self.guard.stream()
    }

    /// Returns the counters of the viewer.
    pub fn counts(&self) -> &Arc<ViewerCounters> {
        &self.counts
    }

    /// Switches to `rendition` of its stream, or back to the stream itself. It must be shown that one's bus
    /// only.
    pub fn switch_to(&mut self, rendition: Option<&StreamHandle>) {
        self.guard.switch_to(rendition);
        // The other bus numbers its frames separately.
        (self.seen, self.repeat_first) = (None, false);
        self.not_before = self.arrived;
    }

    /// Returns whether there is a frame to send.
    pub fn has_next(&self, current: &Current) -> bool {
        let Some(newest) = &current.frame else { return false };
        let repeat = self.repeat_first && self.seen.is_some_and(|(last, _)| last == newest.seq);
        let another = repeat || self.seen < Some((newest.seq, current.repeat));
        another && self.not_before.is_none_or(|shown| newest.frame.arrived_at() >= shown)
    }

    /// Returns the frame to send now, if there is one that it has not had. What it missed since its last one
    /// is counted as skipped. With it, whether it is new: no repeat of what it has, and no placeholder.
    pub fn next<'a>(&mut self, current: &'a Current) -> Option<(&'a Arc<PublishedFrame>, bool)> {
        if !self.has_next(current) {
            return None;
        }
        let newest = current.frame.as_ref()?;
        let skipped = self.seen.map_or(0, |(last, _)| newest.seq.saturating_sub(last + 1));
        let new =
            self.seen.is_none_or(|(last, _)| last < newest.seq) && newest.frame.kind() == FrameKind::Picture;
        self.stream().bus().stats().count_frame_out(newest.frame.jpeg().len(), skipped);
        self.counts.count_frame(newest.frame.jpeg().len(), skipped);
        // A second frame does what the repeat was for.
        self.repeat_first = self.seen.is_none();
        self.seen = Some((newest.seq, current.repeat));
        self.arrived = Some(newest.frame.arrived_at());
        Some((newest, new))
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bus::{Bus, tests::tiny_frame},
        config,
        imaging::CpuPool,
        stream::{StreamHandle, ViewerLimit},
    };

    fn viewer() -> (FrameCursor, Arc<Bus>) {
        let yaml = "streams: {door: {source: {type: push, token: none}}}";
        let config = config::parse(yaml, "test", &config::Environment::default()).unwrap();
        let pool = Arc::new(CpuPool::for_this_machine().unwrap());
        let stream = StreamHandle::start(
            config.streams[0].clone(),
            config.limits,
            pool,
            Arc::new(crate::source::NoStreams),
        );
        let guard = stream.join(&Arc::new(ViewerLimit::new(10)), 10).unwrap();
        (FrameCursor::new(guard), stream.bus().clone())
    }

    fn next(viewer: &mut FrameCursor, bus: &Bus) -> Option<u64> {
        viewer.next(&bus.current()).map(|(frame, _)| frame.seq)
    }

    #[actix::test]
    async fn a_viewer_that_joins_sees_the_present_frame_at_once_and_twice() {
        let (mut viewer, bus) = viewer();
        assert_eq!(next(&mut viewer, &bus), None, "nothing yet");
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(1));
        assert_eq!(next(&mut viewer, &bus), Some(1));
        assert_eq!(next(&mut viewer, &bus), None);
    }

    #[actix::test]
    async fn a_second_frame_does_what_the_repeat_was_for() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(1));
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(2));
        assert_eq!(next(&mut viewer, &bus), None);
    }

    #[actix::test]
    async fn a_slow_viewer_takes_the_newest_and_what_it_missed_is_counted() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(2), "what was before it joined is not skipped, it is past");
        assert_eq!(next(&mut viewer, &bus), Some(2));
        for _ in 0..5 {
            // Noticed, but not taken: the connection is busy.
            bus.publish(tiny_frame());
            assert!(viewer.has_next(&bus.current()));
        }
        assert_eq!(next(&mut viewer, &bus), Some(7), "newer than what it was first told of");
        assert_eq!(bus.stats().skipped(), 4);
        let counts = viewer.counts();
        assert_eq!((counts.frames(), counts.skipped()), (3, 4));
        assert_eq!(counts.bytes(), 3 * tiny_frame().jpeg().len() as u64);
        assert_eq!(next(&mut viewer, &bus), None);
    }

    #[actix::test]
    async fn it_is_never_given_what_is_older_than_what_it_had() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        let old = bus.current();
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(2));
        assert!(!viewer.has_next(&old) && viewer.next(&old).is_none());
    }

    #[actix::test]
    async fn beats_repeat_and_the_past_is_not_shown() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        next(&mut viewer, &bus);
        next(&mut viewer, &bus);
        bus.repeat(1);
        assert_eq!(next(&mut viewer, &bus), Some(1));
        assert_eq!(next(&mut viewer, &bus), None);
        bus.repeat(1);
        bus.clear();
        assert_eq!(next(&mut viewer, &bus), None);
    }

    #[actix::test]
    async fn what_it_sees_elsewhere_is_not_older_than_what_it_saw() {
        let (mut viewer, bus) = viewer();
        let (other, _) = super::tests::viewer();
        let (early, late) = (tiny_frame(), tiny_frame());
        bus.publish(early.clone());
        bus.publish(late.clone());
        assert_eq!(next(&mut viewer, &bus), Some(2));
        let rendition = other.stream().clone();
        viewer.switch_to(Some(&rendition));
        assert!(Arc::ptr_eq(viewer.stream().bus(), rendition.bus()));
        assert_eq!((bus.stats().viewers(), rendition.bus().stats().viewers()), (1, 2), "counted at both");
        assert_eq!(next(&mut viewer, rendition.bus()), None, "nothing yet");
        rendition.bus().publish(early.transformed(early.jpeg().clone()).unwrap());
        assert_eq!(next(&mut viewer, rendition.bus()), None, "the past");
        rendition.bus().publish(late.transformed(late.jpeg().clone()).unwrap());
        assert_eq!(next(&mut viewer, rendition.bus()), Some(2), "the same picture made otherwise");
        assert_eq!(next(&mut viewer, rendition.bus()), Some(2), "and once more, as for whoever joins");
        assert_eq!(next(&mut viewer, rendition.bus()), None);
        viewer.switch_to(None);
        assert_eq!(rendition.bus().stats().viewers(), 1);
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer, &bus), Some(3));
        assert_eq!(bus.stats().skipped(), 0, "what it did not look at is not skipped");
    }

    #[actix::test]
    async fn a_viewer_that_leaves_is_not_counted_any_more() {
        let (viewer, bus) = viewer();
        assert_eq!(bus.stats().viewers(), 1);
        drop(viewer);
        assert_eq!(bus.stats().viewers(), 0);
    }
}
