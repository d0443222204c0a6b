//! Access control: the credentials that a request shows, and what they grant.
//!
//! This module knows neither HTTP nor sockets. It promises that credentials are compared in constant time,
//! that none is kept in clear where a hash will do, that guessing is slowed, and that everything it
//! remembers of callers is bounded.

mod clock;
mod identity;
mod sessions;
mod principal;
pub mod signed_link;
mod acl;
mod passwords;
mod guess_limits;
mod changes;
mod authenticator;
mod grant;
#[cfg(test)]
mod session_invariants;
pub mod token;

pub use authenticator::{AuthError, Authenticator, Credentials, SessionRelation, limit_key};
pub use grant::ActiveGrant;
pub use identity::Identity;
pub use principal::Principal;
