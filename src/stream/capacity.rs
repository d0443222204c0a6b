//! Limits the number of viewers, of one stream and of all together. `loom/` tests it in every order of
//! events.

use std::sync::{Arc, atomic::Ordering};

use crate::{
    bus::Bus, limits::bounded_counter::Headcount, media::stream_name::StreamName, platform::sync::AtomicUsize,
};

/// The number of viewers of all streams together, bounded.
#[derive(Debug)]
pub struct Capacity {
    viewers: Headcount,
    max_viewers: AtomicUsize,
}

/// An error because the maximum number of viewers is reached.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{of_what} has all the viewers that {limit} allows: {viewers}")]
pub struct AtCapacity {
    /// Number of viewers.
    pub viewers: usize,
    /// The relay, or one stream.
    pub of_what: String,
    /// Name of the limit's setting.
    pub limit: &'static str,
}

/// Setting that bounds the viewers of one stream.
const PER_STREAM: &str = "limits.max_viewers_per_stream";

impl AtCapacity {
    /// Returns whether one stream is full, and not the relay.
    pub fn is_one_stream(&self) -> bool {
        self.limit == PER_STREAM
    }
}

impl Capacity {
    /// Creates a limit of `max_viewers`.
    pub fn new(max_viewers: usize) -> Self {
        Self { viewers: Headcount::default(), max_viewers: AtomicUsize::new(max_viewers) }
    }

    /// Returns the number of viewers.
    pub fn viewers(&self) -> usize {
        self.viewers.now()
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
    pub(super) fn seat(
        self: &Arc<Self>,
        stream: &StreamName,
        bus: &Arc<Bus>,
        max_viewers_per_stream: usize,
    ) -> Result<Seat, AtCapacity> {
        bus.stats().viewer_joined(max_viewers_per_stream).map_err(|viewers| {
            let of_what = format!("stream {stream}");
            AtCapacity { viewers, of_what, limit: PER_STREAM }
        })?;
        if let Err(viewers) = self.viewers.join(self.max_viewers.load(Ordering::Relaxed)) {
            bus.stats().viewer_left();
            let of_what = "this relay".to_owned();
            return Err(AtCapacity { viewers, of_what, limit: "limits.max_viewers" });
        }
        Ok(Seat { bus: bus.clone(), capacity: self.clone() })
    }
}

/// Counts a viewer until it is dropped.
#[derive(Debug)]
pub(super) struct Seat {
    bus: Arc<Bus>,
    capacity: Arc<Capacity>,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.bus.stats().viewer_left();
        self.capacity.viewers.leave();
    }
}
