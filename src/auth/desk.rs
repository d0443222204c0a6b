//! Where credentials are looked at, and where guessing is slowed.
//!
//! Tokens of the configuration are too long to be guessed, and are always looked at, so that nobody can lock their holders
//! out. Passwords, streams' own tokens and the token of the start may be short: an address or a name that got too many
//! of them wrong waits.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Caller, Identity,
    brake::Brake,
    lease::{Changes, Lease},
    link::Signed,
    passwords::{Busy, Passwords},
    policy::Rules,
    sessions::Sessions,
    token,
};
use crate::{
    config::{AuthConfig, Role, Secret},
    frame::StreamName,
};
use subtle::ConstantTimeEq;

/// So many wrong credentials may come from one address at once: somebody who mistypes, and a page full of pictures with an
/// old token.
const WRONG_BURST: u32 = 20;

/// And one more each so long: 28,800 guesses a day, where a password of four words needs 10¹⁵.
const WRONG_EVERY: Duration = Duration::from_secs(3);

/// Longest name that gets a bucket of its own, in bytes. No name of the configuration is longer.
const MAX_NAME: usize = 64;

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

/// Who or what got credentials wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Guesser {
    Address(Option<IpAddr>),
    Name(String),
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
    wrong: Brake<Guesser>,
}

impl Auth {
    /// As the configuration says.
    pub fn new(config: &AuthConfig) -> Self {
        Self {
            rules: Rules::new(config),
            passwords: Passwords::new(),
            sessions: Sessions::default(),
            changes: Changes::new(),
            wrong: Brake::new(WRONG_BURST, WRONG_EVERY),
        }
    }

    /// Follows a new configuration from the next request on. The token of the start stays; sessions end whose credentials
    /// are gone, and so does what is held open with a [`Lease`] that nothing else allows.
    pub fn replace(&self, config: &AuthConfig) {
        self.changes.after(|| {
            self.rules.replace(config);
            true
        });
    }

    /// What `caller` may do now: by what everybody may, and by those of the credentials that are still good.
    pub fn renewed(&self, caller: &Caller) -> Caller {
        let again = |identity: &_| self.rules.again(identity);
        caller.renewed(self.anybody(), Instant::now(), again, |session| self.sessions.has(session))
    }

    /// For what stays open: it is over when `caller` may do that no longer.
    pub fn lease(self: &Arc<Self>, caller: &Caller, role: Role, stream: Option<&StreamName>) -> Lease {
        Lease::new(self.clone(), &self.changes, caller.clone(), role, stream.cloned())
    }

    /// Nobody in particular.
    pub fn anybody(&self) -> Caller {
        self.rules.anybody()
    }

    /// Whether there are passwords to log in with.
    pub fn has_users(&self) -> bool {
        !self.rules.now().users.is_empty()
    }

    /// Adds to `caller` what is shown. `own` is the token of the stream that is to be pushed to.
    ///
    /// # Errors
    /// [`NotNow`] when what is shown must not be looked at now, and nothing else was found that is good.
    pub async fn identify(
        &self,
        caller: &mut Caller,
        shown: &Shown,
        from: Option<IpAddr>,
        own: Option<(&StreamName, &Secret)>,
    ) -> Result<(), NotNow> {
        self.of_what_cannot_be_guessed(caller, shown);
        if caller.is_known() || (shown.tokens.is_empty() && shown.login.is_none()) {
            return Ok(());
        }
        let from = Guesser::Address(subscriber(from));
        self.wrong.look(&from, Instant::now()).map_err(NotNow::Guessing)?;
        self.of_short_tokens(caller, shown, own);
        if !caller.is_known()
            && let Some((name, password)) = &shown.login
            && self.has_users()
            && let Some(identity) = self.of_password(name, password, &from).await?
        {
            caller.is(identity);
            return Ok(());
        }
        if !caller.is_known() {
            // A try that there is no room for was looked at before.
            let _ = self.wrong.take(&from, Instant::now());
        }
        Ok(())
    }

    fn of_what_cannot_be_guessed(&self, caller: &mut Caller, shown: &Shown) {
        let rules = self.rules.now();
        for token in tokens(shown) {
            if let Some(identity) = rules.of_token(&token::hash(token)) {
                caller.is(identity);
            }
        }
        if let Some((stream, signed)) = &shown.link
            && let Some((identity, lasts)) = rules.of_link(stream, signed)
        {
            match Instant::now().checked_add(lasts) {
                Some(end) => caller.is_until(identity, end),
                None => caller.is(identity),
            }
        }
        if let Some(cookie) = &shown.cookie
            && let Some((identity, session)) = self.sessions.of(cookie)
            && self.rules.still_know(&identity)
        {
            caller.is_in_session(identity, session);
        }
        if let Some((name, password)) = &shown.login
            && let Some(user) = rules.user(name)
            && self.passwords.is_known(&user.hash, password)
        {
            caller.is(user.identity.clone());
        }
    }

