//! Limits the number of viewers, of one stream and of all together. `loom/` tests it in every order of
//! events.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    bus::Bus, limits::bounded_counter::BoundedCounter, media::stream_name::StreamName,
    platform::sync::AtomicUsize,
};

/// The number of viewers of all streams together, bounded.
#[derive(Debug)]
pub struct ViewerLimit {
    viewers: BoundedCounter,
    max_viewers: AtomicUsize,
}

/// An error because the maximum number of viewers is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{scope} has all the viewers that {limit} allows: {viewers}")]
pub struct AtCapacity {
    /// Number of viewers.
    pub viewers: usize,
    /// The relay, or one stream.
    pub scope: String,
    /// Name of the limit's setting.
    pub limit: &'static str,
}

/// Setting that bounds the viewers of one stream.
const PER_STREAM: &str = "limits.max_viewers_per_stream";

impl AtCapacity {
    /// Returns whether one stream is full, and not the relay.
    pub fn is_stream_limit(&self) -> bool {
        self.limit == PER_STREAM
    }
}

impl ViewerLimit {
    /// Creates a limit of `max_viewers`.
    pub fn new(max_viewers: usize) -> Self {
        Self { viewers: BoundedCounter::default(), max_viewers: AtomicUsize::new(max_viewers) }
    }

    /// Returns the number of viewers.
    pub fn viewers(&self) -> usize {
        self.viewers.count()
    }

    /// Sets the limit to `max_viewers`; those beyond it stay.
    pub fn set_max_viewers(&self, max_viewers: usize) {
        self.max_viewers.store(max_viewers, Ordering::Relaxed);
    }

    /// Counts a viewer of `stream`, if there is room there and here. A try that finds no room here takes the
    /// stream's last place for a moment, so that another one may find none there: never too many.
    ///
    /// # Errors
    /// [`AtCapacity`] when all streams together or this one have as many viewers as allowed.
    pub(super) fn acquire(
        self: &Arc<Self>,
        stream: &StreamName,
        bus: &Arc<Bus>,
        max_viewers_per_stream: usize,
    ) -> Result<ViewerPermit, AtCapacity> {
        bus.stats().viewer_joined(max_viewers_per_stream).map_err(|viewers| {
            let scope = format!("stream {stream}");
            AtCapacity { viewers, scope, limit: PER_STREAM }
        })?;
        if let Err(viewers) = self.viewers.try_increment(self.max_viewers.load(Ordering::Relaxed)) {
            bus.stats().viewer_left();
            let scope = "this relay".to_owned();
            return Err(AtCapacity { viewers, scope, limit: "limits.max_viewers" });
        }
        Ok(ViewerPermit { bus: bus.clone(), limit: self.clone() })
    }
}

/// Counts a viewer until it is dropped.
#[derive(Debug)]
pub(super) struct ViewerPermit {
    bus: Arc<Bus>,
    limit: Arc<ViewerLimit>,
}

impl Drop for ViewerPermit {
    fn drop(&mut self) {
        self.bus.stats().viewer_left();
        self.limit.viewers.decrement();
    }
}
