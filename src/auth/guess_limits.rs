//! Limits on wrong credentials: by network, by name and network, and by name.
//!
//! A network is an IPv4 address or an IPv6 /64. One network gets few tries, so that it cannot guess at speed.
//! A name gets many more in total: one network cannot use them up and lock out the name's owner, and guesses
//! from many networks are still bounded. A network from which the name has logged in is exempt from what
//! others do, both from the name's limit and from the limit of its own network; its own wrong passwords for
//! this name still count.
//!
//! Memory is bounded whatever clients send: names are kept as hashes, and [`RateLimiter`] describes which
//! entries are evicted.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{identity::Fingerprint, token};
use crate::limits::rate_limiter::RateLimiter;

/// Burst of wrong credentials of all kinds from one network, and of wrong passwords for one name from one
/// network: enough for typing errors, and for a page full of pictures with an old token.
pub(super) const NETWORK_BURST: u32 = 20;

/// Interval at which one more is allowed: 28,800 guesses a day, where a password of four words needs 10¹⁵.
const NETWORK_INTERVAL: Duration = Duration::from_secs(3);

/// Burst of wrong passwords for one name from all networks together: twenty networks that use up their own.
const NAME_BURST: u32 = 400;

/// Interval at which one more is allowed: 86,400 guesses a day, however many networks take part.
const NAME_INTERVAL: Duration = Duration::from_secs(1);

/// Time for which a network stays known after a login: long enough for a holiday.
const KNOWN_NETWORK_TTL: Duration = Duration::from_secs(30 * 24 * 3600);

/// Known networks per name: home, work, a phone's that changes. The least recently used one is evicted, so
/// that a client with many addresses and one name's password evicts only networks of that name.
const MAX_NETWORKS_PER_NAME: usize = 16;

/// Known networks of all names; some 300 kB.
const MAX_KNOWN_NETWORKS: usize = 4096;

/// An IPv4 address or an IPv6 /64; `None` for a Unix socket.
pub(super) type Network = Option<IpAddr>;

/// A name as it is stored: by its hash, so that long names take no more space.
type Name = Fingerprint;

/// All limits on guessing.
#[derive(Debug)]
pub(super) struct GuessLimits {
    networks: RateLimiter<Network>,
    pairs: RateLimiter<(Name, Network)>,
    names: RateLimiter<Name>,
    /// Time of each name's last login from each network.
    known_networks: Mutex<HashMap<(Name, Network), Instant>>,
}

/// A password that is being checked. Its tries are taken beforehand and stay used unless
/// [`GuessLimits::refund`] or [`GuessLimits::record_success`] gives them back, so that concurrent checks, and
/// clients that disconnect, get no extra tries.
#[derive(Debug)]
pub(super) struct PasswordAttempt {
    name: Name,
    network: Network,
    /// The network is known for this name.
    pub(super) is_known: bool,
}

impl GuessLimits {
    pub(super) fn new() -> Self {
        Self {
            networks: RateLimiter::new(NETWORK_BURST, NETWORK_INTERVAL),
            pairs: RateLimiter::new(NETWORK_BURST, NETWORK_INTERVAL),
            names: RateLimiter::new(NAME_BURST, NAME_INTERVAL),
            known_networks: Mutex::default(),
        }
    }

    fn known_networks(&self) -> MutexGuard<'_, HashMap<(Name, Network), Instant>> {
        self.known_networks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Checks that this network may present a guessable credential.
    ///
    /// # Errors
    /// The time to wait.
    pub(super) fn check(&self, network: Network, now: Instant) -> Result<(), Duration> {
        self.networks.check(&network, now)
    }

    /// Counts a wrong credential from this network.
    pub(super) fn record_wrong(&self, network: Network, now: Instant) {
        // Without a try left, it was refused before or came at the same time as the last one.
        let _ = self.networks.try_acquire(&network, now);
    }

    /// Returns whether `name` has logged in from this network recently.
    pub(super) fn is_known_network(&self, name: &str, network: Network, now: Instant) -> bool {
        let last = self.known_networks().get(&(token::hash(name).0, network)).copied();
        last.is_some_and(|last| now.saturating_duration_since(last) < KNOWN_NETWORK_TTL)
    }

    /// Takes the tries that one password check costs.
    ///
    /// # Errors
    /// The time to wait; no tries were taken then.
    pub(super) fn begin_attempt(
        &self,
        name: &str,
        network: Network,
        now: Instant,
    ) -> Result<PasswordAttempt, Duration> {
        let is_known = self.is_known_network(name, network, now);
        let attempt = PasswordAttempt { name: token::hash(name).0, network, is_known };
        self.pairs.try_acquire(&(attempt.name, network), now)?;
        if is_known {
            return Ok(attempt);
        }
        let undo_pair = |_: &_| self.pairs.refund(&(attempt.name, network), now);
        self.names.try_acquire(&attempt.name, now).inspect_err(undo_pair)?;
        self.networks
            .try_acquire(&network, now)
            .inspect_err(|_| self.names.refund(&attempt.name, now))
            .inspect_err(undo_pair)?;
        Ok(attempt)
    }

