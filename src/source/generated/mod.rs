//! Frames that framecast draws itself.
//!
//! - [`text`]: a line of text with the time in it
//! - [`pattern`]: moving colour bars, which make a freeze visible
//! - [`chart`]: live graphs
//!
//! Everything is drawn with the canvas and the fonts of [`imaging`](crate::imaging): no font of the system is
//! used, so a picture looks the same on every machine. Drawing runs in the CPU pool, on ticks of the wall
//! clock.

pub mod chart;
pub(super) mod error;
pub mod pattern;
pub mod text;
pub(super) mod wall_clock_interval;

#[cfg(test)]
pub(super) mod tests {
    use std::sync::Arc;

    use crate::imaging::{CpuPool, cpu_pool::StreamQueue};

    /// Returns a queue on a pool of its own.
    pub(in crate::source) fn queue_of_tests() -> StreamQueue {
        Arc::new(CpuPool::for_this_machine().unwrap()).queue(&"tested".parse().unwrap())
    }
}
