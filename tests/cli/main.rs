//! The built program on the command line: what it prints, how it ends, and what it never shows.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod cli_output;
mod credentials;
mod logging;
mod probe;
mod push;
mod reloading;
mod secrets;
mod serve;
mod status;
mod systemd;
mod tls_clients;
mod tls_files;
