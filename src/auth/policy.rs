//! What the configuration says of access, ready to be asked by each request.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use super::{Caller, link, token};
use crate::{
    config::{AuthConfig, Grant, Reach, Role, Secret, TokenHash},
    frame::StreamName,
};

/// The name of whoever shows the token of the environment, or the one made at the start.
const START_NAME: &str = "admin";

/// What tells one credential from another, also after a reload: a hash of what is kept of it.
pub(super) type Fingerprint = [u8; 32];

/// Somebody who showed something.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// As the log calls them.
    pub name: String,
    /// What they may do.
    pub grant: Grant,
    /// Of the credential that shows it.
    pub(super) fingerprint: Fingerprint,
}

/// Somebody with a password.
#[derive(Debug)]
pub(super) struct User {
    pub(super) hash: String,
    pub(super) identity: Arc<Identity>,
}

/// A configuration's rules.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) anonymous: Reach,
    pub(super) users: Vec<User>,
    tokens: Vec<(TokenHash, Arc<Identity>)>,
    link_key: Option<Secret>,
    /// How long a browser stays logged in.
    pub(super) session: Duration,
}

impl Policy {
    fn new(config: &AuthConfig) -> Self {
        let known = |name: &str, grant: &Grant, fingerprint| {
            Arc::new(Identity { name: name.to_owned(), grant: grant.clone(), fingerprint })
        };
        let tokens = config.tokens.iter();
        let tokens = tokens.map(|token| (token.hash, known(&token.name, &token.grant, token.hash.0)));
        let users = config.users.iter().map(|user| User {
            hash: user.hash.reveal().to_owned(),
            identity: known(&user.name, &user.grant, token::hash(user.hash.reveal()).0),
        });
        Self {
            anonymous: config.anonymous.clone(),
            users: users.collect(),
            tokens: tokens.collect(),
            link_key: config.link_key.clone(),
            session: config.session,
        }
    }

    /// Whose token this is. All are compared, so that the time says nothing.
    pub(super) fn of_token(&self, shown: &TokenHash) -> Option<Arc<Identity>> {
        let mut found = None;
        for (kept, identity) in &self.tokens {
            if token::same(kept, shown) {
                found = Some(identity.clone());
            }
        }
        found
    }

    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.identity.name == name)
    }

    /// Whoever has a link to the stream, and for how long.
    pub(super) fn of_link(
        &self,
        stream: &StreamName,
        signed: &link::Signed,
    ) -> Option<(Arc<Identity>, Duration)> {
        let key = self.link_key.as_ref()?;
        let lasts = link::lasts(key, stream, signed)?;
        let grant = Grant { role: Role::View, reach: Reach::Only([stream.clone()].into()) };
        let name = format!("a link to {stream}");
        Some((Arc::new(Identity { name, grant, fingerprint: of_key(key) }), lasts))
    }

    /// Whether the credential that was shown is still good for the same.
    fn still_knows(&self, identity: &Identity) -> bool {
        let tokens = self.tokens.iter().map(|(_, known)| known);
        let mut known = tokens.chain(self.users.iter().map(|user| &user.identity));
        known.any(|known| **known == *identity)
            || self.link_key.as_ref().is_some_and(|key| of_key(key) == identity.fingerprint)
    }
}

impl Policy {
    /// What the credential that was shown is good for now; none if it is no more.
    fn again(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        let tokens = self.tokens.iter().map(|(_, known)| known);
        let mut known = tokens.chain(self.users.iter().map(|user| &user.identity));
        let same = |known: &&Arc<Identity>| known.fingerprint == identity.fingerprint;
        let of_link = || self.link_key.as_ref().is_some_and(|key| of_key(key) == identity.fingerprint);
        known.find(same).cloned().or_else(|| of_link().then(|| identity.clone()))
    }
}

fn of_key(key: &Secret) -> Fingerprint {
    token::hash(key.reveal()).0
}

/// The rules that hold now. They may be replaced while requests are answered.
#[derive(Debug)]
pub(super) struct Rules {
    policy: RwLock<Arc<Policy>>,
    /// Outlives a reload.
    start: Option<(TokenHash, Arc<Identity>)>,
}

impl Rules {
    pub(super) fn new(config: &AuthConfig) -> Self {
        let start = config.start_token.as_ref().map(|token| {
            let hash = token::hash(token.reveal());
            let (name, grant) = (START_NAME.to_owned(), Grant::for_all(Role::Admin));
            (hash, Arc::new(Identity { name, grant, fingerprint: hash.0 }))
        });
        Self { policy: RwLock::new(Arc::new(Policy::new(config))), start }
    }

    pub(super) fn replace(&self, config: &AuthConfig) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Policy::new(config));
    }

    pub(super) fn now(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn anybody(&self) -> Caller {
        Caller::anonymous(self.now().anonymous.clone())
    }

    /// The administrator, if this is the token of the start.
    pub(super) fn of_start_token(&self, shown: &TokenHash) -> Option<Arc<Identity>> {
        let (hash, identity) = self.start.as_ref()?;
        token::same(hash, shown).then(|| identity.clone())
    }

    /// What the credential that was shown is good for now; none if it is no more.
    pub(super) fn again(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        let start = self.start.as_ref().is_some_and(|(_, start)| start == identity);
        if start { Some(identity.clone()) } else { self.now().again(identity) }
    }

    pub(super) fn still_know(&self, identity: &Identity) -> bool {
        let start = self.start.as_ref().is_some_and(|(_, start)| **start == *identity);
        start || self.now().still_knows(identity)
    }
}
