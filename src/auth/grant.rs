//! Leases: the right to hold a connection open (a stream, a WebSocket, a feed), which is checked when it
//! begins and for as long as it lasts.
//!
//! A lease checks again when the rules change, when its session is ended, and when a credential expires: a
//! revoked token grants nothing from then on, and a link of an hour grants no more than an hour. It costs
//! nothing in between. `loom/` checks in every order that no lease misses a change.

use std::{pin::pin, sync::Arc, time::Instant};

use futures_util::{FutureExt, future};

use super::{authenticator::Auth, principal::Caller};
use crate::{
    config::Role,
    media::stream_name::StreamName,
    platform::sync::{select, sleep_until, watch},
};

/// The right to hold a connection open, by a role for one stream or for any.
#[derive(Debug)]
pub struct Lease {
    auth: Arc<Auth>,
    changes: watch::Receiver<()>,
    caller: Caller,
    role: Role,
    stream: Option<StreamName>,
}

impl Lease {
    /// Returns a lease for what stays open as long as `caller` may do it. Nothing is checked before
    /// [`over`](Self::over) or [`is_over`](Self::is_over).
    pub fn new(auth: &Arc<Auth>, caller: &Caller, role: Role, stream: Option<&StreamName>) -> Self {
        let changes = auth.changes().subscribe();
        Self { auth: auth.clone(), changes, caller: caller.clone(), role, stream: stream.cloned() }
    }

    /// Completes when the caller may do it no longer. Can be called again after it was dropped before.
    pub async fn over(&mut self) {
        loop {
            self.changes.borrow_and_update();
            if !self.holds() {
                return;
            }
            let end = self.caller.next_end(Instant::now());
            let timed = async {
                match end {
                    Some(end) => sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            let (timed, ended) = (pin!(timed), pin!(self.caller.session_ended()));
            let by_itself = future::select(timed, ended);
            select! {
                // The rules live as long as this does.
                _ = self.changes.changed() => {}
                _ = by_itself => {}
            }
        }
    }

    /// Returns whether the lease is over now.
    pub fn is_over(&mut self) -> bool {
        self.over().now_or_never().is_some()
    }

    fn holds(&self) -> bool {
        let caller = self.auth.renewed(&self.caller);
        match &self.stream {
            Some(stream) => caller.may(self.role, Some(stream)),
            None => caller.may_with_any(self.role),
        }
    }
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering},
        task::{Context, Wake},
    };

    use futures_util::poll;

    use super::*;
    use crate::{
        auth::{authenticator::Shown, signed_link, token},
        config::{AuthConfig, Reach, Secret, TokenConfig},
    };

    fn door() -> StreamName {
        "door".parse().unwrap()
    }

    fn config(reach: Option<Reach>) -> AuthConfig {
        let token = |streams| TokenConfig {
            name: "wall".to_owned(),
            hash: token::hash("wall"),
            role: Role::View,
            streams,
        };
        AuthConfig {
            anonymous: Reach::nothing(),
            tokens: reach.map(token).into_iter().collect(),
            link_key: Some(Secret::new("k".repeat(32))),
            ..AuthConfig::default()
        }
    }

    async fn lease(auth: &Arc<Auth>, shown: &Shown) -> Lease {
        let mut caller = auth.anybody();
        auth.identify(&mut caller, shown, None, None, |_| true).await.unwrap();
        Lease::new(auth, &caller, Role::View, Some(&door()))
    }

    #[tokio::test]
    async fn it_is_over_when_the_rules_allow_it_no_longer_and_not_before() {
        let auth = Arc::new(Auth::new(&config(Some(Reach::All))));
        let shown = Shown { tokens: vec!["wall".to_owned()], ..Shown::default() };
        let mut lease = lease(&auth, &shown).await;
        let mut over = Box::pin(lease.over());
        assert!(poll!(over.as_mut()).is_pending());
        auth.replace(&config(Some(Reach::Only([door()].into()))));
        assert!(poll!(over.as_mut()).is_pending(), "less, but enough");
        auth.replace(&config(Some(Reach::Only(["porch".parse().unwrap()].into()))));
        assert!(poll!(over.as_mut()).is_ready(), "another stream only");
        let nobody = auth.anybody();
        let everybody = AuthConfig { anonymous: Reach::All, ..config(None) };
        auth.replace(&everybody);
        let mut lease = Lease::new(&auth, &nobody, Role::View, Some(&door()));
        assert!(!lease.is_over(), "everybody may");
        auth.replace(&config(None));
        assert!(lease.is_over());
    }

    #[tokio::test]
    async fn it_is_over_when_its_session_is_ended_unless_something_else_was_shown() {
        let auth = Arc::new(Auth::new(&config(Some(Reach::All))));
        let token = Shown { tokens: vec!["wall".to_owned()], ..Shown::default() };
        let mut caller = auth.anybody();
        auth.identify(&mut caller, &token, None, None, |_| true).await.unwrap();
        let begin = || auth.begin_session(&caller, None).unwrap().0;
        let (cookie, other) = (begin(), begin());
        let by = |cookie: &str| Shown { cookie: Some(cookie.to_owned()), ..Shown::default() };
        let mut by_session = lease(&auth, &by(&cookie)).await;
        let mut by_other = lease(&auth, &by(&other)).await;
        let mut by_both = lease(&auth, &Shown { cookie: Some(cookie.clone()), ..token }).await;
        let mut over = [&mut by_session, &mut by_other, &mut by_both].map(|lease| Box::pin(lease.over()));
        for over in &mut over {
            assert!(poll!(over.as_mut()).is_pending());
        }
        auth.end_session(&cookie);
        assert!(poll!(over[0].as_mut()).is_ready());
        assert!(poll!(over[1].as_mut()).is_pending(), "another's");
        assert!(poll!(over[2].as_mut()).is_pending(), "by the token");
        // It then waits for something else instead of checking again and again.
        let woken = Arc::new(Woken::default());
        let waker = woken.clone().into();
        assert!(over[2].as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        // tokio wakes a task that has used up its budget afterwards.
        tokio::task::yield_now().await;
        assert!(!woken.0.load(Ordering::Relaxed));
    }

    /// A waker that records whether it was called.
    #[derive(Default)]
    struct Woken(AtomicBool);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.store(true, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn a_link_is_over_by_itself() {
        let auth = Arc::new(Auth::new(&config(None)));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let signed = signed_link::sign(&Secret::new("k".repeat(32)), &door(), now + 2);
        let shown = Shown { link: Some((door(), signed)), ..Shown::default() };
        let mut lease = lease(&auth, &shown).await;
        assert!(!lease.is_over());
        let over = tokio::time::timeout(std::time::Duration::from_secs(60), lease.over());
        assert!(over.await.is_ok());
    }
}
