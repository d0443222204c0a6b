//! A watch channel on loom's lock, with as much of tokio's as is used: the newest value, who waits for it,
//! and no more.
//!
//! What is modelled is not this but what is built on it. It promises what tokio documents: closures run under
//! the lock, a change wakes everybody who waits, and a receiver knows what it has seen.

use std::{
    fmt,
    future::poll_fn,
    ops::Deref,
    task::{Poll, Waker},
};

use loom::sync::{Arc, Mutex, MutexGuard};

pub struct Sender<T>(Arc<Mutex<State<T>>>);

pub struct Receiver<T> {
    shared: Arc<Mutex<State<T>>>,
    seen: u64,
}

struct State<T> {
    value: T,
    version: u64,
    waiting: Vec<Waker>,
}

pub struct Ref<'a, T>(MutexGuard<'a, State<T>>);

/// There are no closed channels here.
#[derive(Debug)]
pub struct Closed;

impl<T> Deref for Ref<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0.value
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Default> Default for Sender<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sender")
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receiver")
    }
}

impl<T> Sender<T> {
    pub fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(State { value, version: 0, waiting: Vec::new() })))
    }

    pub fn borrow(&self) -> Ref<'_, T> {
        Ref(self.0.lock().unwrap())
    }

    pub fn send_modify(&self, change: impl FnOnce(&mut T)) {
        self.send_if_modified(|value| {
            change(value);
            true
        });
    }

    pub fn send_replace(&self, value: T) -> T {
        let mut value = value;
        self.send_modify(|before| std::mem::swap(before, &mut value));
        value
    }

    pub fn send_if_modified(&self, change: impl FnOnce(&mut T) -> bool) -> bool {
        let mut state = self.0.lock().unwrap();
        let changed = change(&mut state.value);
        if changed {
            state.version += 1;
            // Behind the lock, as tokio does.
            let waiting = std::mem::take(&mut state.waiting);
            drop(state);
            waiting.into_iter().for_each(Waker::wake);
        }
        changed
    }

    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.lock().unwrap().version;
        Receiver { shared: self.0.clone(), seen }
    }
}

impl<T> Receiver<T> {
    pub fn borrow_and_update(&mut self) -> Ref<'_, T> {
        let state = self.shared.lock().unwrap();
        self.seen = state.version;
        Ref(state)
    }

    pub fn mark_changed(&mut self) {
        self.seen = u64::MAX;
    }

    pub async fn wait_for(&mut self, is_it: impl FnMut(&T) -> bool) -> Result<Ref<'_, T>, Closed> {
        self.wait(is_it).await;
        Ok(Ref(self.shared.lock().unwrap()))
    }

    async fn wait(&mut self, mut is_it: impl FnMut(&T) -> bool) {
        poll_fn(|cx| {
            let mut state = self.shared.lock().unwrap();
            self.seen = state.version;
            if is_it(&state.value) {
                return Poll::Ready(());
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// The next value that was not seen.
    pub async fn changed(&mut self) -> Result<(), Closed> {
        poll_fn(|cx| {
            let mut state = self.shared.lock().unwrap();
            if state.version != self.seen {
                self.seen = state.version;
                return Poll::Ready(Ok(()));
            }
            state.waiting.push(cx.waker().clone());
            Poll::Pending
        })
        .await
    }
}
