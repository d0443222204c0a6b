//! Models of connections that stay open for as long as they are allowed.

use std::sync::Arc;

use loom::{future::block_on, model, thread};

use super::{Authenticator, Principal, changes::GrantChanges, grant::ActiveGrant};
use crate::{config::Role, mocks::tasks::look_at_the_second_first};

#[test]
fn a_grant_that_was_withdrawn_always_ends() {
    for second_first in [false, true] {
        look_at_the_second_first(second_first);
        model(|| {
            let auth = Arc::new(Authenticator::new(GrantChanges::new()));
            let taken_back = {
                let auth = auth.clone();
                thread::spawn(move || {
                    auth.changes().apply(|| {
                        auth.set(false);
                    });
                })
            };
            let mut grant = ActiveGrant::new(&auth, &Principal(true), Role::View, Some(&"door"));
            // A grant that missed the change would never end.
            block_on(grant.ended());
            taken_back.join().unwrap();
            assert!(grant.is_ended());
        });
    }
}
