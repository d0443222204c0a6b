//! Logging: one line a change of state, on standard error, with fields.

pub mod process;

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// What is logged when `RUST_LOG` says nothing. actix-http writes an error for each request that is none and each connection
/// that breaks: whoever reaches the port could fill the disk with them.
const DEFAULT_FILTER: &str = "framecast=info,actix_http=off,warn";

/// Starts logging to standard error; `RUST_LOG` chooses what.
pub fn init() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT_FILTER));
    // Colours are for people; a file or a container's log gets plain text.
    let lines = fmt::layer()
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal());
    // A second call (tests run several relays in one process) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
}
