//! A fixed number of CPU workers that all streams share fairly, in bounded memory.
//!
//! Decoding, drawing and encoding take milliseconds and must not delay sockets. The workers are separate
//! threads, because the blocking pool of an actix runtime has hundreds of threads and no bound on queued
//! jobs. There are two kinds of work:
//!
//! - Jobs, through a stream's [`StreamQueue`]. Too many queued jobs are refused immediately: the caller drops
//!   that frame and counts it.
//! - Latest queues, for work that comes again and again, such as a stream's transforms. A [`LatestQueue`] is
//!   in the queue once or not at all, and goes to its end after each turn. So latest queues need no bound but
//!   their number. A latest queue holds one piece of work, the newest, until its turn begins, and a turn
//!   begins when there is memory.
//!
//! All streams and latest queues with work take turns, one piece each, so that none waits for more than one
//! piece of each other, however many jobs one of them has. Conversions of pushed pictures can take seconds,
//! as the publisher chooses; they have at most half of the workers while there is other work or was a moment
//! ago, and every second turn of a single worker.
//!
//! Each piece of work states the bytes that it takes from [`PictureMemory`](memory::PictureMemory). Large
//! pieces, and conversions of any size, share three quarters of the memory and wait for it in the queue,
//! where other pieces pass them (`queue`). The first piece for which there is a share is not passed while
//! other work still holds its bytes. Workers are not blocked meanwhile.

pub(crate) mod memory_estimate;
pub mod memory;
pub(crate) mod scratch;
mod error;
mod work_item;
mod pool;
mod queue;
#[cfg(test)]
mod tests;
mod workers;

pub use error::PoolError;
pub(crate) use error::panic_message;
pub use pool::{CpuPool, LatestQueue, PoolLoad, StreamQueue};
pub(crate) use work_item::WorkItem;
