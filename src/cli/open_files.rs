//! How many files and sockets this process may have open.

use tracing::{debug, warn};

/// What is needed besides the viewers' sockets: cameras, publishers, listeners, frames on their way as files.
const BESIDE_VIEWERS: u64 = 200;

/// Raises the limit to what the system allows. The usual 1024 of a shell is for programs that use `select`; with it, at
/// 1000 viewers nobody is served any more, not even the health check.
#[cfg(target_os = "linux")]
pub(super) fn allow_many(max_viewers: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        debug!("the limit of open files stays as it is: {error}");
    }
    // None is no limit.
    let allowed = if raised.is_ok() { maximum } else { current };
    if let Some(allowed) = allowed.filter(|&allowed| allowed < max_viewers as u64 + BESIDE_VIEWERS) {
        warn!(
            allowed,
            max_viewers,
            "fewer files may be open than viewers are let in: raise `ulimit -Hn` or lower limits.max_viewers"
        );
    }
}

/// Elsewhere the limit is the operator's to set.
#[cfg(not(target_os = "linux"))]
pub(super) fn allow_many(_max_viewers: usize) {}
