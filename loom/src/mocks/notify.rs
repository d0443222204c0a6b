//! tokio's `Notify` for one waiting task, on loom's lock: a notification without a waiting task is kept; a
//! second one has no further effect.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, Waker},
};

use loom::sync::Mutex;

#[derive(Debug, Default)]
pub struct Notify(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    is_kept: bool,
    waiting: Option<Waker>,
}

#[derive(Debug)]
pub struct Notified<'a>(&'a Notify);

impl Notify {
    pub fn notify_one(&self) {
        let mut state = self.0.lock().unwrap();
        state.is_kept = true;
        let waiting = state.waiting.take();
        drop(state);
        if let Some(waiting) = waiting {
            waiting.wake();
        }
    }

    pub fn notified(&self) -> Notified<'_> {
        Notified(self)
    }
}

impl Future for Notified<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut state = self.0.0.lock().unwrap();
        if std::mem::take(&mut state.is_kept) {
            return Poll::Ready(());
        }
        state.waiting = Some(cx.waker().clone());
        Poll::Pending
    }
}
