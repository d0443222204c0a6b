//! The built program on the command line: what it says, how it ends, and what it never shows.

#![expect(clippy::unwrap_used, reason = "a test may panic; clippy itself knows this of test functions only")]

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
