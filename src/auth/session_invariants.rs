//! Invariants of sessions, checked against random sequences of logins, links, logouts, copied cookies, waits
//! and reloads.
//!
//! A small model computes the rights of each cookie that was ever issued. No cookie may grant more than a
//! live credential does, and none may lose a right that its credential still grants.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use proptest::prelude::*;

use super::{
    authenticator::{Authenticator, Credentials},
    grant::ActiveGrant,
    principal::Principal,
    signed_link, token,
};
use crate::{
    config::{AuthConfig, Grant, Role, Secret, StreamScope, TokenConfig, UserConfig},
    media::stream_name::StreamName,
};

const TOKENS: usize = 2;
const USERS: usize = 2;
const VERSIONS: usize = 2;
const BROWSERS: usize = 3;

/// One secret is both a token and a key of links: revoking one of the two must not leave the other in its
/// place.
const SECRETS: [&str; TOKENS] = ["a secret that somebody used twice", "the token of a wall"];
const KEYS: [&str; VERSIONS] = [SECRETS[0], "another key of links, which is a new one"];

/// Sessions last half a step longer than this number of steps, so that the time a test takes makes no
/// difference.
const STEP: Duration = Duration::from_secs(100);

/// Both users have the same hashes, as if one had been copied from the other.
static HASHES: LazyLock<[String; VERSIONS]> = LazyLock::new(|| {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 1, 1, None).unwrap());
    let hash = |version: usize| cheap.hash_password(format!("password{version}").as_bytes(), &salt);
    std::array::from_fn(|version| hash(version).unwrap().to_string())
});

fn stream(n: usize) -> StreamName {
    ["door", "porch"][n].parse().unwrap()
}

#[derive(Debug, Clone, PartialEq)]
struct Rules {
    tokens: [Option<Grant>; TOKENS],
    /// Index of each user's password, and the rights that it grants.
    users: [Option<(usize, Grant)>; USERS],
    key: Option<usize>,
    session_steps: u32,
}

impl Rules {
    fn config(&self) -> AuthConfig {
        let tokens = self.tokens.iter().enumerate().filter_map(|(n, grant)| {
            let Grant { role, reach: streams } = grant.clone()?;
            Some(TokenConfig { name: format!("token{n}"), hash: token::hash(SECRETS[n]), role, streams })
        });
        let users = self.users.iter().enumerate().filter_map(|(n, user)| {
            let (version, Grant { role, reach: streams }) = user.clone()?;
            let hash = Secret::new(HASHES[version].clone());
            Some(UserConfig { name: format!("user{n}"), hash, role, streams })
        });
        AuthConfig {
            anonymous: StreamScope::nothing(),
            tokens: tokens.collect(),
            users: users.collect(),
            link_key: self.key.map(|version| Secret::new(KEYS[version])),
            session: half_step_more(self.session_steps),
            start_token: None,
        }
    }

    /// Returns what a credential is good for, apart from its time.
    fn grant(&self, credential: &Credential) -> Option<Grant> {
        match *credential {
            Credential::Token(n) => self.tokens[n].clone(),
            Credential::User(n, version) => {
                self.users[n].clone().filter(|(now, _)| *now == version).map(|(_, grant)| grant)
            }
            Credential::Link { stream: n, version, .. } => (self.key == Some(version))
                .then(|| Grant { role: Role::View, reach: StreamScope::Only([stream(n)].into()) }),
        }
    }
}

fn half_step_more(steps: u32) -> Duration {
    STEP * steps + STEP / 2
}

#[derive(Debug, Clone, PartialEq)]
enum Credential {
    Token(usize),
    /// The user and the version of the password.
    User(usize, usize),
    Link {
        stream: usize,
        version: usize,
        steps: u32,
    },
}

#[derive(Debug, Clone)]
enum Event {
    /// A browser shows a credential and gets a cookie for it.
    LogsIn(usize, Credential),
    /// A browser shows its cookie where a credential is exchanged, alone or with a wrong token.
    Renews(usize, bool),
    /// Another browser copies the cookie.
    Copies {
        from: usize,
        to: usize,
    },
    LogsOut(usize),
    Passes(u32),
    WallClockSteps(u32),
    Reloads(Rules),
}