    /// Gives back the tries of a password that was not checked.
    pub(super) fn refund(&self, attempt: &PasswordAttempt, now: Instant) {
        self.pairs.refund(&(attempt.name, attempt.network), now);
        if !attempt.is_known {
            self.names.refund(&attempt.name, now);
            self.networks.refund(&attempt.network, now);
        }
    }

    /// Counts a wrong password.
    pub(super) fn record_failure(&self, attempt: &PasswordAttempt, now: Instant) {
        // The tries of the other limits are already used up.
        if attempt.is_known {
            self.record_wrong(attempt.network, now);
        }
    }

    /// Gives back the tries of a correct password, and marks the network as known.
    pub(super) fn record_success(&self, attempt: &PasswordAttempt, now: Instant) {
        self.refund(attempt, now);
        let mut good = self.known_networks();
        let key = (attempt.name, attempt.network);
        if !good.contains_key(&key) {
            evict(&mut good, attempt.name, now);
        }
        good.insert(key, now);
    }
}

/// Removes entries that are too old, and the oldest one if there is no space for one more: one of the name
/// itself if it has its share.
fn evict(good: &mut HashMap<(Name, Network), Instant>, name: Name, now: Instant) {
    if good.len() >= MAX_KNOWN_NETWORKS {
        good.retain(|_, last| now.saturating_duration_since(*last) < KNOWN_NETWORK_TTL);
    }
    let has_its_share = good.keys().filter(|(of, _)| *of == name).count() >= MAX_NETWORKS_PER_NAME;
    if has_its_share || good.len() >= MAX_KNOWN_NETWORKS {
        let may_go = good.iter().filter(|((of, _), _)| !has_its_share || *of == name);
        if let Some(oldest) = may_go.min_by_key(|(_, last)| **last).map(|(key, _)| *key) {
            good.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(n: u32) -> Network {
        Some(std::net::Ipv4Addr::from(0x0a00_0000 + n).into())
    }

    fn log_in(guess_limits: &GuessLimits, name: &str, from: Network, now: Instant) -> Result<(), Duration> {
        let attempt = guess_limits.begin_attempt(name, from, now)?;
        guess_limits.record_success(&attempt, now);
        Ok(())
    }

    /// Returns how many wrong passwords are checked before one is refused.
    fn wrong_until_refused(guess_limits: &GuessLimits, name: &str, from: Network, now: Instant) -> u32 {
        let mut tries = 0;
        while guess_limits.begin_attempt(name, from, now).is_ok() {
            tries += 1;
            assert!(tries <= NAME_BURST + 1, "some time it is enough");
        }
        tries
    }

    #[test]
    fn one_network_uses_up_its_own_tries_and_not_the_names() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        assert_eq!(wrong_until_refused(&guess_limits, "alice", network(1), now), NETWORK_BURST);
        assert_eq!(
            wrong_until_refused(&guess_limits, "bob", network(1), now),
            0,
            "all that come from it are one"
        );
        assert_eq!(log_in(&guess_limits, "alice", network(2), now), Ok(()), "from elsewhere");
        assert_eq!(
            log_in(&guess_limits, "alice", network(1), now + NETWORK_INTERVAL),
            Ok(()),
            "one more by then"
        );
    }

    #[test]
    fn many_networks_use_up_the_names_tries_except_where_it_logged_in() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        log_in(&guess_limits, "alice", network(1), now).unwrap();
        let used: u32 = (2..)
            .map_while(|n| {
                let tries = wrong_until_refused(&guess_limits, "alice", network(n), now);
                (tries > 0).then_some(tries)
            })
            .sum();
        assert_eq!(used, NAME_BURST);
        assert_eq!(log_in(&guess_limits, "alice", network(5000), now), Err(NAME_INTERVAL));
        assert_eq!(log_in(&guess_limits, "alice", network(1), now), Ok(()), "known");
        assert_eq!(log_in(&guess_limits, "bob", network(5000), now), Ok(()), "another name");
        // A known network gets no extra tries of its own.
        assert_eq!(wrong_until_refused(&guess_limits, "alice", network(1), now), NETWORK_BURST);
        let later = now + KNOWN_NETWORK_TTL;
        assert!(guess_limits.is_known_network("alice", network(1), later - Duration::from_secs(1)));
        assert!(!guess_limits.is_known_network("alice", network(1), later), "known for a while only");
    }

    #[test]
    fn what_is_refused_by_the_names_limit_costs_its_network_nothing() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        (2..22).for_each(|n| _ = wrong_until_refused(&guess_limits, "alice", network(n), now));
        for _ in 0..3 * NETWORK_BURST {
            assert_eq!(log_in(&guess_limits, "alice", network(1), now), Err(NAME_INTERVAL));
        }
        assert_eq!(log_in(&guess_limits, "alice", network(1), now + NAME_INTERVAL), Ok(()));
    }

    #[test]
    fn what_is_refused_by_a_networks_limit_costs_the_name_nothing() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        (0..NETWORK_BURST).for_each(|_| guess_limits.record_wrong(network(1), now));
        for _ in 0..3 * NAME_BURST {
            assert_eq!(log_in(&guess_limits, "alice", network(1), now), Err(NETWORK_INTERVAL));
        }
        let used = (2..2 + NAME_BURST).map(|n| wrong_until_refused(&guess_limits, "alice", network(n), now));
        assert_eq!(used.sum::<u32>(), NAME_BURST);
    }

    #[test]
    fn wrong_passwords_from_a_known_network_count_among_all_that_come_from_it() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        log_in(&guess_limits, "alice", network(1), now).unwrap();
        for _ in 0..NETWORK_BURST {
            assert_eq!(guess_limits.check(network(1), now), Ok(()));
            guess_limits.record_failure(&guess_limits.begin_attempt("alice", network(1), now).unwrap(), now);
        }
        assert_eq!(guess_limits.check(network(1), now), Err(NETWORK_INTERVAL));
    }

    #[test]
    fn right_and_unchecked_passwords_cost_nothing() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        for _ in 0..3 * NAME_BURST {
            guess_limits.refund(&guess_limits.begin_attempt("alice", network(1), now).unwrap(), now);
        }
        assert!(!guess_limits.is_known_network("alice", network(1), now), "nothing was right");
        for _ in 0..3 * NAME_BURST {
            log_in(&guess_limits, "alice", network(1), now).unwrap();
        }
    }

    #[test]
    fn known_networks_are_bounded_and_a_name_displaces_its_own_first() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        let at = |n: usize| now + Duration::from_millis(u64::try_from(n).unwrap());
        log_in(&guess_limits, "alice", network(1), now).unwrap();
        let share = u32::try_from(MAX_NETWORKS_PER_NAME).unwrap();
        for n in 0..2 * share {
            log_in(&guess_limits, "mallory", network(n), at(1 + n as usize)).unwrap();
        }
        for n in 0..2 * share {
            let kept = guess_limits.is_known_network("mallory", network(n), at(100));
            assert_eq!(kept, n >= share, "network {n} of {share} that are kept");
        }
        assert!(guess_limits.is_known_network("alice", network(1), at(100)));
        for n in 0..2 * MAX_KNOWN_NETWORKS {
            log_in(&guess_limits, &format!("user{n}"), network(1), at(1000 + n)).unwrap();
        }
        assert_eq!(guess_limits.known_networks().len(), MAX_KNOWN_NETWORKS);
    }

    /// Attempts with many names from many networks must not make the limits forget a guesser.
    #[test]
    fn floods_of_names_and_networks_do_not_empty_a_guessers_buckets() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        for _ in 0..NETWORK_BURST {
            guess_limits.begin_attempt("alice", network(0), now).unwrap();
        }
        for n in 1..100_000 {
            guess_limits.begin_attempt(&format!("name{n}"), network(n), now).unwrap();
        }
        assert!(guess_limits.begin_attempt("alice", network(0), now).is_err());
        assert!(guess_limits.check(network(0), now).is_err());
    }

    #[test]
    fn networks_that_are_known_no_longer_make_room_first() {
        let now = Instant::now();
        let names: Vec<_> = (0..MAX_KNOWN_NETWORKS).map(|n| token::hash(&n.to_string()).0).collect();
        let mut good: HashMap<_, _> = names.iter().map(|name| ((*name, network(1)), now)).collect();
        let later = now + Duration::from_secs(1);
        good.insert((names[0], network(1)), later);
        evict(&mut good, names[1], now + KNOWN_NETWORK_TTL);
        assert_eq!(good.into_iter().collect::<Vec<_>>(), [((names[0], network(1)), later)]);
    }

    #[test]
    fn a_login_from_a_known_network_displaces_none_and_one_more_displaces_the_oldest() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        let at = |n: u32| now + NETWORK_INTERVAL * n;
        let share = u32::try_from(MAX_NETWORKS_PER_NAME).unwrap();
        let known = || {
            (0..=share)
                .filter(|n| guess_limits.is_known_network("alice", network(*n), at(share)))
                .collect::<Vec<_>>()
        };
        (0..share).for_each(|n| log_in(&guess_limits, "alice", network(n), at(n)).unwrap());
        log_in(&guess_limits, "alice", network(0), at(share)).unwrap();
        assert_eq!(known(), (0..share).collect::<Vec<_>>());
        log_in(&guess_limits, "alice", network(share), at(share)).unwrap();
        assert_eq!(known(), (0..=share).filter(|n| *n != 1).collect::<Vec<_>>());
    }

    #[test]
    fn a_wrong_password_from_an_unknown_network_is_counted_once() {
        let (guess_limits, now) = (GuessLimits::new(), Instant::now());
        for _ in 0..NETWORK_BURST {
            guess_limits.record_failure(&guess_limits.begin_attempt("alice", network(1), now).unwrap(), now);
        }
        assert_eq!(guess_limits.check(network(1), now), Err(NETWORK_INTERVAL));
    }
}
