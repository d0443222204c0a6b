//! The part of the state that is about the process: settings, connections and budgets.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Instant, SystemTime},
};

use super::settings::LiveSettings;
use crate::{
    imaging::cpu_pool::CpuPool,
    limits::Budgets,
    web::{
        api::openapi::rendered_document::Documents,
        live::connection_limit::LiveConnections,
        server::{connections::Connections, response_budget::UnsentAnswers},
    },
};

/// Settings, and the resources that all requests share.
#[derive(Debug)]
pub struct Runtime {
    /// The settings that a reload may change.
    pub settings: Arc<LiveSettings>,
    /// The prefix of every route; empty or `/like/this`.
    pub base_path: String,
    /// True if the server itself speaks TLS.
    pub is_tls: bool,
    /// Budgets of bytes for all requests, frames and responses.
    pub budgets: Arc<Budgets>,
    /// CPU workers, for pushed pictures that are not JPEGs and for renditions of single frames.
    pub pool: Arc<CpuPool>,
    /// Open connections, and their limit.
    pub connections: Arc<Connections>,
    /// Responses that clients have not read.
    pub unsent: Arc<UnsentAnswers>,
    /// The number of pages that are connected to `/api/live`.
    pub live_connections: LiveConnections,
    /// The rendered OpenAPI document.
    pub documents: Documents,
    /// Set while the relay shuts down: it is not ready any more.
    pub stopping: AtomicBool,
    /// The time of the relay's start.
    pub started: SystemTime,
    /// The start on the monotonic clock.
    pub started_at: Instant,
}