fn grants() -> impl Strategy<Value = Grant> {
    let reach = prop_oneof![
        Just(StreamScope::All),
        Just(StreamScope::Only([stream(0)].into())),
        Just(StreamScope::Only([stream(0), stream(1)].into())),
        Just(StreamScope::nothing()),
    ];
    (prop_oneof![Just(Role::View), Just(Role::Push), Just(Role::Admin)], reach)
        .prop_map(|(role, reach)| Grant { role, reach })
}

fn rules() -> impl Strategy<Value = Rules> {
    let tokens = prop::array::uniform2(prop::option::weighted(0.8, grants()));
    let users = prop::array::uniform2(prop::option::weighted(0.9, (0..VERSIONS, grants())));
    (tokens, users, prop::option::weighted(0.8, 0..VERSIONS), 1..40_u32)
        .prop_map(|(tokens, users, key, session_steps)| Rules { tokens, users, key, session_steps })
}

fn credentials() -> impl Strategy<Value = Credential> {
    prop_oneof![
        (0..TOKENS).prop_map(Credential::Token),
        (0..USERS, 0..VERSIONS).prop_map(|(n, version)| Credential::User(n, version)),
        (0..2_usize, 0..VERSIONS, 0..20_u32).prop_map(|(stream, version, steps)| Credential::Link {
            stream,
            version,
            steps
        }),
    ]
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        8 => (0..BROWSERS, credentials()).prop_map(|(browser, shown)| Event::LogsIn(browser, shown)),
        3 => (0..BROWSERS, any::<bool>()).prop_map(|(browser, wrong)| Event::Renews(browser, wrong)),
        2 => (0..BROWSERS, 0..BROWSERS).prop_map(|(from, to)| Event::Copies { from, to }),
        2 => (0..BROWSERS).prop_map(Event::LogsOut),
        3 => (1..15_u32).prop_map(Event::Passes),
        1 => (1..15_u32).prop_map(Event::WallClockSteps),
        3 => rules().prop_map(Event::Reloads),
    ];
    // Fewer than one credential may have: no session is evicted for another here.
    prop::collection::vec(event, 1..30)
}

/// A cookie that was issued, and its state in the model.
struct Given {
    cookie: String,
    credential: Credential,
    ends: Duration,
    /// Expiry on the wall clock, of links.
    expires: Option<Duration>,
    is_ended: bool,
    /// Grant of the stream that its browser watches.
    active_grant: ActiveGrant,
    watches: bool,
}

struct World {
    auth: Arc<Authenticator>,
    rules: Rules,
    /// Time since the beginning, on both clocks.
    now: Duration,
    wall: Duration,
    /// Start on the wall clock, in Unix seconds.
    began: u64,
    given: Vec<Given>,
    jars: [Option<usize>; BROWSERS],
    asked: u32,
}

impl World {
    fn new(rules: Rules) -> Self {
        let auth = Arc::new(Authenticator::new(&rules.config()));
        let began = auth.clock.now().unix.as_secs();
        let (now, wall) = (Duration::ZERO, Duration::ZERO);
        Self { auth, rules, now, wall, began, given: Vec::new(), jars: [None; BROWSERS], asked: 0 }
    }

    /// Each login is from another network, so that wrong passwords here do not count as guesses.
    async fn identify(&mut self, shown: &Credentials) -> Principal {
        self.asked += 1;
        let from = std::net::Ipv4Addr::from(0x0a00_0000 + self.asked).into();
        let mut principal = self.auth.anonymous();
        self.auth.identify(&mut principal, shown, Some(from), None, |_| true).await.unwrap();
        principal
    }

    fn shown(&self, credential: &Credential) -> Credentials {
        match *credential {
            Credential::Token(n) => {
                Credentials { tokens: vec![SECRETS[n].to_owned()], ..Credentials::default() }
            }
            Credential::User(n, version) => {
                let login = (format!("user{n}"), format!("password{version}"));
                Credentials { login: Some(login), ..Credentials::default() }
            }
            Credential::Link { stream: n, version, steps } => {
                let expires = self.began + half_step_more(steps).as_secs();
                let signed = signed_link::sign(&Secret::new(KEYS[version]), &stream(n), expires);
                Credentials { link: Some((stream(n), signed)), ..Credentials::default() }
            }
        }
    }

