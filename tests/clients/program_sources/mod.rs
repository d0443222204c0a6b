//! Sources that are other programs: real ones, started by the built binary.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

// Helpers, without tests.
mod scripts;

mod ending;
mod failing;
mod ffmpeg;
