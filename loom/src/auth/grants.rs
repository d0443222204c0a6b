//! Models of connections that stay open for as long as they are allowed.

use std::sync::Arc;

use loom::{future::block_on, model, thread};

use super::{Auth, Caller, changes::Changes, grant::Lease};
use crate::{config::Role, mocks::tasks::look_at_the_second_first};

#[test]
fn a_lease_always_learns_that_it_is_over() {
    for second_first in [false, true] {
        look_at_the_second_first(second_first);
        model(|| {
            let auth = Arc::new(Auth::new(Changes::new()));
            let taken_back = {
                let auth = auth.clone();
                thread::spawn(move || {
                    auth.changes().after(|| {
                        auth.set(false);
                    });
                })
            };
            let mut lease = Lease::new(&auth, &Caller(true), Role::View, Some(&"door"));
            // One that was never told would never end.
            block_on(lease.over());
            taken_back.join().unwrap();
            assert!(lease.is_over());
        });
    }
}
