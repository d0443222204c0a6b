//! The built program on the command line: what it says, how it ends, and what it never shows.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

#[path = "../support/binary.rs"]
mod binary;
#[path = "../support/dialects.rs"]
mod dialects;
#[expect(dead_code, reason = "the tests of cameras use the rest of it")]
#[path = "../support/fake_camera.rs"]
mod fake_camera;
#[expect(dead_code, reason = "the tests of real clients use the rest of it")]
#[path = "../support/program.rs"]
mod program;

mod commands;
mod credentials;
mod editing;
mod logging;
mod probing;
mod pushing;
mod reloading;
mod secrets;
mod secured;
mod serving;
mod status;
mod supervised;
mod telling;
