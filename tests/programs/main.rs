//! Sources that are other programs: real ones, started by the built binary.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

#[path = "../support/binary.rs"]
mod binary;
#[expect(dead_code, reason = "the tests with real clients use the rest of it")]
#[path = "../support/program.rs"]
mod program;

mod ending;
mod failing;
mod ffmpeg;
mod scripts;
