//! Runs one program of a stream at a time: many cameras serve one client only, and the previous program may
//! need a moment to end.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A lock that each program of a source holds while it runs. Clones share it.
#[derive(Debug, Clone)]
pub struct ProcessLock {
    free: Arc<Semaphore>,
    group: Arc<Mutex<Option<Pid>>>,
}

/// The held lock. While it lives, no other program of the source starts.
#[derive(Debug)]
pub(in crate::source) struct ProcessPermit {
    lock: ProcessLock,
    _permit: OwnedSemaphorePermit,
}

impl Default for ProcessLock {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(1)), group: Arc::default() }
    }
}

impl ProcessLock {
    /// Waits until the previous program has ended.
    pub(in crate::source) async fn acquire(&self) -> ProcessPermit {
        let permit = self.free.clone().acquire_owned().await.expect("nobody closes the semaphore");
        ProcessPermit { lock: self.clone(), _permit: permit }
    }

    /// Kills the running program's process group.
    pub(in crate::source) fn kill(&self) {
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that the group has ended already.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl ProcessPermit {
    /// Sets the process group of the running program.
    pub(super) fn set_group(&self, group: Pid) {
        *self.lock.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
    }

    /// Asks the process group to terminate.
    pub(super) fn terminate(&self) {
        if let Some(group) = *self.lock.group.lock().unwrap_or_else(PoisonError::into_inner) {
            // As above.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Kills the process group, and forgets it: its number may be reused soon.
    pub(super) fn kill(&self) {
        self.lock.kill();
        *self.lock.group.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
