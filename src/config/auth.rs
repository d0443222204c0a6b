//! `auth:`.

use std::{ops::RangeInclusive, time::Duration};

use argon2::PasswordHash;

use super::{
    model::{AuthConfig, Config, Grant, Reach, Role, Secret, TokenConfig, TokenHash, UserConfig},
    node::{Entry, join, printable_key},
    reader::{Context, Reader, entries},
    schema::{self, AUTH_KEYS, TOKEN_KEYS, USER_KEYS},
    suggest,
    units::{self, Wrong},
};
use crate::media::stream_name::StreamName;

/// How long a login of a browser lasts: from a look at the door to a wall's year.
const SESSIONS: RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(366 * 24 * 3600);

/// Longest name of a token or user.
const MAX_NAME: usize = 64;

/// Most tokens, users and webhooks: all are compared with each that is shown, or asked at each event.
const MAX_ENTRIES: usize = 1000;

/// Shortest key of links, in bytes: as long as what is signed with it.
const MIN_LINK_KEY: usize = 32;

/// Most memory (KiB) and rounds that a password's hash may ask of each login.
const MAX_HASH_KIB: u32 = 128 * 1024;
const MAX_HASH_ROUNDS: u32 = 16;

/// Reads the section. None if something is wrong with it, which was noted.
pub(super) fn read<'a>(context: &'a Context<'a>, entry: &'a Entry) -> Option<AuthConfig> {
    let path = AUTH_KEYS.path.to_owned();
    let reader = Reader::new(context, &AUTH_KEYS, path, entry.key_at, &entry.value)?;
    let anonymous = reach(&reader, &schema::ANONYMOUS);
    let tokens = named(context, &reader, &schema::TOKENS, |name, path, entry| {
        let reader = Reader::new(context, &TOKEN_KEYS, path, entry.key_at, &entry.value)?;
        let hash = reader.get(&schema::TOKEN_HASH, token_hash);
        let grant = grant(&reader);
        Some(TokenConfig { name, hash: hash?, grant: grant? })
    });
    let users = named(context, &reader, &schema::USERS, |name, path, entry| {
        let reader = Reader::new(context, &USER_KEYS, path, entry.key_at, &entry.value)?;
        let hash = reader.get(&schema::PASSWORD_HASH, password_hash);
        let grant = grant(&reader);
        Some(UserConfig { name, hash: hash?, grant: grant? })
    });
    let link_key = reader.get(&schema::LINK_KEY, link_key);
    let session = reader.get(&schema::SESSION, |text| units::duration(text, SESSIONS));
    Some(AuthConfig {
        anonymous: anonymous?,
        tokens: tokens?,
        users: users?,
        link_key: link_key?,
        session: session?,
        start_token: None,
    })
}

/// Names of streams in `auth` that no stream has, each with its place: they may be added later, or be misspelt.
pub fn unknown_streams(config: &Config) -> Vec<String> {
    let streams: Vec<_> =
        config.streams.iter().chain(&config.overview).map(|stream| stream.name.as_str()).collect();
    let auth = &config.auth;
    let tokens =
        auth.tokens.iter().map(|token| (format!("auth.tokens.{}.streams", token.name), &token.grant.reach));
    let users =
        auth.users.iter().map(|user| (format!("auth.users.{}.streams", user.name), &user.grant.reach));
    let reaches = [("auth.anonymous".to_owned(), &auth.anonymous)].into_iter().chain(tokens).chain(users);
    let unknown = reaches.flat_map(|(path, reach)| {
        let names = match reach {
            Reach::All => None,
            Reach::Only(names) => Some(names),
        };
        let names = names.into_iter().flatten().map(StreamName::as_str);
        let unknown: Vec<_> = names.filter(|name| !streams.contains(name)).collect();
        let say = |name: &str| {
            let meant = suggest::nearest(name, streams.iter().copied());
            let meant = meant.map(|meant| format!(" (did you mean {meant}?)")).unwrap_or_default();
            format!("{path}: there is no stream {name}{meant}; it counts as soon as there is one")
        };
        unknown.into_iter().map(say).collect::<Vec<_>>()
    });
    unknown.collect()
}

