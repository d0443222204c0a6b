//! Counts the tasks, by their purpose.
//!
//! tokio counts the tasks of a runtime, but not those in a `LocalSet`, where actix runs all of framecast's.
//! So each task is counted here when it is started. The counts are those of the whole process.

use std::{
    future::Future,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use tokio::task::JoinHandle;

/// The purpose of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub enum TaskKind {
    /// A connection to framecast.
    Connection,
    /// A stream's actor, or that of a rendition.
    Stream,
    /// Tasks that these have started: a source, a fan-out, a recorder.
    Work,
}

impl TaskKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Connection, Self::Stream, Self::Work];

    /// Returns the name in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Stream => "stream",
            Self::Work => "work",
        }
    }

    /// Returns the current number of tasks of this kind.
    pub fn count(self) -> u64 {
        self.alive().load(Relaxed)
    }

    fn alive(self) -> &'static AtomicU64 {
        static ALIVE: [AtomicU64; TaskKind::ALL.len()] = [const { AtomicU64::new(0) }; TaskKind::ALL.len()];
        &ALIVE[self as usize]
    }
}

/// A task that is counted for as long as it owns this.
#[derive(Debug)]
pub struct TaskGuard(&'static AtomicU64);

impl TaskGuard {
    /// Counts a task.
    pub fn new(kind: TaskKind) -> Self {
        Self::with_counter(kind.alive())
    }

    fn with_counter(alive: &'static AtomicU64) -> Self {
        alive.fetch_add(1, Relaxed);
        Self(alive)
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

/// Spawns a task as `actix_rt::spawn` does, counted as [`TaskKind::Work`] until it ends, also when it is
/// aborted or panics.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    spawn_with(TaskGuard::new(TaskKind::Work), future)
}

fn spawn_with<F>(counted: TaskGuard, future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    actix_rt::spawn(async move {
        let _counted = counted;
        future.await
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[actix::test]
    async fn a_task_is_counted_until_it_is_gone_however_it_ends() {
        static ALIVE: AtomicU64 = AtomicU64::new(0);
        let ends = spawn_with(TaskGuard::with_counter(&ALIVE), async {});
        let panics = spawn_with(TaskGuard::with_counter(&ALIVE), async { panic!("by the test") });
        let stays = spawn_with(TaskGuard::with_counter(&ALIVE), std::future::pending::<()>());
        let never_ran = spawn_with(TaskGuard::with_counter(&ALIVE), async {});
        never_ran.abort();
        assert_eq!(ALIVE.load(Relaxed), 4);
        assert!(never_ran.await.is_err() && ends.await.is_ok() && panics.await.is_err());
        assert_eq!(ALIVE.load(Relaxed), 1);
        stays.abort();
        assert!(stays.await.is_err());
        assert_eq!(ALIVE.load(Relaxed), 0);
    }
}
