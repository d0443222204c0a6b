//! The times for which a peer may read nothing, and a connection may be idle.

use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

/// The time without a write and without a busy handler after which the connection is closed.
/// actix-http's deadline is for a connection's first head only; it waits for ever for the rest of a second
/// one, or for a chunked body that no handler reads. Longer than the keep-alive timeout, which ends
/// connections regularly.
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(60);

/// Notices a client that holds a connection for nothing. Its timer is checked only when it fires, so that a
/// busy connection costs one timer operation a minute.
#[derive(Debug, Default)]
pub(super) struct Idle {
    timer: Option<Pin<Box<Sleep>>>,
    pub(super) wrote: bool,
}

impl Idle {
    pub(super) fn is_expired(&mut self, cx: &mut Context<'_>, busy: impl Fn() -> bool) -> bool {
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(IDLE_TIMEOUT)));
        while timer.as_mut().poll(cx).is_ready() {
            if !std::mem::take(&mut self.wrote) && !busy() {
                return true;
            }
            timer.as_mut().reset(Instant::now() + IDLE_TIMEOUT);
        }
        false
    }
}

/// Notices a peer that reads nothing. Its timer is armed at the first blocked write and checked only when it
/// fires, so that a viewer that is merely slow costs no timer operation per frame.
#[derive(Debug, Default)]
pub(super) struct Stall {
    timer: Option<Pin<Box<Sleep>>>,
    last_progress: Option<Instant>,
}

impl Stall {
    pub(super) fn watch(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        timeout: Duration,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            // No clock is read while all goes well; the next blocked write starts the count.
            self.last_progress = None;
            return written;
        }
        let now = Instant::now();
        let blocked_since = *self.last_progress.get_or_insert(now);
        let deadline = blocked_since + timeout;
        if now >= deadline {
            let text = format!("the viewer read nothing for {} s", timeout.as_secs_f32());
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, text)));
        }
        let timer = self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if deadline < timer.deadline() {
            timer.as_mut().reset(deadline);
        }
        while timer.as_mut().poll(cx).is_ready() {
            // Armed for an earlier write that went through.
            timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}
