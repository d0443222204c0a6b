//! A cache of single pictures for requests. A page that is open twenty times requests the same picture of the
//! same frame twenty times; it is made once.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::OnceCell;

use super::image_params::ImageParams;
use crate::{
    bus::{Bus, PublishedFrame},
    imaging::{PictureMemory, cpu_pool::memory::Cached},
    media::frame::Frame,
};

/// Maximum number of pictures: a page of tiles, each in one size or two. The oldest goes first.
const MAX_CACHED: usize = 32;

/// Largest picture that is kept: all together are 32 MiB at most, and no more than caches may have.
const MAX_CACHED_BYTES: usize = 1024 * 1024;

/// The newest pictures that were made.
#[derive(Debug)]
pub struct SnapshotCache {
    entries: Mutex<VecDeque<CachedSnapshot>>,
    memory: Arc<PictureMemory>,
}

#[derive(Debug)]
struct CachedSnapshot {
    bus: Weak<Bus>,
    params: ImageParams,
    seq: u64,
    /// The picture, which is shared by the requests that are making it, then by `kept`.
    picture: Weak<OnceCell<Frame>>,
    /// The picture in the cache, once it is made.
    kept: Option<Cached<Arc<OnceCell<Frame>>>>,
}

impl SnapshotCache {
    /// Returns a cache that keeps pictures while `memory` has space for them.
    pub fn new(memory: Arc<PictureMemory>) -> Self {
        Self { entries: Mutex::default(), memory }
    }

    /// Returns the picture of `frame` of a bus with these parameters. `make` makes it, unless another request
    /// has made it or is making it.
    ///
    /// # Errors
    /// The error of `make`; the next request tries again.
    pub async fn get<E>(
        &self,
        bus: &Arc<Bus>,
        frame: &PublishedFrame,
        params: ImageParams,
        make: impl AsyncFnOnce() -> Result<Frame, E>,
    ) -> Result<Frame, E> {
        let picture = self.entry(bus, frame.seq, params);
        let made = picture.get_or_try_init(|| make()).await?.clone();
        self.cache(&picture, made.jpeg().len());
        Ok(made)
    }

    /// Keeps a picture that was made, unless it is too large or there is no memory for it.
    fn cache(&self, picture: &Arc<OnceCell<Frame>>, len: usize) {
        let mut all = self.lock();
        let Some(at) = all.iter().position(|made| made.picture.as_ptr() == Arc::as_ptr(picture)) else {
            return;
        };
        if all[at].kept.is_none() {
            all[at].kept =
                if len > MAX_CACHED_BYTES { None } else { self.memory.cache(len, picture.clone()) };
        }
        if all[at].kept.is_none() {
            all.remove(at);
        }
    }

    fn entry(&self, bus: &Arc<Bus>, seq: u64, params: ImageParams) -> Arc<OnceCell<Frame>> {
        let bus = Arc::downgrade(bus);
        let mut all = self.lock();
        let same = |made: &CachedSnapshot| made.params == params && Weak::ptr_eq(&made.bus, &bus);
        let there = all.iter().find(|made| made.seq == seq && same(made));
        if let Some(picture) = there.and_then(|made| made.picture.upgrade()) {
            return picture;
        }
        // Older frames are not requested any more, except by requests that already hold their picture.
        all.retain(|made| made.seq > seq || !same(made));
        if all.len() >= MAX_CACHED {
            all.pop_front();
        }
        let picture = Arc::new(OnceCell::new());
        all.push_back(CachedSnapshot { bus, params, seq, picture: Arc::downgrade(&picture), kept: None });
        picture
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<CachedSnapshot>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::{bus::tests::tiny_frame, config::Limits, limits::Budgets};

    fn wide(width: usize) -> ImageParams {
        ImageParams::parse(|key| (key == "width").then(|| width.to_string())).unwrap()
    }

    fn pictures() -> SnapshotCache {
        SnapshotCache::new(Arc::default())
    }

    fn bus() -> Arc<Bus> {
        let bus = Arc::new(Bus::default());
        bus.publish(tiny_frame());
        bus
    }

    #[tokio::test]
    async fn who_asks_the_same_of_the_same_frame_gets_what_was_made_once() {
        let (pictures, bus, other, made) = (pictures(), bus(), bus(), Cell::new(0));
        let ask = async |bus: &Arc<Bus>, width| {
            let newest = bus.newest().unwrap();
            let make = async || {
                made.set(made.get() + 1);
                tokio::task::yield_now().await;
                Ok::<_, ()>(tiny_frame())
            };
            pictures.get(bus, &newest, wide(width), make).await.unwrap();
            made.get()
        };
        tokio::join!(ask(&bus, 320), ask(&bus, 320));
        assert_eq!(ask(&bus, 320).await, 1);
        assert_eq!(ask(&bus, 640).await, 2, "another size");
        assert_eq!(ask(&other, 320).await, 3, "another stream");
        bus.publish(tiny_frame());
        assert_eq!(ask(&bus, 320).await, 4, "another frame");
        assert_eq!(ask(&bus, 320).await, 4);
    }

    #[tokio::test]
    async fn what_could_not_be_made_is_tried_again_and_no_more_are_kept_than_allowed() {
        let (pictures, bus) = (pictures(), bus());
        let newest = bus.newest().unwrap();
        let failed = pictures.get(&bus, &newest, wide(16), async || Err("busy")).await;
        assert_eq!(failed.unwrap_err(), "busy");
        for n in 1..=2 * MAX_CACHED {
            pictures.get(&bus, &newest, wide(16 * n), async || Ok::<_, ()>(tiny_frame())).await.unwrap();
        }
        assert_eq!(pictures.lock().len(), MAX_CACHED);
        for _ in 0..3 {
            bus.publish(tiny_frame());
            let newest = bus.newest().unwrap();
            pictures.get(&bus, &newest, wide(16), async || Ok::<_, ()>(tiny_frame())).await.unwrap();
        }
        let of_one_size = pictures.lock().iter().filter(|made| made.params == wide(16)).count();
        assert_eq!(of_one_size, 1, "the past is not kept");
    }

    #[tokio::test]
    async fn a_kept_picture_is_evicted_for_what_has_to_be_kept_and_made_again() {
        let limits = Limits { max_decode_bytes: Some(16 << 20), ..Limits::default() };
        let memory = Arc::new(PictureMemory::new(&Budgets::new(&limits, None)));
        let (pictures, bus, made) = (SnapshotCache::new(memory.clone()), bus(), Cell::new(0));
        let newest = bus.newest().unwrap();
        let ask = async || {
            let make = async || {
                made.set(made.get() + 1);
                Ok::<_, ()>(tiny_frame())
            };
            pictures.get(&bus, &newest, wide(320), make).await.unwrap();
            made.get()
        };
        assert_eq!((ask().await, ask().await), (1, 1));
        let all = memory.reserve_kept(4 << 20).expect("the cache makes room");
        assert_eq!((ask().await, ask().await), (2, 3), "nothing is kept while there is no room");
        drop(all);
        assert_eq!((ask().await, ask().await), (4, 4));
    }
}
