//! Counts what was refused, by reason.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

/// The reason for the refusal of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Rejection {
    /// No valid credential: 401.
    Unauthorized,
    /// A role that is too low: 403; or 404, for a stream that the caller may not see.
    Forbidden,
    /// A request for a page of another site: 403.
    CrossSite,
    /// Too many wrong credentials, or too many to check: 429, 503.
    Guessing,
    /// Too many requests from an address: 429.
    Rate,
    /// Too long a header section: 431.
    Headers,
    /// A request that cannot be parsed: 400, and no handler sees it.
    Malformed,
    /// Too many HTTP/2 requests of all connections together: REFUSED_STREAM.
    Streams,
    /// Too many HTTP/2 frames without progress: the end of the connection.
    Flood,
    /// No memory for its body, or it was ended to make room: 503, or 413 if it never fits.
    Uploads,
    /// No memory for its response beside those that clients have not read: 503.
    Unsent,
}

const REJECTIONS: [(Rejection, &str); 11] = [
    (Rejection::Unauthorized, "unauthorized"),
    (Rejection::Forbidden, "forbidden"),
    (Rejection::CrossSite, "cross_site"),
    (Rejection::Guessing, "guessing"),
    (Rejection::Rate, "rate"),
    (Rejection::Headers, "headers"),
    (Rejection::Malformed, "malformed"),
    (Rejection::Streams, "streams"),
    (Rejection::Flood, "flood"),
    (Rejection::Uploads, "uploads"),
    (Rejection::Unsent, "unsent"),
];

/// The limit that a viewer was refused for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum FullLimit {
    /// Viewers of the whole relay: 503.
    Relay,
    /// Viewers of one stream: 503.
    Stream,
    /// Viewers of one address: 429.
    Address,
    /// Renditions: 503.
    Renditions,
    /// Pages with live tiles: 503.
    Pages,
}

const FULL_LIMITS: [(FullLimit, &str); 5] = [
    (FullLimit::Relay, "relay"),
    (FullLimit::Stream, "stream"),
    (FullLimit::Address, "address"),
    (FullLimit::Renditions, "renditions"),
    (FullLimit::Pages, "pages"),
];

/// Counters of refusals, by reason.
#[derive(Debug, Default)]
pub struct Rejections {
    requests: [AtomicU64; REJECTIONS.len()],
    viewers: [AtomicU64; FULL_LIMITS.len()],
}

impl Rejections {
    pub(in crate::web) fn count(&self, rejection: Rejection) {
        self.requests[rejection as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a viewer that was refused.
    pub(in crate::web) fn count_viewer(&self, place: FullLimit) {
        self.viewers[place as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// Returns the refused requests by reason.
    pub(in crate::web) fn requests(&self) -> impl Iterator<Item = (&'static str, u64)> {
        REJECTIONS.iter().map(|(why, name)| (*name, self.requests[*why as usize].load(Ordering::Relaxed)))
    }

    /// Returns the refused viewers by limit.
    pub(in crate::web) fn viewers(&self) -> impl Iterator<Item = (&'static str, u64)> {
        FULL_LIMITS.iter().map(|(place, name)| (*name, self.viewers[*place as usize].load(Ordering::Relaxed)))
    }

    /// Returns the counters by name, for JSON: all viewers as one, without pages, which are no viewers.
    pub fn totals(&self) -> BTreeMap<&'static str, u64> {
        let pages = self.viewers[FullLimit::Pages as usize].load(Ordering::Relaxed);
        let viewers = self.viewers().map(|(_, count)| count).sum::<u64>() - pages;
        self.requests().chain([("viewers", viewers)]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_refusal_is_counted_under_its_name_and_pages_are_no_viewers() {
        let rejections = Rejections::default();
        rejections.count(Rejection::Rate);
        for (place, times) in [(FullLimit::Relay, 1), (FullLimit::Stream, 2), (FullLimit::Pages, 4)] {
            (0..times).for_each(|_| rejections.count_viewer(place));
        }
        let viewers: Vec<_> = rejections.viewers().collect();
        assert_eq!(viewers, [("relay", 1), ("stream", 2), ("address", 0), ("renditions", 0), ("pages", 4)]);
        let all = rejections.totals();
        assert_eq!((all["viewers"], all["rate"]), (3, 1));
        let names: Vec<_> = all.keys().copied().collect();
        let expected = "cross_site flood forbidden guessing headers malformed rate streams unauthorized \
                        unsent uploads viewers";
        assert_eq!(names.join(" "), expected);
        assert_eq!(all.values().sum::<u64>(), 4);
    }
}
