//! Whoever asks, with what the shown credentials grant.

use std::sync::Arc;

use super::Identity;
use crate::{
    config::{Grant, Reach, Role},
    frame::StreamName,
};

/// Who asks for something: nobody in particular, or somebody with credentials.
#[derive(Debug, Clone)]
pub struct Caller {
    /// What everybody may watch.
    anonymous: Grant,
    known_as: Vec<Arc<Identity>>,
    /// A stream whose own token was shown.
    publishes: Option<Grant>,
}

impl Caller {
    pub(super) fn anonymous(watches: Reach) -> Self {
        let anonymous = Grant { role: Role::View, reach: watches };
        Self { anonymous, known_as: Vec::new(), publishes: None }
    }

    /// Adds what a credential shows.
    pub(super) fn is(&mut self, identity: Arc<Identity>) {
        self.known_as.push(identity);
    }

    /// Adds that the stream's own token was shown.
    pub(super) fn publishes(&mut self, stream: StreamName) {
        self.publishes = Some(Grant { role: Role::Push, reach: Reach::Only([stream].into()) });
    }

    /// Whether a valid credential was shown.
    pub fn is_known(&self) -> bool {
        !self.known_as.is_empty() || self.publishes.is_some()
    }

    /// What the log calls this one; none for nobody in particular.
    pub fn name(&self) -> Option<&str> {
        self.known_as.first().map(|identity| identity.name.as_str())
    }

    /// The first of what was shown.
    pub(super) fn identity(&self) -> Option<&Arc<Identity>> {
        self.known_as.first()
    }

    fn grants(&self) -> impl Iterator<Item = &Grant> {
        let known = self.known_as.iter().map(|identity| &identity.grant);
        known.chain(&self.publishes).chain([&self.anonymous])
    }

    /// Whether this caller may do what `role` may with the stream; with a name that is no stream's, if with every one.
    pub fn may(&self, role: Role, stream: Option<&StreamName>) -> bool {
        self.grants().any(|grant| grant.allows(role, stream))
    }

    /// Whether with every stream that is there, and will be.
    pub fn may_with_all(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_all(role))
    }

    /// Whether with any stream.
    pub fn may_with_any(&self, role: Role) -> bool {
        self.grants().any(|grant| grant.allows_any(role))
    }

    /// The highest role held for any stream.
    pub fn highest(&self) -> Option<Role> {
        self.grants().filter(|grant| !grant.reach.is_nothing()).map(|grant| grant.role).max()
    }
}
