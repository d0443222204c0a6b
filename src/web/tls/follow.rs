//! Reads certificate and key again when their files change.
//!
//! The files are looked at, not watched: a renewal may replace them, or a link somewhere above them.

use std::{
    fs,
    path::Path,
    sync::Weak,
    time::{Duration, SystemTime},
};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Tls;

/// The interval at which they are looked at: two calls of the system, for what happens every other month.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Returns what distinguishes one content of a file from another; none if it is not there.
type Stamp = Option<(SystemTime, u64)>;

fn stamp(path: &Path) -> Stamp {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// Goes on until the server has ended.
pub(in crate::web) async fn follow(tls: Weak<Tls>) {
    let look = |tls: &Tls| {
        let files = tls.files();
        [stamp(&files.cert_file), stamp(&files.key_file)]
    };
    let Some(mut used) = tls.upgrade().map(|tls| look(&tls)) else { return };
    let mut seen = used;
    let mut ticks = interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(tls) = tls.upgrade() else { return };
        let now = look(&tls);
        // Only what has settled is read: certificate and key are written one after the other.
        if now == seen && now != used {
            used = now;
            match tls.reload() {
                Ok(()) => info!("the certificate was read again"),
                Err(error) => warn!("the new certificate is not used, the one before stays: {error}"),
            }
        }
        seen = now;
    }
}
