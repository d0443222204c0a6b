//! Tasks, in the place of tokio's.

use std::{
    cell::Cell,
    future::{Future, pending, poll_fn},
    pin::pin,
    task::Poll,
    time::Instant,
};

thread_local! {
    static SECOND_FIRST: Cell<bool> = const { Cell::new(false) };
}

/// tokio's `select!` looks at its branches in any order; here a model says which, and tries both.
pub fn look_at_the_second_first(second_first: bool) {
    SECOND_FIRST.set(second_first);
}

/// Whichever is ready, and the one that is looked at first if both are.
pub enum Either<A, B> {
    First(A),
    Second(B),
}

pub async fn either<A, B>(first: impl Future<Output = A>, second: impl Future<Output = B>) -> Either<A, B> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    poll_fn(|cx| {
        if SECOND_FIRST.get()
            && let Poll::Ready(ready) = second.as_mut().poll(cx)
        {
            return Poll::Ready(Either::Second(ready));
        }
        if let Poll::Ready(ready) = first.as_mut().poll(cx) {
            return Poll::Ready(Either::First(ready));
        }
        second.as_mut().poll(cx).map(Either::Second)
    })
    .await
}

/// As much of tokio's as is used.
macro_rules! select {
    (
        $first:pat = $a:expr => if $shown:ident.is_err() { return },
        $second:pat = $b:expr => $do_second:block
    ) => {
        $crate::mocks::tasks::select!(
            $first = $a => { if $shown.is_err() { return } }
            $second = $b => $do_second
        )
    };
    ($first:pat = $a:expr => $do_first:block $second:pat = $b:expr => $do_second:block) => {
        match $crate::mocks::tasks::either($a, $b).await {
            $crate::mocks::tasks::Either::First($first) => $do_first,
            $crate::mocks::tasks::Either::Second($second) => $do_second,
        }
    };
}

pub(crate) use select;

/// Lets another task of the thread have its turn.
pub async fn yield_now() {
    let mut done = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut done, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// There is no time.
pub async fn sleep_until(_: Instant) {
    pending().await
}
