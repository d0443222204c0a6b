//! Counts what was refused, by reason.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody was known: 401.
    Unauthorized,
    /// Somebody was, with too low a role: 403.
    Forbidden,
    /// A page of another site asked: 403.
    CrossSite,
    /// Too many wrong credentials, or too many to check: 429, 503.
    Guessing,
    /// Too many requests from an address: 429.
    Rate,
    /// Too many viewers in all, of a stream, or from an address: 503, 429.
    Viewers,
    /// Too long a header section: 431.
    Headers,
}

const ALL: [(Refusal, &str); 7] = [
    (Refusal::Unauthorized, "unauthorized"),
    (Refusal::Forbidden, "forbidden"),
    (Refusal::CrossSite, "cross_site"),
    (Refusal::Guessing, "guessing"),
    (Refusal::Rate, "rate"),
    (Refusal::Viewers, "viewers"),
    (Refusal::Headers, "headers"),
];

/// How often each.
#[derive(Debug, Default)]
pub struct Refusals([AtomicU64; ALL.len()]);

impl Refusals {
    pub(super) fn count(&self, refusal: Refusal) {
        self.0[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// By name.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        ALL.iter().map(|(refusal, name)| (*name, self.0[*refusal as usize].load(Ordering::Relaxed))).collect()
    }
}
