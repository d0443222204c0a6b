//! Leases, on rules of one word.

#[path = "../../src/auth/changes.rs"]
mod changes;
#[path = "../../src/auth/grant.rs"]
pub mod grant;
mod rules;

pub use crate::stand_ins::subscriber;
mod authenticator {
    pub use super::rules::Auth;
}
mod principal {
    pub use super::rules::Caller;
}

pub use rules::{Auth, Caller};

#[cfg(test)]
mod grants;
