//! Renditions that viewers ask for in the query: streams, snapshots, and their part of the API's reports.

use std::{collections::BTreeMap, time::Instant};

use actix_web::HttpRequest;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    bus::{Adaptive, DropReason, Published, STEPS},
    imaging::transform::pipeline::Pipeline,
    media::frame::Frame,
    registry::{Held, Rendition, Renditions, Variant},
    stream::{StreamHandle, ViewerGuard},
    web::{
        WebState,
        middleware::{problem::Problem, rejections::Full},
        query,
    },
};

/// Parses the query's options for pictures.
///
/// # Errors
/// 400 for a value that makes no sense.
pub(in crate::web) fn asked(request: &HttpRequest) -> Result<Variant, Problem> {
    Ok(Variant::parse(|key| query(request, key))?)
}

/// Joins `stream` as a viewer, of the rendition that is asked for.
///
/// # Errors
/// 503 when there is no room for a viewer, or for a rendition.
pub(in crate::web) async fn join(
    state: &WebState,
    stream: &StreamHandle,
    variant: Variant,
) -> Result<(ViewerGuard, Option<Held>), Problem> {
    let most = state.settings.now().limits.max_viewers_per_stream;
    let mut guard = stream.join(&state.capacity, most).map_err(|full| state.no_room(full))?;
    if variant.is_nothing() {
        return Ok((guard, None));
    }
    let held = state.renditions.hold(stream, variant, &*state.starter).await;
    let held = held.inspect_err(|_| state.refusals.full(Full::Renditions))?;
    guard.look_at(Some(held.stream()));
    Ok((guard, Some(held)))
}

/// One picture made so, in the pool: no stream is needed for that.
///
/// # Errors
/// 503 when all workers are busy, or the picture cannot be made so.
pub(in crate::web) async fn one_picture(
    state: &WebState,
    stream: &StreamHandle,
    variant: Variant,
    picture: &Frame,
) -> Result<Frame, Problem> {
    let rework = variant.rework();
    if rework.is_nothing() {
        return Ok(picture.clone());
    }
    let limits = (&state.settings.now().limits).into();
    let memory = state.pool.memory().clone();
    let pipeline = Pipeline::new(stream.config().title.clone(), rework, limits, memory);
    let bytes = pipeline.bytes_for(picture)?;
    let picture = picture.clone();
    Ok(state.pool.queue(stream.name()).run(bytes, move || pipeline.rework(&picture)).await??.frame)
}

/// Returns a rendition of one frame of the stream, made once for all who ask for it.
///
/// # Errors
/// As [`one_picture`].
pub(in crate::web) async fn one_picture_for_all(
    state: &WebState,
    stream: &StreamHandle,
    variant: Variant,
    picture: &Published,
) -> Result<Frame, Problem> {
    if variant.is_nothing() {
        return Ok(picture.frame.clone());
    }
    let make = async || one_picture(state, stream, variant, &picture.frame).await;
    state.pictures.get(stream.bus(), picture, variant, make).await
}

/// The viewers of a stream whose link is looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Adaptive")]
pub(in crate::web) struct AdaptiveReport {
    /// Viewers at each step; the first one is the stream as it is.
    viewers: [usize; STEPS],
    moved_down: u64,
    moved_up: u64,
}

impl AdaptiveReport {
    pub(in crate::web) fn of(adaptive: &Adaptive) -> Self {
        let (moved_down, moved_up) = (adaptive.moved_down(), adaptive.moved_up());
        Self { viewers: adaptive.viewers(), moved_down, moved_up }
    }
}

/// The renditions of all streams.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Renditions")]
pub(in crate::web) struct RenditionsReport {
    running: usize,
    most: usize,
    refused: u64,
}

impl RenditionsReport {
    pub(in crate::web) fn of(renditions: &Renditions) -> Self {
        Self { running: renditions.count(), most: renditions.most(), refused: renditions.refused() }
    }
}

/// A rendition of one stream.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rendition")]
pub(in crate::web) struct RenditionReport {
    query: String,
    viewers: usize,
    fps: f64,
    frames_in: u64,
    made: BTreeMap<&'static str, u64>,
    busy: u64,
    frames_out: u64,
    bytes_out: u64,
    size: Option<crate::web::api::status::PictureSize>,
    frame_bytes: Option<usize>,
}

impl RenditionReport {
    pub(in crate::web) fn of(Rendition { variant, stream }: &Rendition) -> Self {
        let stats = stream.bus().stats();
        let newest = stream.bus().newest();
        let newest = newest.as_ref().map(|newest| &newest.frame);
        let busy = stats.dropped().find(|(reason, _)| *reason == DropReason::Busy);
        Self {
            query: variant.to_string(),
            viewers: stats.viewers(),
            fps: crate::web::api::status::rounded(stats.fps(Instant::now())),
            frames_in: stats.frames_in(),
            made: stats.made().map(|(way, count)| (way.as_str(), count)).collect(),
            busy: busy.map_or(0, |(_, count)| count),
            frames_out: stats.frames_out(),
            bytes_out: stats.bytes_out(),
            size: newest.map(crate::web::api::status::PictureSize::of),
            frame_bytes: newest.map(|frame| frame.jpeg().len()),
        }
    }
}
