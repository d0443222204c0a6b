//! Who may do what: the credentials that somebody shows, and what they grant.
//!
//! This module knows neither HTTP nor sockets. It promises that credentials are compared in constant time,
//! that none is kept in clear where a hash will do, that guessing is slowed, and that everything it
//! remembers of callers is bounded.

mod principal;
mod clock;
mod authenticator;
mod guess_limits;
mod grant;
pub mod signed_link;
mod passwords;
mod acl;
mod sessions;
#[cfg(test)]
mod session_laws;
pub mod token;

pub use acl::Identity;
pub use authenticator::{Auth, NotNow, Running, Shown, subscriber};
pub use grant::Lease;
pub use principal::Caller;
