//! frigate's newest picture: `/api/NAME/latest.jpg`. Also for an offline camera: the offline image.

use std::time::SystemTime;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{HeaderName, HeaderValue},
    web,
};

use crate::{
    config::Placeholder,
    media::frame::Frame,
    registry::ImageParams,
    source::{offline_image, offline_image::OfflineImage},
    stream::{StreamHandle, state},
    web::{
        middleware::problem::Problem,
        query::query,
        response::frame_headers::{allow_origin, set_no_cache},
        state::{State, WebState},
        streams::{renditions, snapshot},
    },
};

/// A header that frigate's clients check.
const OFFLINE: HeaderName = HeaderName::from_static("x-frigate-offline");

/// `GET /api/{name}/latest.jpg?height=&quality=`; `h` is frigate's short form.
pub(in crate::web) async fn latest(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    let params = ImageParams::parse(|key| match key {
        "height" => query(&request, "height").or_else(|| query(&request, "h")),
        "quality" => query(&request, "quality"),
        _ => None,
    })?;
    let found = snapshot::answer_as(&request, &state, &stream, params).await;
    if !is_away(&stream) {
        return found;
    }
    let mut answer = match found {
        Ok(answer) => answer,
        Err(_) => {
            let card = card(&state, &stream).await?;
            let card = renditions::transform_picture(&state, &stream, params, &card).await?;
            let mut head = HttpResponse::Ok();
            set_no_cache(&mut head);
            allow_origin(&mut head, &state.runtime.settings.current());
            head.content_type("image/jpeg").body(card.jpeg().clone())
        }
    };
    answer.headers_mut().insert(OFFLINE, HeaderValue::from_static("true"));
    Ok(answer)
}

fn is_away(stream: &StreamHandle) -> bool {
    matches!(stream.status().state, state::State::Waiting { .. } | state::State::Stopped)
}

/// Returns the frame that viewers of the stream would see.
async fn card(state: &WebState, stream: &StreamHandle) -> Result<Frame, Problem> {
    let status = stream.status();
    let reason = match status.state {
        state::State::Waiting { reason, .. } => reason.public().to_owned(),
        _ => "the stream has ended".to_owned(),
    };
    let wanted = OfflineImage {
        style: Placeholder::Card,
        title: stream.config().title.clone(),
        reason,
        since: status.since.min(SystemTime::now()),
        last: None,
        max_pixels: state.runtime.settings.current().limits.max_frame_pixels,
    };
    let memory = state.runtime.pool.memory().clone();
    let bytes = wanted.bytes(memory.max_bytes());
    Ok(state
        .runtime
        .pool
        .queue(stream.name())
        .run(bytes, move || offline_image::draw(&wanted, &memory))
        .await?)
}
