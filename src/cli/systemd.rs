//! Notifies systemd: framecast is ready, is alive, is stopping. Without systemd it does nothing.

use crate::app::Relay;

/// Everything listens and runs.
pub(super) fn ready() {
    #[cfg(unix)]
    tell(sd_notify::NotifyState::Ready);
}

/// It was told to end.
pub(super) fn stopping() {
    #[cfg(unix)]
    tell(sd_notify::NotifyState::Stopping);
}

/// Says that it is well, twice in each time the unit's `WatchdogSec` allows, as long as every thread of
/// streams answers. Goes on for ever.
#[cfg(unix)]
pub(super) async fn report(relay: &Relay) {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut beat = tokio::time::interval(within / 2);
    loop {
        beat.tick().await;
        // One that does not answer ends the reports; then systemd ends and restarts framecast.
        relay.answers().await;
        tell(sd_notify::NotifyState::Watchdog);
    }
}

#[cfg(not(unix))]
pub(super) async fn report(_: &Relay) {
    std::future::pending().await
}

#[cfg(unix)]
fn tell(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}
