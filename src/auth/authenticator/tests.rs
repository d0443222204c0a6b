use super::*;
use crate::{
    auth::{guess_limits::NETWORK_BURST, signed_link},
    config::{Role, StreamScope, TokenConfig, UserConfig},
};

fn config() -> AuthConfig {
    let token = |name: &str, role| TokenConfig {
        name: name.to_owned(),
        hash: token::hash(name),
        role,
        streams: StreamScope::All,
    };
    AuthConfig {
        anonymous: StreamScope::nothing(),
        tokens: vec![token("viewer", Role::View), token("pusher", Role::Push)],
        link_key: Some(Secret::new("k".repeat(32))),
        start_token: Some(Secret::new("first")),
        ..AuthConfig::default()
    }
}

fn showing(token: &str) -> Credentials {
    Credentials { tokens: vec![token.to_owned()], ..Credentials::default() }
}

async fn role(auth: &Authenticator, shown: &Credentials) -> Result<Option<Role>, AuthError> {
    let mut principal = auth.anonymous();
    auth.identify(&mut principal, shown, Some([192, 0, 2, 1].into()), None, |_| true).await?;
    Ok(principal.highest_role())
}

#[tokio::test]
async fn a_reload_keeps_the_token_of_the_start_and_ends_sessions_whose_credential_is_gone() {
    let auth = Authenticator::new(&config());
    assert_eq!(role(&auth, &showing("first")).await, Ok(Some(Role::Admin)));
    let mut principal = auth.anonymous();
    auth.identify(&mut principal, &showing("viewer"), None, None, |_| true).await.unwrap();
    let (cookie, _) = auth.begin_session(&principal, None).unwrap();
    let session = Credentials { cookie: Some(cookie), ..Credentials::default() };
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
    let auth = Authenticator::new(&config());
    for _ in 0..NETWORK_BURST {
        assert_eq!(role(&auth, &showing("guess")).await, Ok(None));
    }
    assert!(matches!(role(&auth, &showing("guess")).await, Err(AuthError::RateLimited(_))));
    assert!(matches!(role(&auth, &showing("first")).await, Err(AuthError::RateLimited(_))), "not looked at");
    assert_eq!(role(&auth, &showing("pusher")).await, Ok(Some(Role::Push)));
    let mut principal = auth.anonymous();
    let elsewhere = Some([192, 0, 2, 2].into());
    assert_eq!(auth.identify(&mut principal, &showing("first"), elsewhere, None, |_| true).await, Ok(()));
    assert!(principal.is_authenticated(), "from another address");
}

/// Returns a configuration with a user whose password is cheap to check.
fn with_password(password: &str) -> AuthConfig {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 1, 1, None).unwrap());
    let hash = cheap.hash_password(password.as_bytes(), &salt).unwrap().to_string();
    let (role, streams) = (Role::Push, StreamScope::All);
    let alice = UserConfig { name: "alice".to_owned(), hash: Secret::new(hash), role, streams };
    AuthConfig { users: vec![alice], ..config() }
}

fn alice(password: &str) -> Credentials {
    somebody("alice", password)
}

fn somebody(name: &str, password: &str) -> Credentials {
    Credentials { login: Some((name.to_owned(), password.to_owned())), ..Credentials::default() }
}

async fn role_from(
    auth: &Authenticator,
    shown: &Credentials,
    from: [u8; 4],
) -> Result<Option<Role>, AuthError> {
    let mut principal = auth.anonymous();
    auth.identify(&mut principal, shown, Some(from.into()), None, |_| true).await?;
    Ok(principal.highest_role())
}

const HOME: [u8; 4] = [192, 0, 2, 10];
const ELSEWHERE: [u8; 4] = [192, 0, 2, 11];

