//! Who may do what: the credentials that somebody shows, and what they grant.
//!
//! Pure decisions: this room knows neither HTTP nor sockets. It promises that credentials are compared in constant time,
//! that none is kept in clear where a hash will do, and that everything it remembers of callers is bounded.

mod caller;
mod policy;
pub mod token;

pub use caller::Caller;
pub use policy::{Auth, Identity};
