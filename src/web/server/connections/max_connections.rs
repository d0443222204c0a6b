//! Maximum number of connections: the process's descriptors without those that other parts need, and what its
//! memory allows.
//!
//! The reserve follows from the configuration, and is what all parts may have open at the same time at worst,
//! including short-lived descriptors (name lookups, files that are replaced).

use std::{num::NonZeroUsize, thread::available_parallelism};

use crate::config::{Config, ImagesPath, SaveTarget, SendFile, SourceConfig, StreamConfig};

/// Accepted connections that have no permit yet: they get one, or are closed, as soon as their thread handles
/// them. As many again wait in the system's queue meanwhile.
pub(super) const MAX_UNDECIDED: usize = 64;

/// A runtime's epoll, its eventfd and its copy of the signals' socket: main's, and two per core (streams,
/// requests).
const PER_THREAD: usize = 3;

/// Standard streams 3, signals 2, the accepting thread's epoll and eventfd 2; four cameras that
/// administrators examine, with a name lookup each 8; configuration, state file, certificates and their
/// folders 6; name service libraries, time zones and the kernel's own reports 8; sockets of systemd and of
/// notifications at start 3.
const PER_PROCESS: usize = 32;

/// A socket, and a name lookup or the next connection (after a redirect or a request for a password).
const PER_HTTP_CLIENT: usize = 3;

/// During its start: both ends of three pipes, one that reports the result of the start, and the process
/// itself.
const PER_PROGRAM: usize = 9;

/// Two pipes and `/dev/null` (`bus/splice_pipe`).
const PER_SPLICE: usize = 5;

/// A picture and its folder.
const PER_FOLDER: usize = 2;

/// The file, the one that replaces it, and their folder.
const PER_RECORDING: usize = 3;

/// Pictures for while a source is away and for overlays, read at its start.
const PER_STREAM: usize = 1;

/// Divisor for the share of connections if there are fewer descriptors than the reserve; otherwise no
/// connection could be accepted, not even that of an administrator who looks for the cause.
const MIN_SHARE_DIVISOR: usize = 4;

/// Memory of a connection, rounded up; below, over TLS. Measured: 12.7 and 26 KiB for one that was answered
/// and is kept alive.
const BYTES_PER_CONNECTION: u64 = 16 * 1024;
const BYTES_PER_TLS_CONNECTION: u64 = 40 * 1024;

/// Divisor for the share of a container's memory that connections may have; `limits` has allotted eleven
/// sixteenths.
const MEMORY_DIVISOR: u64 = 8;

/// Maximum without a memory limit: half a gigabyte of connections. More viewers may be configured, each of
/// which has one.
const MAX_CONNECTIONS: usize = 32 * 1024;

/// Returns the maximum number of connections, with at most `descriptors` open and `memory` bytes used; `None`
/// is no limit.
pub(super) fn max_connections(config: &Config, descriptors: Option<u64>, memory: Option<u64>) -> usize {
    let limits = &config.limits;
    let wanted = MAX_CONNECTIONS.max(limits.max_viewers.saturating_add(limits.max_live_connections));
    let each = if config.server.tls.is_some() { BYTES_PER_TLS_CONNECTION } else { BYTES_PER_CONNECTION };
    let by_memory = memory.map_or(usize::MAX, |memory| to_usize(memory / MEMORY_DIVISOR / each));
    wanted.min(by_memory.max(MAX_UNDECIDED)).min(by_descriptors(config, descriptors))
}

/// Returns how many connections the descriptors leave space for.
pub(super) fn by_descriptors(config: &Config, descriptors: Option<u64>) -> usize {
    let descriptors = descriptors.map_or(usize::MAX, to_usize);
    let left = descriptors.saturating_sub(reserve(config) + MAX_UNDECIDED);
    left.max(descriptors / MIN_SHARE_DIVISOR).max(1)
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

fn reserve(config: &Config) -> usize {
    let threads = 2 * available_parallelism().map_or(1, NonZeroUsize::get) + 1;
    let streams = config.streams.iter().chain(&config.overview);
    let tls = config.server.tls.as_ref().map_or(0, |tls| tls.redirect_from.len());
    let splice = if splices(config) { PER_SPLICE } else { 0 };
    PER_PROCESS
        + PER_THREAD * threads
        + config.server.listen.len()
        + tls
        + config.webhooks.len() * PER_HTTP_CLIENT
        + config.limits.max_renditions * splice
        + streams.map(|stream| stream_descriptors(stream) + splice).sum::<usize>()
}

fn splices(config: &Config) -> bool {
    cfg!(target_os = "linux") && config.server.sendfile != SendFile::Never
}

/// Returns the descriptors of a stream. It may have two of its sources open, the one in use and one that is
/// being tried, so the costliest two count.
fn stream_descriptors(stream: &StreamConfig) -> usize {
    let mut sources: Vec<_> = stream.sources().map(source_descriptors).collect();
    sources.sort_unstable_by(|one, other| other.cmp(one));
    let recording = stream.save.as_ref().map_or(0, |save| match save.target {
        SaveTarget::Latest(_) | SaveTarget::Ring { .. } | SaveTarget::Append { .. } => PER_RECORDING,
    });
    PER_STREAM + recording + sources.iter().take(2).sum::<usize>()
}

fn source_descriptors(source: &SourceConfig) -> usize {
    match source {
        SourceConfig::Mjpeg(_)
        | SourceConfig::Auto(_)
        | SourceConfig::Snapshot { .. }
        | SourceConfig::Bambu(_) => PER_HTTP_CLIENT,
        SourceConfig::Exec(_) | SourceConfig::Rtsp(_) | SourceConfig::V4l2(_) => PER_PROGRAM,
        SourceConfig::Chart(chart) if chart.poll.is_some() => PER_HTTP_CLIENT,
        SourceConfig::Images { path: ImagesPath::Glob(_), .. } => PER_FOLDER,
        SourceConfig::Images { path: ImagesPath::BuiltIn, .. }
        | SourceConfig::Chart(_)
        | SourceConfig::Push { .. }
        | SourceConfig::Text(_)
        | SourceConfig::Pattern { .. }
        | SourceConfig::Rendition { .. }
        | SourceConfig::Mosaic(_) => 0,
    }
}
