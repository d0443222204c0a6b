//! Programs as sources: their output is the stream. ffmpeg is one of them.

pub mod exec;
pub(crate) mod ffmpeg;
pub(crate) mod redact;
pub(crate) mod program;
pub(crate) mod stderr;
pub(crate) mod process_lock;
