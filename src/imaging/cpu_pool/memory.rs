//! Memory for pictures, of the whole process: for pieces of work, and for what is kept between frames.
//!
//! The pool takes bytes for each piece of work before it begins, and waits for them. Kept data (planes of
//! mosaics, logos, converted files, workers' buffers) has a separate budget, for which nothing waits: if it
//! is used up, caches are not filled and mosaics report an error. Data that can be made again is evicted in
//! favour of data that has to be kept, so that the order in which they come does not matter.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use super::scratch::Scratch;
use crate::{
    config::Limits,
    limits::{BudgetError, Budgets, ByteBudget, BytePermit, memory_limit},
};

/// Size above which a worker's buffers are freed after use. Those of a picture of 4096x2160 fit.
const MAX_SCRATCH_BYTES: usize = 64 * 1024 * 1024;

/// Divisor for the part of the memory at work that large pieces never hold. Of 48 MiB, small pieces have 12
/// MiB: 2 to 3 megapixels, which take milliseconds.
const SMALL_JOBS_DIVISOR: usize = 4;

/// Memory for pictures.
#[derive(Debug)]
pub struct PictureMemory {
    working: Arc<ByteBudget>,
    kept: Arc<ByteBudget>,
    /// Buffers that no worker uses now; at most one for each worker.
    scratch: Mutex<Vec<(Scratch, BytePermit)>>,
    /// Values of all caches, the oldest first. Dropped ones are removed when the list is full.
    cached: Mutex<VecDeque<Weak<dyn Evict>>>,
}

/// A value that can be made again, with the memory that was taken for it. It is there until it is dropped, or
/// evicted for something that cannot be made again.
pub struct Cached<T>(Arc<CacheSlot<T>>);

struct CacheSlot<T>(Mutex<Option<(T, BytePermit)>>);

trait Evict: Send + Sync {
    fn evict(&self);
}

impl PictureMemory {
    /// Returns memory out of the process's budgets.
    pub fn new(budgets: &Budgets) -> Self {
        let (working, kept) = (budgets.decode.clone(), budgets.kept_pictures.clone());
        Self { working, kept, scratch: Mutex::default(), cached: Mutex::default() }
    }

    /// Returns the budget of pieces of work.
    pub(crate) fn working(&self) -> &Arc<ByteBudget> {
        &self.working
    }

    /// Returns the bytes that one piece of work may take at most.
    pub fn max_bytes(&self) -> usize {
        self.working.capacity()
    }

    /// Returns the bytes that all large pieces may hold together, which is also the limit of one conversion.
    pub(crate) fn large_bytes(&self) -> usize {
        self.working.capacity() - self.small_bytes()
    }

    /// Returns the bytes that conversions never hold. A piece that takes more is large.
    pub(crate) fn small_bytes(&self) -> usize {
        self.working.capacity() / SMALL_JOBS_DIVISOR
    }

    /// Checks that a piece of work may take so many bytes.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`], counted as refused.
    pub(crate) fn check(&self, bytes: usize, is_conversion: bool) -> Result<(), BudgetError> {
        let most = if is_conversion { self.large_bytes() } else { self.max_bytes() };
        if bytes <= most {
            return Ok(());
        }
        self.working.count_refused();
        Err(BudgetError::TooLarge { bytes, capacity: most })
    }

    /// Takes the bytes of a piece of work if they are free now. Returns `None` while other work holds them.
    ///
    /// # Errors
    /// Those of [`PictureMemory::check`].
    pub(crate) fn take(&self, bytes: usize, is_conversion: bool) -> Result<Option<BytePermit>, BudgetError> {
        self.check(bytes, is_conversion)?;
        self.working.acquire_if_free(bytes)
    }

    /// Takes bytes for a file that a piece of work reads, besides those of the piece itself. Returns `None`
    /// while others hold them; the caller then goes on without, since such files are few, and the
    /// administrator's.
    ///
    /// # Errors
    /// [`BudgetError::TooLarge`], counted as refused, if all pictures together may not have so many.
    pub(crate) fn take_more(&self, bytes: usize) -> Result<Option<BytePermit>, BudgetError> {
        match self.working.try_acquire(bytes) {
            Err(BudgetError::Full { .. }) => Ok(None),
            taken => taken.map(Some),
        }
    }

