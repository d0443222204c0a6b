//! Decides which feeds are logged. A publisher that sends each buffer as a feed of its own, as GStreamer's
//! `souphttpclientsink` does, has a line a minute and not three for each buffer.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// The interval between two lines about a publisher of short feeds, and the pause that makes it a new one.
const INTERVAL: Duration = Duration::from_secs(60);

/// The time after which a feed is logged in any case.
pub(super) const LONG_FEED: Duration = Duration::from_secs(10);

/// Most publishers that are remembered; beyond them all feeds of others are logged.
const MAX_PUBLISHERS: usize = 1024;

/// A publisher: stream, address, user.
type Key = (String, Option<IpAddr>, Option<String>);

/// The publishers of the last minute.
#[derive(Debug, Default)]
pub struct RecentFeeds(Mutex<HashMap<Key, Entry>>);

#[derive(Debug)]
struct Entry {
    logged: Instant,
    seen: Instant,
    unlogged: Recent,
}

/// Feeds that were not logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Recent {
    pub(super) requests: u64,
    pub(super) frames: u64,
}

/// A feed that has begun.
#[derive(Debug)]
pub(super) struct BegunFeed<'a> {
    feeds: &'a RecentFeeds,
    key: Key,
    is_first: bool,
}

impl RecentFeeds {
    /// Records that a feed begins.
    pub(super) fn begin(
        &self,
        stream: &str,
        client: Option<IpAddr>,
        user: Option<&str>,
        now: Instant,
    ) -> BegunFeed<'_> {
        let key = (stream.to_owned(), client, user.map(str::to_owned));
        let mut entries = self.entries();
        let is_first = entries.get(&key).is_none_or(|entry| now - entry.seen >= INTERVAL);
        if is_first {
            entries.retain(|_, entry| now - entry.seen < INTERVAL);
            if entries.len() < MAX_PUBLISHERS {
                entries.insert(key.clone(), Entry { logged: now, seen: now, unlogged: Recent::default() });
            }
        }
        BegunFeed { feeds: self, key, is_first }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Key, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BegunFeed<'_> {
    /// Returns whether the publisher had no feed in the last minute, so that this one is logged.
    pub(super) fn is_first(&self) -> bool {
        self.is_first
    }

    /// Records the end of the feed. Returns those that were not logged, once a minute.
    pub(super) fn end(self, frames: u64) -> Option<Recent> {
        self.end_at(frames, Instant::now())
    }

    fn end_at(self, frames: u64, now: Instant) -> Option<Recent> {
        let mut entries = self.feeds.entries();
        let entry = entries.get_mut(&self.key)?;
        entry.seen = now;
        if self.is_first {
            return None;
        }
        entry.unlogged.requests += 1;
        entry.unlogged.frames += frames;
        if now - entry.logged < INTERVAL {
            return None;
        }
        entry.logged = now;
        Some(std::mem::take(&mut entry.unlogged))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_feeds_have_a_line_a_minute_and_publisher_and_another_after_a_pause() {
        let (feeds, start) = (RecentFeeds::default(), Instant::now());
        let lines = |stream: &str, seconds: std::ops::Range<u64>| -> Vec<(u64, Option<Recent>)> {
            let line = |second| {
                let now = start + Duration::from_secs(second);
                let feed = feeds.begin(stream, None, None, now);
                let is_first = feed.is_first();
                let recent = feed.end_at(2, now);
                (is_first || recent.is_some()).then_some((second, recent))
            };
            seconds.filter_map(line).collect()
        };
        let minute = Some(Recent { requests: 60, frames: 120 });
        assert_eq!(lines("a", 0..130), [(0, None), (60, minute), (120, minute)]);
        assert_eq!(lines("b", 50..60), [(50, None)], "another publisher");
        assert_eq!(lines("a", 189..191), [(189, None)], "a minute after the last");
    }
}