#[tokio::test]
async fn wrong_credentials_of_others_do_not_count_where_a_name_logged_in() {
    let auth = Authenticator::new(&with_password("right"));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    while role_from(&auth, &showing("guess"), HOME).await.is_ok() {}
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    // A password that was right a moment ago is limited like any other.
    while role_from(&auth, &alice("wrong"), ELSEWHERE).await.is_ok() {}
    let refused = role_from(&auth, &alice("right"), ELSEWHERE).await;
    assert!(matches!(refused, Err(AuthError::RateLimited(_))), "{refused:?}");
    let not_now = role_from(&auth, &somebody("nobody", "wrong"), HOME).await;
    assert!(matches!(not_now, Err(AuthError::RateLimited(_))), "{not_now:?}");
    for _ in 0..NETWORK_BURST {
        let wrong = role_from(&auth, &alice("wrong"), HOME).await;
        let is_same = matches!(wrong, Err(AuthError::RateLimited(_)));
        assert!(is_same, "the answer does not tell who logged in here: {wrong:?}");
    }
    assert!(role_from(&auth, &alice("right"), HOME).await.is_err(), "its own count");
    auth.clock.advance(Duration::from_secs(3));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
}

#[tokio::test]
async fn a_right_password_beside_wrong_tokens_lets_nobody_guess_them() {
    let auth = Authenticator::new(&with_password("right"));
    let both =
        |token: &str| Credentials { login: Some(("alice".to_owned(), "right".to_owned())), ..showing(token) };
    for _ in 0..NETWORK_BURST {
        assert_eq!(role(&auth, &both("guess")).await, Ok(Some(Role::Push)));
    }
    assert_eq!(role(&auth, &both("first")).await, Ok(Some(Role::Push)), "the token is not looked at");
    assert!(matches!(role(&auth, &showing("first")).await, Err(AuthError::RateLimited(_))));
    assert_eq!(role(&auth, &alice("right")).await, Ok(Some(Role::Push)), "its own tries are others");
}

#[tokio::test]
async fn a_good_credential_takes_nothing_from_another_beside_it() {
    let auth = Authenticator::new(&with_password("right"));
    let (door, token): (StreamName, _) = ("door".parse().unwrap(), Secret::new("1234"));
    let mut principal = auth.anonymous();
    auth.identify(&mut principal, &showing("viewer"), None, None, |_| true).await.unwrap();
    let (cookie, _) = auth.begin_session(&principal, None).unwrap();
    let ask = async |shown: &Credentials, role: Role| {
        let mut principal = auth.anonymous();
        let is_enough = |principal: &Principal| principal.is_allowed(role, Some(&door));
        let (from, own) = (Some(HOME.into()), Some((&door, &token)));
        let looked_at = auth.identify(&mut principal, shown, from, own, is_enough).await;
        (looked_at, principal.is_allowed(role, Some(&door)))
    };
    let beside = |shown: Credentials| Credentials { cookie: Some(cookie.clone()), ..shown };
    let two = |first: &str, second: &str| Credentials {
        tokens: vec![first.to_owned(), second.to_owned()],
        ..Credentials::default()
    };
    for (shown, role) in [
        (beside(showing("1234")), Role::Push),
        (two("viewer", "1234"), Role::Push),
        (beside(alice("1234")), Role::Push),
        (beside(alice("right")), Role::Push),
        (Credentials { tokens: vec!["viewer".to_owned()], ..alice("right") }, Role::Push),
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
        matches!(refused, (Err(AuthError::RateLimited(_)), false)),
        "a session guesses no faster: {refused:?}"
    );
    assert_eq!(ask(&beside(showing("guess")), Role::View).await, (Ok(()), true), "and keeps its rights");
}

#[tokio::test]
async fn a_token_may_stand_in_a_passwords_place_also_where_its_name_logged_in() {
    let auth = Authenticator::new(&with_password("right"));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    for _ in 0..3 * NETWORK_BURST {
        assert_eq!(role_from(&auth, &alice("first"), HOME).await, Ok(Some(Role::Admin)));
    }
}

