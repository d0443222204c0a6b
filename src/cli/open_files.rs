//! Raises the limit of open files and sockets of this process.

use tracing::{debug, warn};

use crate::{config::Config, web::connections_for};

/// Raises the limit to what the system allows. The usual 1024 of a shell is for programs that use `select`;
/// with it, at 1000 viewers no other client is served, not even the health check.
#[cfg(target_os = "linux")]
pub(super) fn raise_limit(config: &Config) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    if let Err(error) = raised {
        debug!("the limit of open files stays as it is: {error}");
    }
    let (connections, max_viewers) = (connections_for(config), config.limits.max_viewers);
    if connections < max_viewers {
        warn!(
            connections,
            max_viewers,
            "the limit on open files is below limits.max_viewers: raise one (`ulimit -Hn`) or lower the other"
        );
    }
}

/// Does nothing: on other systems the limit is the operator's to set.
#[cfg(not(target_os = "linux"))]
pub(super) fn raise_limit(_: &Config) {}