    async fn logs_in(&mut self, browser: usize, credential: Credential) {
        let principal = self.identify(&self.shown(&credential)).await;
        let expires = match credential {
            Credential::Link { steps, .. } => Some(half_step_more(steps)),
            _ => None,
        };
        let is_good = self.rules.grant(&credential).is_some() && expires.is_none_or(|at| at > self.wall);
        let jar = self.jars[browser];
        let replaced = jar.map(|n| self.given[n].cookie.clone());
        let begun = self.auth.begin_session(&principal, replaced.as_deref());
        assert_eq!(begun.is_some(), is_good, "{credential:?}");
        let Some((cookie, lasts)) = begun else { return };
        let usual = half_step_more(self.rules.session_steps);
        let left = expires.map_or(usual, |at| usual.min(at - self.wall));
        assert!(lasts <= left && lasts + STEP / 4 > left, "{credential:?}: {lasts:?} of {left:?}");
        if let Some(n) = jar {
            self.given[n].is_ended = true;
        }
        let principal =
            self.identify(&Credentials { cookie: Some(cookie.clone()), ..Credentials::default() }).await;
        let active_grant = ActiveGrant::new(&self.auth, &principal, Role::View, Some(&stream(0)));
        self.jars[browser] = Some(self.given.len());
        let ends = self.now + left;
        self.given.push(Given {
            cookie,
            credential,
            ends,
            expires,
            is_ended: false,
            active_grant,
            watches: true,
        });
    }

    async fn happens(&mut self, event: Event) {
        match event {
            Event::LogsIn(browser, credential) => self.logs_in(browser, credential).await,
            Event::Renews(browser, with_wrong_token) => {
                let cookie = self.jars[browser].map(|n| self.given[n].cookie.clone());
                let tokens = with_wrong_token.then(|| "wrong".to_owned()).into_iter().collect();
                let shown = Credentials { cookie: cookie.clone(), tokens, ..Credentials::default() };
                let principal = self.identify(&shown).await;
                assert!(
                    self.auth.begin_session(&principal, cookie.as_deref()).is_none(),
                    "by a cookie alone"
                );
            }
            Event::Copies { from, to } => self.jars[to] = self.jars[from],
            Event::LogsOut(browser) => {
                if let Some(n) = self.jars[browser] {
                    self.auth.end_session(&self.given[n].cookie);
                    self.given[n].is_ended = true;
                }
            }
            Event::Passes(steps) => {
                self.auth.clock.advance(STEP * steps);
                self.now += STEP * steps;
                self.wall += STEP * steps;
            }
            Event::WallClockSteps(steps) => {
                self.auth.clock.step_wall_clock(STEP * steps);
                self.wall += STEP * steps;
            }
            Event::Reloads(rules) => {
                self.auth.replace(&rules.config());
                for given in &mut self.given {
                    given.is_ended |= rules.grant(&given.credential).is_none();
                }
                self.rules = rules;
            }
        }
    }

    /// Each cookie is good for what its credential is good for now, while it lasts, and for nothing
    /// afterwards.
    async fn assert_laws(&mut self) {
        for n in 0..self.given.len() {
            let given = &self.given[n];
            let is_live =
                !given.is_ended && given.ends > self.now && given.expires.is_none_or(|at| at > self.wall);
            let grant = self.rules.grant(&given.credential).filter(|_| is_live);
            let shown = Credentials { cookie: Some(given.cookie.clone()), ..Credentials::default() };
            let what = format!("cookie {n} of {:?}", given.credential);
            let principal = self.identify(&shown).await;
            assert_eq!(principal.has_session(), grant.is_some(), "{what}");
            for role in [Role::View, Role::Push, Role::Admin] {
                let expected = |of: &dyn Fn(&Grant) -> bool| grant.as_ref().is_some_and(of);
                for stream in [stream(0), stream(1)] {
                    let may = principal.is_allowed(role, Some(&stream));
                    assert_eq!(may, expected(&|grant| grant.allows(role, Some(&stream))), "{what}");
                }
                assert_eq!(
                    principal.is_allowed_on_all(role),
                    expected(&|grant| grant.allows_all(role)),
                    "{what}"
                );
            }
            let given = &mut self.given[n];
            // A session that has ended does not begin again.
            if given.watches {
                given.watches = grant.is_some_and(|grant| grant.allows(Role::View, Some(&stream(0))));
                assert_eq!(given.active_grant.is_ended(), !given.watches, "{what}: what it watches");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn nobody_ever_holds_more_or_less_than_a_live_credential_gives(rules in rules(), events in events()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut world = World::new(rules);
            for event in events {
                world.happens(event).await;
                world.assert_laws().await;
            }
        });
    }
}
