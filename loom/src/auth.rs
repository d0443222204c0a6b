//! Grants, on rules of one value.

#[path = "../../src/auth/changes.rs"]
mod changes;
#[path = "../../src/auth/grant.rs"]
pub mod grant;
mod rules;

pub use crate::stand_ins::limit_key;
mod authenticator {
    pub use super::rules::Authenticator;
}
mod principal {
    pub use super::rules::Principal;
}

pub use rules::{Authenticator, Principal};

#[cfg(test)]
mod grants;
