//! A stream's transforms: planned once, run in the CPU pool, between its source and its bus.

pub(crate) mod mask;
pub(crate) mod resample;
pub mod pipeline;
pub mod plan;
pub(crate) mod passthrough;
pub mod stage;
pub mod orientation;