    /// Takes bytes for something that has to be kept, such as the planes of a mosaic. Evicts as many cached
    /// values as it needs.
    ///
    /// # Errors
    /// [`BudgetError`] if too few are left beside other things that have to be kept.
    pub(crate) fn reserve_kept(&self, bytes: usize) -> Result<BytePermit, BudgetError> {
        let most = self.kept.capacity();
        while bytes <= most && self.kept.in_use().saturating_add(bytes) > most && self.evict_one() {}
        self.kept.try_acquire(bytes)
    }

    /// Caches a value of `bytes` bytes that can be made again, if there is room: caches are filled up to half
    /// of the memory for kept data.
    pub(crate) fn cache<T: Send + 'static>(&self, bytes: usize, value: T) -> Option<Cached<T>> {
        Some(self.evictable(value, self.reserve_for_cache(bytes)?))
    }

    fn evictable<T: Send + 'static>(&self, value: T, permit: BytePermit) -> Cached<T> {
        let slot = Arc::new(CacheSlot(Mutex::new(Some((value, permit)))));
        let evict: Arc<dyn Evict> = slot.clone();
        let mut cached = self.cached();
        if cached.len() == cached.capacity() {
            cached.retain(|slot| slot.strong_count() > 0);
        }
        cached.push_back(Arc::downgrade(&evict));
        Cached(slot)
    }

    /// Evicts unused buffers or the oldest cached value. Returns false if there is nothing to evict.
    fn evict_one(&self) -> bool {
        if self.scratch().pop().is_some() {
            return true;
        }
        // Evicted after the lock is released: the value may be large.
        let oldest = {
            let mut cached = self.cached();
            std::iter::from_fn(|| cached.pop_front()).find_map(|slot| slot.upgrade())
        };
        oldest.inspect(|slot| slot.evict()).is_some()
    }

    fn reserve_for_cache(&self, bytes: usize) -> Option<BytePermit> {
        let fits = self.kept.in_use().saturating_add(bytes) <= self.kept.capacity() / 2;
        fits.then(|| self.kept.try_acquire(bytes).ok()).flatten()
    }

    /// Calls `work` with the buffers of an earlier picture, if some are kept, and keeps them for the next
    /// unless they have become too large. Their memory may be evicted meanwhile; they are freed after use
    /// then.
    pub(crate) fn with_scratch<T>(&self, work: impl FnOnce(&mut Scratch) -> T) -> T {
        let (mut scratch, held) = match self.scratch().pop() {
            Some((scratch, permit)) => (scratch, Some(self.evictable((), permit))),
            None => Default::default(),
        };
        let result = work(&mut scratch);
        let bytes = scratch.capacity_bytes();
        let permit = held
            .and_then(|held| held.0.value().take())
            .map(|((), permit)| permit)
            .filter(|permit| permit.bytes() >= bytes)
            .or_else(|| self.reserve_for_cache(bytes));
        if let Some(permit) = permit.filter(|_| bytes <= MAX_SCRATCH_BYTES) {
            self.scratch().push((scratch, permit));
        }
        result
    }

    fn scratch(&self) -> MutexGuard<'_, Vec<(Scratch, BytePermit)>> {
        self.scratch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cached(&self) -> MutexGuard<'_, VecDeque<Weak<dyn Evict>>> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Clone> Cached<T> {
    /// Returns the value, unless it was evicted.
    pub(crate) fn get(&self) -> Option<T> {
        self.0.value().as_ref().map(|(value, _)| value.clone())
    }
}

impl<T> CacheSlot<T> {
    fn value(&self) -> MutexGuard<'_, Option<(T, BytePermit)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T: Send> Evict for CacheSlot<T> {
    fn evict(&self) {
        let evicted = self.value().take();
        drop(evicted);
    }
}

impl<T> fmt::Debug for Cached<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cached").field("is_there", &self.0.value().is_some()).finish()
    }
}

impl fmt::Debug for dyn Evict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a cached value")
    }
}

