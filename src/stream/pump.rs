//! The task of a source: runs it once, and reports its first frame.
//!
//! It is a separate task, so that a panic in a source ends this task only.

use futures_util::future::{Either, select};
use tokio::{
    sync::{oneshot, watch},
    task::{AbortHandle, JoinHandle},
};
use tracing::{Instrument, Span};

use super::run_outcome::SourceEnd;
use crate::{
    bus::Ingest,
    observability::task_counts,
    source::{Reason, Source},
};

/// A running source.
#[derive(Debug)]
pub(super) struct Pump {
    task: AbortHandle,
    done: oneshot::Receiver<()>,
}

/// Number of a run, so that the end of an old pump is not taken for the current one's. It is also the number
/// of the connection in the log and the API.
pub(super) type Generation = u64;

impl Pump {
    /// Starts a source in a task whose log lines are in `span`. The one before must be gone: many cameras
    /// serve one connection only.
    pub(super) fn start(
        build: impl FnOnce() -> Box<dyn Source> + 'static,
        ingest: Ingest,
        span: Span,
        on_first_frame: impl FnOnce() + 'static,
    ) -> (Self, JoinHandle<SourceEnd>) {
        let (alive, done) = oneshot::channel();
        // Read now, not when the task first runs: a picture may be pushed in between.
        let already = *ingest.received().borrow();
        let run = async move {
            let ending = run_once(build, &ingest, already, on_first_frame).await;
            // Dropped when this task is, also when it is aborted or panics.
            drop(alive);
            ending
        };
        let join = task_counts::spawn(run.instrument(span));
        (Self { task: join.abort_handle(), done }, join)
    }

    /// Ends the source and waits until its sockets are closed.
    pub(super) async fn end(self) {
        self.task.abort();
        // An error means that the task has dropped its end of the channel, which is what this waits for.
        let _ = self.done.await;
    }
}

/// Returns how the task of a pump ended; none if the actor itself ended it.
pub(super) async fn outcome(join: JoinHandle<SourceEnd>) -> Option<SourceEnd> {
    match join.await {
        Ok(ending) => Some(ending),
        Err(error) if error.is_cancelled() => None,
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            let what = "the source failed inside framecast, which is a bug";
            let reason = Reason::with_detail(what, &format!("{what}: {text}"));
            Some(SourceEnd { reason, orderly: false, gave_frames: false })
        }
    }
}

async fn run_once(
    build: impl FnOnce() -> Box<dyn Source>,
    ingest: &Ingest,
    already: u64,
    on_first_frame: impl FnOnce(),
) -> SourceEnd {
    let mut source = build();
    let result = {
        let running = source.run(ingest);
        let first_frame = std::pin::pin!(first_frame_after(ingest.received(), already));
        match select(running, first_frame).await {
            Either::Left((result, _)) => result,
            Either::Right(((), running)) => {
                on_first_frame();
                running.await
            }
        }
    };
    // A camera that closes right behind its picture may end before its first frame was noticed.
    let gave_frames = *ingest.received().borrow() > already;
    match result {
        Ok(()) => SourceEnd { reason: "the source ended".into(), orderly: gave_frames, gave_frames },
        Err(error) => SourceEnd { reason: Reason::from(&error), orderly: false, gave_frames },
    }
}

