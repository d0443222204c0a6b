//! The caller of a request, with the rights that its credentials grant.

use std::{sync::Arc, time::Instant};

use super::{identity::Identity, sessions::SessionRef};
use crate::{
    config::{Grant, Role, StreamScope},
    media::stream_name::StreamName,
};

/// The caller of a request: anonymous, or with credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct Principal {
    /// Rights without credentials.
    anonymous: Grant,
    identities: Vec<HeldIdentity>,
    /// Right to publish to a stream whose own token was shown.
    publisher_grant: Option<Grant>,
}

/// An identity that was proved, and until when that is valid.
#[derive(Debug, Clone, PartialEq)]
struct HeldIdentity {
    identity: Arc<Identity>,
    until: Option<Instant>,
    /// Session that proved it, if any.
    session: Option<SessionRef>,
}

impl Principal {
    pub(super) fn anonymous(reach: StreamScope) -> Self {
        let anonymous = Grant { role: Role::View, reach };
        Self { anonymous, identities: Vec::new(), publisher_grant: None }
    }

    /// Adds the identity that a credential proves.
    pub(super) fn add_identity(&mut self, identity: Arc<Identity>) {
        self.identities.push(HeldIdentity { identity, until: None, session: None });
    }

    /// Adds the identity that a credential with an expiry proves.
    pub(super) fn add_expiring(&mut self, identity: Arc<Identity>, end: Instant) {
        self.identities.push(HeldIdentity { identity, until: Some(end), session: None });
    }

    /// Adds the identity that a browser's session belongs to.
    pub(super) fn add_session(&mut self, identity: Arc<Identity>, session: SessionRef) {
        self.identities.push(HeldIdentity { identity, until: Some(session.ends), session: Some(session) });
    }

    /// Returns `anybody` with the credentials that are still valid; `again` returns what each one is worth
    /// now.
    pub(super) fn refreshed(
        &self,
        anybody: Self,
        now: Instant,
        again: impl Fn(&Arc<Identity>) -> Option<Arc<Identity>>,
    ) -> Self {
        let good = self.identities.iter().filter(|known| {
            known.until.is_none_or(|until| until > now)
                && known.session.as_ref().is_none_or(|session| !session.is_ended())
        });
        let known_as = good
            .filter_map(|known| Some(HeldIdentity { identity: again(&known.identity)?, ..known.clone() }))
            .collect();
        Self { identities: known_as, publisher_grant: self.publisher_grant.clone(), ..anybody }
    }

    /// Returns the time at which the next of the credentials expires.
    pub(super) fn next_expiry(&self, now: Instant) -> Option<Instant> {
        self.identities.iter().filter_map(|known| known.until).filter(|until| *until > now).min()
    }

    /// Waits until one of the caller's sessions is ended before its time; waits forever if none is left.
    pub(super) async fn session_ended(&self) {
        let session = self.identities.iter().find_map(|known| known.session.as_ref());
        match session.filter(|session| !session.is_ended()) {
            Some(session) => session.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Adds the right to publish, which the stream's own token grants.
    pub(super) fn add_publisher(&mut self, stream: StreamName) {
        self.publisher_grant = Some(Grant { role: Role::Push, reach: StreamScope::Only([stream].into()) });
    }

    /// Returns whether a valid credential was shown.
    pub fn is_authenticated(&self) -> bool {
        !self.identities.is_empty() || self.publisher_grant.is_some()
    }

    /// Returns the name for the log; none without a credential.
    pub fn name(&self) -> Option<&str> {
        self.identities.first().map(|known| known.identity.name.as_str())
    }

    /// Returns the first credential in the request itself, and when it expires. The cookie of a session does
    /// not count: a session that began from it would renew itself.
    pub(super) fn request_identity(&self) -> Option<(&Arc<Identity>, Option<Instant>)> {
        let shown = self.identities.iter().find(|known| known.session.is_none());
        shown.map(|known| (&known.identity, known.until))
    }

    /// Returns whether that credential is a link.
    pub fn is_by_link(&self) -> bool {
        self.request_identity().is_some_and(|(identity, _)| identity.link.is_some())
    }

    /// Returns whether the request has the cookie of a session that has not ended.
    pub fn has_session(&self) -> bool {
        self.identities.iter().any(|known| known.session.is_some())
    }

    fn grants(&self) -> impl Iterator<Item = &Grant> {
        let known = self.identities.iter().map(|known| &known.identity.grant);
        known.chain(&self.publisher_grant).chain([&self.anonymous])
    }

    /// Returns whether this caller has `role` for the stream; with a name that no stream has, whether for
    /// every stream.
    pub fn is_allowed(&self, role: Role, stream: Option<&StreamName>) -> bool {
        self.grants().any(|grant| grant.allows(role, stream))
    }

    /// Returns whether this caller has `role` for all streams, including later ones.
    pub fn is_allowed_on_all(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_all(role))
    }

    /// Returns whether this caller has `role` for at least one stream.
    pub fn is_allowed_on_any(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_any(role))
    }

