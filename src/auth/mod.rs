//! Access control: the credentials of a request, and the rights that they grant.
//!
//! This module does not depend on HTTP or sockets. It ensures that credentials are compared in constant time,
//! that they are stored as hashes where possible, that guessing is slowed down, and that the memory that it
//! uses for callers is bounded.

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
