//! The viewers of each address.

use std::sync::Arc;

use loom::{model, thread};

use super::viewers_per_address::AddressLimit;

#[test]
fn an_address_never_has_more_viewers_than_allowed_and_is_not_kept() {
    model(|| {
        let seats = Arc::new(AddressLimit::new(Some(1)));
        let other = {
            let seats = seats.clone();
            thread::spawn(move || seats.acquire(None))
        };
        let mine = seats.acquire(None);
        let other = other.join().unwrap();
        assert!(mine.is_ok() != other.is_ok(), "exactly one");
        drop((mine, other));
        assert!(seats.is_empty());
    });
}

#[test]
fn a_viewer_that_comes_while_the_last_one_goes_is_counted() {
    model(|| {
        let seats = Arc::new(AddressLimit::new(Some(2)));
        let first = seats.acquire(None).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let next = seats.acquire(None).unwrap();
        leaving.join().unwrap();
        let second = seats.acquire(None).unwrap();
        assert!(seats.acquire(None).is_err(), "there are two");
        drop((next, second));
        assert!(seats.is_empty());
    });
}
