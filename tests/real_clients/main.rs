//! The built binary between real programs: what users have at either end of it.
//!
//! `scripts/test` installs the programs. A missing one fails its tests: a test that was skipped proves nothing.

#[expect(dead_code, reason = "the tests of the command line use the rest of it")]
#[path = "../support/binary.rs"]
mod binary;
mod browser;
#[path = "../support/browser.rs"]
mod browser_driver;
mod contract;
mod homes;
mod hostile_texts;
mod jpegtran;
mod pages;
#[path = "../support/program.rs"]
mod program;
mod prometheus;
mod proxies;
mod pushes;
mod upstreams;
mod viewers;
