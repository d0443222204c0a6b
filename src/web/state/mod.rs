//! The state that handlers and middleware share, in three parts: streams, access to them, and the process.
//!
//! A function takes the part that it needs, or all of [`WebState`].

mod access;
mod runtime;
mod settings;
mod streams;

use actix_web::web;

use super::middleware::problem::Problem;
use crate::stream::StreamHandle;
pub use access::Access;
pub use runtime::Runtime;
pub use settings::{LiveSettings, Settings};
pub use streams::Streams;

/// The state of the web server.
#[derive(Debug)]
pub struct WebState {
    /// The streams and their viewers.
    pub streams: Streams,
    /// Access control, limits of clients, and counters of refusals.
    pub access: Access,
    /// Settings, and the resources that all requests share.
    pub runtime: Runtime,
}

/// The state as handlers receive it.
pub(super) type State = web::Data<WebState>;

impl WebState {
    /// Returns the stream that addresses without a name mean.
    ///
    /// # Errors
    /// 404 if there is none.
    pub(super) fn default_stream(&self) -> Result<StreamHandle, Problem> {
        match &self.runtime.settings.current().default_stream {
            Some(name) => self.streams.find(name.as_str()),
            None => self.streams.registry.nth(0).ok_or_else(Problem::no_default_stream),
        }
    }
}
