//! The access rules of the configuration, prepared for requests.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::{
    clock::Now,
    identity::{Fingerprint, Identity, LinkId},
    principal::Caller,
    signed_link, token,
};
use crate::{
    config::{AuthConfig, Grant, Reach, Role, Secret, TokenHash},
    media::stream_name::StreamName,
};

/// Name of the holder of the start token, which comes from the environment or was made at the start.
const START_NAME: &str = "admin";

/// A user, with a password.
#[derive(Debug)]
pub(super) struct User {
    pub(super) hash: String,
    pub(super) identity: Arc<Identity>,
}

/// The access rules of a configuration.
#[derive(Debug)]
pub(super) struct Policy {
    pub(super) anonymous: Reach,
    pub(super) users: Vec<User>,
    tokens: Vec<(TokenHash, Arc<Identity>)>,
    link_key: Option<Secret>,
    /// The longest duration of a browser's session.
    pub(super) session: Duration,
}

impl Policy {
    fn new(config: &AuthConfig) -> Self {
        let known = |name: &str, grant: &Grant, fingerprint| {
            Arc::new(Identity { name: name.to_owned(), grant: grant.clone(), fingerprint, link: None })
        };
        let tokens = config.tokens.iter().map(|token| {
            let fingerprint = of_credential("token", &[&token.hash.to_string()]);
            (token.hash, known(&token.name, &token.grant(), fingerprint))
        });
        let users = config.users.iter().map(|user| {
            // Two users may have been given the same hash.
            let fingerprint = of_credential("user", &[&user.name, user.hash.reveal()]);
            User {
                hash: user.hash.reveal().to_owned(),
                identity: known(&user.name, &user.grant(), fingerprint),
            }
        });
        Self {
            anonymous: config.anonymous.clone(),
            users: users.collect(),
            tokens: tokens.collect(),
            link_key: config.link_key.clone(),
            session: config.session,
        }
    }

    /// Returns the holder of this token. All are compared, so that the time says nothing.
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

    /// Returns the identity of a link's holder, and for how long the link is valid.
    pub(super) fn of_link(
        &self,
        stream: &StreamName,
        signed: &signed_link::Signed,
        now: Now,
    ) -> Option<(Arc<Identity>, Duration)> {
        let key = self.link_key.as_ref()?;
        let lasts = signed_link::lasts(key, stream, signed, now.unix)?;
        let grant = Grant { role: Role::View, reach: Reach::Only([stream.clone()].into()) };
        let name = format!("a link to {stream}");
        let link = LinkId { stream: stream.clone(), expires: signed.expires };
        let fingerprint = of_link(key, &link);
        Some((Arc::new(Identity { name, grant, fingerprint, link: Some(link) }), lasts))
    }

    /// Returns the present rights of a credential that was shown before; none if it is no longer valid.
    fn again(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        if let Some(link) = &identity.link {
            let key = self.link_key.as_ref()?;
            return (of_link(key, link) == identity.fingerprint).then(|| identity.clone());
        }
        // Of two tokens with the same hash the last one counts, as in `of_token`.
        let tokens = self.tokens.iter().rev().map(|(_, known)| known);
        let mut known = tokens.chain(self.users.iter().map(|user| &user.identity));
        known.find(|known| known.fingerprint == identity.fingerprint).cloned()
    }
}

/// Returns the fingerprint of a credential. The kind comes first: a text that is both a token and the key of
/// links is two credentials, and revoking one does not leave the other in its place. Only the last part may
/// contain a line feed.
fn of_credential(kind: &str, parts: &[&str]) -> Fingerprint {
    token::hash(&format!("{kind}\n{}", parts.join("\n"))).0
}

fn of_link(key: &Secret, link: &LinkId) -> Fingerprint {
    of_credential("link", &[link.stream.as_str(), &link.expires.to_string(), key.reveal()])
}

/// The current access rules. They may be replaced while requests are answered.
#[derive(Debug)]
pub(super) struct Rules {
    policy: ArcSwap<Policy>,
    /// Start token and its holder, which outlive a reload.
    start: Option<(TokenHash, Arc<Identity>)>,
}

impl Rules {
    pub(super) fn new(config: &AuthConfig) -> Self {
        let start = config.start_token.as_ref().map(|token| {
            let hash = token::hash(token.reveal());
            let (name, grant) = (START_NAME.to_owned(), Grant::for_all(Role::Admin));
            let fingerprint = of_credential("start", &[&hash.to_string()]);
            (hash, Arc::new(Identity { name, grant, fingerprint, link: None }))
        });
        Self { policy: ArcSwap::from_pointee(Policy::new(config)), start }
    }

    pub(super) fn replace(&self, config: &AuthConfig) {
        self.policy.store(Arc::new(Policy::new(config)));
    }

    pub(super) fn now(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    pub(super) fn anybody(&self) -> Caller {
        Caller::anonymous(self.now().anonymous.clone())
    }

    /// Returns the administrator if this is the start token.
    pub(super) fn of_start_token(&self, shown: &TokenHash) -> Option<Arc<Identity>> {
        let (hash, identity) = self.start.as_ref()?;
        token::same(hash, shown).then(|| identity.clone())
    }

    /// Returns the present rights of a credential that was shown before; none if it is no longer valid.
    pub(super) fn again(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        let start = self.start.as_ref().is_some_and(|(_, start)| start == identity);
        if start { Some(identity.clone()) } else { self.now().again(identity) }
    }
}