    fn of_short_tokens(&self, caller: &mut Caller, shown: &Shown, own: Option<(&StreamName, &Secret)>) {
        for token in tokens(shown) {
            if let Some(identity) = self.rules.of_start_token(&token::hash(token)) {
                caller.is(identity);
            }
            if let Some((stream, own)) = own
                && bool::from(token.as_bytes().ct_eq(own.reveal().as_bytes()))
            {
                caller.publishes(stream.clone());
            }
        }
    }

    /// Whose password this is. The name's try is taken before, so that many at once do not get more.
    async fn of_password(
        &self,
        name: &str,
        password: &str,
        from: &Guesser,
    ) -> Result<Option<Arc<Identity>>, NotNow> {
        let guesser = Guesser::Name(name.chars().take(MAX_NAME).collect());
        let now = Instant::now();
        self.wrong.take(&guesser, now).map_err(NotNow::Guessing)?;
        self.wrong.take(from, now).map_err(NotNow::Guessing)?;
        let rules = self.rules.now();
        let user = rules.user(name);
        let checked = self.passwords.check(user.map(|user| user.hash.as_str()), password).await;
        let now = Instant::now();
        if checked != Ok(false) {
            self.wrong.give_back(&guesser, now);
        }
        // The caller counts a wrong one for the address.
        self.wrong.give_back(from, now);
        Ok(checked?.then(|| user.map(|user| user.identity.clone())).flatten())
    }

    /// Begins a session for whoever was identified; answers its cookie's value and how long it lasts. None if there is
    /// nobody, or no random number.
    pub fn begin_session(&self, caller: &Caller, link: Option<u64>) -> Option<(String, Duration)> {
        let identity = caller.identity()?.clone();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?;
        let link_lasts = link.map(|expires| Duration::from_secs(expires).saturating_sub(now));
        let lasts = self.rules.now().session.min(link_lasts.unwrap_or(Duration::MAX));
        Some((self.sessions.begin(identity, lasts)?, lasts))
    }

    /// Ends a session, and what is held open by it alone.
    pub fn end_session(&self, cookie: &str) {
        // Whoever shows a cookie that is none wakes nobody.
        self.changes.after(|| self.sessions.end(cookie));
    }
}

fn tokens(shown: &Shown) -> impl Iterator<Item = &str> {
    let password = shown.login.as_ref().map(|(_, password)| password);
    shown.tokens.iter().chain(password).map(String::as_str)
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
    use crate::config::{Grant, Reach, TokenConfig};

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
        auth.identify(&mut caller, shown, Some([192, 0, 2, 1].into()), None).await?;
        Ok(caller.highest())
    }

    #[tokio::test]
    async fn a_reload_keeps_the_token_of_the_start_and_ends_sessions_whose_credential_is_gone() {
        let auth = Auth::new(&config());
        assert_eq!(role(&auth, &showing("first")).await, Ok(Some(Role::Admin)));
        let mut caller = auth.anybody();
        auth.identify(&mut caller, &showing("viewer"), None, None).await.unwrap();
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
        for _ in 0..WRONG_BURST {
            assert_eq!(role(&auth, &showing("guess")).await, Ok(None));
        }
        assert!(matches!(role(&auth, &showing("guess")).await, Err(NotNow::Guessing(_))));
        assert!(matches!(role(&auth, &showing("first")).await, Err(NotNow::Guessing(_))), "not looked at");
        assert_eq!(role(&auth, &showing("pusher")).await, Ok(Some(Role::Push)));
        let mut caller = auth.anybody();
        let elsewhere = Some([192, 0, 2, 2].into());
        assert_eq!(auth.identify(&mut caller, &showing("first"), elsewhere, None).await, Ok(()));
        assert!(caller.is_known(), "from another address");
    }

    #[test]
    fn an_ipv6_subscriber_is_one_address() {
        let of = |text: &str| subscriber(Some(text.parse().unwrap())).unwrap().to_string();
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(of("192.0.2.1"), "192.0.2.1");
    }
}
