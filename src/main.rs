//! The `framecast` command.

use std::process::ExitCode;

/// An allocator that returns freed memory within seconds, by a background thread: docs/adr/0016.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    framecast::cli::run().unwrap_or_else(|error| {
        // The alternate form prints the causes behind the error, too.
        eprintln!("framecast: {error:#}");
        ExitCode::FAILURE
    })
}
