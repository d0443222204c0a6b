//! Work in the pool that is never refused: one piece after the other, each a turn of its own.
//!
//! A mosaic of many cameras takes long to draw. In pieces it stands behind everybody else's work after each
//! tile, and one worker at most is busy with it.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::{
    imaging::{
        Pool, PoolError,
        cpu_pool::{Lane, Piece, reason},
    },
    limits::{BudgetError, BytePermit},
};

/// A lane for one piece of work at a time.
#[derive(Debug)]
pub(super) struct Turns {
    lane: Lane,
}

impl Turns {
    pub(super) fn new(pool: &Pool) -> Self {
        Self { lane: pool.lane() }
    }

    /// Runs `job`, which needs `bytes` of memory, in the next turn. Dropping the future before then cancels
    /// it.
    ///
    /// # Errors
    /// [`PoolError::Panicked`] when it panicked, [`PoolError::Memory`] when the budget is smaller than
    /// `bytes`, [`PoolError::Busy`] when the pool has ended.
    pub(super) async fn run<T: Send + 'static>(
        &mut self,
        bytes: usize,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, PoolError> {
        let (answer, answered) = oneshot::channel();
        let job = move |memory: Result<BytePermit, BudgetError>| {
            if answer.is_closed() {
                return;
            }
            let result = match memory {
                Ok(_memory) => catch_unwind(AssertUnwindSafe(job))
                    .map_err(|panic| PoolError::Panicked { reason: reason(&*panic) }),
                Err(error) => Err(error.into()),
            };
            // The caller may have been dropped meanwhile.
            let _ = answer.send(result);
        };
        // One that was cancelled may still stand there.
        drop(self.lane.put(Piece::new(bytes, job)));
        answered.await.unwrap_or(Err(PoolError::Busy))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_piece_that_panics_is_told_and_the_next_is_done() {
        let pool = Pool::new(std::num::NonZeroUsize::MIN, 1).unwrap();
        let mut turns = Turns::new(&pool);
        let panicked = turns.run(0, || -> u8 { panic!("no pixels") }).await.unwrap_err();
        assert_eq!(panicked, PoolError::Panicked { reason: "no pixels".into() });
        assert_eq!(turns.run(0, || 7).await, Ok(7));
    }
}