async fn first_frame_after(mut given: watch::Receiver<u64>, already: u64) {
    if given.wait_for(|given| *given > already).await.is_err() {
        // The ingest outlives its readers' tasks; if it ever did not, there is no first frame.
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc, sync::Arc};

    use futures_util::future::LocalBoxFuture;

    use super::*;
    use crate::{
        bus::{Bus, tests::tiny_frame},
        source::SourceError,
    };

    /// A source that gives this many frames, then does what it was made for.
    struct Scripted(u32, fn() -> LocalBoxFuture<'static, Result<(), SourceError>>);

    impl Source for Scripted {
        fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
            Box::pin(async move {
                for _ in 0..self.0 {
                    ingest.push_frame(tiny_frame());
                    tokio::task::yield_now().await;
                }
                (self.1)().await
            })
        }
    }

    fn start_in(
        ingest: Ingest,
        source: impl Source + 'static,
        on_first_frame: impl FnOnce() + 'static,
    ) -> (Pump, JoinHandle<SourceEnd>) {
        Pump::start(|| Box::new(source), ingest, Span::none(), on_first_frame)
    }

    fn start(source: Scripted) -> (Pump, JoinHandle<SourceEnd>, Rc<Cell<u32>>) {
        let firsts = Rc::new(Cell::new(0));
        let counter = firsts.clone();
        let ingest = Ingest::new(Arc::new(Bus::default()), None);
        let (pump, join) = start_in(ingest, source, move || counter.set(counter.get() + 1));
        (pump, join, firsts)
    }

    #[actix::test]
    async fn a_source_that_closed_after_frames_ended_in_an_orderly_way() {
        let (_pump, join, firsts) = start(Scripted(3, || Box::pin(async { Ok(()) })));
        assert!(join.await.unwrap().orderly);
        assert_eq!(firsts.get(), 1, "told once");
    }

    #[actix::test]
    async fn frames_that_come_too_soon_to_be_shown_are_a_sign_of_life() {
        let ingest = Ingest::new(Arc::new(Bus::default()), Some(0.01));
        for _ in 0..2 {
            let source = Scripted(1, || Box::pin(async { Ok(()) }));
            let (_pump, join) = start_in(ingest.clone(), source, || {});
            assert!(join.await.unwrap().orderly);
        }
        assert_eq!(ingest.bus().stats().frames_in(), 1, "the second came too soon");
    }

    #[actix::test]
    async fn a_frame_right_before_the_end_counts_although_it_was_not_noticed() {
        struct Last;
        impl Source for Last {
            fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
                ingest.push_frame(tiny_frame());
                let reset = SourceError::Broken { host: "cam:80".into(), reason: "reset".into() };
                Box::pin(async { Err(reset) })
            }
        }
        let (_pump, join) =
            start_in(Ingest::new(Arc::default(), None), Last, || panic!("the run has ended by then"));
        let ending = join.await.unwrap();
        assert!(ending.gave_frames && !ending.orderly);
    }

    #[actix::test]
    async fn a_source_that_closed_without_a_frame_did_not() {
        let (_pump, join, firsts) = start(Scripted(0, || Box::pin(async { Ok(()) })));
        assert!(!join.await.unwrap().orderly);
        assert_eq!(firsts.get(), 0);
    }

    #[actix::test]
    async fn a_panic_is_the_end_of_its_own_task_and_says_what_it_said() {
        let (_pump, join, _) = start(Scripted(1, || Box::pin(async { panic!("broken table") })));
        let ending = outcome(join).await.unwrap();
        assert!(ending.reason.detailed().contains("broken table"), "{:?}", ending.reason);
        assert!(!ending.reason.public().contains("broken table"), "{:?}", ending.reason);
        assert!(!ending.orderly);
    }

    /// Sources of all kinds are built, run and dropped here, as a `dyn Source`: what differs is how far they
    /// have come. Another source on the same thread goes on.
    #[actix::test]
    async fn a_panic_of_a_source_however_far_it_has_come_ends_no_other() {
        struct Started;
        impl Source for Started {
            fn run<'a>(&'a mut self, _: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
                panic!("injected while it starts")
            }
        }
        struct Dropped;
        impl Source for Dropped {
            fn run<'a>(&'a mut self, _: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
                Box::pin(async { Ok(()) })
            }
        }
        impl Drop for Dropped {
            fn drop(&mut self) {
                panic!("injected while it goes")
            }
        }
        let broken = |frames| Scripted(frames, || Box::pin(async { panic!("injected while it runs") }));
        let beside = Ingest::new(Arc::new(Bus::default()), None);
        let (_pump, going_on) = start_in(beside.clone(), Scripted(u32::MAX, || unreachable!()), || {});
        type Build = Box<dyn FnOnce() -> Box<dyn Source>>;
        let cases: [(&str, Build); 5] = [
            ("made", Box::new(|| panic!("injected while it is made"))),
            ("starts", Box::new(|| Box::new(Started))),
            ("runs", Box::new(move || Box::new(broken(0)))),
            ("runs", Box::new(move || Box::new(broken(3)))),
            ("goes", Box::new(|| Box::new(Dropped))),
        ];
        for (when, build) in cases {
            let ingest = Ingest::new(Arc::new(Bus::default()), None);
            let (pump, join) = Pump::start(build, ingest, Span::none(), || {});
            let ending = outcome(join).await.unwrap();
            assert!(
                ["injected while it", when].iter().all(|word| ending.reason.detailed().contains(word)),
                "{:?}",
                ending.reason
            );
            assert!(!ending.orderly);
            // Its sockets are closed: the next one may begin.
            pump.end().await;
            let frames = *beside.received().borrow();
            tokio::task::yield_now().await;
            assert!(
                *beside.received().borrow() > frames && !going_on.is_finished(),
                "{when}: the other stopped"
            );
        }
        going_on.abort();
    }

    #[actix::test]
    async fn a_source_that_is_ended_is_gone_when_that_is_said() {
        struct Socket(Rc<Cell<bool>>);
        impl Drop for Socket {
            fn drop(&mut self) {
                self.0.set(true);
            }
        }
        struct Holding(Option<Socket>);
        impl Source for Holding {
            fn run<'a>(&'a mut self, _: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
                Box::pin(async move {
                    let _socket = self.0.take();
                    std::future::pending().await
                })
            }
        }
        let closed = Rc::new(Cell::new(false));
        let source = Holding(Some(Socket(closed.clone())));
        let ingest = Ingest::new(Arc::new(Bus::default()), None);
        let (pump, join) = start_in(ingest, source, || {});
        tokio::task::yield_now().await;
        assert!(!closed.get());
        pump.end().await;
        assert!(closed.get(), "the next connection may be made only now");
        assert!(outcome(join).await.is_none(), "its end is no news");
    }
}
