//! Passwords: checked against argon2's hashes, one at a time, beside the threads that serve.
//!
//! A check costs some 20 MiB and tens of milliseconds by intent. So one runs at a time, few wait, and a client that logs
//! in with each request (a snapshot a second) is known again for a while without one.

use std::{
    collections::HashMap,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use argon2::{Argon2, PasswordHash, PasswordVerifier};
use ring::{hmac, rand::SystemRandom};
use tokio::{sync::Semaphore, task::spawn_blocking};

/// Checks that wait for their turn; more would be answered after the client has given up.
const MAX_WAITING: usize = 16;

/// Logins that are known again without a check: more people and programs than watch one relay with passwords.
const MAX_KNOWN: usize = 256;

/// For so long. A changed password is asked for at once all the same, since the hash is part of what is known.
const KNOWN_FOR: Duration = Duration::from_secs(600);

/// Longest password looked at, in bytes.
const MAX_PASSWORD: usize = 1024;

/// Checked in place of the hash of somebody who is not there, so that the time does not tell who is. With the parameters
/// of `framecast passwd`; no password has this hash.
const NOBODYS_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// More wait than [`MAX_WAITING`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins are being checked")]
pub struct Busy;

/// Where passwords are checked.
#[derive(Debug)]
pub(super) struct Passwords {
    turn: Semaphore,
    waiting: AtomicUsize,
    known: Mutex<HashMap<[u8; 32], Instant>>,
    /// Of this process: what is known says nothing to whoever reads its memory later.
    key: hmac::Key,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.expect("rustls and the tokens need the system's random numbers, too");
        Self { turn: Semaphore::new(1), waiting: AtomicUsize::new(0), known: Mutex::default(), key }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag(&self, hash: &str, password: &str) -> [u8; 32] {
        // No hash holds a zero byte.
        let text = [hash.as_bytes(), password.as_bytes()].join(&0);
        hmac::sign(&self.key, &text).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Whether this login was right a short while ago.
    pub(super) fn is_known(&self, hash: &str, password: &str) -> bool {
        let known = self.known();
        known.get(&self.tag(hash, password)).is_some_and(|since| since.elapsed() < KNOWN_FOR)
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.retain(|_, since| since.elapsed() < KNOWN_FOR);
        }
        if known.len() >= MAX_KNOWN
            && let Some(oldest) = known.iter().min_by_key(|(_, since)| **since).map(|(tag, _)| *tag)
        {
            known.remove(&oldest);
        }
        known.insert(tag, Instant::now());
    }

    /// Whether the password has this hash; without one it takes as long, and is wrong.
    pub(super) async fn check(&self, hash: Option<&str>, password: &str) -> Result<bool, Busy> {
        if password.len() > MAX_PASSWORD {
            return Ok(false);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        let _waiting = Waiting(&self.waiting);
        let _turn = self.turn.acquire().await.map_err(|_| Busy)?;
        let (kept, shown) = (hash.unwrap_or(NOBODYS_HASH).to_owned(), password.to_owned());
        // A panic in there is a wrong password.
        let right = spawn_blocking(move || is_of(&kept, &shown)).await.unwrap_or(false) && hash.is_some();
        if right && let Some(hash) = hash {
            self.remember(self.tag(hash, password));
        }
        Ok(right)
    }
}

/// Counts one that waits, also when its client has gone.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn is_of(hash: &str, password: &str) -> bool {
    PasswordHash::new(hash)
        .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `abc`, with parameters that cost nothing.
    fn hash() -> String {
        use argon2::{Algorithm, Params, PasswordHasher, Version, password_hash::SaltString};
        let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 1, 1, None).unwrap());
        cheap.hash_password(b"abc", &salt).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_right_password_is_known_again_and_a_wrong_one_never() {
        let passwords = Passwords::new();
        let hash = hash();
        assert!(!passwords.is_known(&hash, "abc"));
        assert_eq!(passwords.check(Some(&hash), "abd").await, Ok(false));
        assert!(!passwords.is_known(&hash, "abd"));
        assert_eq!(passwords.check(Some(&hash), "abc").await, Ok(true));
        assert!(passwords.is_known(&hash, "abc") && !passwords.is_known(&hash, "abd"));
        assert!(!passwords.is_known(&format!("{hash}x"), "abc"), "a new hash is a new password");
        assert_eq!(passwords.check(None, "abc").await, Ok(false));
        assert_eq!(passwords.check(Some(&hash), &"a".repeat(MAX_PASSWORD + 1)).await, Ok(false));
    }

    #[tokio::test]
    async fn few_wait_and_what_is_known_is_bounded() {
        let passwords = Passwords::new();
        let turn = passwords.turn.acquire().await.unwrap();
        let hash = hash();
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(passwords.check(Some(&hash), "abc"))).collect();
        for check in &mut waiting {
            assert!(futures_util::poll!(check.as_mut()).is_pending());
        }
        assert_eq!(passwords.check(Some(&hash), "abc").await, Err(Busy));
        waiting.clear();
        drop(turn);
        assert_eq!(passwords.check(Some(&hash), "abc").await, Ok(true), "those that left are not counted");
        for n in 0..=u8::MAX {
            passwords.remember([n; 32]);
            passwords.remember([n ^ 0x55; 32]);
        }
        assert!(passwords.known().len() <= MAX_KNOWN);
    }
}
