//! Programs as sources: their output is the stream. ffmpeg is one of them.

pub(super) mod error;
pub mod exec;
pub(crate) mod ffmpeg;
pub(super) mod process_lock;
mod program;
mod redact;
mod stderr;
