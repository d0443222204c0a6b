//! Where credentials are looked at, and where guessing is slowed.
//!
//! Tokens of the configuration are too long to be guessed, and are always looked at, so that nobody can lock their holders
//! out. Passwords, streams' own tokens and the token of the start may be short: [`Guesses`] limits them.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Caller, Identity,
    clock::Clock,
    guesses::{Guesses, Network},
    lease::{Changes, Lease},
    link::Signed,
    passwords::{Busy, Passwords},
    policy::Rules,
    sessions::{InSession, Sessions},
    token,
};
use crate::{
    config::{AuthConfig, Role, Secret},
    frame::StreamName,
};
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;

/// Passwords from networks that are not known for their name, that are checked or wait for it at a time. The rest of what
/// [`Passwords`] lets wait is for known ones, so that a flood of wrong passwords does not keep them out.
const MAX_UNKNOWN_CHECKS: usize = 12;

/// Why shown credentials were not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotNow {
    /// Too many were wrong.
    #[error("too many wrong credentials; try again in {} s", .0.as_secs() + 1)]
    Guessing(Duration),
    /// Too many are being checked.
    #[error(transparent)]
    Busy(#[from] Busy),
}

/// How the session of a request's cookie stands to the credential that the request shows beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Running {
    /// There is none.
    None,
    /// It came from the same credential.
    Same,
    /// It came from another, which is good for all that this one is.
    Covers,
    /// It came from another, which is not; the name is that of its owner.
    Other(String),
}

/// What somebody shows.
#[derive(Default)]
pub struct Shown {
    /// What may be tokens.
    pub tokens: Vec<String>,
    /// Name and password; in its place may stand a token.
    pub login: Option<(String, String)>,
    /// A link, for the stream that is asked for.
    pub link: Option<(StreamName, Signed)>,
    /// A session's cookie.
    pub cookie: Option<String>,
}

impl Shown {
    /// Whether there is anything.
    pub fn is_nothing(&self) -> bool {
        self.tokens.is_empty() && self.login.is_none() && self.link.is_none() && self.cookie.is_none()
    }
}

/// Who may do what.
#[derive(Debug)]
pub struct Auth {
    rules: Rules,
    passwords: Passwords,
    sessions: Sessions,
    /// What leases may end by.
    changes: Changes,
    guesses: Guesses,
    unknown_checks: Semaphore,
    pub(super) clock: Clock,
}

impl Auth {
    /// As the configuration says.
    pub fn new(config: &AuthConfig) -> Self {
        Self {
            rules: Rules::new(config),
            passwords: Passwords::new(),
            sessions: Sessions::default(),
            changes: Changes::new(),
            guesses: Guesses::new(),
            unknown_checks: Semaphore::new(MAX_UNKNOWN_CHECKS),
            clock: Clock::default(),
        }
    }

    /// Follows a new configuration from the next request on. The token of the start stays; sessions end whose credentials
    /// are gone, and so does what is held open with a [`Lease`] that nothing else allows.
    pub fn replace(&self, config: &AuthConfig) {
        self.changes.after(|| {
            self.rules.replace(config);
            // Not only not honoured: a credential that comes back later brings none of them back.
            self.sessions.retain(|identity| self.rules.again(identity).is_some());
        });
    }

    /// What `caller` may do now: by what everybody may, and by those of the credentials that are still good.
    pub fn renewed(&self, caller: &Caller) -> Caller {
        let now = self.clock.now();
        let again = |identity: &_| self.rules.again(identity).filter(|identity| !identity.is_expired(now));
        caller.renewed(self.anybody(), now.instant, again)
    }

    /// For what stays open: it is over when `caller` may do that no longer.
    pub fn lease(self: &Arc<Self>, caller: &Caller, role: Role, stream: Option<&StreamName>) -> Lease {
        Lease::new(self.clone(), &self.changes, caller.clone(), role, stream.cloned())
    }

    /// Nobody in particular.
    pub fn anybody(&self) -> Caller {
        self.rules.anybody()
    }

