//! The access rules of the configuration, prepared for requests.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;

use super::{
    clock::Now,
    identity::{Fingerprint, Identity, LinkId},
    principal::Principal,
    signed_link, token,
};
use crate::{
    config::{AuthConfig, Grant, Role, Secret, StreamScope, TokenHash},
    media::stream_name::StreamName,
};

/// Name of the holder of the start token, which comes from the environment or was made at the start.
const STARTUP_ADMIN: &str = "admin";

/// A user, with a password.
#[derive(Debug)]
pub(super) struct User {
    pub(super) hash: String,
    pub(super) identity: Arc<Identity>,
}

/// The access rules of a configuration.
#[derive(Debug)]
pub(super) struct Acl {
    pub(super) anonymous: StreamScope,
    pub(super) users: Vec<User>,
    tokens: Vec<(TokenHash, Arc<Identity>)>,
    link_key: Option<Secret>,
    /// The longest duration of a browser's session.
    pub(super) session: Duration,
}

impl Acl {
    fn new(config: &AuthConfig) -> Self {
        let known = |name: &str, grant: &Grant, fingerprint| {
            Arc::new(Identity { name: name.to_owned(), grant: grant.clone(), fingerprint, link: None })
        };
        let tokens = config.tokens.iter().map(|token| {
            let fingerprint = credential_fingerprint("token", &[&token.hash.to_string()]);
            (token.hash, known(&token.name, &token.grant(), fingerprint))
        });
        let users = config.users.iter().map(|user| {
            // Two users may have been given the same hash.
            let fingerprint = credential_fingerprint("user", &[&user.name, user.hash.reveal()]);
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
    pub(super) fn identity_of_token(&self, shown: &TokenHash) -> Option<Arc<Identity>> {
        let mut found = None;
        for (kept, identity) in &self.tokens {
            if token::constant_time_eq(kept, shown) {
                found = Some(identity.clone());
            }
        }
        found
    }

    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.identity.name == name)
    }

    /// Returns the identity of a link's holder, and for how long the link is valid.
    pub(super) fn identity_of_link(
        &self,
        stream: &StreamName,
        signed: &signed_link::LinkSignature,
        now: Now,
    ) -> Option<(Arc<Identity>, Duration)> {
        let key = self.link_key.as_ref()?;
        let lasts = signed_link::verify(key, stream, signed, now.unix)?;
        let grant = Grant { role: Role::View, reach: StreamScope::Only([stream.clone()].into()) };
        let name = format!("a link to {stream}");
        let link = LinkId { stream: stream.clone(), expires: signed.expires };
        let fingerprint = link_fingerprint(key, &link);
        Some((Arc::new(Identity { name, grant, fingerprint, link: Some(link) }), lasts))
    }

    /// Returns the present rights of a credential that was shown before; none if it is no longer valid.
    fn refresh(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        if let Some(link) = &identity.link {
            let key = self.link_key.as_ref()?;
            return (link_fingerprint(key, link) == identity.fingerprint).then(|| identity.clone());
        }
        // Of two tokens with the same hash the last one counts, as in `identity_of_token`.
        let tokens = self.tokens.iter().rev().map(|(_, known)| known);
        let mut known = tokens.chain(self.users.iter().map(|user| &user.identity));
        known.find(|known| known.fingerprint == identity.fingerprint).cloned()
    }
}

/// Returns the fingerprint of a credential. The kind comes first: a text that is both a token and the key of
/// links is two credentials, and revoking one does not leave the other in its place. Only the last part may
/// contain a line feed.
fn credential_fingerprint(kind: &str, parts: &[&str]) -> Fingerprint {
    token::hash(&format!("{kind}\n{}", parts.join("\n"))).0
}

fn link_fingerprint(key: &Secret, link: &LinkId) -> Fingerprint {
    credential_fingerprint("link", &[link.stream.as_str(), &link.expires.to_string(), key.reveal()])
}

/// The current access rules. They may be replaced while requests are answered.
#[derive(Debug)]
pub(super) struct ActiveAcl {
    acl: ArcSwap<Acl>,
    /// Start token and its holder, which outlive a reload.
    startup_token: Option<(TokenHash, Arc<Identity>)>,
}

impl ActiveAcl {
    pub(super) fn new(config: &AuthConfig) -> Self {
        let startup_token = config.start_token.as_ref().map(|token| {
            let hash = token::hash(token.reveal());
            let (name, grant) = (STARTUP_ADMIN.to_owned(), Grant::for_all(Role::Admin));
            let fingerprint = credential_fingerprint("start", &[&hash.to_string()]);
            (hash, Arc::new(Identity { name, grant, fingerprint, link: None }))
        });
        Self { acl: ArcSwap::from_pointee(Acl::new(config)), startup_token }
    }

    pub(super) fn replace(&self, config: &AuthConfig) {
        self.acl.store(Arc::new(Acl::new(config)));
    }

    pub(super) fn acl(&self) -> Arc<Acl> {
        self.acl.load_full()
    }

    pub(super) fn anonymous(&self) -> Principal {
        Principal::anonymous(self.acl().anonymous.clone())
    }

    /// Returns the administrator if this is the start token.
    pub(super) fn identity_of_startup_token(&self, shown: &TokenHash) -> Option<Arc<Identity>> {
        let (hash, identity) = self.startup_token.as_ref()?;
        token::constant_time_eq(hash, shown).then(|| identity.clone())
    }

    /// Returns the present rights of a credential that was shown before; none if it is no longer valid.
    pub(super) fn refresh(&self, identity: &Arc<Identity>) -> Option<Arc<Identity>> {
        let start = self.startup_token.as_ref().is_some_and(|(_, start)| start == identity);
        if start { Some(identity.clone()) } else { self.acl().refresh(identity) }
    }
}
