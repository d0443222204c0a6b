//! Reads certificate and key again when their files change.

use std::{sync::Weak, time::Duration};

use tokio::time::{MissedTickBehavior, interval};
use tracing::{info, warn};

use super::Tls;
use crate::platform::file_watch::WatchedFiles;

/// The interval between two looks: two system calls, for what happens every other month.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Runs until the server has ended.
pub(in crate::web) async fn watch_files(tls: Weak<Tls>) {
    let Some(files) = tls.upgrade().map(|tls| tls.files()) else { return };
    let mut watched = WatchedFiles::new(&[&files.cert_file, &files.key_file]);
    let mut ticks = interval(POLL_INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(tls) = tls.upgrade() else { return };
        let files = tls.files();
        if watched.poll(&[&files.cert_file, &files.key_file]).is_some() {
            match tls.reload() {
                Ok(()) => info!("certificate reloaded"),
                Err(error) => warn!("the new certificate is invalid, keeping the previous one: {error}"),
            }
        }
    }
}