impl Default for PictureMemory {
    /// Returns the memory of a process without configured limits.
    fn default() -> Self {
        Self::new(&Budgets::new(&Limits::default(), memory_limit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imaging::ycbcr::Sampling;

    const MIB: usize = 1024 * 1024;

    /// Memory with 4 MiB for kept data.
    fn memory() -> PictureMemory {
        let limits = Limits { max_decode_bytes: Some(16 * MIB), ..Limits::default() };
        PictureMemory::new(&Budgets::new(&limits, None))
    }

    #[test]
    fn caches_make_room_for_what_has_to_be_kept_whichever_came_first() {
        let memory = memory();
        memory.with_scratch(|scratch| scratch.planes.reshape(1000, 500, Sampling::S444).unwrap());
        let cached: Vec<_> = (0..2).map(|n| memory.cache(MIB / 4, n).unwrap()).collect();
        assert!(memory.cache(MIB, 2).is_none(), "caches have half");
        let kept = memory.reserve_kept(4 * MIB).expect("all of it");
        assert_eq!((memory.kept.in_use(), memory.kept.refused()), (4 * MIB, 0));
        assert_eq!([cached[0].get(), cached[1].get()], [None, None]);
        assert!(memory.reserve_kept(1).is_err());
        drop(kept);
        assert_eq!(memory.cache(MIB, 3).unwrap().get(), Some(3));
    }

    #[test]
    fn no_more_is_evicted_than_is_in_the_way_and_nothing_for_what_never_fits() {
        let memory = memory();
        let cached: Vec<_> = (0..4).map(|n| memory.cache(MIB / 2, n).unwrap()).collect();
        assert!(memory.reserve_kept(4 * MIB + 1).is_err());
        let there = || cached.iter().filter_map(Cached::get).collect::<Vec<_>>();
        assert_eq!(there(), [0, 1, 2, 3]);
        let _kept = memory.reserve_kept(3 * MIB).unwrap();
        assert_eq!(there(), [2, 3], "the oldest went");
    }

    #[test]
    fn buffers_in_use_stay_counted_and_are_freed_after_use_if_their_memory_is_needed() {
        let memory = memory();
        let reshape = |scratch: &mut Scratch| scratch.planes.reshape(1000, 500, Sampling::S444).unwrap();
        memory.with_scratch(reshape);
        let counted = memory.kept.in_use();
        assert!(counted >= 1_500_000, "{counted}");
        // A small picture uses the buffers of a large one.
        assert_eq!(memory.with_scratch(|_| memory.kept.in_use()), counted);
        assert_eq!(memory.kept.in_use(), counted);
        let kept = memory.with_scratch(|_| memory.reserve_kept(4 * MIB));
        assert_eq!(kept.unwrap().bytes(), 4 * MIB);
        assert_eq!(memory.kept.in_use(), 0);
    }

    #[test]
    fn dropped_values_are_not_remembered_for_ever() {
        let memory = memory();
        (0..10_000).for_each(|n| drop(memory.cache(MIB, n)));
        assert!(memory.cached().len() < 100);
        assert_eq!(memory.kept.in_use(), 0);
    }

    #[test]
    fn small_containers_have_the_memory_for_a_camera_of_1080p_and_larger_ones_for_one_of_4k() {
        use crate::{
            config::{Encode, Transform},
            imaging::{
                codec::{PixelFormat, Pixels, Quality, codec},
                convert::PictureLimits,
                transform::pipeline::Pipeline,
            },
            media::frame::Frame,
        };
        for (container, width, height) in [(16, 1920, 1080), (64, 1920, 1080), (256, 3840, 2160)] {
            let budgets = Budgets::new(&Limits::default(), Some(container * MIB as u64));
            let memory = Arc::new(PictureMemory::new(&budgets));
            let pixels = vec![90; usize::from(width) * usize::from(height) * 3];
            let pixels = Pixels::new(width, height, PixelFormat::Rgb, pixels).unwrap();
            let frame = Frame::from_jpeg(codec().encode(&pixels, Quality::PICTURE).unwrap()).unwrap();
            let transform = Transform { encode: Some(Encode::default()), ..Transform::default() };
            let limits = PictureLimits::from(&Limits::default());
            let pipeline = Pipeline::new(String::new(), transform, limits, memory.clone());
            let (needed, most) = (pipeline.bytes_for(&frame).unwrap(), memory.max_bytes());
            assert!(needed <= most, "{width}x{height} takes {needed}, {most} are there with {container} MiB");
        }
    }
}
