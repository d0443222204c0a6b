//! Models of the limit of viewers.

use std::sync::Arc;

use loom::{model, thread};

use super::viewer_limit::ViewerLimit;
use crate::{bus::Bus, limits::BoundedCounter};

#[test]
fn a_headcount_is_never_beyond_what_is_allowed_and_nobody_is_refused_who_has_room() {
    model(|| {
        let count = Arc::new(BoundedCounter::default());
        let other = {
            let count = count.clone();
            thread::spawn(move || count.try_increment(2).map(|()| count.decrement()))
        };
        assert_eq!(count.try_increment(2), Ok(()));
        // Two at most at any time: the other has gone, or is one of them.
        assert_eq!(other.join().unwrap(), Ok(()));
        assert_eq!((count.try_increment(1), count.count()), (Err(1), 1));
    });
}

#[test]
fn of_two_viewers_that_join_at_once_where_one_is_allowed_one_is_admitted() {
    model(|| {
        let capacity = Arc::new(ViewerLimit::new(1));
        let buses = [Arc::new(Bus::default()), Arc::new(Bus::default())];
        let other = {
            let (capacity, bus) = (capacity.clone(), buses[1].clone());
            thread::spawn(move || capacity.acquire(&"porch", &bus, 5))
        };
        let mine = capacity.acquire(&"door", &buses[0], 5);
        let other = other.join().unwrap();
        assert!(mine.is_ok() != other.is_ok(), "exactly one");
        assert_eq!(capacity.viewers(), 1);
        assert_eq!(
            buses.iter().map(|bus| bus.stats().viewers()).sum::<usize>(),
            1,
            "and counted at its stream"
        );
        drop((mine, other));
        assert_eq!((capacity.viewers(), buses[0].stats().viewers(), buses[1].stats().viewers()), (0, 0, 0));
    });
}

#[test]
fn a_viewer_that_joins_while_another_leaves_is_admitted_or_refused_and_the_counts_are_right() {
    model(|| {
        let (capacity, bus) = (Arc::new(ViewerLimit::new(2)), Arc::new(Bus::default()));
        let first = capacity.acquire(&"door", &bus, 1).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let next = capacity.acquire(&"door", &bus, 1);
        assert!(capacity.viewers() <= 2);
        leaving.join().unwrap();
        assert_eq!(bus.stats().viewers(), usize::from(next.is_ok()));
        assert_eq!(capacity.viewers(), usize::from(next.is_ok()));
        drop(next);
        let _again = capacity.acquire(&"door", &bus, 1).unwrap();
    });
}
