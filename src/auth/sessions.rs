//! Sessions of browsers: a random cookie stands for a credential that was shown once.
//!
//! A session ends when its time is over, when the credential that it came from has expired or is no longer in
//! the configuration, when its owner logs out, when its browser begins another, when there are too many, and
//! when framecast ends. The cookie contains nothing of the session.

use std::{
    cmp::Reverse,
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;

use super::{
    clock::Now,
    identity::{Fingerprint, Identity},
    token,
};

/// Maximum number of sessions: more than people watch one relay.
const MAX_SESSIONS: usize = 1024;

/// Maximum number of sessions from one credential: more browsers than one person has, and few enough that
/// thirty-one stolen credentials leave space for the others.
const MAX_PER_CREDENTIAL: usize = 32;

/// A session of a browser.
#[derive(Debug)]
struct Session {
    identity: Arc<Identity>,
    ends: Instant,
    /// Dropped with the session, which notifies only the grants of this session: otherwise a loop of logins
    /// and logouts would make all grants check again.
    alive: watch::Sender<()>,
}

/// A caller's reference to its session.
#[derive(Debug, Clone)]
pub(super) struct SessionRef {
    /// Expiry of the session.
    pub(super) ends: Instant,
    alive: watch::Receiver<()>,
}

impl SessionRef {
    /// Returns whether the session was ended.
    pub(super) fn is_ended(&self) -> bool {
        self.alive.has_changed().is_err()
    }

    /// Waits until the session is ended.
    pub(super) async fn ended(&self) {
        // Nothing is ever sent.
        while self.alive.clone().changed().await.is_ok() {}
    }
}

impl PartialEq for SessionRef {
    fn eq(&self, other: &Self) -> bool {
        self.ends == other.ends && self.alive.same_channel(&other.alive)
    }
}

/// All sessions, by the hash of their cookie.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Fingerprint, Session>>);

impl Sessions {
    fn lock(&self) -> MutexGuard<'_, HashMap<Fingerprint, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a session, which replaces that of the cookie `replaced`. Returns `None` if the system has no
    /// random numbers.
    pub(super) fn begin(
        &self,
        identity: Arc<Identity>,
        ends: Instant,
        replaced: Option<&str>,
        now: Instant,
    ) -> Option<String> {
        let cookie = token::generate()?;
        let mut all = self.lock();
        all.retain(|_, session| session.ends > now);
        if let Some(replaced) = replaced {
            all.remove(&token::hash(replaced).0);
        }
        evict(&mut all, &identity);
        all.insert(token::hash(&cookie).0, Session { identity, ends, alive: watch::Sender::new(()) });
        Some(cookie)
    }

    /// Returns the session of a cookie, and its owner.
    pub(super) fn get(&self, cookie: &str, now: Now) -> Option<(Arc<Identity>, SessionRef)> {
        // Stored by its hash, so that the time of the look-up reveals nothing about the cookie.
        let key = token::hash(cookie).0;
        let all = self.lock();
        let Session { identity, ends, alive } = all.get(&key)?;
        let is_live = *ends > now.instant && !identity.is_expired(now);
        is_live.then(|| (identity.clone(), SessionRef { ends: *ends, alive: alive.subscribe() }))
    }

    /// Ends the session of this cookie, if there is one.
    pub(super) fn end(&self, cookie: &str) {
        self.lock().remove(&token::hash(cookie).0);
    }

    /// Ends the sessions whose credential is no longer valid.
    pub(super) fn retain(&self, is_good: impl Fn(&Arc<Identity>) -> bool) {
        self.lock().retain(|_, session| is_good(&session.identity));
    }
}

#[cfg(test)]
impl Sessions {
    /// Returns how many there are, good for something or not.
    pub(super) fn count(&self) -> usize {
        self.lock().len()
    }
}

/// Removes a session if there is no space for one more of `identity`.
///
/// Sessions of the same credential are removed first, beginning with the one that expires first. If all
/// places are taken, the session removed is one of the credential that has most, and if several have as many,
/// of the one with the fewest permissions.
fn evict(all: &mut HashMap<Fingerprint, Session>, identity: &Identity) {
    let own = || all.iter().filter(|(_, session)| session.identity.fingerprint == identity.fingerprint);
    let first = if own().count() >= MAX_PER_CREDENTIAL {
        own().min_by_key(|(_, session)| session.ends)
    } else if all.len() >= MAX_SESSIONS {
        let mut held: HashMap<Fingerprint, usize> = HashMap::new();
        all.values().for_each(|session| *held.entry(session.identity.fingerprint).or_default() += 1);
        all.iter().min_by_key(|(_, session)| {
            let held = held.get(&session.identity.fingerprint).copied();
            (Reverse(held), session.identity.grant.role, session.ends)
        })
    } else {
        None
    };
    if let Some(key) = first.map(|(key, _)| *key) {
        all.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Grant, Role};

    const HOUR: Duration = Duration::from_secs(3600);

    fn holder(number: usize, role: Role) -> Arc<Identity> {
        let mut fingerprint = [0; 32];
        fingerprint[..8].copy_from_slice(&number.to_be_bytes());
        let name = format!("holder {number}");
        Arc::new(Identity { name, grant: Grant::for_all(role), fingerprint, link: None })
    }

    fn now() -> Now {
        crate::auth::clock::Clock::default().now()
    }

    /// Begins sessions of one holder, each of which expires later than the previous one; those of the first
    /// two holders before the others'.
    fn begin(sessions: &Sessions, who: &Arc<Identity>, many: usize, now: Now) -> Vec<String> {
        let first = if ["holder 0", "holder 1"].contains(&who.name.as_str()) { HOUR } else { 2 * HOUR };
        let begin = |n| {
            let ends = now.instant + first + Duration::from_secs(n as u64);
            sessions.begin(who.clone(), ends, None, now.instant).unwrap()
        };
        (0..many).map(begin).collect()
    }

    fn live(sessions: &Sessions, cookies: &[String], now: Now) -> Vec<bool> {
        cookies.iter().map(|cookie| sessions.get(cookie, now).is_some()).collect()
    }

    #[test]
    fn a_session_ends_by_logging_out_and_by_its_time() {
        let (sessions, now) = (Sessions::default(), now());
        let cookies = begin(&sessions, &holder(1, Role::View), 2, now);
        assert!(sessions.get("x", now).is_none());
        let (_, ended) = sessions.get(&cookies[0], now).unwrap();
        let (_, other) = sessions.get(&cookies[1], now).unwrap();
        assert!(!ended.is_ended());
        sessions.end(&cookies[0]);
        assert!(ended.is_ended() && !other.is_ended());
        assert_eq!(live(&sessions, &cookies, now), [false, true]);
        let last = Now { instant: now.instant + HOUR + Duration::from_millis(999), ..now };
        assert_eq!(live(&sessions, &cookies, last), [false, true]);
        let over = Now { instant: now.instant + HOUR + Duration::from_secs(1), ..now };
        assert_eq!(live(&sessions, &cookies, over), [false, false], "not even at its very end");
    }

    #[test]
    fn a_browser_has_one_session() {
        let (sessions, now) = (Sessions::default(), now());
        let (alice, bob) = (holder(1, Role::View), holder(2, Role::Admin));
        let first = begin(&sessions, &alice, 1, now);
        let (_, replaced) = sessions.get(&first[0], now).unwrap();
        let second = sessions.begin(bob, now.instant + HOUR, Some(&first[0]), now.instant).unwrap();
        assert!(replaced.is_ended(), "what it holds open is told");
        let third = sessions.begin(alice, now.instant + HOUR, Some("unknown"), now.instant).unwrap();
        assert_eq!(live(&sessions, &[first[0].clone(), second, third], now), [false, true, true]);
    }

    #[test]
    fn one_credential_has_thirty_two_sessions_and_those_make_room_among_themselves() {
        for (many, ended) in [(31, 0), (32, 0), (33, 1), (34, 2), (1100, 1068)] {
            let (sessions, now) = (Sessions::default(), now());
            let admin = begin(&sessions, &holder(1, Role::Admin), 1, now);
            let cookies = begin(&sessions, &holder(2, Role::View), many, now);
            let expected: Vec<_> = (0..many).map(|n| n >= ended).collect();
            assert_eq!(live(&sessions, &cookies, now), expected, "{many}: those that end first make room");
            assert_eq!(live(&sessions, &admin, now), [true]);
            assert_eq!(sessions.lock().len(), 1 + many - ended);
        }
    }

    #[test]
    fn of_all_sessions_those_of_whoever_has_most_and_may_do_least_make_room() {
        let (sessions, now) = (Sessions::default(), now());
        let admin = begin(&sessions, &holder(0, Role::Admin), 32, now);
        let single = begin(&sessions, &holder(1, Role::View), 1, now);
        let others: Vec<_> =
            (2..32).flat_map(|n| begin(&sessions, &holder(n, Role::View), 32, now)).collect();
        let rest = begin(&sessions, &holder(32, Role::View), 30, now);
        assert_eq!(sessions.lock().len(), MAX_SESSIONS - 1);
        let last = begin(&sessions, &holder(33, Role::View), 1, now);
        assert_eq!(sessions.lock().len(), MAX_SESSIONS, "the last place is taken without ending any");
        assert!(live(&sessions, &others, now).iter().all(|live| *live));
        let more = begin(&sessions, &holder(34, Role::View), 1, now);
        assert_eq!(sessions.lock().len(), MAX_SESSIONS);
        assert_eq!(live(&sessions, &others, now).iter().filter(|live| !**live).count(), 1);
        for stays in [admin, single, rest, last, more] {
            assert!(live(&sessions, &stays, now).iter().all(|live| *live));
        }
    }

    #[test]
    fn sessions_that_are_over_make_room_before_any_that_is_not() {
        let (sessions, now) = (Sessions::default(), now());
        let who = holder(1, Role::View);
        let ends = now.instant + HOUR;
        (0..MAX_PER_CREDENTIAL).for_each(|_| {
            sessions.begin(who.clone(), ends, None, now.instant).unwrap();
        });
        let other = sessions.begin(holder(2, Role::View), ends + HOUR, None, now.instant).unwrap();
        sessions.begin(who, ends + HOUR, None, ends).unwrap();
        assert_eq!(sessions.lock().len(), 2);
        assert_eq!(live(&sessions, &[other], now), [true]);
    }

    #[test]
    fn sessions_that_end_together_are_two() {
        let (sessions, now) = (Sessions::default(), now());
        let begin = |ends| sessions.begin(holder(1, Role::View), ends, None, now.instant).unwrap();
        let ends = now.instant + HOUR;
        let [first, second] = [begin(ends), begin(ends)];
        let of = |cookie: &str| sessions.get(cookie, now).unwrap().1;
        assert_eq!(of(&first), of(&first));
        assert_ne!(of(&first), of(&second));
    }
}
