//! motion's addresses: `/N/stream`, `/N/substream`, `/N/current`, and those of its version 5.

use actix_web::{HttpRequest, HttpResponse, web};

use crate::{
    media::frame::FrameKind,
    registry::ImageParams,
    stream::StreamHandle,
    web::{
        middleware::problem::Problem,
        state::State,
        streams::{options::StreamOptions, snapshot, watch},
    },
};

/// A substream's width where the stream's is not known yet.
const USUAL_HALF: u16 = 320;

/// `GET /N/stream`, `/N/mjpg/stream`.
pub(in crate::web) async fn stream(
    request: HttpRequest,
    state: State,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    watch::answer(
        &request,
        &state,
        &state.streams.find_by_number(&number)?,
        StreamOptions::from_request(&request),
    )
    .await
}

/// `GET /N/substream`, `/N/mjpg/substream`: half as wide and high.
pub(in crate::web) async fn substream(
    request: HttpRequest,
    state: State,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find_by_number(&number)?;
    let half = half_of(&stream);
    watch::answer_as(&request, &state, &stream, half, StreamOptions::from_request(&request)).await
}

/// `GET /N/current`, `/N/static/stream`: one picture.
pub(in crate::web) async fn current(
    request: HttpRequest,
    state: State,
    number: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    snapshot::answer(&request, &state, &state.streams.find_by_number(&number)?).await
}

fn half_of(stream: &StreamHandle) -> ImageParams {
    let newest = stream.bus().newest().filter(|newest| newest.frame.kind() == FrameKind::Picture);
    let half = newest.map_or(USUAL_HALF, |newest| (newest.frame.width() / 2).max(1));
    let text = half.to_string();
    ImageParams::parse(|key| (key == "width").then(|| text.clone())).unwrap_or_default()
}
