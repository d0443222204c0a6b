//! A piece of work.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use super::error::{PoolError, panic_message};
use crate::limits::{BudgetError, BytePermit};

/// Does a piece of work in the memory that was taken for it, or handles the refusal of that memory.
pub(super) type Work = Box<dyn FnOnce(Result<BytePermit, BudgetError>) + Send>;

/// A piece of work, and the bytes that it takes.
pub(crate) struct WorkItem {
    pub(super) bytes: usize,
    pub(super) work: Work,
}

impl WorkItem {
    /// Returns a piece of work that takes `bytes` of memory.
    pub(crate) fn new(
        bytes: usize,
        work: impl FnOnce(Result<BytePermit, BudgetError>) + Send + 'static,
    ) -> Self {
        Self { bytes, work: Box::new(work) }
    }

    /// Returns `job` as a piece of work, and the receiver of its result. The piece is not done if the
    /// receiver is dropped before its turn.
    pub(super) fn with_answer<T: Send + 'static>(
        bytes: usize,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> (Self, oneshot::Receiver<Result<T, PoolError>>) {
        let (answer, answered) = oneshot::channel();
        let item = Self::new(bytes, move |memory| {
            if answer.is_closed() {
                return;
            }
            let result = memory.map_err(PoolError::from).and_then(|permit| {
                // No half-changed value remains after a panic: the values that the job owned are dropped with
                // it.
                let result = catch_unwind(AssertUnwindSafe(job));
                drop(permit);
                result.map_err(|panic| PoolError::Panicked { reason: panic_message(&*panic) })
            });
            // The caller may have gone meanwhile.
            let _ = answer.send(result);
        });
        (item, answered)
    }
}
