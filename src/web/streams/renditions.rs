//! Renditions of streams and snapshots that viewers request in the query.

use actix_web::HttpRequest;

use crate::{
    bus::PublishedFrame,
    imaging::transform::pipeline::Pipeline,
    media::frame::Frame,
    registry::{ImageParams, RenditionGuard, RenditionUse},
    stream::{StreamHandle, ViewerGuard},
    web::{
        middleware::{problem::Problem, rejections::FullLimit},
        query::query,
        state::WebState,
    },
};

/// Parses the query's options for pictures.
///
/// # Errors
/// 400 for a value that makes no sense.
pub(in crate::web) fn params_of(request: &HttpRequest) -> Result<ImageParams, Problem> {
    Ok(ImageParams::parse(|key| query(request, key))?)
}

/// Joins `stream` as a viewer, of the requested rendition.
///
/// # Errors
/// 503 when there is no room for a viewer, or for a rendition.
pub(in crate::web) async fn join(
    state: &WebState,
    stream: &StreamHandle,
    params: ImageParams,
) -> Result<(ViewerGuard, Option<RenditionGuard>), Problem> {
    let most = state.runtime.settings.current().limits.max_viewers_per_stream;
    let mut guard =
        stream.join(&state.streams.viewer_limit, most).map_err(|full| state.access.no_room(full))?;
    if params.is_default() {
        return Ok((guard, None));
    }
    let (renditions, starter) = (&state.streams.renditions, &*state.streams.starter);
    let held = renditions.acquire(stream, params, RenditionUse::Viewers, starter).await;
    let held = held.inspect_err(|_| state.access.rejections.count_viewer(FullLimit::Renditions))?;
    guard.switch_to(Some(held.stream()));
    Ok((guard, Some(held)))
}

/// Makes a rendition of one frame in the CPU pool; no stream is started for it.
///
/// # Errors
/// 503 when all workers are busy, or the picture cannot be made so.
pub(in crate::web) async fn transform_picture(
    state: &WebState,
    stream: &StreamHandle,
    params: ImageParams,
    picture: &Frame,
) -> Result<Frame, Problem> {
    let rework = params.transform();
    if rework.is_nothing() {
        return Ok(picture.clone());
    }
    let limits = (&state.runtime.settings.current().limits).into();
    let memory = state.runtime.pool.memory().clone();
    let pipeline = Pipeline::new(stream.config().title.clone(), rework, limits, memory);
    let bytes = pipeline.bytes_for(picture)?;
    let picture = picture.clone();
    Ok(state.runtime.pool.queue(stream.name()).run(bytes, move || pipeline.transform(&picture)).await??.frame)
}

/// Returns a rendition of one frame of the stream, made once for all requests for it.
///
/// # Errors
/// As [`transform_picture`].
pub(in crate::web) async fn cached_picture(
    state: &WebState,
    stream: &StreamHandle,
    params: ImageParams,
    picture: &PublishedFrame,
) -> Result<Frame, Problem> {
    if params.is_default() {
        return Ok(picture.frame.clone());
    }
    let make = async || transform_picture(state, stream, params, &picture.frame).await;
    state.streams.snapshots.get(stream.bus(), picture, params, make).await
}
