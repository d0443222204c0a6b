//! One viewer: which frame next, and when. No sockets.
//!
//! A [`Viewer`] takes the newest frame each time it is asked, so a slow one skips and never sees the past. It repeats
//! its first frame at once (Chromium draws a part only when the next has come) and follows the bus's beats.

mod snapshot;

use std::{
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio_util::sync::ReusableBoxFuture;

use crate::{
    bus::{Published, Subscriber},
    stream::{StreamHandle, ViewerGuard},
};

pub use snapshot::{SNAPSHOT_WAIT, SnapshotError, newest_picture, next_after};

/// A stream of frames for one viewer; ends when its stream does. Each frame is to be sent whole before the next is
/// asked for.
#[derive(Debug)]
pub struct Viewer {
    guard: ViewerGuard,
    change: ReusableBoxFuture<'static, Changed>,
    /// The bus shows something new that was not taken yet. Not looked at before it is: it may be newer by then.
    ready: Option<Changed>,
    last: Option<Arc<Published>>,
    repeat_first: bool,
}

#[derive(Debug)]
struct Changed {
    subscriber: Subscriber,
    bus_is_gone: bool,
}

impl Viewer {
    /// A viewer that has joined.
    pub fn new(guard: ViewerGuard) -> Self {
        let change = ReusableBoxFuture::new(changed(guard.stream().bus().subscribe()));
        Self { guard, change, ready: None, last: None, repeat_first: false }
    }

    /// The stream that is viewed.
    pub fn stream(&self) -> &StreamHandle {
        self.guard.stream()
    }

    /// Frames that this viewer missed between `last` and the newest are counted as skipped.
    fn take(&mut self, newest: Arc<Published>) -> Arc<Published> {
        let skipped = self.last.as_ref().map_or(0, |last| newest.seq.saturating_sub(last.seq + 1));
        self.stream().bus().stats().count_frame_out(newest.frame.jpeg().len(), skipped);
        self.last = Some(newest.clone());
        newest
    }

    /// Ready when there is something to send (or the stream has ended); else the task is woken when there is.
    pub fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.ready.is_none()
            && let Poll::Ready(changed) = self.change.poll(cx)
        {
            self.ready = Some(changed);
        }
        if self.ready.is_some() || self.repeat_first { Poll::Ready(()) } else { Poll::Pending }
    }

    /// The next frame to send; none when the stream has ended.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Arc<Published>>> {
        loop {
            ready!(self.poll_ready(cx));
            let Some(Changed { mut subscriber, bus_is_gone }) = self.ready.take() else {
                self.repeat_first = false;
                let first = self.last.clone().expect("repeat_first is set only behind a first frame");
                return Poll::Ready(Some(self.take(first)));
            };
            let showing = subscriber.borrow_and_update().clone();
            self.change.set(changed(subscriber));
            if bus_is_gone || showing.closed {
                return Poll::Ready(None);
            }
            // Cleared: what was shown is past; wait for what comes.
            let Some(newest) = showing.newest else { continue };
            // A second frame does what the repeat was for.
            self.repeat_first = self.last.is_none();
            return Poll::Ready(Some(self.take(newest)));
        }
    }
}

async fn changed(mut subscriber: Subscriber) -> Changed {
    let bus_is_gone = subscriber.changed().await.is_err();
    Changed { subscriber, bus_is_gone }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;

    use super::*;
    use crate::{
        bus::{Bus, tests::tiny_frame},
        config,
        stream::{Capacity, StreamHandle},
        transform::Pool,
    };

    fn viewer() -> (Viewer, Arc<Bus>) {
        let yaml = "streams: {door: {source: {type: push, token: none}}}";
        let config = config::parse(yaml, "test", &config::Environment::default()).unwrap();
        let pool = Arc::new(Pool::for_this_machine().unwrap());
        let stream = StreamHandle::start(
            config.streams[0].clone(),
            config.limits,
            pool,
            Arc::new(crate::source::NoUpstreams),
        );
        let guard = stream.join(&Arc::new(Capacity::new(10)), 10).unwrap();
        (Viewer::new(guard), stream.bus().clone())
    }

    fn next(viewer: &mut Viewer) -> Option<Option<u64>> {
        let frame = poll_fn(|cx| viewer.poll_next(cx)).now_or_never()?;
        Some(frame.map(|frame| frame.seq))
    }

    #[actix::test]
    async fn a_viewer_that_joins_sees_the_present_frame_at_once_and_twice() {
        let (mut viewer, bus) = viewer();
        assert_eq!(next(&mut viewer), None, "nothing yet");
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer), Some(Some(1)));
        assert_eq!(next(&mut viewer), Some(Some(1)));
        assert_eq!(next(&mut viewer), None);
    }

    #[actix::test]
    async fn a_second_frame_does_what_the_repeat_was_for() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer), Some(Some(1)));
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer), Some(Some(2)));
        assert_eq!(next(&mut viewer), None);
    }

    #[actix::test]
    async fn a_slow_viewer_takes_the_newest_and_what_it_missed_is_counted() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        bus.publish(tiny_frame());
        assert_eq!(next(&mut viewer), Some(Some(2)), "what was before it joined is not skipped, it is past");
        assert_eq!(next(&mut viewer), Some(Some(2)));
        for _ in 0..5 {
            // Noticed, but not taken: the connection is busy.
            bus.publish(tiny_frame());
            assert!(poll_fn(|cx| viewer.poll_ready(cx)).now_or_never().is_some());
        }
        assert_eq!(next(&mut viewer), Some(Some(7)), "newer than what it was first told of");
        assert_eq!(bus.stats().skipped(), 4);
        assert_eq!(next(&mut viewer), None);
    }

    #[actix::test]
    async fn beats_repeat_and_the_end_ends() {
        let (mut viewer, bus) = viewer();
        bus.publish(tiny_frame());
        next(&mut viewer);
        next(&mut viewer);
        bus.repeat(1);
        assert_eq!(next(&mut viewer), Some(Some(1)));
        bus.clear();
        assert_eq!(next(&mut viewer), None, "the past is not shown");
        bus.close();
        assert_eq!(next(&mut viewer), Some(None));
    }

    #[actix::test]
    async fn a_viewer_that_leaves_is_not_counted_any_more() {
        let (viewer, bus) = viewer();
        assert_eq!(bus.stats().viewers(), 1);
        drop(viewer);
        assert_eq!(bus.stats().viewers(), 0);
    }
}
