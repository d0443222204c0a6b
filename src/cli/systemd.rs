//! Notifies systemd: framecast is ready, is alive, is stopping. Without systemd it does nothing.

use crate::app::Relay;

/// Notifies systemd that everything listens and runs.
pub(super) fn notify_ready() {
    #[cfg(unix)]
    notify(sd_notify::NotifyState::Ready);
}

/// Notifies systemd that the relay is stopping.
pub(super) fn notify_stopping() {
    #[cfg(unix)]
    notify(sd_notify::NotifyState::Stopping);
}

/// Notifies systemd that the relay is alive, twice in each period of the unit's `WatchdogSec`, as long as
/// every thread of streams answers. Never returns.
#[cfg(unix)]
pub(super) async fn run_watchdog(relay: &Relay) {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut interval = tokio::time::interval(within / 2);
    loop {
        interval.tick().await;
        // One that does not answer ends the reports; then systemd ends and restarts framecast.
        relay.wait_until_responsive().await;
        notify(sd_notify::NotifyState::Watchdog);
    }
}

#[cfg(not(unix))]
pub(super) async fn run_watchdog(_: &Relay) {
    std::future::pending().await
}

#[cfg(unix)]
fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("cannot notify systemd: {error}");
    }
}
