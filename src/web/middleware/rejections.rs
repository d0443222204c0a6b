//! Counts what was refused, by reason.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Refusal {
    /// Nobody was known: 401.
    Unauthorized,
    /// Somebody was known, with too low a role: 403; or 404, for a stream that they may not see.
    Forbidden,
    /// A page of another site asked: 403.
    CrossSite,
    /// Too many wrong credentials, or too many to check: 429, 503.
    Guessing,
    /// Too many requests from an address: 429.
    Rate,
    /// Too long a header section: 431.
    Headers,
    /// It cannot be read at all: 400, and no handler sees it.
    Malformed,
    /// More HTTP/2 requests than all connections together may have open: REFUSED_STREAM.
    Streams,
    /// More HTTP/2 frames without progress than a client may send: the end of its connection.
    Flood,
    /// There was no memory for its body, or it was ended to make room: 503, or 413 if it never fits.
    Uploads,
    /// There was no room for its answer beside those that clients have not taken: 503.
    Unsent,
}

const ALL: [(Refusal, &str); 11] = [
    (Refusal::Unauthorized, "unauthorized"),
    (Refusal::Forbidden, "forbidden"),
    (Refusal::CrossSite, "cross_site"),
    (Refusal::Guessing, "guessing"),
    (Refusal::Rate, "rate"),
    (Refusal::Headers, "headers"),
    (Refusal::Malformed, "malformed"),
    (Refusal::Streams, "streams"),
    (Refusal::Flood, "flood"),
    (Refusal::Uploads, "uploads"),
    (Refusal::Unsent, "unsent"),
];

/// Where there was no room for a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Full {
    /// In the whole relay: 503.
    Relay,
    /// In one stream: 503.
    Stream,
    /// For its address: 429.
    Address,
    /// For the rendition that it asked for: 503.
    Renditions,
    /// For one more page with live tiles: 503.
    Pages,
}

const PLACES: [(Full, &str); 5] = [
    (Full::Relay, "relay"),
    (Full::Stream, "stream"),
    (Full::Address, "address"),
    (Full::Renditions, "renditions"),
    (Full::Pages, "pages"),
];

/// The number of each.
#[derive(Debug, Default)]
pub struct Refusals {
    requests: [AtomicU64; ALL.len()],
    viewers: [AtomicU64; PLACES.len()],
}

impl Refusals {
    pub(in crate::web) fn count(&self, refusal: Refusal) {
        self.requests[refusal as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A viewer found no room.
    pub(in crate::web) fn full(&self, place: Full) {
        self.viewers[place as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Requests by reason.
    pub(in crate::web) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        ALL.iter().map(|(why, name)| (*name, self.requests[*why as usize].load(Ordering::Relaxed)))
    }

    /// Viewers by what was full.
    pub(in crate::web) fn viewers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        PLACES.iter().map(|(place, name)| (*name, self.viewers[*place as usize].load(Ordering::Relaxed)))
    }

    /// By name, for JSON: all viewers as one, without pages, which are no viewers.
    pub fn all(&self) -> BTreeMap<&'static str, u64> {
        let pages = self.viewers[Full::Pages as usize].load(Ordering::Relaxed);
        let viewers = self.viewers().map(|(_, count)| count).sum::<u64>() - pages;
        self.requests().chain([("viewers", viewers)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_under_its_name_and_pages_are_no_viewers() {
        let refusals = Refusals::default();
        refusals.count(Refusal::Rate);
        for (place, times) in [(Full::Relay, 1), (Full::Stream, 2), (Full::Pages, 4)] {
            (0..times).for_each(|_| refusals.full(place));
        }
        let viewers: Vec<_> = refusals.viewers().collect();
        assert_eq!(viewers, [("relay", 1), ("stream", 2), ("address", 0), ("renditions", 0), ("pages", 4)]);
        let all = refusals.all();
        assert_eq!((all["viewers"], all["rate"]), (3, 1));
        let names: Vec<_> = all.keys().copied().collect();
        let expected = "cross_site flood forbidden guessing headers malformed rate streams unauthorized \
                        unsent uploads viewers";
        assert_eq!(names.join(" "), expected);
        assert_eq!(all.values().sum::<u64>(), 4);
    }
}
