//! The caller of a request, with the rights that its credentials grant.

use std::{sync::Arc, time::Instant};

use super::{identity::Identity, sessions::InSession};
use crate::{
    config::{Grant, Reach, Role},
    media::stream_name::StreamName,
};

/// The caller of a request: anonymous, or with credentials.
#[derive(Debug, Clone, PartialEq)]
pub struct Caller {
    /// Rights without credentials.
    anonymous: Grant,
    known_as: Vec<Known>,
    /// Right to publish to a stream whose own token was shown.
    publishes: Option<Grant>,
}

/// An identity that was proved, and until when that is valid.
#[derive(Debug, Clone, PartialEq)]
struct Known {
    identity: Arc<Identity>,
    until: Option<Instant>,
    /// Session that proved it, if any.
    session: Option<InSession>,
}

impl Caller {
    pub(super) fn anonymous(watches: Reach) -> Self {
        let anonymous = Grant { role: Role::View, reach: watches };
        Self { anonymous, known_as: Vec::new(), publishes: None }
    }

    /// Adds the identity that a credential proves.
    pub(super) fn is(&mut self, identity: Arc<Identity>) {
        self.known_as.push(Known { identity, until: None, session: None });
    }

    /// Adds the identity that a credential with an expiry proves.
    pub(super) fn is_until(&mut self, identity: Arc<Identity>, end: Instant) {
        self.known_as.push(Known { identity, until: Some(end), session: None });
    }

    /// Adds the identity that a browser's session belongs to.
    pub(super) fn is_in_session(&mut self, identity: Arc<Identity>, session: InSession) {
        self.known_as.push(Known { identity, until: Some(session.ends), session: Some(session) });
    }

    /// Returns `anybody` with the credentials that are still valid; `again` returns what each one is worth
    /// now.
    pub(super) fn renewed(
        &self,
        anybody: Self,
        now: Instant,
        again: impl Fn(&Arc<Identity>) -> Option<Arc<Identity>>,
    ) -> Self {
        let good = self.known_as.iter().filter(|known| {
            known.until.is_none_or(|until| until > now)
                && known.session.as_ref().is_none_or(|session| !session.is_ended())
        });
        let known_as = good
            .filter_map(|known| Some(Known { identity: again(&known.identity)?, ..known.clone() }))
            .collect();
        Self { known_as, publishes: self.publishes.clone(), ..anybody }
    }

    /// Returns the time at which the next of the credentials expires.
    pub(super) fn next_end(&self, now: Instant) -> Option<Instant> {
        self.known_as.iter().filter_map(|known| known.until).filter(|until| *until > now).min()
    }

    /// Waits until one of the caller's sessions is ended before its time; waits forever if none is left.
    pub(super) async fn session_ended(&self) {
        let session = self.known_as.iter().find_map(|known| known.session.as_ref());
        match session.filter(|session| !session.is_ended()) {
            Some(session) => session.ended().await,
            None => std::future::pending().await,
        }
    }

    /// Adds the right to publish, which the stream's own token grants.
    pub(super) fn publishes(&mut self, stream: StreamName) {
        self.publishes = Some(Grant { role: Role::Push, reach: Reach::Only([stream].into()) });
    }

    /// Returns whether a valid credential was shown.
    pub fn is_known(&self) -> bool {
        !self.known_as.is_empty() || self.publishes.is_some()
    }

    /// Returns the name for the log; none without a credential.
    pub fn name(&self) -> Option<&str> {
        self.known_as.first().map(|known| known.identity.name.as_str())
    }

    /// Returns the first credential in the request itself, and when it expires. The cookie of a session does
    /// not count: a session that began from it would renew itself.
    pub(super) fn shown(&self) -> Option<(&Arc<Identity>, Option<Instant>)> {
        let shown = self.known_as.iter().find(|known| known.session.is_none());
        shown.map(|known| (&known.identity, known.until))
    }

    /// Returns whether that credential is a link.
    pub fn is_by_link(&self) -> bool {
        self.shown().is_some_and(|(identity, _)| identity.link.is_some())
    }

