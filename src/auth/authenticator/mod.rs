//! Checks credentials, and slows down guessing.
//!
//! Tokens of the configuration are too long to be guessed, and are always checked, so that their holders
//! cannot be locked out. Passwords, streams' own tokens and the token of the start may be short:
//! [`GuessLimits`] limits them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

use super::{
    acl::ActiveAcl,
    changes::GrantChanges,
    clock::Clock,
    guess_limits::{GuessLimits, Network},
    identity::Identity,
    passwords::{Busy, PasswordChecker},
    principal::Principal,
    sessions::{SessionRef, Sessions},
    signed_link::LinkSignature,
    token,
};
use crate::{
    config::{AuthConfig, Secret},
    media::stream_name::StreamName,
};

/// Maximum number of passwords from networks that are not known for their name that are checked or wait for
/// it at a time. The rest of the places that [`PasswordChecker`] has is for known networks, so that a flood
/// of wrong passwords does not keep them out.
const MAX_UNKNOWN_CHECKS: usize = 12;

/// An error that keeps credentials from being checked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Too many credentials were wrong.
    #[error("too many wrong credentials; try again in {} s", .0.as_secs() + 1)]
    RateLimited(Duration),
    /// Too many credentials are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// The relation of the session of a request's cookie to the credential that the request shows beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionRelation {
    /// There is no session.
    None,
    /// The session came from the same credential.
    Same,
    /// The session came from another credential, which grants all that this one does.
    Covers,
    /// The session came from another credential, which grants less; the name is that of its owner.
    Other(String),
}

/// The credentials of a request.
#[derive(Default)]
pub struct Credentials {
    /// Texts that may be tokens.
    pub tokens: Vec<String>,
    /// User name and password; the password may be a token.
    pub login: Option<(String, String)>,
    /// Signed link, with the stream that is requested.
    pub link: Option<(StreamName, LinkSignature)>,
    /// Cookie of a session.
    pub cookie: Option<String>,
}

impl Credentials {
    /// Returns whether there are no credentials.
    pub fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.login.is_none() && self.link.is_none() && self.cookie.is_none()
    }
}

/// The access control of the relay.
#[derive(Debug)]
pub struct Authenticator {
    rules: ActiveAcl,
    passwords: PasswordChecker,
    sessions: Sessions,
    /// The changes that grants watch.
    changes: GrantChanges,
    guess_limits: GuessLimits,
    unknown_checks: Semaphore,
    pub(super) clock: Clock,
}

impl Authenticator {
    /// Creates the access control for a configuration.
    pub fn new(config: &AuthConfig) -> Self {
        Self {
            rules: ActiveAcl::new(config),
            passwords: PasswordChecker::new(),
            sessions: Sessions::default(),
            changes: GrantChanges::new(),
            guess_limits: GuessLimits::new(),
            unknown_checks: Semaphore::new(MAX_UNKNOWN_CHECKS),
            clock: Clock::default(),
        }
    }

    /// Applies a new configuration from the next request on. The token of the start stays. Sessions end whose
    /// credentials are gone, and so do connections held open with an [`ActiveGrant`](super::ActiveGrant) that
    /// no other credential allows.
    pub fn replace(&self, config: &AuthConfig) {
        self.changes.apply(|| {
            self.rules.replace(config);
            // Not only not honoured: a credential that comes back later brings none of them back.
            self.sessions.retain(|identity| self.rules.refresh(identity).is_some());
        });
    }

    /// Returns the current rights of `principal`: those without credentials, and those of its credentials
    /// that are still valid.
    pub fn refresh(&self, principal: &Principal) -> Principal {
        let now = self.clock.now();
        let again = |identity: &_| self.rules.refresh(identity).filter(|identity| !identity.is_expired(now));
        principal.refreshed(self.anonymous(), now.instant, again)
    }

    /// Returns the changes that grants watch.
    pub(super) fn changes(&self) -> &GrantChanges {
        &self.changes
    }

    /// Returns a caller without credentials.
    pub fn anonymous(&self) -> Principal {
        self.rules.anonymous()
    }

    /// Returns whether there are users with passwords.
    pub fn has_users(&self) -> bool {
        !self.rules.acl().users.is_empty()
    }

