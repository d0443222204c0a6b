//! Sources that are other programs: real ones, started by the built binary.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

mod ending;
mod failing;
mod ffmpeg;
mod scripts;