    /// Returns whether this is a token of the configuration or that of the start, or the password of a user
    /// who has logged in a short while ago. Not to answer requests with: guessing is not slowed here.
    pub fn is_secret(&self, text: &str) -> bool {
        let (rules, hash) = (self.rules.now(), token::hash(text));
        rules.of_token(&hash).is_some()
            || self.rules.of_start_token(&hash).is_some()
            || rules.users.iter().any(|user| self.passwords.is_known(&user.hash, text))
    }

    /// Whether there are passwords to log in with.
    pub fn has_users(&self) -> bool {
        !self.rules.now().users.is_empty()
    }

    /// Adds to `caller` what is shown, until `is_enough`. `own` is the token of the stream that is to be pushed to.
    ///
    /// A good credential takes nothing from another beside it: what can be guessed is looked at whether or not a session,
    /// a link or a token is good already, unless that is enough. And whoever has one good credential guesses others no
    /// faster: what is wrong beside it is counted.
    ///
    /// # Errors
    /// [`NotNow`] when something that is shown must not be looked at now. What else is good was added all the same.
    pub async fn identify(
        &self,
        caller: &mut Caller,
        shown: &Shown,
        from: Option<IpAddr>,
        own: Option<(&StreamName, &Secret)>,
        is_enough: impl Fn(&Caller) -> bool,
    ) -> Result<(), NotNow> {
        let mut rest = Guessable::of(shown);
        rest.retain(|token| !self.is_long_token(caller, token));
        self.of_links_and_sessions(caller, shown);
        let is_enough = |caller: &Caller| caller.is_known() && is_enough(caller);
        if rest.is_empty() || is_enough(caller) {
            return Ok(());
        }
        let network = subscriber(from);
        let may_guess = self.guesses.look(network, self.now()).map_err(NotNow::Guessing);
        if may_guess.is_ok() {
            rest.retain(|token| !self.is_short_token(caller, token, own));
            if !rest.tokens.is_empty() {
                self.guesses.count_wrong(network, self.now());
            }
        }
        let Some((name, password)) = rest.login.filter(|_| !is_enough(caller)) else {
            return if rest.is_empty() || is_enough(caller) { Ok(()) } else { may_guess };
        };
        // Where the name logged in well, what others in its network guess does not count.
        let may_try = || may_guess.is_ok() || self.guesses.is_good(name, network, self.now());
        if self.has_users() && may_try() {
            // It counts by itself what is wrong.
            match self.of_password(name, password, network).await {
                Ok(Some(identity)) => caller.is(identity),
                // As for a name that did not log in here: the answer must not tell which is which.
                Ok(None) | Err(_) if may_guess.is_err() => return may_guess,
                Ok(None) => {}
                Err(not_now) => return Err(not_now),
            }
            return Ok(());
        }
        may_guess?;
        if rest.tokens.is_empty() {
            self.guesses.count_wrong(network, self.now());
        }
        Ok(())
    }

    fn now(&self) -> Instant {
        self.clock.now().instant
    }

    /// Adds whose token of the configuration this is. Returns whether it is one.
    fn is_long_token(&self, caller: &mut Caller, token: &str) -> bool {
        let identity = self.rules.now().of_token(&token::hash(token));
        let is_one = identity.is_some();
        identity.into_iter().for_each(|identity| caller.is(identity));
        is_one
    }

    fn of_links_and_sessions(&self, caller: &mut Caller, shown: &Shown) {
        let (rules, now) = (self.rules.now(), self.clock.now());
        if let Some((stream, signed)) = &shown.link
            && let Some((identity, lasts)) = rules.of_link(stream, signed, now)
        {
            match now.instant.checked_add(lasts) {
                Some(end) => caller.is_until(identity, end),
                None => caller.is(identity),
            }
        }
        if let Some(cookie) = &shown.cookie
            && let Some((identity, session)) = self.session(cookie)
        {
            caller.is_in_session(identity, session);
        }
    }

    /// Whose session this is, with what its credential is good for now, and which.
    fn session(&self, cookie: &str) -> Option<(Arc<Identity>, InSession)> {
        let (identity, session) = self.sessions.of(cookie, self.clock.now())?;
        Some((self.rules.again(&identity)?, session))
    }