    /// Adds the identities that `shown` proves to `principal`, until `is_enough`. `own` is the token of the
    /// stream that is to be pushed to.
    ///
    /// A valid credential does not affect the others of the request: those that can be guessed are checked
    /// even if a session, a link or a token is valid already, unless that is enough. And a valid credential
    /// does not make guessing others faster: wrong ones are counted all the same.
    ///
    /// # Errors
    /// [`AuthError`] if a credential must not be checked now. The other valid ones were added all the same.
    pub async fn identify(
        &self,
        principal: &mut Principal,
        shown: &Credentials,
        from: Option<IpAddr>,
        own: Option<(&StreamName, &Secret)>,
        is_enough: impl Fn(&Principal) -> bool,
    ) -> Result<(), AuthError> {
        let mut rest = Guessable::from_credentials(shown);
        rest.retain(|token| !self.check_strong_token(principal, token));
        self.check_links_and_sessions(principal, shown);
        let is_enough = |principal: &Principal| principal.is_authenticated() && is_enough(principal);
        if rest.is_empty() || is_enough(principal) {
            return Ok(());
        }
        let network = limit_key(from);
        let may_guess = self.guess_limits.check(network, self.now()).map_err(AuthError::RateLimited);
        if may_guess.is_ok() {
            rest.retain(|token| !self.check_guessable_token(principal, token, own));
            if !rest.tokens.is_empty() {
                self.guess_limits.record_wrong(network, self.now());
            }
        }
        let Some((name, password)) = rest.login.filter(|_| !is_enough(principal)) else {
            return if rest.is_empty() || is_enough(principal) { Ok(()) } else { may_guess };
        };
        // Where the name logged in well, what others in its network guess does not count.
        let may_try = || may_guess.is_ok() || self.guess_limits.is_known_network(name, network, self.now());
        if self.has_users() && may_try() {
            // It counts by itself what is wrong.
            match self.check_password(name, password, network).await {
                Ok(Some(identity)) => principal.add_identity(identity),
                // As for a name that did not log in here: the answer must not tell which is which.
                Ok(None) | Err(_) if may_guess.is_err() => return may_guess,
                Ok(None) => {}
                Err(not_now) => return Err(not_now),
            }
            return Ok(());
        }
        may_guess?;
        if rest.tokens.is_empty() {
            self.guess_limits.record_wrong(network, self.now());
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.clock.now().instant
    }

    /// Adds the holder of this token of the configuration. Returns whether it is one.
    fn check_strong_token(&self, principal: &mut Principal, token: &str) -> bool {
        let identity = self.rules.acl().identity_of_token(&token::hash(token));
        let is_one = identity.is_some();
        identity.into_iter().for_each(|identity| principal.add_identity(identity));
        is_one
    }

    fn check_links_and_sessions(&self, principal: &mut Principal, shown: &Credentials) {
        let (rules, now) = (self.rules.acl(), self.clock.now());
        if let Some((stream, signed)) = &shown.link
            && let Some((identity, lasts)) = rules.identity_of_link(stream, signed, now)
        {
            match now.instant.checked_add(lasts) {
                Some(end) => principal.add_expiring(identity, end),
                None => principal.add_identity(identity),
            }
        }
        if let Some(cookie) = &shown.cookie
            && let Some((identity, session)) = self.session(cookie)
        {
            principal.add_session(identity, session);
        }
    }

    /// Returns the session of a cookie and its owner, with the rights that its credential has now.
    fn session(&self, cookie: &str) -> Option<(Arc<Identity>, SessionRef)> {
        let (identity, session) = self.sessions.get(cookie, self.clock.now())?;
        Some((self.rules.refresh(&identity)?, session))
    }

    /// Adds the rights of the start token or of the stream's own token. Returns whether it is one of them.
    fn check_guessable_token(
        &self,
        principal: &mut Principal,
        token: &str,
        own: Option<(&StreamName, &Secret)>,
    ) -> bool {
        let identity = self.rules.identity_of_startup_token(&token::hash(token));
        let own = own.filter(|(_, own)| bool::from(token.as_bytes().ct_eq(own.reveal().as_bytes())));
        let is_one = identity.is_some() || own.is_some();
        identity.into_iter().for_each(|identity| principal.add_identity(identity));
        own.into_iter().for_each(|(stream, _)| principal.add_publisher(stream.clone()));
        is_one
    }

    /// Returns the user with this password. A remembered login is subject to the same limits: it must not be
    /// possible to guess quickly which password that is.
    async fn check_password(
        &self,
        name: &str,
        password: &str,
        network: Network,
    ) -> Result<Option<Arc<Identity>>, AuthError> {
        let attempt =
            self.guess_limits.begin_attempt(name, network, self.now()).map_err(AuthError::RateLimited)?;
        let rules = self.rules.acl();
        let user = rules.user(name);
        let checked = match user {
            Some(user) if self.passwords.is_known(&user.hash, password) => Ok(true),
            _ => self.verify_password(user.map(|user| user.hash.as_str()), password, attempt.is_known).await,
        };
        match checked {
            Ok(true) => self.guess_limits.record_success(&attempt, self.now()),
            Ok(false) => {
                self.guess_limits.record_failure(&attempt, self.now());
                return Ok(None);
            }
            Err(busy) => {
                self.guess_limits.refund(&attempt, self.now());
                return Err(busy.into());
            }
        }
        // The configuration may have changed meanwhile.
        Ok(user.and_then(|user| self.rules.refresh(&user.identity)))
    }

    async fn verify_password(&self, hash: Option<&str>, password: &str, is_good: bool) -> Result<bool, Busy> {
        let _permit = match is_good {
            true => None,
            false => Some(self.unknown_checks.try_acquire().map_err(|_| Busy)?),
        };
        self.passwords.check(hash, password).await
    }

    /// Begins a session from the first credential that the request itself showed, in place of the session of
    /// the cookie `replaced`. Returns its cookie and how long it lasts, which is not longer than the
    /// credential is valid; `None` if there is no such credential, or no random number.
    pub fn begin_session(&self, principal: &Principal, replaced: Option<&str>) -> Option<(String, Duration)> {
        let (identity, until) = principal.request_identity()?;
        let now = self.now();
        let usual = now + self.rules.acl().session;
        let ends = until.map_or(usual, |until| until.min(usual));
        if ends <= now {
            return None;
        }
        let cookie = self.sessions.begin(identity.clone(), ends, replaced, now)?;
        // A reload that did not see it yet may have taken the credential back.
        if self.rules.refresh(identity).is_none() {
            self.sessions.end(&cookie);
            return None;
        }
        Some((cookie, ends - now))
    }

    /// Returns whether this is the cookie of a session that has not ended.
    pub fn has_session(&self, cookie: Option<&str>) -> bool {
        cookie.is_some_and(|cookie| self.session(cookie).is_some())
    }

    /// Returns the relation of the session of `cookie` to the credential that
    /// [`Authenticator::begin_session`] would begin another from. The cookie is valid even if
    /// another site caused the request, so it need not be among the credentials of `principal`.
    pub fn session_relation(&self, cookie: Option<&str>, principal: &Principal) -> SessionRelation {
        let (session, shown) = (cookie.and_then(|cookie| self.session(cookie)), principal.request_identity());
        match (session, shown) {
            (None, _) => SessionRelation::None,
            (Some((owner, _)), Some((shown, _))) if owner.fingerprint == shown.fingerprint => {
                SessionRelation::Same
            }
            (Some((owner, _)), Some((shown, _))) if !owner.grant.covers(&shown.grant) => {
                SessionRelation::Other(owner.name.clone())
            }
            (Some(_), _) => SessionRelation::Covers,
        }
    }

    /// Ends a session, and everything that only it held open.
    pub fn end_session(&self, cookie: &str) {
        self.sessions.end(cookie);
    }
}

/// The credentials that were not recognized yet.
struct Guessable<'a> {
    tokens: Vec<&'a str>,
    /// Name and password.
    login: Option<(&'a str, &'a str)>,
}

impl<'a> Guessable<'a> {
    fn from_credentials(shown: &'a Credentials) -> Self {
        let login = shown.login.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
        Self { tokens: shown.tokens.iter().map(String::as_str).collect(), login }
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.login.is_none()
    }

    /// Drops the tokens that are recognized, and the login that has one in the password's place.
    fn retain(&mut self, mut is_unknown: impl FnMut(&str) -> bool) {
        self.tokens.retain(|token| is_unknown(token));
        self.login = self.login.filter(|(_, password)| is_unknown(password));
    }
}

/// Returns the address that limits count: a subscriber of IPv6 has at least a /64.
pub fn limit_key(address: Option<IpAddr>) -> Option<IpAddr> {
    address.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    })
}

#[cfg(test)]
mod tests;
