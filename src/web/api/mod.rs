//! The JSON API: status, administration, events, health, metrics, and its description.

pub(crate) mod status;
pub(crate) mod admin;
pub(crate) mod event_log;
pub(crate) mod health;
pub(crate) mod fps_history;
pub(crate) mod metrics;
pub(crate) mod openapi;
pub(crate) mod probe;
pub(crate) mod snapshots;
pub(crate) mod viewers;