    /// Returns whether the request has the cookie of a session that has not ended.
    pub fn is_in_a_session(&self) -> bool {
        self.known_as.iter().any(|known| known.session.is_some())
    }

    fn grants(&self) -> impl Iterator<Item = &Grant> {
        let known = self.known_as.iter().map(|known| &known.identity.grant);
        known.chain(&self.publishes).chain([&self.anonymous])
    }

    /// Returns whether this caller has `role` for the stream; with a name that no stream has, whether for
    /// every stream.
    pub fn may(&self, role: Role, stream: Option<&StreamName>) -> bool {
        self.grants().any(|grant| grant.allows(role, stream))
    }

    /// Returns whether this caller has `role` for all streams, including later ones.
    pub fn may_with_all(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_all(role))
    }

    /// Returns whether this caller has `role` for at least one stream.
    pub fn may_with_any(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_any(role))
    }

    /// Returns the highest role that the caller has for any stream.
    pub fn highest(&self) -> Option<Role> {
        self.grants().filter(|grant| !grant.reach.is_nothing()).map(|grant| grant.role).max()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::auth::{clock::Clock, sessions::Sessions};

    fn identity(name: &str, role: Role, reach: Reach) -> Arc<Identity> {
        Arc::new(Identity {
            name: name.to_owned(),
            grant: Grant { role, reach },
            fingerprint: [0; 32],
            link: None,
        })
    }

    fn nobody() -> Caller {
        Caller::anonymous(Reach::nothing())
    }

    #[test]
    fn each_credential_is_good_until_its_end_and_no_longer() {
        let second = Duration::from_secs(1);
        let first = Instant::now() + second;
        let last = first + second;
        let mut caller = nobody();
        caller.is(identity("for ever", Role::View, Reach::All));
        caller.is_until(identity("later", Role::Push, Reach::All), last);
        caller.is_until(identity("sooner", Role::Admin, Reach::All), first);
        let ends = [first - second, first, last].map(|now| caller.next_end(now));
        assert_eq!(ends, [Some(first), Some(last), None]);
        let highest = |now| caller.renewed(nobody(), now, |identity| Some(identity.clone())).highest();
        let expected = [Role::Admin, Role::Push, Role::View].map(Some);
        assert_eq!([first - second, first, last].map(highest), expected);
    }

    #[test]
    fn a_caller_has_the_name_of_the_first_and_the_rights_of_all() {
        let door: StreamName = "door".parse().unwrap();
        let mut caller = nobody();
        let rights = |caller: &Caller| {
            let any = [Role::View, Role::Push, Role::Admin].map(|role| caller.may_with_any(role));
            let all = [Role::View, Role::Push, Role::Admin].map(|role| caller.may_with_all(role));
            (caller.name().map(ToOwned::to_owned), any, all)
        };
        assert_eq!(rights(&caller), (None, [false; 3], [false; 3]));
        caller.is(identity("first", Role::Push, Reach::Only([door].into())));
        let name = Some("first".to_owned());
        assert_eq!(rights(&caller), (name.clone(), [true, true, false], [false; 3]));
        caller.is(identity("second", Role::View, Reach::All));
        assert_eq!(rights(&caller), (name, [true, true, false], [true, false, false]));
    }

    #[test]
    fn a_session_is_told_from_what_the_request_shows() {
        let (sessions, now) = (Sessions::default(), Clock::default().now());
        let alice = identity("alice", Role::View, Reach::All);
        let ends = now.instant + Duration::from_secs(60);
        let cookie = sessions.begin(alice, ends, None, now.instant).unwrap();
        let (alice, session) = sessions.of(&cookie, now).unwrap();
        let mut caller = nobody();
        assert!(!caller.is_in_a_session() && caller.shown().is_none());
        caller.is_in_session(alice, session);
        assert!(caller.is_in_a_session() && caller.is_known() && caller.shown().is_none());
        let bob = identity("bob", Role::View, Reach::All);
        caller.is(bob.clone());
        assert_eq!(caller.shown(), Some((&bob, None)));
        assert!(!caller.is_by_link());
    }
}