#[tokio::test]
async fn a_flood_of_checks_from_unknown_networks_leaves_room_for_known_ones() {
    let auth = Authenticator::new(&with_password("right"));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    let flood = auth.unknown_checks.try_acquire_many(u32::try_from(MAX_UNKNOWN_CHECKS).unwrap()).unwrap();
    for _ in 0..3 * NETWORK_BURST {
        let busy = role_from(&auth, &alice("wrong"), ELSEWHERE).await;
        assert_eq!(busy, Err(AuthError::Busy(Busy)), "it was not looked at, and is no guess");
    }
    assert_eq!(role_from(&auth, &alice("wrong"), HOME).await, Ok(None), "checked");
    drop(flood);
    assert_eq!(role_from(&auth, &alice("right"), ELSEWHERE).await, Ok(Some(Role::Push)));
}

#[tokio::test]
async fn a_credential_that_is_taken_back_while_it_is_looked_at_is_good_for_nothing() {
    let auth = Authenticator::new(&with_password("right"));
    let shown = alice("right");
    let permit = auth.passwords.hold_slot();
    let mut checking = Box::pin(role_from(&auth, &shown, HOME));
    assert!(futures_util::poll!(checking.as_mut()).is_pending(), "it waits for its check");
    auth.replace(&with_password("another"));
    drop(permit);
    assert_eq!(checking.await, Ok(None));

    let mut principal = auth.anonymous();
    auth.identify(&mut principal, &showing("viewer"), None, None, |_| true).await.unwrap();
    auth.replace(&AuthConfig { tokens: Vec::new(), ..config() });
    assert_eq!(auth.begin_session(&principal, None), None);
    assert_eq!(auth.sessions.count(), 0, "none comes back with the credential");
}

#[tokio::test]
async fn a_session_stands_to_a_credential_as_what_it_came_from_does() {
    let auth = Authenticator::new(&with_password("right"));
    let known = async |shown: &Credentials| {
        let mut principal = auth.anonymous();
        auth.identify(&mut principal, shown, Some(HOME.into()), None, |_| true).await.unwrap();
        principal
    };
    let (viewer, pusher) = (known(&showing("viewer")).await, known(&showing("pusher")).await);
    let (cookie, _) = auth.begin_session(&pusher, None).unwrap();
    let running = |principal: &Principal| auth.session_relation(Some(&cookie), principal);
    assert_eq!(running(&pusher), SessionRelation::Same);
    assert_eq!(running(&viewer), SessionRelation::Covers);
    assert_eq!(running(&known(&alice("right")).await), SessionRelation::Covers, "as much");
    let other = SessionRelation::Other("pusher".to_owned());
    assert_eq!(running(&known(&showing("first")).await), other);
    assert!(auth.has_session(Some(&cookie)));
    for none in [None, Some(""), Some("x")] {
        assert_eq!(auth.session_relation(none, &viewer), SessionRelation::None);
        assert!(!auth.has_session(none));
    }
    auth.end_session(&cookie);
    assert_eq!(running(&viewer), SessionRelation::None);
    assert!(!auth.has_session(Some(&cookie)));
}

#[test]
fn an_ipv6_subscriber_is_one_address() {
    let of = |text: &str| limit_key(Some(text.parse().unwrap())).unwrap().to_string();
    assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    assert_eq!(of("::ffff:192.0.2.1"), "192.0.2.1");
    assert_eq!(of("192.0.2.1"), "192.0.2.1");
}

#[test]
fn each_kind_of_credential_is_something() {
    assert!(Credentials::default().is_empty());
    let link = signed_link::sign(&Secret::new("k".repeat(32)), &"door".parse().unwrap(), 1);
    let link = Credentials { link: Some(("door".parse().unwrap(), link)), ..Credentials::default() };
    let cookie = Credentials { cookie: Some(String::new()), ..Credentials::default() };
    for something in [showing("x"), alice("x"), link, cookie] {
        assert!(!something.is_empty());
    }
}

