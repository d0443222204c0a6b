//! The viewers of each address.

use std::sync::Arc;

use loom::{model, thread};

use super::viewers_per_address::AddressLimit;

#[test]
fn an_address_never_has_more_viewers_than_allowed_and_is_not_kept() {
    model(|| {
        let limit = Arc::new(AddressLimit::new(Some(1)));
        let other = {
            let limit = limit.clone();
            thread::spawn(move || limit.acquire(None))
        };
        let mine = limit.acquire(None);
        let other = other.join().unwrap();
        assert!(mine.is_ok() != other.is_ok(), "exactly one");
        drop((mine, other));
        assert!(limit.is_empty());
    });
}

#[test]
fn a_viewer_that_comes_while_the_last_one_goes_is_counted() {
    model(|| {
        let limit = Arc::new(AddressLimit::new(Some(2)));
        let first = limit.acquire(None).unwrap();
        let leaving = thread::spawn(move || drop(first));
        let next = limit.acquire(None).unwrap();
        leaving.join().unwrap();
        let second = limit.acquire(None).unwrap();
        assert!(limit.acquire(None).is_err(), "there are two");
        drop((next, second));
        assert!(limit.is_empty());
    });
}
