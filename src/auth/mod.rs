//! Who may do what: the credentials that somebody shows, and what they grant.
//!
//! This room knows neither HTTP nor sockets. It promises that credentials are compared in constant time, that
//! none is kept in clear where a hash will do, that guessing is slowed, and that everything it remembers of
//! callers is bounded.

pub mod brake;
mod caller;
mod clock;
mod desk;
mod guesses;
mod lease;
pub mod link;
mod passwords;
mod policy;
mod sessions;
#[cfg(test)]
mod session_laws;
pub mod token;

pub use caller::Caller;
pub use desk::{Auth, NotNow, Running, Shown, subscriber};
pub use lease::Lease;
pub use policy::Identity;
