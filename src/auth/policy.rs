//! What the configuration says of access, ready to be asked by each request.

use std::sync::{Arc, PoisonError, RwLock};

use super::{Caller, token};
use crate::config::{AuthConfig, Grant, Reach, Role, TokenHash};

/// The name of whoever shows the token of the environment, or the one made at the start.
const START_NAME: &str = "admin";

/// Somebody the configuration knows.
#[derive(Debug, PartialEq, Eq)]
pub struct Identity {
    /// As the log calls them.
    pub name: String,
    /// What they may do.
    pub grant: Grant,
}

/// Who may do what. It may be replaced while requests are answered.
#[derive(Debug)]
pub struct Auth {
    policy: RwLock<Arc<Policy>>,
    /// Outlives a reload.
    start: Option<(TokenHash, Arc<Identity>)>,
}

#[derive(Debug)]
struct Policy {
    anonymous: Reach,
    tokens: Vec<(TokenHash, Arc<Identity>)>,
}

impl Policy {
    fn new(config: &AuthConfig) -> Self {
        let known =
            |name: &str, grant: &Grant| Arc::new(Identity { name: name.to_owned(), grant: grant.clone() });
        let tokens = config.tokens.iter().map(|token| (token.hash, known(&token.name, &token.grant)));
        Self { anonymous: config.anonymous.clone(), tokens: tokens.collect() }
    }
}

impl Auth {
    /// As the configuration says.
    pub fn new(config: &AuthConfig) -> Self {
        let admin = || Arc::new(Identity { name: START_NAME.to_owned(), grant: Grant::for_all(Role::Admin) });
        let start = config.start_token.as_ref().map(|token| (token::hash(token.reveal()), admin()));
        Self { policy: RwLock::new(Arc::new(Policy::new(config))), start }
    }

    /// Follows a new configuration from the next request on. The token of the start stays.
    pub fn replace(&self, config: &AuthConfig) {
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Policy::new(config));
    }

    fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Nobody in particular.
    pub fn anybody(&self) -> Caller {
        Caller::anonymous(self.policy().anonymous.clone())
    }

    /// Whose token this is. All are compared, so that the time says nothing.
    pub fn of_token(&self, shown: &str) -> Option<Arc<Identity>> {
        let hash = token::hash(shown);
        let policy = self.policy();
        let mut found = None;
        for (kept, identity) in policy.tokens.iter().chain(&self.start) {
            if token::same(kept, &hash) {
                found = Some(identity.clone());
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[test]
    fn a_reload_keeps_the_token_of_the_start_and_follows_the_rest() {
        let auth =
            Auth::new(&AuthConfig { start_token: Some(Secret::new("first")), ..AuthConfig::default() });
        assert!(auth.anybody().may_with_all(Role::View) && !auth.anybody().may_with_any(Role::Push));
        assert_eq!(auth.of_token("first").unwrap().grant, Grant::for_all(Role::Admin));
        assert!(auth.of_token("second").is_none());
        auth.replace(&AuthConfig { anonymous: Reach::nothing(), ..AuthConfig::default() });
        assert!(!auth.anybody().may_with_any(Role::View));
        assert!(auth.of_token("first").is_some());
    }
}
