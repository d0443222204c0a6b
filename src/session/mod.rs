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
