//! Checks passwords against their argon2 hashes, one at a time, on a thread of its own.
//!
//! A check costs some 20 MiB and tens of milliseconds by intent. So one runs at a time, few wait, and a
//! correct login is remembered for a while, for clients that log in with each request (a snapshot a second).
//!
//! All checks run on one thread, in memory that it keeps while checks follow each other. When each check had
//! its own memory, on whichever thread was free, 20 wrong passwords grew the process from 14 to 186 MB, and
//! it stayed so: each thread allocates from a different arena of the allocator.

use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version, password_hash::Output};
use ring::{hmac, rand::SystemRandom};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tracing::error;

/// Maximum number of checks that wait; more would be answered after the client has given up.
const MAX_WAITING: usize = 16;

/// Maximum number of logins that are remembered and not checked again: more than the people and programs that
/// watch one relay with passwords.
const MAX_KNOWN: usize = 256;

/// Time for which a login is remembered. A changed password is required at once all the same, since the hash
/// is part of what is known.
const KNOWN_LOGIN_TTL: Duration = Duration::from_secs(600);

/// Time without logins after which the thread frees its memory. Guesses that come faster reuse it.
const MEMORY_KEPT_FOR: Duration = Duration::from_secs(10);

/// Longest password that is checked, in bytes.
const MAX_PASSWORD_BYTES: usize = 1024;

/// Longest salt of a PHC string, in bytes.
const MAX_SALT_BYTES: usize = 64;

/// Hash that is checked for unknown users, so that the time does not tell which names exist. With the
/// parameters of `framecast passwd`; no password has this hash.
const DUMMY_HASH: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// An error because more than [`MAX_WAITING`] checks wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many logins are being checked")]
pub struct Busy;

/// The password checker.
#[derive(Debug)]
pub(super) struct PasswordChecker {
    slot: Arc<Semaphore>,
    /// The thread that checks passwords; the first login starts it. It is absent if the system cannot start a
    /// thread.
    worker: OnceLock<Option<SyncSender<Job>>>,
    waiting: AtomicUsize,
    known: Mutex<HashMap<[u8; 32], Instant>>,
    /// Key of this process for remembered logins, so that its memory reveals no password later.
    key: hmac::Key,
}

