//! Memory for pictures, of the whole process: what those at work take, and what is kept between two of them.
//!
//! The pool takes bytes for each piece of work before it begins, and waits in line for them. What is kept (a
//! mosaic's planes, converted files, workers' buffers) has a budget of its own, for which nobody waits: a
//! cache that finds no room is not filled, and a mosaic that finds none says so.

use std::sync::{Arc, Mutex, PoisonError};

use super::scratch::Scratch;
use crate::{
    config::Limits,
    limits::{BudgetError, Budgets, ByteBudget, BytePermit, memory_limit},
};

/// Buffers of a worker that are larger are given back: those of a picture of 4096x2160 fit.
const MAX_SCRATCH_BYTES: usize = 64 * 1024 * 1024;

/// Memory for pictures.
#[derive(Debug)]
pub struct PictureMemory {
    working: Arc<ByteBudget>,
    kept: Arc<ByteBudget>,
    /// Buffers that no worker uses now; as many as there are workers at most.
    scratch: Mutex<Vec<(Scratch, BytePermit)>>,
}

impl PictureMemory {
    /// Memory out of the process's budgets.
    pub fn new(budgets: &Budgets) -> Self {
        let (working, kept) = (budgets.decode.clone(), budgets.kept_pictures.clone());
        Self { working, kept, scratch: Mutex::default() }
    }

    /// The budget of pieces of work.
    pub(crate) fn working(&self) -> &Arc<ByteBudget> {
        &self.working
    }

    /// Returns the most bytes that one piece of work may take.
    pub fn most_bytes(&self) -> usize {
        self.working.capacity()
    }

    /// Takes bytes for something that has to be kept, such as the planes of a mosaic.
    ///
    /// # Errors
    /// [`BudgetError`] when so many are not free.
    pub(crate) fn keep(&self, bytes: usize) -> Result<BytePermit, BudgetError> {
        self.kept.try_acquire(bytes)
    }

    /// Takes bytes for something that can be made again. Caches may fill half of what can be kept, so that
    /// there is room for what has to be.
    pub fn cache(&self, bytes: usize) -> Option<BytePermit> {
        let fits = self.kept.in_use().saturating_add(bytes) <= self.kept.capacity() / 2;
        fits.then(|| self.kept.try_acquire(bytes).ok()).flatten()
    }

    /// Lends buffers of a picture before, if some are kept. They are kept again unless they have grown too
    /// large.
    pub(crate) fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let lent = self.scratch().pop();
        let (mut scratch, permit) =
            lent.map_or_else(Default::default, |(scratch, held)| (scratch, Some(held)));
        let result = work(&mut scratch);
        let bytes = scratch.kept();
        let permit = match permit {
            Some(permit) if permit.bytes() >= bytes => Some(permit),
            Some(permit) => {
                drop(permit);
                self.cache(bytes)
            }
            None => self.cache(bytes),
        };
        if let Some(permit) = permit.filter(|_| bytes <= MAX_SCRATCH_BYTES) {
            self.scratch().push((scratch, permit));
        }
        result
    }

    fn scratch(&self) -> std::sync::MutexGuard<'_, Vec<(Scratch, BytePermit)>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for PictureMemory {
    /// Memory as the process has it where nothing is configured.
    fn default() -> Self {
        Self::new(&Budgets::new(&Limits::default(), memory_limit()))
    }
}