    /// Adds what the token of the start, or the stream's own, is good for. Returns whether it is one of them.
    fn is_short_token(&self, caller: &mut Caller, token: &str, own: Option<(&StreamName, &Secret)>) -> bool {
        let identity = self.rules.of_start_token(&token::hash(token));
        let own = own.filter(|(_, own)| bool::from(token.as_bytes().ct_eq(own.reveal().as_bytes())));
        let is_one = identity.is_some() || own.is_some();
        identity.into_iter().for_each(|identity| caller.is(identity));
        own.into_iter().for_each(|(stream, _)| caller.publishes(stream.clone()));
        is_one
    }

    /// Whose password this is. One that is known again is subject to the same limits: whoever guesses must not learn at speed
    /// which one that is.
    async fn of_password(
        &self,
        name: &str,
        password: &str,
        network: Network,
    ) -> Result<Option<Arc<Identity>>, NotNow> {
        let attempt = self.guesses.attempt(name, network, self.now()).map_err(NotNow::Guessing)?;
        let rules = self.rules.now();
        let user = rules.user(name);
        let checked = match user {
            Some(user) if self.passwords.is_known(&user.hash, password) => Ok(true),
            _ => self.check(user.map(|user| user.hash.as_str()), password, attempt.is_good).await,
        };
        match checked {
            Ok(true) => self.guesses.succeeded(&attempt, self.now()),
            Ok(false) => {
                self.guesses.failed(&attempt, self.now());
                return Ok(None);
            }
            Err(busy) => {
                self.guesses.refund(&attempt, self.now());
                return Err(busy.into());
            }
        }
        // The configuration may have changed meanwhile.
        Ok(user.and_then(|user| self.rules.again(&user.identity)))
    }

    async fn check(&self, hash: Option<&str>, password: &str, is_good: bool) -> Result<bool, Busy> {
        let _permit = match is_good {
            true => None,
            false => Some(self.unknown_checks.try_acquire().map_err(|_| Busy)?),
        };
        self.passwords.check(hash, password).await
    }

    /// Begins a session from the first credential that the request itself showed, in the place of that of the cookie
    /// `replaced`; answers its cookie's value and how long it lasts: no longer than what it came from. None if there is no
    /// such credential, or no random number.
    pub fn begin_session(&self, caller: &Caller, replaced: Option<&str>) -> Option<(String, Duration)> {
        let (identity, until) = caller.shown()?;
        let now = self.now();
        let usual = now + self.rules.now().session;
        let ends = until.map_or(usual, |until| until.min(usual));
        if ends <= now {
            return None;
        }
        let cookie = self.sessions.begin(identity.clone(), ends, replaced, now)?;
        // A reload that did not see it yet may have taken the credential back.
        if self.rules.again(identity).is_none() {
            self.sessions.end(&cookie);
            return None;
        }
        Some((cookie, ends - now))
    }

    /// Whether this is the cookie of a session that has not ended.
    pub fn is_running(&self, cookie: Option<&str>) -> bool {
        cookie.is_some_and(|cookie| self.session(cookie).is_some())
    }

    /// How the session of `cookie` stands to the credential that [`Auth::begin_session`] would begin another from. A cookie
    /// stands for its session whoever sent the browser here, so it need not be among what `caller` shows.
    pub fn running(&self, cookie: Option<&str>, caller: &Caller) -> Running {
        let (session, shown) = (cookie.and_then(|cookie| self.session(cookie)), caller.shown());
        match (session, shown) {
            (None, _) => Running::None,
            (Some((owner, _)), Some((shown, _))) if owner.fingerprint == shown.fingerprint => Running::Same,
            (Some((owner, _)), Some((shown, _))) if !owner.grant.covers(&shown.grant) => {
                Running::Other(owner.name.clone())
            }
            (Some(_), _) => Running::Covers,
        }
    }

    /// Ends a session, and what is held open by it alone.
    pub fn end_session(&self, cookie: &str) {
        self.sessions.end(cookie);
    }
}

/// What is shown and was not recognized yet.
struct Guessable<'a> {
    tokens: Vec<&'a str>,
    /// Name and password.
    login: Option<(&'a str, &'a str)>,
}