/// The entries of a map by name.
pub(super) fn named<'a, T>(
    context: &'a Context<'a>,
    reader: &Reader<'a>,
    key: &schema::Key,
    read: impl Fn(String, String, &'a Entry) -> Option<T>,
) -> Option<Vec<T>> {
    let Some(section) = reader.map(key) else { return Some(Vec::new()) };
    let path = join(&reader.path, key.name);
    let want = || "each one's name, with its own keys beneath".to_owned();
    let all = entries(context, &path, &section.value, want)?;
    if all.len() > MAX_ENTRIES {
        context.mistakes.add(section.key_at, &path, format!("has more than {MAX_ENTRIES} entries"));
    }
    let one = |entry: &'a Entry| {
        let path = join(&path, &printable_key(&entry.key));
        let known = |c: char| c.is_ascii_alphanumeric() || "_-.@".contains(c);
        if entry.key.is_empty() || entry.key.len() > MAX_NAME || !entry.key.chars().all(known) {
            let want = format!("is not a name: 1 to {MAX_NAME} letters, digits, _, -, . or @");
            context.mistakes.add(entry.key_at, &path, want);
        }
        read(entry.key.clone(), path, entry)
    };
    // All are read, so that all mistakes are found.
    all.iter().map(one).collect::<Vec<_>>().into_iter().collect()
}

fn grant(reader: &Reader<'_>) -> Option<Grant> {
    let role = reader.get(&schema::ROLE, |text| match text {
        "view" => Ok(Role::View),
        "push" => Ok(Role::Push),
        "admin" => Ok(Role::Admin),
        _ => Err(Wrong::want_not("must be view, push or admin", text)),
    });
    let reach = reach(reader, &schema::GRANTED);
    Some(Grant { role: role?, reach: reach? })
}

/// `all`, `none`, or names of streams. They may be added later, while framecast runs.
pub(super) fn reach(reader: &Reader<'_>, key: &schema::Key) -> Option<Reach> {
    let parse = |text: &str| match text {
        "all" | "none" => Ok(text.parse::<StreamName>().map_err(|error| Wrong::want(error.to_string()))?),
        name => name.parse().map_err(|_| Wrong::want_not("must be all, none, or names of streams", name)),
    };
    let given = reader.own(key).is_some();
    let names: Vec<StreamName> = reader.list(key, parse).into_iter().map(|(name, _)| name).collect();
    match names.as_slice() {
        [] if given => None,
        [] => Some(Reach::nothing()),
        names if names.iter().any(|name| name.as_str() == "all") => Some(Reach::All),
        [none] if none.as_str() == "none" => Some(Reach::nothing()),
        names => Some(Reach::Only(names.iter().cloned().collect())),
    }
}

fn token_hash(text: &str) -> Result<TokenHash, Wrong> {
    let want = "must be the hash that `framecast token` prints: sha256: and 64 hexadecimal digits";
    TokenHash::parse(text).ok_or_else(|| Wrong::want(want))
}

fn password_hash(text: &str) -> Result<Secret, Wrong> {
    let want = || Wrong::want("must be the hash that `framecast passwd` prints: $argon2id$…");
    let hash = PasswordHash::new(text).map_err(|_| want())?;
    let params = argon2::Params::try_from(&hash).map_err(|_| want())?;
    if !hash.algorithm.as_str().starts_with("argon2") || hash.hash.is_none() || hash.salt.is_none() {
        return Err(want());
    }
    if params.m_cost() > MAX_HASH_KIB || params.t_cost() > MAX_HASH_ROUNDS || params.p_cost() > 16 {
        let want = format!(
            "asks too much of each login: at most {} MiB (m), {MAX_HASH_ROUNDS} rounds (t) and p=16",
            MAX_HASH_KIB / 1024
        );
        return Err(Wrong::want(want));
    }
    Ok(Secret::new(text))
}

fn link_key(text: &str) -> Result<Option<Secret>, Wrong> {
    match text {
        "none" => Ok(None),
        key if key.len() >= MIN_LINK_KEY => Ok(Some(Secret::new(key))),
        _ => Err(Wrong::want(format!("must be none, or a secret of {MIN_LINK_KEY} letters and more"))),
    }
}
