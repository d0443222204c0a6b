//! The part of the state that decides who may do what, and how much of it.

use std::sync::Arc;

use crate::{
    auth::Authenticator,
    stream::AtCapacity,
    web::middleware::{
        problem::Problem,
        rejections::{FullLimit, Rejections},
        request_rate::RequestRate,
        uploads::Uploads,
        viewers_per_address::AddressLimit,
    },
};

/// Access control, the limits of each client, and the counters of refusals.
#[derive(Debug)]
pub struct Access {
    /// Checks credentials and permissions.
    pub auth: Arc<Authenticator>,
    /// The limit on requests of each address.
    pub requests: Arc<RequestRate>,
    /// The limit on viewers of each address.
    pub viewers_per_address: Arc<AddressLimit>,
    /// The request bodies that are being received.
    pub uploads: Arc<Uploads>,
    /// Counters of refusals.
    pub rejections: Arc<Rejections>,
}

impl Access {
    /// Counts a viewer that was refused because a limit was reached, and returns the error for it.
    pub(in crate::web) fn no_room(&self, full: AtCapacity) -> Problem {
        self.rejections.count_viewer(if full.is_stream_limit() {
            FullLimit::Stream
        } else {
            FullLimit::Relay
        });
        full.into()
    }
}
