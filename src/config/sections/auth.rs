//! `auth:`: roles, the streams they are held for, and what is kept of those who hold them.

use std::{collections::BTreeSet, fmt, time::Duration};

use argon2::PasswordHash;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    config::{
        reader::SECRET,
        values::{
            Collect, Entry, HOUR, LongSecret, MINUTE, Named, OneOrMany, OrNone, Secret, Text, Time, Wrong,
            scalar, secs,
        },
    },
    media::stream_name::StreamName,
};

/// Maximum memory (KiB) and rounds that the check of a password's hash may take.
const MAX_HASH_KIB: u32 = 128 * 1024;
const MAX_HASH_ROUNDS: u32 = 16;

/// A set of permissions; each role includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Watch: streams, snapshots, replays, what the API says of them.
    View,
    /// Send pictures and points.
    Push,
    /// Change what is there.
    Admin,
}

impl Role {
    /// Returns the word in the file.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Push => "push",
            Self::Admin => "admin",
        }
    }
}

/// The streams that a role is held for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamScope {
    /// All that are there, and will be.
    All,
    /// These.
    Only(BTreeSet<StreamName>),
}

impl StreamScope {
    /// No stream.
    pub const fn nothing() -> Self {
        Self::Only(BTreeSet::new())
    }

    /// Returns whether the stream is among them; one whose name is no stream's at all only if all are.
    pub fn covers(&self, stream: Option<&StreamName>) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => stream.is_some_and(|stream| names.contains(stream)),
        }
    }

    /// Returns whether there is none.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Self::Only(names) if names.is_empty())
    }
}

/// A role for some streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// The permissions.
    pub role: Role,
    /// The streams that they are for.
    pub reach: StreamScope,
}

impl Grant {
    /// A role for all streams.
    pub const fn for_all(role: Role) -> Self {
        Self { role, reach: StreamScope::All }
    }

    /// Returns whether it is enough for `role` on this stream.
    pub fn allows(&self, role: Role, stream: Option<&StreamName>) -> bool {
        self.role >= role && self.reach.covers(stream)
    }

    /// Returns whether this grant allows everything that `other` does.
    pub fn covers(&self, other: &Self) -> bool {
        let reach = match (&self.reach, &other.reach) {
            (StreamScope::All, _) => true,
            (StreamScope::Only(_), StreamScope::All) => false,
            (StreamScope::Only(names), StreamScope::Only(others)) => names.is_superset(others),
        };
        reach && self.role >= other.role
    }

    /// Returns whether it is enough for `role` on every stream.
    pub fn allows_all(&self, role: Role) -> bool {
        self.role >= role && self.reach == StreamScope::All
    }

    /// Returns whether it is enough for `role` on any stream.
    pub fn allows_any(&self, role: Role) -> bool {
        self.role >= role && !self.reach.is_nothing()
    }
}

scalar!(
    /// One of the names of [`StreamScope`].
    struct StreamNames => StreamName, "`all`, `none`, name of a stream", "", |text| {
        text.parse().map_err(|_| Wrong::shown("must be all, none, or names of streams"))
    }
);

impl Collect<StreamNames> for StreamScope {
    fn collect(names: Vec<StreamName>) -> Result<Self, String> {
        Ok(match names.as_slice() {
            names if names.iter().any(|name| name.as_str() == "all") => Self::All,
            [none] if none.as_str() == "none" => Self::nothing(),
            _ => Self::Only(names.into_iter().collect()),
        })
    }

    fn written(&self) -> String {
        if *self == Self::All { "all" } else { "none" }.to_owned()
    }
}

/// `auth:`, or its absence.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// Streams that everybody may watch without logging in.
    #[serde(default = "StreamScope::nothing", with = "OneOrMany::<StreamNames, StreamScope>")]
    pub anonymous: StreamScope,
    /// Tokens, by a name for the log.
    #[serde(default, deserialize_with = "Named::<TokenConfig>::deserialize")]
    #[schemars(with = "Named::<TokenConfig>")]
    pub tokens: Vec<TokenConfig>,
    /// Users, by login name.
    #[serde(default, deserialize_with = "Named::<UserConfig>::deserialize")]
    #[schemars(with = "Named::<UserConfig>")]
    pub users: Vec<UserConfig>,
    /// Key that signs links (`framecast link`). A new key ends all links.
    #[serde(default, with = "Text::<OrNone<LongSecret<32>>>")]
    pub link_key: Option<Secret>,
    /// Duration of a browser's login.
    #[serde(default = "secs::<{ 7 * 24 * 3600 }>", with = "Text::<Time<MINUTE, { 366 * 24 * HOUR }>>")]
    pub session: Duration,
    /// Administers everything. Not of the file: from the environment, or made when framecast starts.
    #[serde(skip)]
    pub start_token: Option<Secret>,
}

