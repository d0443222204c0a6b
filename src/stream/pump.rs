//! The source's task: runs it once, and tells when its first frame came.
//!
//! A task of its own, so that a panic in a source becomes this task's end and nothing else.

use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use tokio::{
    sync::oneshot,
    task::{AbortHandle, JoinHandle},
};

use super::state::Ending;
use crate::{
    bus::{Sink, Subscriber},
    frame::FrameKind,
    source::Source,
};

/// A running source.
#[derive(Debug)]
pub(super) struct Pump {
    task: AbortHandle,
    gone: oneshot::Receiver<()>,
}

/// Told apart by number, so that the end of an old pump is not taken for the present one's.
pub(super) type Generation = u64;

impl Pump {
    /// Starts a source in a task. The one before must be gone: many cameras serve one connection only.
    pub(super) fn start(
        build: impl FnOnce() -> Box<dyn Source> + 'static,
        sink: Sink,
        on_first_frame: impl FnOnce() + 'static,
    ) -> (Self, JoinHandle<Ending>) {
        let (alive, gone) = oneshot::channel();
        // Now, not when the task has its first turn: a picture may be pushed in between.
        let already_seen = sink.bus().newest().map_or(0, |newest| newest.seq);
        let join = actix_rt::spawn(async move {
            let ending = run_once(build, &sink, already_seen, on_first_frame).await;
            // Dropped when this task is, also when it is aborted or panics.
            drop(alive);
            ending
        });
        (Self { task: join.abort_handle(), gone }, join)
    }

    /// Ends the source and waits until its sockets are closed.
    pub(super) async fn end(self) {
        self.task.abort();
        // An error means that the task's end of the channel is gone: what is waited for.
        let _ = self.gone.await;
    }
}

async fn run_once(
    build: impl FnOnce() -> Box<dyn Source>,
    sink: &Sink,
    already_seen: u64,
    on_first_frame: impl FnOnce(),
) -> Ending {
    let mut source = build();
    let mut first = None;
    let result = {
        let running = source.run(sink);
        let first_frame = std::pin::pin!(first_picture_after(sink.bus().subscribe(), already_seen));
        match select(running, first_frame).await {
            Either::Left((result, _)) => result,
            Either::Right(((), running)) => {
                first = Some(Instant::now());
                on_first_frame();
                running.await
            }
        }
    };
    let live_for = first.map_or(Duration::ZERO, |at| at.elapsed());
    // A camera that closes right behind its picture may end before its first frame was noticed.
    let gave_frames = first.is_some() || sink.bus().newest().is_some_and(|newest| newest.seq > already_seen);
    match result {
        Ok(()) => Ending { reason: "the source ended".into(), orderly: gave_frames, live_for },
        Err(error) => Ending { reason: error.to_string(), orderly: false, live_for },
    }
}

async fn first_picture_after(mut reader: Subscriber, seq: u64) {
    let is_picture = |showing: &crate::bus::Showing| {
        let newest = showing.newest.as_ref();
        newest.is_some_and(|newest| newest.seq > seq && newest.frame.kind() == FrameKind::Picture)
    };
    if reader.wait_for(is_picture).await.is_err() {
        // The bus outlives its readers' tasks; if it ever did not, there is no first frame.
        std::future::pending::<()>().await;
    }
}