impl PasswordChecker {
    pub(super) fn new() -> Self {
        let key = hmac::Key::generate(hmac::HMAC_SHA256, &SystemRandom::new());
        let key = key.expect("rustls and the tokens need the system's random numbers, too");
        Self {
            slot: Arc::new(Semaphore::new(1)),
            worker: OnceLock::new(),
            waiting: AtomicUsize::new(0),
            known: Mutex::default(),
            key,
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<[u8; 32], Instant>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tag(&self, hash: &str, password: &str) -> [u8; 32] {
        // No hash holds a zero byte.
        let text = [hash.as_bytes(), password.as_bytes()].join(&0);
        hmac::sign(&self.key, &text).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// Returns whether this login was correct a short time ago.
    pub(super) fn is_known(&self, hash: &str, password: &str) -> bool {
        // Computed before the lock is held: all logins wait for it.
        let tag = self.tag(hash, password);
        self.known().get(&tag).is_some_and(|since| since.elapsed() < KNOWN_LOGIN_TTL)
    }

    fn remember(&self, tag: [u8; 32]) {
        let mut known = self.known();
        if known.len() >= MAX_KNOWN {
            known.retain(|_, since| since.elapsed() < KNOWN_LOGIN_TTL);
        }
        if known.len() >= MAX_KNOWN
            && let Some(oldest) = known.iter().min_by_key(|(_, since)| **since).map(|(tag, _)| *tag)
        {
            known.remove(&oldest);
        }
        known.insert(tag, Instant::now());
    }

    /// Returns whether the password has this hash; without a hash it takes as long, and returns `false`.
    pub(super) async fn check(&self, hash: Option<&str>, password: &str) -> Result<bool, Busy> {
        if password.len() > MAX_PASSWORD_BYTES {
            return Ok(false);
        }
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return Err(Busy);
        }
        let _waiting = WaitCounter(&self.waiting);
        let slot = self.slot.clone().acquire_owned().await.map_err(|_| Busy)?;
        let (answer, answered) = oneshot::channel();
        let job = Job {
            hash: hash.unwrap_or(DUMMY_HASH).to_owned(),
            password: password.to_owned(),
            answer,
            _slot: slot,
        };
        // Never full: only the holder of the slot sends.
        self.worker().ok_or(Busy)?.try_send(job).map_err(|_| Busy)?;
        let right = answered.await.map_err(|_| Busy)? && hash.is_some();
        if right && let Some(hash) = hash {
            self.remember(self.tag(hash, password));
        }
        Ok(right)
    }
}

#[cfg(test)]
impl PasswordChecker {
    /// Makes all checks wait while the permit is held.
    pub(super) fn hold_slot(&self) -> OwnedSemaphorePermit {
        self.slot.clone().try_acquire_owned().expect("no check runs")
    }
}

impl PasswordChecker {
    fn worker(&self) -> Option<&SyncSender<Job>> {
        let start = || {
            let (sender, jobs) = sync_channel(1);
            let thread = thread::Builder::new().name("framecast-login".to_owned());
            let started = thread.spawn(move || run_worker(&jobs));
            started
                .inspect_err(|error| error!("the thread that checks passwords cannot be started: {error}"))
                .ok()?;
            Some(sender)
        };
        self.worker.get_or_init(start).as_ref()
    }
}

/// A password to check.
#[derive(Debug)]
struct Job {
    hash: String,
    password: String,
    answer: oneshot::Sender<bool>,
    /// Released when the check is done, also if the client has disconnected.
    _slot: OwnedSemaphorePermit,
}

/// Checks passwords until all senders are dropped.
fn run_worker(jobs: &Receiver<Job>) {
    let mut blocks = Vec::new();
    loop {
        let next = if blocks.is_empty() {
            jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            jobs.recv_timeout(MEMORY_KEPT_FOR)
        };
        match next {
            Ok(job) if job.answer.is_closed() => {}
            Ok(job) => {
                let check = AssertUnwindSafe(|| verify(&job.hash, &job.password, &mut blocks));
                // A panic counts as a wrong password. It does not matter whether the client still waits for
                // the answer.
                let _ = job.answer.send(catch_unwind(check).unwrap_or(false));
            }
            Err(RecvTimeoutError::Timeout) => blocks = Vec::new(),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Counts a waiting check, also when its client has disconnected.
struct WaitCounter<'a>(&'a AtomicUsize);

impl Drop for WaitCounter<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns whether the password has this hash. `blocks` grows to what the hash's parameters need, which the
/// configuration bounds (`MAX_HASH_KIB` in `config/sections/auth.rs`), and is reused.
fn verify(hash: &str, password: &str, blocks: &mut Vec<Block>) -> bool {
    let mut computed = || {
        let hash = PasswordHash::new(hash).ok()?;
        let version = hash.version.map(Version::try_from).transpose().ok()?.unwrap_or_default();
        let params = Params::try_from(&hash).ok()?;
        let (salt, expected) = (hash.salt?, hash.hash?);
        let mut buffer = [0; MAX_SALT_BYTES];
        let salt = salt.decode_b64(&mut buffer).ok()?;
        let count = params.block_count();
        if blocks.len() < count {
            blocks.resize(count, Block::default());
        }
        let argon2 = Argon2::new(Algorithm::try_from(hash.algorithm).ok()?, version, params);
        let output = Output::init_with(expected.len(), |out| {
            Ok(argon2.hash_password_into_with_memory(password.as_bytes(), salt, out, &mut blocks[..count])?)
        });
        // In constant time.
        Some(output.ok()? == expected)
    };
    // The configuration has checked that it is a hash.
    computed().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    /// Returns a hash of `abc` whose parameters cost nothing.
    fn hash() -> String {
        use argon2::{Algorithm, Params, PasswordHasher, Version, password_hash::SaltString};
        let salt = SaltString::encode_b64(b"saltsaltsalt").unwrap();
        let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(16, 1, 1, None).unwrap());
        cheap.hash_password(b"abc", &salt).unwrap().to_string()
    }

    #[tokio::test]
    async fn a_right_password_is_known_again_and_a_wrong_one_never() {
        let passwords = PasswordChecker::new();
        let hash = hash();
        assert!(!passwords.is_known(&hash, "abc"));
        assert_eq!(passwords.check(Some(&hash), "abd").await, Ok(false));
        assert!(!passwords.is_known(&hash, "abd"));
        assert_eq!(passwords.check(Some(&hash), "abc").await, Ok(true));
        assert!(passwords.is_known(&hash, "abc") && !passwords.is_known(&hash, "abd"));
        assert!(!passwords.is_known(&format!("{hash}x"), "abc"), "a new hash is a new password");
        assert_eq!(passwords.check(None, "abc").await, Ok(false));
        assert_eq!(passwords.check(Some(&hash), &"a".repeat(MAX_PASSWORD_BYTES + 1)).await, Ok(false));
    }

    #[test]
    fn hashes_of_all_kinds_are_checked_in_memory_that_is_used_again() {
        let mut blocks = Vec::new();
        let hash = |params: Params, algorithm| {
            use argon2::{PasswordHasher, password_hash::SaltString};
            let salt = SaltString::encode_b64(b"another salt").unwrap();
            let argon2 = Argon2::new(algorithm, Version::V0x13, params);
            argon2.hash_password(b"a password", &salt).unwrap().to_string()
        };
        let cases = [
            hash(Params::new(64, 2, 1, None).unwrap(), Algorithm::Argon2id),
            hash(Params::new(16, 1, 1, Some(16)).unwrap(), Algorithm::Argon2i),
            hash(Params::new(40, 3, 4, Some(64)).unwrap(), Algorithm::Argon2d),
        ];
        for hash in &cases {
            assert!(verify(hash, "a password", &mut blocks), "{hash}");
            assert!(!verify(hash, "another", &mut blocks), "{hash}");
        }
        assert_eq!(blocks.len(), 64, "the largest of them");
        for broken in
            ["", "$argon2id$", "$argon2id$v=19$m=64,t=2,p=1$c29tZXNhbHQ", "$scrypt$ln=1$c29tZXNhbHQ$AAAA"]
        {
            assert!(!verify(broken, "a password", &mut blocks), "{broken}");
        }
    }

    #[tokio::test]
    async fn few_wait_and_what_is_known_is_bounded() {
        let passwords = PasswordChecker::new();
        let permit = passwords.slot.clone().acquire_owned().await.unwrap();
        let hash = hash();
        let mut waiting: Vec<_> =
            (0..MAX_WAITING).map(|_| Box::pin(passwords.check(Some(&hash), "abc"))).collect();
        for check in &mut waiting {
            assert!(futures_util::poll!(check.as_mut()).is_pending());
        }
        assert_eq!(passwords.check(Some(&hash), "abc").await, Err(Busy));
        waiting.clear();
        drop(permit);
        assert_eq!(passwords.check(Some(&hash), "abc").await, Ok(true), "those that left are not counted");
        for n in 0..=u8::MAX {
            passwords.remember([n; 32]);
            passwords.remember([n ^ 0x55; 32]);
        }
        assert!(passwords.known().len() <= MAX_KNOWN);
    }

    #[tokio::test]
    async fn the_longest_password_is_checked_and_a_longer_one_waits_for_nothing() {
        let passwords = PasswordChecker::new();
        let _permit = passwords.hold_slot();
        let check = |length| passwords.check(None, &"a".repeat(length)).now_or_never();
        assert_eq!([check(MAX_PASSWORD_BYTES), check(MAX_PASSWORD_BYTES + 1)], [None, Some(Ok(false))]);
    }

    #[tokio::test]
    async fn a_refusal_takes_no_place_of_those_that_wait() {
        let passwords = PasswordChecker::new();
        let permit = passwords.hold_slot();
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|_| Box::pin(passwords.check(None, "abc"))).collect();
        for check in &mut waiting {
            assert!(futures_util::poll!(check.as_mut()).is_pending());
        }
        for _ in 0..MAX_WAITING {
            assert_eq!(passwords.check(None, "abc").now_or_never(), Some(Err(Busy)));
        }
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), MAX_WAITING);
        drop((waiting, permit));
        assert_eq!(passwords.waiting.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn of_those_that_are_known_the_oldest_makes_room() {
        let passwords = PasswordChecker::new();
        let tag = |n: usize| std::array::from_fn(|at| n.to_be_bytes().get(at).copied().unwrap_or(0));
        for n in 0..MAX_KNOWN {
            passwords.remember(tag(n));
        }
        assert_eq!(passwords.known().len(), MAX_KNOWN);
        passwords.remember(tag(MAX_KNOWN));
        let known = passwords.known();
        assert_eq!((known.len(), known.contains_key(&tag(0))), (MAX_KNOWN, false));
    }
}
