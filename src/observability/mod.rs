//! Logging, metrics of the process, and counts of its tasks. One line is logged for each change of state, to
//! standard error, with fields.
//!
//! `RUST_LOG` selects the lines, or else the configuration, which also sets their format. With JSON
//! everything on standard error is JSON, including the message of a panic.

mod connection_ids;
pub mod process;
pub mod task_counts;

use std::io::IsTerminal;

pub use connection_ids::next_id;
use tracing::error;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, prelude::*};

use crate::config::{AccessLog, LogConfig, LogFormat};

/// Log target of requests and connections, so that `RUST_LOG` can name it.
pub const ACCESS: &str = "framecast::access";

/// Starts logging to standard error; `RUST_LOG` chooses what.
pub fn init(config: LogConfig) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(filter(config.access)));
    // A second call (tests run several relays in one process) keeps the first subscriber.
    let _ = tracing_subscriber::registry().with(lines(config.format)).with(filter).try_init();
    if config.format == LogFormat::Json {
        std::panic::set_hook(Box::new(|panic| {
            let place = panic.location().map(ToString::to_string);
            error!(place, "panicked: {}", panic.payload_as_str().unwrap_or("without a word"));
        }));
    }
}

/// Returns the filter that is used when `RUST_LOG` is not set. actix-http writes an error for each invalid
/// request and each connection that breaks: any client that reaches the port could fill the disk with them.
/// retina warns of each oddity of an RTSP camera, in the camera's words.
fn filter(access: AccessLog) -> String {
    let access = match access {
        AccessLog::Notable => "info",
        AccessLog::All => "debug",
        AccessLog::None => "off",
    };
    format!("framecast=info,{ACCESS}={access},actix_http=off,retina=error,warn")
}

fn lines(format: LogFormat) -> Box<dyn Layer<Registry> + Send + Sync> {
    let lines = fmt::layer().with_writer(std::io::stderr);
    match format {
        // Colours are for people; a file or a container's log gets plain text.
        LogFormat::Text => lines.with_target(false).with_ansi(std::io::stderr().is_terminal()).boxed(),
        LogFormat::Json => {
            lines.json().flatten_event(true).with_current_span(true).with_span_list(false).boxed()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_logged_by_default_is_a_filter() {
        for access in [AccessLog::Notable, AccessLog::All, AccessLog::None] {
            let text = filter(access);
            assert!(EnvFilter::try_new(&text).is_ok(), "{text}");
            // A word that is no level would be taken for the name of a target.
            assert_eq!(text.split(',').filter(|part| !part.contains('=')).collect::<Vec<_>>(), ["warn"]);
        }
    }
}
