//! Grants: the right to hold a connection open (a stream, a WebSocket, a feed), which is checked when it
//! begins and for as long as it lasts.
//!
//! A grant checks again when the rules change, when its session is ended, and when a credential expires: a
//! revoked token grants nothing from then on, and a link of an hour grants no more than an hour. It costs
//! nothing in between. `loom/` checks in every order that no grant misses a change.

use std::{pin::pin, sync::Arc, time::Instant};

use futures_util::{FutureExt, future};

use super::{authenticator::Authenticator, principal::Principal};
use crate::{
    config::Role,
    media::stream_name::StreamName,
    platform::sync::{select, sleep_until, watch},
};

/// The right to hold a connection open, by a role for one stream or for any.
#[derive(Debug)]
pub struct ActiveGrant {
    auth: Arc<Authenticator>,
    changes: watch::Receiver<()>,
    principal: Principal,
    role: Role,
    stream: Option<StreamName>,
}

impl ActiveGrant {
    /// Returns a grant for what stays open as long as `principal` may do it. Nothing is checked before
    /// [`ended`](Self::ended) or [`is_ended`](Self::is_ended).
    pub fn new(
        auth: &Arc<Authenticator>,
        principal: &Principal,
        role: Role,
        stream: Option<&StreamName>,
    ) -> Self {
        let changes = auth.changes().subscribe();
        Self { auth: auth.clone(), changes, principal: principal.clone(), role, stream: stream.cloned() }
    }

    /// Completes when the caller may do it no longer. Can be called again after it was dropped before.
    pub async fn ended(&mut self) {
        loop {
            self.changes.borrow_and_update();
            if !self.is_allowed() {
                return;
            }
            let end = self.principal.next_expiry(Instant::now());
            let timed = async {
                match end {
                    Some(end) => sleep_until(end.into()).await,
                    None => std::future::pending().await,
                }
            };
            let (timed, ended) = (pin!(timed), pin!(self.principal.session_ended()));
            let by_itself = future::select(timed, ended);
            select! {
                // The rules live as long as this does.
                _ = self.changes.changed() => {}
                _ = by_itself => {}
            }
        }
    }

    /// Returns whether the grant is over now.
    pub fn is_ended(&mut self) -> bool {
        self.ended().now_or_never().is_some()
    }

    fn is_allowed(&self) -> bool {
        let principal = self.auth.refresh(&self.principal);
        match &self.stream {
            Some(stream) => principal.is_allowed(self.role, Some(stream)),
            None => principal.is_allowed_on_any(self.role),
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
        auth::{authenticator::Credentials, signed_link, token},
        config::{AuthConfig, Secret, StreamScope, TokenConfig},
    };

    fn door() -> StreamName {
        "door".parse().unwrap()
    }

    fn config(reach: Option<StreamScope>) -> AuthConfig {
        let token = |streams| TokenConfig {
            name: "wall".to_owned(),
            hash: token::hash("wall"),
            role: Role::View,
            streams,
        };
        AuthConfig {
            anonymous: StreamScope::nothing(),
            tokens: reach.map(token).into_iter().collect(),
            link_key: Some(Secret::new("k".repeat(32))),
            ..AuthConfig::default()
        }
    }

    async fn active_grant(auth: &Arc<Authenticator>, shown: &Credentials) -> ActiveGrant {
        let mut principal = auth.anonymous();
        auth.identify(&mut principal, shown, None, None, |_| true).await.unwrap();
        ActiveGrant::new(auth, &principal, Role::View, Some(&door()))
    }

    #[tokio::test]
    async fn it_is_over_when_the_rules_allow_it_no_longer_and_not_before() {
        let auth = Arc::new(Authenticator::new(&config(Some(StreamScope::All))));
        let shown = Credentials { tokens: vec!["wall".to_owned()], ..Credentials::default() };
        let mut active_grant = active_grant(&auth, &shown).await;
        let mut over = Box::pin(active_grant.ended());
        assert!(poll!(over.as_mut()).is_pending());
        auth.replace(&config(Some(StreamScope::Only([door()].into()))));
        assert!(poll!(over.as_mut()).is_pending(), "less, but enough");
        auth.replace(&config(Some(StreamScope::Only(["porch".parse().unwrap()].into()))));
        assert!(poll!(over.as_mut()).is_ready(), "another stream only");
        let nobody = auth.anonymous();
        let everybody = AuthConfig { anonymous: StreamScope::All, ..config(None) };
        auth.replace(&everybody);
        let mut active_grant = ActiveGrant::new(&auth, &nobody, Role::View, Some(&door()));
        assert!(!active_grant.is_ended(), "everybody may");
        auth.replace(&config(None));
        assert!(active_grant.is_ended());
    }

    #[tokio::test]
    async fn it_is_over_when_its_session_is_ended_unless_something_else_was_shown() {
        let auth = Arc::new(Authenticator::new(&config(Some(StreamScope::All))));
        let token = Credentials { tokens: vec!["wall".to_owned()], ..Credentials::default() };
        let mut principal = auth.anonymous();
        auth.identify(&mut principal, &token, None, None, |_| true).await.unwrap();
        let begin = || auth.begin_session(&principal, None).unwrap().0;
        let (cookie, other) = (begin(), begin());
        let by = |cookie: &str| Credentials { cookie: Some(cookie.to_owned()), ..Credentials::default() };
        let mut by_session = active_grant(&auth, &by(&cookie)).await;
        let mut by_other = active_grant(&auth, &by(&other)).await;
        let mut by_both = active_grant(&auth, &Credentials { cookie: Some(cookie.clone()), ..token }).await;
        let mut over =
            [&mut by_session, &mut by_other, &mut by_both].map(|active_grant| Box::pin(active_grant.ended()));
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
        let auth = Arc::new(Authenticator::new(&config(None)));
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let signed = signed_link::sign(&Secret::new("k".repeat(32)), &door(), now + 2);
        let shown = Credentials { link: Some((door(), signed)), ..Credentials::default() };
        let mut active_grant = active_grant(&auth, &shown).await;
        assert!(!active_grant.is_ended());
        let over = tokio::time::timeout(std::time::Duration::from_secs(60), active_grant.ended());
        assert!(over.await.is_ok());
    }
}
