//! The parts of the standard library and of the operating system that framecast wraps: files that appear
//! complete or not at all, files that have changed, locks and channels that loom can replace.
//!
//! Nothing here depends on frames, streams or the configuration.

pub mod atomic_file;
pub mod file_watch;
pub(crate) mod sync;
