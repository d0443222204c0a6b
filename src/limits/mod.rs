//! Limits of the whole process: budgets of bytes that requests, pictures and answers share.
//!
//! A limit that holds for each request alone bounds nothing when requests are many. What is held here for a time (a body
//! that is being received, a picture that is being decoded, an answer that waits for its client) is charged to one of the
//! [`Budgets`], and given back when its permit is dropped.
//!
//! Not here: what handlers answer when a budget is full, and how much a picture needs.

mod byte_budget;
mod memory;

use std::sync::Arc;

pub use self::{
    byte_budget::{BudgetError, ByteBudget, BytePermit},
    memory::memory_limit,
};
use crate::config::Limits;

const MIB: usize = 1024 * 1024;

/// Shares of the memory that a container allows, in sixteenths. Eleven in all: the rest is the program itself, its
/// streams' newest frames, and its connections.
const DECODE_SIXTEENTHS: usize = 6;
const UPLOAD_SIXTEENTHS: usize = 3;
const UNSENT_SIXTEENTHS: usize = 2;

/// Of the bytes for pictures this part is for what is kept between two of them. A budget of its own: a picture that waits
/// for those at work waits for something that ends.
const KEPT_PICTURES_PART: usize = 4;

/// Budgets where nothing bounds the process's memory: two 50-megapixel pictures at a time, 32 of the largest uploads, and
/// as much for answers.
const DECODE_BYTES: usize = 512 * MIB;
const UPLOAD_BYTES: usize = 256 * MIB;
const UNSENT_BYTES: usize = 256 * MIB;

/// Least that follows from a container's memory; a smaller budget would refuse pictures of ordinary cameras.
const LEAST_BYTES: usize = 16 * MIB;

/// The budgets of the process.
#[derive(Debug)]
pub struct Budgets {
    /// Decoding, drawing and encoding pictures.
    pub decode: Arc<ByteBudget>,
    /// What is kept between two pictures: planes of mosaics, converted files, buffers.
    pub kept_pictures: Arc<ByteBudget>,
    /// Request bodies that are being received.
    pub uploads: Arc<ByteBudget>,
    /// Answers that their clients have not taken.
    pub unsent: Arc<ByteBudget>,
}

impl Budgets {
    /// The budgets that `limits` sets; those it leaves to `auto` follow from `memory`, the bytes the process may use.
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
    let share = |sixteenths: usize, most: usize| {
        let memory = memory.and_then(|memory| usize::try_from(memory).ok());
        memory.map_or(most, |memory| (memory / 16 * sixteenths).clamp(LEAST_BYTES, most))
    };
    let pictures = limits.max_decode_bytes.unwrap_or_else(|| share(DECODE_SIXTEENTHS, DECODE_BYTES));
    let kept_pictures = pictures / KEPT_PICTURES_PART;
    [
        pictures - kept_pictures,
        kept_pictures,
        limits.max_upload_bytes.unwrap_or_else(|| share(UPLOAD_SIXTEENTHS, UPLOAD_BYTES)),
        limits.max_unsent_bytes.unwrap_or_else(|| share(UNSENT_SIXTEENTHS, UNSENT_BYTES)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn capacities_of(limits: &Limits, memory: Option<u64>) -> [usize; 4] {
        let budgets = Budgets::new(limits, memory);
        [&budgets.decode, &budgets.kept_pictures, &budgets.uploads, &budgets.unsent]
            .map(|budget| budget.capacity())
    }

    #[test]
    fn a_containers_memory_is_shared_out_and_what_is_configured_stays() {
        let auto = Limits::default();
        assert_eq!(capacities_of(&auto, None), [384 * MIB, 128 * MIB, 256 * MIB, 256 * MIB]);
        assert_eq!(capacities_of(&auto, Some(256 << 20)), [72 * MIB, 24 * MIB, 48 * MIB, 32 * MIB]);
        assert_eq!(capacities_of(&auto, Some(16 << 20)), [12 * MIB, 4 * MIB, LEAST_BYTES, LEAST_BYTES]);
        assert_eq!(capacities_of(&auto, Some(1 << 40)), [384 * MIB, 128 * MIB, 256 * MIB, 256 * MIB]);
        let set = Limits { max_decode_bytes: Some(4 * MIB), ..auto };
        assert_eq!(capacities_of(&set, Some(256 << 20)), [3 * MIB, MIB, 48 * MIB, 32 * MIB]);
    }
}
