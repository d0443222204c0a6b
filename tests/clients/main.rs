//! The built binary between real programs: what users have at either end of it.
//!
//! `scripts/test` installs the programs. A missing one fails its tests: a test that was skipped proves
//! nothing.

mod browser;
mod contract;
mod home_assistant;
mod hostile_texts;
mod jpegtran;
mod pages;
mod picture_delay;
mod program_sources;
mod prometheus;
mod proxies;
mod publishers;
mod sources;
mod viewers;
