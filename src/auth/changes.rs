//! Notifies connections that are held open of changes of the access rules.

use crate::platform::sync::watch;

/// Notifies all grants of changes that may end them.
#[derive(Debug)]
pub(super) struct GrantChanges(watch::Sender<()>);

impl GrantChanges {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Makes a change that may end grants, then notifies them: what they have seen before is out of date by
    /// then.
    pub(super) fn apply(&self, change: impl FnOnce()) {
        change();
        self.0.send_replace(());
    }

    /// Returns a receiver that is notified after each change from now on.
    pub(super) fn subscribe(&self) -> watch::Receiver<()> {
        self.0.subscribe()
    }
}