impl<'a> Guessable<'a> {
    fn of(shown: &'a Shown) -> Self {
        let login = shown.login.as_ref().map(|(name, password)| (name.as_str(), password.as_str()));
        Self { tokens: shown.tokens.iter().map(String::as_str).collect(), login }
    }

    fn is_empty(&self) -> bool {
        self.tokens.is_empty() && self.login.is_none()
    }

    /// Drops the tokens that are recognized, and the login that has one in the password's place.
    fn retain(&mut self, mut is_unknown: impl FnMut(&str) -> bool) {
        self.tokens.retain(|token| is_unknown(token));
        self.login = self.login.filter(|(_, password)| is_unknown(password));
    }
}

/// What is counted as one: a subscriber of IPv6 has at least a /64.
pub fn subscriber(address: Option<IpAddr>) -> Option<IpAddr> {
    address.map(|address| match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
        address => address,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        auth::guesses::NETWORK_BURST,
        config::{Grant, Reach, TokenConfig, UserConfig},
    };

    fn config() -> AuthConfig {
        let token = |name: &str, role| TokenConfig {
            name: name.to_owned(),
            hash: token::hash(name),
            grant: Grant::for_all(role),
        };
        AuthConfig {
            anonymous: Reach::nothing(),
            tokens: vec![token("viewer", Role::View), token("pusher", Role::Push)],
            link_key: Some(Secret::new("k".repeat(32))),
            start_token: Some(Secret::new("first")),
            ..AuthConfig::default()
        }
    }

    fn showing(token: &str) -> Shown {
        Shown { tokens: vec![token.to_owned()], ..Shown::default() }
    }

    async fn role(auth: &Auth, shown: &Shown) -> Result<Option<Role>, NotNow> {
        let mut caller = auth.anybody();
        auth.identify(&mut caller, shown, Some([192, 0, 2, 1].into()), None, |_| true).await?;
        Ok(caller.highest())
    }

    #[tokio::test]
    async fn a_reload_keeps_the_token_of_the_start_and_ends_sessions_whose_credential_is_gone() {
        let auth = Auth::new(&config());
        assert_eq!(role(&auth, &showing("first")).await, Ok(Some(Role::Admin)));
        let mut caller = auth.anybody();
        auth.identify(&mut caller, &showing("viewer"), None, None, |_| true).await.unwrap();
        let (cookie, _) = auth.begin_session(&caller, None).unwrap();
        let session = Shown { cookie: Some(cookie), ..Shown::default() };
        assert_eq!(role(&auth, &session).await, Ok(Some(Role::View)));
        auth.replace(&config());
        assert_eq!(role(&auth, &session).await, Ok(Some(Role::View)));
        let mut changed = config();
        changed.tokens.remove(0);
        auth.replace(&changed);
        assert_eq!(role(&auth, &session).await, Ok(None));
        assert_eq!(role(&auth, &showing("viewer")).await, Ok(None));
        assert_eq!(role(&auth, &showing("first")).await, Ok(Some(Role::Admin)));
    }

    #[tokio::test]
    async fn guessing_is_slowed_and_locks_nobody_out_who_has_a_long_token() {
        let auth = Auth::new(&config());
        for _ in 0..NETWORK_BURST {
            assert_eq!(role(&auth, &showing("guess")).await, Ok(None));
        }
        assert!(matches!(role(&auth, &showing("guess")).await, Err(NotNow::Guessing(_))));
        assert!(matches!(role(&auth, &showing("first")).await, Err(NotNow::Guessing(_))), "not looked at");
        assert_eq!(role(&auth, &showing("pusher")).await, Ok(Some(Role::Push)));
        let mut caller = auth.anybody();
        let elsewhere = Some([192, 0, 2, 2].into());
        assert_eq!(auth.identify(&mut caller, &showing("first"), elsewhere, None, |_| true).await, Ok(()));
        assert!(caller.is_known(), "from another address");
    }

    /// With a user whose password costs nothing to check.
    fn with_password(password: &str) -> AuthConfig {
        use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
        let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 1, 1, None).unwrap());
        let hash = cheap.hash_password(password.as_bytes(), &salt).unwrap().to_string();
        let grant = Grant::for_all(Role::Push);
        let alice = UserConfig { name: "alice".to_owned(), hash: Secret::new(hash), grant };
        AuthConfig { users: vec![alice], ..config() }
    }

    fn alice(password: &str) -> Shown {
        somebody("alice", password)
    }

    fn somebody(name: &str, password: &str) -> Shown {
        Shown { login: Some((name.to_owned(), password.to_owned())), ..Shown::default() }
    }

    async fn role_from(auth: &Auth, shown: &Shown, from: [u8; 4]) -> Result<Option<Role>, NotNow> {
        let mut caller = auth.anybody();
        auth.identify(&mut caller, shown, Some(from.into()), None, |_| true).await?;
        Ok(caller.highest())
    }

    const HOME: [u8; 4] = [192, 0, 2, 10];
    const ELSEWHERE: [u8; 4] = [192, 0, 2, 11];

    #[tokio::test]
    async fn wrong_credentials_of_others_do_not_count_where_a_name_logged_in() {
        let auth = Auth::new(&with_password("right"));
        assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
        while role_from(&auth, &showing("guess"), HOME).await.is_ok() {}
        assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
        // A password that was right a moment ago is no more than any other to whoever guesses.
        while role_from(&auth, &alice("wrong"), ELSEWHERE).await.is_ok() {}
        let refused = role_from(&auth, &alice("right"), ELSEWHERE).await;
        assert!(matches!(refused, Err(NotNow::Guessing(_))), "{refused:?}");
        let not_now = role_from(&auth, &somebody("nobody", "wrong"), HOME).await;
        assert!(matches!(not_now, Err(NotNow::Guessing(_))), "{not_now:?}");
        for _ in 0..NETWORK_BURST {
            let wrong = role_from(&auth, &alice("wrong"), HOME).await;
            let is_same = matches!(wrong, Err(NotNow::Guessing(_)));
            assert!(is_same, "the answer does not tell who logged in here: {wrong:?}");
        }
        assert!(role_from(&auth, &alice("right"), HOME).await.is_err(), "its own count");
        auth.clock.advance(Duration::from_secs(3));
        assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    }

    #[tokio::test]
    async fn a_right_password_beside_wrong_tokens_lets_nobody_guess_them() {
        let auth = Auth::new(&with_password("right"));
        let both =
            |token: &str| Shown { login: Some(("alice".to_owned(), "right".to_owned())), ..showing(token) };
        for _ in 0..NETWORK_BURST {
            assert_eq!(role(&auth, &both("guess")).await, Ok(Some(Role::Push)));
        }
        assert_eq!(role(&auth, &both("first")).await, Ok(Some(Role::Push)), "the token is not looked at");
        assert!(matches!(role(&auth, &showing("first")).await, Err(NotNow::Guessing(_))));
        assert_eq!(role(&auth, &alice("right")).await, Ok(Some(Role::Push)), "its own tries are others");
    }

    #[tokio::test]
    async fn a_good_credential_takes_nothing_from_another_beside_it() {
        let auth = Auth::new(&with_password("right"));
        let (door, token): (StreamName, _) = ("door".parse().unwrap(), Secret::new("1234"));
        let mut caller = auth.anybody();
        auth.identify(&mut caller, &showing("viewer"), None, None, |_| true).await.unwrap();
        let (cookie, _) = auth.begin_session(&caller, None).unwrap();
        let ask = async |shown: &Shown, role: Role| {
            let mut caller = auth.anybody();
            let is_enough = |caller: &Caller| caller.may(role, Some(&door));
            let (from, own) = (Some(HOME.into()), Some((&door, &token)));
            let looked_at = auth.identify(&mut caller, shown, from, own, is_enough).await;
            (looked_at, caller.may(role, Some(&door)))
        };
        let beside = |shown: Shown| Shown { cookie: Some(cookie.clone()), ..shown };
        let two = |first: &str, second: &str| Shown {
            tokens: vec![first.to_owned(), second.to_owned()],
            ..Shown::default()
        };
        for (shown, role) in [
            (beside(showing("1234")), Role::Push),
            (two("viewer", "1234"), Role::Push),
            (beside(alice("1234")), Role::Push),
            (beside(alice("right")), Role::Push),
            (Shown { tokens: vec!["viewer".to_owned()], ..alice("right") }, Role::Push),
            (beside(showing("first")), Role::Admin),
            (beside(showing("guess")), Role::View),
        ] {
            assert_eq!(ask(&shown, role).await, (Ok(()), true), "{:?} {role:?}", shown.tokens);
        }
        for _ in 0..NETWORK_BURST {
            assert_eq!(ask(&beside(showing("guess")), Role::Push).await, (Ok(()), false));
        }
        let refused = ask(&beside(showing("1234")), Role::Push).await;
        assert!(
            matches!(refused, (Err(NotNow::Guessing(_)), false)),
            "a session guesses no faster: {refused:?}"
        );
        assert_eq!(ask(&beside(showing("guess")), Role::View).await, (Ok(()), true), "and keeps its rights");
    }

    #[tokio::test]
    async fn a_token_may_stand_in_a_passwords_place_also_where_its_name_logged_in() {
        let auth = Auth::new(&with_password("right"));
        assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
        for _ in 0..3 * NETWORK_BURST {
            assert_eq!(role_from(&auth, &alice("first"), HOME).await, Ok(Some(Role::Admin)));
        }
    }

    #[tokio::test]
    async fn a_flood_of_checks_from_unknown_networks_leaves_room_for_known_ones() {
        let auth = Auth::new(&with_password("right"));
        assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
        let flood = auth.unknown_checks.try_acquire_many(u32::try_from(MAX_UNKNOWN_CHECKS).unwrap()).unwrap();
        for _ in 0..3 * NETWORK_BURST {
            let busy = role_from(&auth, &alice("wrong"), ELSEWHERE).await;
            assert_eq!(busy, Err(NotNow::Busy(Busy)), "it was not looked at, and is no guess");
        }
        assert_eq!(role_from(&auth, &alice("wrong"), HOME).await, Ok(None), "checked");
        drop(flood);
        assert_eq!(role_from(&auth, &alice("right"), ELSEWHERE).await, Ok(Some(Role::Push)));
    }

    #[tokio::test]
    async fn a_credential_that_is_taken_back_while_it_is_looked_at_is_good_for_nothing() {
        let auth = Auth::new(&with_password("right"));
        let shown = alice("right");
        let mut checking = Box::pin(role_from(&auth, &shown, HOME));
        assert!(futures_util::poll!(checking.as_mut()).is_pending(), "another thread checks it");
        auth.replace(&with_password("another"));
        assert_eq!(checking.await, Ok(None));

        let mut caller = auth.anybody();
        auth.identify(&mut caller, &showing("viewer"), None, None, |_| true).await.unwrap();
        auth.replace(&AuthConfig { tokens: Vec::new(), ..config() });
        assert_eq!(auth.begin_session(&caller, None), None);
    }

    #[tokio::test]
    async fn a_session_stands_to_a_credential_as_what_it_came_from_does() {
        let auth = Auth::new(&with_password("right"));
        let known = async |shown: &Shown| {
            let mut caller = auth.anybody();
            auth.identify(&mut caller, shown, Some(HOME.into()), None, |_| true).await.unwrap();
            caller
        };
        let (viewer, pusher) = (known(&showing("viewer")).await, known(&showing("pusher")).await);
        let (cookie, _) = auth.begin_session(&pusher, None).unwrap();
        let running = |caller: &Caller| auth.running(Some(&cookie), caller);
        assert_eq!(running(&pusher), Running::Same);
        assert_eq!(running(&viewer), Running::Covers);
        assert_eq!(running(&known(&alice("right")).await), Running::Covers, "as much");
        let other = Running::Other("pusher".to_owned());
        assert_eq!(running(&known(&showing("first")).await), other);
        for none in [None, Some(""), Some("x")] {
            assert_eq!(auth.running(none, &viewer), Running::None);
        }
        auth.end_session(&cookie);
        assert_eq!(running(&viewer), Running::None);
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let of = |text: &str| subscriber(Some(text.parse().unwrap())).unwrap().to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
