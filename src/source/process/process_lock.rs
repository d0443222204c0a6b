//! One program of a stream at a time: many cameras serve one program only, and the one before may need a
//! moment to end.

use std::sync::{Arc, Mutex, PoisonError};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Taken by one program after the other. Clones share it.
#[derive(Debug, Clone)]
pub struct Turn {
    free: Arc<Semaphore>,
    group: Arc<Mutex<Option<Pid>>>,
}

/// While it lives, no other program of the stream starts.
#[derive(Debug)]
pub(in crate::source) struct Taken {
    turn: Turn,
    _permit: OwnedSemaphorePermit,
}

impl Default for Turn {
    fn default() -> Self {
        Self { free: Arc::new(Semaphore::new(1)), group: Arc::default() }
    }
}

impl Turn {
    /// Waits until the program before is gone.
    pub(in crate::source) async fn take(&self) -> Taken {
        let permit = self.free.clone().acquire_owned().await.expect("nobody closes the semaphore");
        Taken { turn: self.clone(), _permit: permit }
    }

    /// Ends the running program, and all that it started, at once.
    pub(in crate::source) fn kill(&self) {
        if let Some(group) = *self.group.lock().unwrap_or_else(PoisonError::into_inner) {
            // An error means that nothing is left to be ended.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Taken {
    /// Says which process group runs now.
    pub(super) fn runs(&self, group: Pid) {
        *self.turn.group.lock().unwrap_or_else(PoisonError::into_inner) = Some(group);
    }

    /// Asks the process group to end.
    pub(super) fn terminate(&self) {
        if let Some(group) = *self.turn.group.lock().unwrap_or_else(PoisonError::into_inner) {
            // As above.
            let _ = kill_process_group(group, Signal::TERM);
        }
    }

    /// Ends the process group at once, and forgets it: its number may be another's soon.
    pub(super) fn kill(&self) {
        self.turn.kill();
        *self.turn.group.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}