#[tokio::test]
async fn wrong_logins_are_counted_also_without_users_and_once_with_the_tokens_beside_them() {
    for tokens in [Vec::new(), vec!["guess".to_owned()]] {
        let auth = Authenticator::new(&config());
        assert!(!auth.has_users());
        let shown = Credentials { tokens, ..alice("wrong") };
        for _ in 0..NETWORK_BURST {
            assert_eq!(role(&auth, &shown).await, Ok(None));
        }
        assert!(matches!(role(&auth, &shown).await, Err(AuthError::RateLimited(_))));
    }
}

#[tokio::test]
async fn wrong_passwords_where_the_name_logged_in_use_up_the_tries_for_tokens() {
    let auth = Authenticator::new(&with_password("right"));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    for _ in 0..NETWORK_BURST {
        assert_eq!(role_from(&auth, &alice("wrong"), HOME).await, Ok(None));
    }
    let refused = role_from(&auth, &showing("first"), HOME).await;
    assert!(matches!(refused, Err(AuthError::RateLimited(_))), "{refused:?}");
}

#[tokio::test]
async fn a_password_that_was_right_a_moment_ago_needs_no_check() {
    let auth = Authenticator::new(&with_password("right"));
    assert_eq!(role_from(&auth, &alice("right"), HOME).await, Ok(Some(Role::Push)));
    let _flood = auth.unknown_checks.try_acquire_many(u32::try_from(MAX_UNKNOWN_CHECKS).unwrap()).unwrap();
    assert_eq!(role_from(&auth, &alice("right"), ELSEWHERE).await, Ok(Some(Role::Push)));
}

#[tokio::test]
async fn a_long_token_that_is_not_enough_is_no_guess() {
    let auth = Authenticator::new(&config());
    while role(&auth, &showing("guess")).await.is_ok() {}
    let mut principal = auth.anonymous();
    let from = Some([192, 0, 2, 1].into());
    assert_eq!(auth.identify(&mut principal, &showing("viewer"), from, None, |_| false).await, Ok(()));
    assert_eq!(principal.highest_role(), Some(Role::View));
}

#[tokio::test]
async fn a_link_without_an_end_is_good_and_one_that_ended_meanwhile_begins_no_session() {
    let auth = Authenticator::new(&config());
    let door: StreamName = "door".parse().unwrap();
    let by_link = async |expires| {
        let signed = signed_link::sign(&Secret::new("k".repeat(32)), &door, expires);
        let shown = Credentials { link: Some((door.clone(), signed)), ..Credentials::default() };
        let mut principal = auth.anonymous();
        auth.identify(&mut principal, &shown, None, None, |_| true).await.unwrap();
        principal
    };
    let endless = by_link(u64::MAX).await;
    assert!(endless.is_allowed(Role::View, Some(&door)) && endless.next_expiry(auth.now()).is_none());
    assert!(endless.is_by_link() && !endless.has_session());
    let hour = Duration::from_secs(3600);
    let principal = by_link((auth.clock.now().unix + hour).as_secs()).await;
    let (_, lasts) = auth.begin_session(&principal, None).unwrap();
    assert!(lasts <= hour, "no longer than the link");
    auth.clock.advance(hour);
    assert_eq!(auth.begin_session(&principal, None), None);
}

#[tokio::test]
async fn a_session_from_the_token_of_the_start_outlives_a_reload() {
    let auth = Authenticator::new(&config());
    let mut principal = auth.anonymous();
    auth.identify(&mut principal, &showing("first"), None, None, |_| true).await.unwrap();
    let (cookie, _) = auth.begin_session(&principal, None).unwrap();
    auth.replace(&AuthConfig { start_token: None, ..config() });
    let session = Credentials { cookie: Some(cookie), ..Credentials::default() };
    assert_eq!(role(&auth, &session).await, Ok(Some(Role::Admin)));
}