    /// Returns the highest role that the caller has for any stream.
    pub fn highest_role(&self) -> Option<Role> {
        self.grants().filter(|grant| !grant.reach.is_nothing()).map(|grant| grant.role).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{clock::Clock, sessions::Sessions};

    fn identity(name: &str, role: Role, reach: StreamScope) -> Arc<Identity> {
        Arc::new(Identity {
            name: name.to_owned(),
            grant: Grant { role, reach },
            fingerprint: [0; 32],
            link: None,
        })
    }

    fn nobody() -> Principal {
        Principal::anonymous(StreamScope::nothing())
    }

    #[test]
    fn each_credential_is_good_until_its_end_and_no_longer() {
        let second = Duration::from_secs(1);
        let first = Instant::now() + second;
        let last = first + second;
        let mut principal = nobody();
        principal.add_identity(identity("for ever", Role::View, StreamScope::All));
        principal.add_expiring(identity("later", Role::Push, StreamScope::All), last);
        principal.add_expiring(identity("sooner", Role::Admin, StreamScope::All), first);
        let ends = [first - second, first, last].map(|now| principal.next_expiry(now));
        assert_eq!(ends, [Some(first), Some(last), None]);
        let highest =
            |now| principal.refreshed(nobody(), now, |identity| Some(identity.clone())).highest_role();
        let expected = [Role::Admin, Role::Push, Role::View].map(Some);
        assert_eq!([first - second, first, last].map(highest), expected);
    }

    #[test]
    fn a_caller_has_the_name_of_the_first_and_the_rights_of_all() {
        let door: StreamName = "door".parse().unwrap();
        let mut principal = nobody();
        let rights = |principal: &Principal| {
            let any = [Role::View, Role::Push, Role::Admin].map(|role| principal.is_allowed_on_any(role));
            let all = [Role::View, Role::Push, Role::Admin].map(|role| principal.is_allowed_on_all(role));
            (principal.name().map(ToOwned::to_owned), any, all)
        };
        assert_eq!(rights(&principal), (None, [false; 3], [false; 3]));
        principal.add_identity(identity("first", Role::Push, StreamScope::Only([door].into())));
        let name = Some("first".to_owned());
        assert_eq!(rights(&principal), (name.clone(), [true, true, false], [false; 3]));
        principal.add_identity(identity("second", Role::View, StreamScope::All));
        assert_eq!(rights(&principal), (name, [true, true, false], [true, false, false]));
    }

    #[test]
    fn a_session_is_told_from_what_the_request_shows() {
        let (sessions, now) = (Sessions::default(), Clock::default().now());
        let alice = identity("alice", Role::View, StreamScope::All);
        let ends = now.instant + Duration::from_secs(60);
        let cookie = sessions.begin(alice, ends, None, now.instant).unwrap();
        let (alice, session) = sessions.get(&cookie, now).unwrap();
        let mut principal = nobody();
        assert!(!principal.has_session() && principal.request_identity().is_none());
        principal.add_session(alice, session);
        assert!(
            principal.has_session() && principal.is_authenticated() && principal.request_identity().is_none()
        );
        let bob = identity("bob", Role::View, StreamScope::All);
        principal.add_identity(bob.clone());
        assert_eq!(principal.request_identity(), Some((&bob, None)));
        assert!(!principal.is_by_link());
    }
}
