//! `auth:`: roles, the streams they are held for, and what is kept of those who hold them.

use std::{collections::BTreeSet, fmt, time::Duration};

use super::Secret;
use crate::media::stream_name::StreamName;

/// What somebody may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Watch: streams, snapshots, replays, what the API says of them.
    View,
    /// Send pictures and points.
    Push,
    /// Change what is there.
    Admin,
}

impl Role {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Push => "push",
            Self::Admin => "admin",
        }
    }
}

/// Which streams a role is held for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// All that are there, and will be.
    All,
    /// These.
    Only(BTreeSet<StreamName>),
}

impl Reach {
    /// No stream.
    pub const fn nothing() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Whether the stream is among them; one whose name is no stream's at all only if all are.
    pub fn covers(&self, stream: Option<&StreamName>) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => stream.is_some_and(|stream| names.contains(stream)),
        }
    }

    /// Whether there is none.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

/// A role for some streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// What may be done.
    pub role: Role,
    /// With which streams.
    pub reach: Reach,
}

impl Grant {
    /// A role for all streams.
    pub const fn for_all(role: Role) -> Self {
        Self { role, reach: Reach::All }
    }

    /// Whether it is enough for `role` on this stream.
    pub fn allows(&self, role: Role, stream: Option<&StreamName>) -> bool {
        self.role >= role && self.reach.covers(stream)
    }

    /// Returns whether this grant allows everything that `other` does.
    pub fn covers(&self, other: &Self) -> bool {
        let reach = match (&self.reach, &other.reach) {
            (Reach::All, _) => true,
            (Reach::Only(_), Reach::All) => false,
            (Reach::Only(names), Reach::Only(others)) => names.is_superset(others),
        };
        reach && self.role >= other.role
    }

    /// Whether it is enough for `role` on every stream.
    pub fn allows_all(&self, role: Role) -> bool {
        self.role >= role && self.reach == Reach::All
    }

    /// Whether it is enough for `role` on any stream.
    pub fn allows_any(&self, role: Role) -> bool {
        self.role >= role && !self.reach.is_nothing()
    }
}

/// `auth:`, or its absence.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthConfig {
    /// The streams that may be watched by whoever comes. All, without the section.
    pub anonymous: Reach,
    /// Who shows a token.
    pub tokens: Vec<TokenConfig>,
    /// Who shows a name and a password.
    pub users: Vec<UserConfig>,
    /// What links are signed with; without it there are none.
    pub link_key: Option<Secret>,
    /// How long a browser stays logged in.
    pub session: Duration,
    /// Administers everything. Not of the file: from the environment, or made when framecast starts.
    pub start_token: Option<Secret>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            anonymous: Reach::All,
            tokens: Vec::new(),
            users: Vec::new(),
            link_key: None,
            session: Duration::from_secs(7 * 24 * 3600),
            start_token: None,
        }
    }
}

impl AuthConfig {
    /// Whether somebody may change everything.
    pub fn has_admin(&self) -> bool {
        let tokens = self.tokens.iter().map(|token| &token.grant);
        let mut grants = tokens.chain(self.users.iter().map(|user| &user.grant));
        self.start_token.is_some() || grants.any(|grant| grant.allows_all(Role::Admin))
    }
}

/// One of `auth.tokens`.
#[derive(Debug, Clone, PartialEq)]
pub struct TokenConfig {
    /// What the log calls whoever shows it.
    pub name: String,
    /// What is kept of it.
    pub hash: TokenHash,
    /// What it is good for.
    pub grant: Grant,
}

/// One of `auth.users`.
#[derive(Debug, Clone, PartialEq)]
pub struct UserConfig {
    /// What they log in as.
    pub name: String,
    /// argon2's hash of their password, as a PHC string.
    pub hash: Secret,
    /// What they may do.
    pub grant: Grant,
}

/// How a hash is written.
const PREFIX: &str = "sha256:";

/// What is kept of a token: enough to know it again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// As `framecast token` prints it: `sha256:` and 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix(PREFIX)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        let mut hash = [0; 32];
        for (byte, at) in hash.iter_mut().zip((0..64).step_by(2)) {
            *byte = u8::from_str_radix(&digits[at..at + 2], 16).ok()?;
        }
        Some(Self(hash))
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(PREFIX)?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> StreamName {
        text.parse().unwrap()
    }

    #[test]
    fn each_role_may_do_what_those_before_it_may_with_its_own_streams() {
        let door = name("door");
        let only = |role| Grant { role, reach: Reach::Only([door.clone()].into()) };
        let roles = [Role::View, Role::Push, Role::Admin];
        for (held, role) in roles.iter().enumerate() {
            for (wanted, needed) in roles.iter().enumerate() {
                let enough = wanted <= held;
                assert_eq!(only(*role).allows(*needed, Some(&door)), enough);
                assert_eq!(only(*role).allows_any(*needed), enough);
                assert_eq!(Grant::for_all(*role).allows_all(*needed), enough);
                assert_eq!(Grant::for_all(*role).allows(*needed, None), enough);
                assert!(!only(*role).allows(*needed, Some(&name("porch"))));
                assert!(!only(*role).allows(*needed, None), "a name that is none");
                assert!(!only(*role).allows_all(*needed));
            }
            assert!(!Grant { role: *role, reach: Reach::nothing() }.allows_any(Role::View));
        }
    }

    #[test]
    fn a_grant_covers_another_that_is_no_higher_and_reaches_no_further() {
        let only = |role, names: &[&str]| Grant {
            role,
            reach: Reach::Only(names.iter().map(|text| name(text)).collect()),
        };
        let both = only(Role::Push, &["door", "porch"]);
        for covered in [&both, &only(Role::View, &["door"]), &only(Role::View, &[])] {
            assert!(both.covers(covered) && Grant::for_all(Role::Push).covers(covered), "{covered:?}");
        }
        for other in [only(Role::Admin, &["door"]), only(Role::View, &["garage"]), Grant::for_all(Role::View)]
        {
            assert!(!both.covers(&other), "{other:?}");
        }
        assert!(!Grant::for_all(Role::View).covers(&only(Role::Push, &["door"])));
    }
}
