//! Limits of the whole process: budgets of bytes that requests, pictures and answers share.
//!
//! A limit on each request alone bounds nothing when there are many requests. Memory that is held for a time
//! (a body that is being received, a picture that is being decoded, an answer that waits for its client) is
//! charged to one of the [`Budgets`] and returned when its permit is dropped.
//!
//! Not here: what handlers answer when a budget is full, and how much a picture needs.

mod byte_budget;
mod memory;
pub mod rate_limiter;
pub(crate) mod bounded_counter;

use std::sync::Arc;

pub use byte_budget::{BudgetError, ByteBudget, BytePermit, Waiter};
pub use memory::memory_limit;

use crate::config::Limits;

const MIB: usize = 1024 * 1024;

/// Shares of the container's memory limit, in sixteenths. Eleven in all; the rest is for the program itself,
/// the newest frames of its streams, and its connections.
const DECODE_SIXTEENTHS: usize = 6;
const UPLOAD_SIXTEENTHS: usize = 3;
const UNSENT_SIXTEENTHS: usize = 2;

/// Divisor for the part of the picture memory that is kept between frames. It is a budget of its own, so that
/// a picture never waits for memory that is not returned when other pictures are done.
const KEPT_PICTURES_DIVISOR: usize = 4;

/// Budgets without a memory limit: a picture of 48 megapixels, 32 of the largest uploads, and as much for
/// answers.
const DECODE_BYTES: usize = 512 * MIB;
const UPLOAD_BYTES: usize = 256 * MIB;
const UNSENT_BYTES: usize = 256 * MIB;

/// Lower bound of an automatic budget, whatever the container's memory limit: less would refuse the pictures
/// of ordinary cameras.
const MIN_BYTES: usize = 16 * MIB;

/// Lower bound of the automatic budget for pictures: three quarters of it, 18 MiB, are enough to decode, draw
/// on and encode a picture of 1920x1080 pixels.
const MIN_DECODE_BYTES: usize = 24 * MIB;

/// The budgets of the process.
#[derive(Debug)]
pub struct Budgets {
    /// Decoding, drawing and encoding pictures.
    pub decode: Arc<ByteBudget>,
    /// Pictures and buffers that are kept between frames: planes of mosaics, logos, converted files.
    pub kept_pictures: Arc<ByteBudget>,
    /// Request bodies that are being received.
    pub uploads: Arc<ByteBudget>,
    /// Answers that their clients have not taken.
    pub unsent: Arc<ByteBudget>,
}

impl Budgets {
    /// Returns the budgets that `limits` sets; those that it leaves to `auto` follow from `memory`, the bytes
    /// that the process may use.
    pub fn new(limits: &Limits, memory: Option<u64>) -> Self {
        let [decode, kept_pictures, uploads, unsent] =
            capacities(limits, memory).map(|bytes| Arc::new(ByteBudget::new(bytes)));
        Self { decode, kept_pictures, uploads, unsent }
    }

    /// Applies new limits. What is held already stays held, and counts.
    pub fn resize(&self, limits: &Limits, memory: Option<u64>) {
        let [decode, kept_pictures, uploads, unsent] = capacities(limits, memory);
        self.decode.resize(decode);
        self.kept_pictures.resize(kept_pictures);
        self.uploads.resize(uploads);
        self.unsent.resize(unsent);
    }
}

fn capacities(limits: &Limits, memory: Option<u64>) -> [usize; 4] {
    let share = |sixteenths: usize, least: usize, most: usize| {
        let memory = memory.and_then(|memory| usize::try_from(memory).ok());
        memory.map_or(most, |memory| (memory / 16 * sixteenths).clamp(least, most))
    };
    let pictures =
        limits.max_decode_bytes.unwrap_or_else(|| share(DECODE_SIXTEENTHS, MIN_DECODE_BYTES, DECODE_BYTES));
    let kept_pictures = pictures / KEPT_PICTURES_DIVISOR;
    [
        pictures - kept_pictures,
        kept_pictures,
        limits.max_upload_bytes.unwrap_or_else(|| share(UPLOAD_SIXTEENTHS, MIN_BYTES, UPLOAD_BYTES)),
        limits.max_unsent_bytes.unwrap_or_else(|| share(UNSENT_SIXTEENTHS, MIN_BYTES, UNSENT_BYTES)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacities_of(limits: &Limits, memory: Option<u64>) -> [usize; 4] {
        capacities(&Budgets::new(limits, memory))
    }

    fn capacities(budgets: &Budgets) -> [usize; 4] {
        [&budgets.decode, &budgets.kept_pictures, &budgets.uploads, &budgets.unsent]
            .map(|budget| budget.capacity())
    }

    #[test]
    fn new_limits_resize_every_budget() {
        let budgets = Budgets::new(&Limits::default(), None);
        budgets.resize(&Limits::default(), Some(256 << 20));
        assert_eq!(capacities(&budgets), [72 * MIB, 24 * MIB, 48 * MIB, 32 * MIB]);
    }

    #[test]
    fn a_containers_memory_is_shared_out_and_what_is_configured_stays() {
        let auto = Limits::default();
        assert_eq!(capacities_of(&auto, None), [384 * MIB, 128 * MIB, 256 * MIB, 256 * MIB]);
        assert_eq!(capacities_of(&auto, Some(256 << 20)), [72 * MIB, 24 * MIB, 48 * MIB, 32 * MIB]);
        assert_eq!(capacities_of(&auto, Some(16 << 20)), [18 * MIB, 6 * MIB, 16 * MIB, 16 * MIB]);
        assert_eq!(capacities_of(&auto, Some(1 << 40)), [384 * MIB, 128 * MIB, 256 * MIB, 256 * MIB]);
        let set = Limits { max_decode_bytes: Some(4 * MIB), ..auto };
        assert_eq!(capacities_of(&set, Some(256 << 20)), [3 * MIB, MIB, 48 * MIB, 32 * MIB]);
    }
}
