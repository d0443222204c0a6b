//! Logins of browsers: a random cookie stands for a credential that was shown once.
//!
//! A session ends when its time is over, when its owner logs out, when its credential is no longer in the configuration,
//! when there are too many, and when framecast ends. Nothing of it is in the cookie.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{Identity, policy::Fingerprint, token};

/// Sessions at a time; the one that ends first makes room. More than people watch one relay.
const MAX_SESSIONS: usize = 1024;

/// Somebody's login.
#[derive(Debug, Clone)]
struct Session {
    identity: Arc<Identity>,
    ends: Instant,
}

/// Which session somebody is in, and when its time is over.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct InSession {
    key: Fingerprint,
    pub(super) ends: Instant,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<HashMap<Fingerprint, Session>>);

impl Sessions {
    fn all(&self) -> MutexGuard<'_, HashMap<Fingerprint, Session>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins one; answers its cookie's value. None if the system has no random numbers.
    pub(super) fn begin(&self, identity: Arc<Identity>, lasts: Duration) -> Option<String> {
        let cookie = token::new()?;
        let now = Instant::now();
        let mut all = self.all();
        if all.len() >= MAX_SESSIONS {
            all.retain(|_, session| session.ends > now);
        }
        if all.len() >= MAX_SESSIONS
            && let Some(first) = all.iter().min_by_key(|(_, session)| session.ends).map(|(key, _)| *key)
        {
            all.remove(&first);
        }
        all.insert(token::hash(&cookie).0, Session { identity, ends: now + lasts });
        Some(cookie)
    }

    /// Whose session this is, and which.
    pub(super) fn of(&self, cookie: &str) -> Option<(Arc<Identity>, InSession)> {
        // Kept by its hash, so that the time of the look-up tells nothing of the cookie.
        let key = token::hash(cookie).0;
        let Session { identity, ends } = self.all().get(&key).cloned()?;
        (ends > Instant::now()).then_some((identity, InSession { key, ends }))
    }

    /// Whether it has not been ended.
    pub(super) fn has(&self, session: &InSession) -> bool {
        self.all().contains_key(&session.key)
    }

    /// Ends one; answers whether it was there.
    pub(super) fn end(&self, cookie: &str) -> bool {
        self.all().remove(&token::hash(cookie).0).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Grant, Role};

    fn somebody() -> Arc<Identity> {
        Arc::new(Identity { name: "a".to_owned(), grant: Grant::for_all(Role::View), fingerprint: [0; 32] })
    }

    #[test]
    fn a_session_ends_by_logging_out_and_by_its_time() {
        let sessions = Sessions::default();
        let hour = Duration::from_secs(3600);
        let (mine, other) =
            (sessions.begin(somebody(), hour).unwrap(), sessions.begin(somebody(), hour).unwrap());
        assert!(sessions.of(&mine).is_some() && sessions.of("x").is_none());
        sessions.end(&mine);
        assert!(sessions.of(&mine).is_none() && sessions.of(&other).is_some());
        let over = sessions.begin(somebody(), Duration::ZERO).unwrap();
        assert!(sessions.of(&over).is_none());
    }

    #[test]
    fn there_is_room_for_a_number_of_them() {
        let sessions = Sessions::default();
        let first = sessions.begin(somebody(), Duration::from_secs(60)).unwrap();
        let last: Vec<_> = (0..MAX_SESSIONS)
            .map(|_| sessions.begin(somebody(), Duration::from_secs(3600)).unwrap())
            .collect();
        assert_eq!(sessions.all().len(), MAX_SESSIONS);
        assert!(sessions.of(&first).is_none(), "the one that would have ended first");
        assert!(last.iter().all(|cookie| sessions.of(cookie).is_some()));
    }
}
