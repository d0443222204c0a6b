//! `GET /metrics`: what is counted, in the text format of Prometheus (0.0.4).
//!
//! Nothing is counted for this: at each scrape the counters that the API shows too are read. A stream that
//! goes on with other settings goes on counting, and what a rendition had sent stays counted at its stream
//! when it ends. Only a stream that is removed takes its series along.
//!
//! Labels hold what the configuration names, and words of ours: streams, hooks, states, reasons. Nothing that
//! a client sends ever becomes one.

mod family;
mod relay;
mod streams;

use actix_web::{HttpResponse, http::header, web};
use family::Scrape;

use crate::{observability::process::ProcessStats, web::state::State};

/// The content type of Prometheus' text format.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// `GET /metrics`.
pub(in crate::web) async fn metrics(state: State) -> HttpResponse {
    // The kernel's files of open sockets are long.
    let figures = web::block(ProcessStats::now).await.unwrap_or_default();
    let mut scrape = Scrape::default();
    relay::collect(&state, &mut scrape);
    relay::process(figures, state.runtime.started, &mut scrape);
    streams::collect(&state, &mut scrape);
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, CONTENT_TYPE))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(scrape.text())
}
