//! The holder of a credential, and what identifies the credential.

use std::time::Duration;

use super::clock::Now;
use crate::{config::Grant, media::stream_name::StreamName};

/// Identifies a credential, also after a reload: a hash of its kind and of what the configuration holds of
/// it.
pub(super) type Fingerprint = [u8; 32];

/// The holder of a credential, with its rights.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// Name in the log.
    pub name: String,
    /// Rights of the holder.
    pub grant: Grant,
    /// Fingerprint of the credential.
    pub(super) fingerprint: Fingerprint,
    /// The link that the identity comes from, if any.
    pub(super) link: Option<LinkId>,
}

/// The part of a link that its signature covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LinkId {
    pub(super) stream: StreamName,
    /// Expiry, in Unix seconds.
    pub(super) expires: u64,
}

impl Identity {
    /// Returns whether the credential has expired, by the wall clock: the clock may have been set since the
    /// remaining time was computed, and the monotonic clock stops while a machine sleeps.
    pub(super) fn is_expired(&self, now: Now) -> bool {
        self.link.as_ref().is_some_and(|link| Duration::from_secs(link.expires) <= now.unix)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::config::Role;

    #[test]
    fn a_link_has_expired_at_its_very_end() {
        let grant = Grant::for_all(Role::View);
        let link = |expires| Some(LinkId { stream: "door".parse().unwrap(), expires });
        let identity =
            |link| Identity { name: String::new(), grant: grant.clone(), fingerprint: [0; 32], link };
        let at = |millis| Now { instant: Instant::now(), unix: Duration::from_millis(millis) };
        let expired = [9_999, 10_000, 10_001].map(|millis| identity(link(10)).is_expired(at(millis)));
        assert_eq!(expired, [false, true, true]);
        assert!(!identity(None).is_expired(at(10_001)), "another credential");
    }
}
