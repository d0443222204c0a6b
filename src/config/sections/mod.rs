//! The sections of a file, one file each: types, defaults, documentation, and the checks of several keys
//! together.

pub(super) mod auth;
pub(super) mod chart;
pub(super) mod limits;
pub(super) mod log;
pub(super) mod mosaic;
pub(super) mod program;
pub(super) mod save;
pub(super) mod server;
pub(super) mod source;
pub(super) mod stream;
pub(super) mod transform;
pub(super) mod http_source;
pub(super) mod webhooks;