pub(crate) fn all_streams() -> StreamScope {
    StreamScope::All
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self {
            anonymous: StreamScope::All,
            tokens: Vec::new(),
            users: Vec::new(),
            link_key: None,
            session: secs::<{ 7 * 24 * 3600 }>(),
            start_token: None,
        }
    }
}

impl AuthConfig {
    /// Returns whether somebody may change everything.
    pub fn has_admin(&self) -> bool {
        let tokens = self.tokens.iter().map(TokenConfig::grant);
        let mut grants = tokens.chain(self.users.iter().map(UserConfig::grant));
        self.start_token.is_some() || grants.any(|grant| grant.allows_all(Role::Admin))
    }
}

/// One of `auth.tokens`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The name in the log of whoever shows it.
    #[serde(skip)]
    pub name: String,
    /// Hash of the token: `framecast token` makes both.
    #[serde(with = "Text::<HashOfToken>")]
    #[schemars(extend("x-need" = "what `framecast token` prints, sha256:…"))]
    pub hash: TokenHash,
    /// Permissions; each role includes those before it.
    #[schemars(extend("x-need" = "view, push or admin"))]
    pub role: Role,
    /// Streams that the role is for. `all` includes streams that are added later.
    #[serde(default = "all_streams", with = "OneOrMany::<StreamNames, StreamScope>")]
    pub streams: StreamScope,
}

/// One of `auth.users`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UserConfig {
    /// The name they log in with.
    #[serde(skip)]
    pub name: String,
    /// Hash of the password: `framecast passwd NAME` makes it.
    #[serde(rename = "password_hash", with = "Text::<HashOfPassword>")]
    #[schemars(extend("x-need" = "what `framecast passwd NAME` prints, $argon2id$…"))]
    pub hash: Secret,
    /// Permissions; each role includes those before it.
    #[schemars(extend("x-need" = "view, push or admin"))]
    pub role: Role,
    /// Streams that the role is for. `all` includes streams that are added later.
    #[serde(default = "all_streams", with = "OneOrMany::<StreamNames, StreamScope>")]
    pub streams: StreamScope,
}

macro_rules! named_grant {
    ($($name:ident)*) => {$(
        impl $name {
            /// The role and its streams.
            pub fn grant(&self) -> Grant {
                Grant { role: self.role, reach: self.streams.clone() }
            }
        }

        impl Entry for $name {
            fn complete(&mut self, name: String) {
                self.name = name;
            }
        }
    )*};
}
named_grant! { TokenConfig UserConfig }

scalar!(struct HashOfToken => TokenHash, "text", SECRET, |text| {
    let want = "must be the hash that `framecast token` prints: sha256: and 64 hexadecimal digits";
    TokenHash::parse(text).ok_or_else(|| Wrong::hidden(want))
});

scalar!(struct HashOfPassword => Secret, "text", SECRET, |text| {
    let want = || Wrong::hidden("must be the hash that `framecast passwd` prints: $argon2id$…");
    let hash = PasswordHash::new(text).map_err(|_| want())?;
    let params = argon2::Params::try_from(&hash).map_err(|_| want())?;
    if !hash.algorithm.as_str().starts_with("argon2") || hash.hash.is_none() || hash.salt.is_none() {
        return Err(want());
    }
    if params.m_cost() > MAX_HASH_KIB || params.t_cost() > MAX_HASH_ROUNDS || params.p_cost() > 16 {
        let most = MAX_HASH_KIB / 1024;
        let want = format!(
            "asks too much of each login: at most {most} MiB (m), {MAX_HASH_ROUNDS} rounds (t) and p=16"
        );
        return Err(Wrong::hidden(want));
    }
    Ok(Secret::new(text))
});

/// The prefix of a hash.
const PREFIX: &str = "sha256:";

/// The hash of a token, enough to recognise it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// Parses the output of `framecast token`: `sha256:` and 64 hexadecimal digits.
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
