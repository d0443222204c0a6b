//! Errors of jobs.

use std::any::Any;

use crate::limits::BudgetError;

/// An error of a job that gave no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PoolError {
    /// All workers are busy and the queue is full.
    #[error("all CPU workers are busy; try again later")]
    Busy,
    /// The job takes more memory than all pictures at work may have.
    #[error(
        "the picture takes {needed} bytes of memory to be decoded, drawn and encoded, but all pictures at \
         work may have {most}, three quarters of limits.max_decode_bytes"
    )]
    Memory {
        /// Bytes that the job takes.
        needed: usize,
        /// Bytes that all pictures at work may have.
        most: usize,
    },
    /// The job panicked; the worker continues.
    #[error("a CPU job panicked: {reason}")]
    Panicked {
        /// The panic's message.
        reason: String,
    },
}

impl From<BudgetError> for PoolError {
    fn from(error: BudgetError) -> Self {
        match error {
            BudgetError::TooLarge { bytes, capacity } => Self::Memory { needed: bytes, most: capacity },
            BudgetError::Full { .. } => Self::Busy,
        }
    }
}

/// Returns the message of a panic.
pub(crate) fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no reason given").to_owned()
}
