//! The last seconds of a stream as a file.

use std::{collections::VecDeque, convert::Infallible, sync::Arc};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{Method, header},
    web,
};
use futures_util::stream;

use super::viewer_registration;
use super::{
    replay::{bad_request, next_piece, replay_buffer, seconds},
    viewer_list::Kind,
    watch::mark_logged,
};
use crate::{
    media::formats::{ClipFormat, clip, local_time},
    viewer::ViewerCounters,
    web::{
        middleware::{access, problem::Problem},
        query::query,
        response::frame_headers::{allow_origin, set_no_cache},
        state::State,
    },
};

/// `GET /streams/{name}/clip`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    let replay_buffer = replay_buffer(&stream)?;
    let seconds = seconds(&request, replay_buffer)?;
    let format = match query(&request, "format") {
        None => ClipFormat::Mjpg,
        Some(text) => text.parse().map_err(|error| bad_request(format!("{error}")))?,
    };
    let pictures = replay_buffer.last(seconds)?;
    let counts: Arc<ViewerCounters> = Arc::default();
    let is_head = request.method() == Method::HEAD;
    let guard = if is_head {
        None
    } else {
        let permit = access::viewer_permit(&state, &request)?;
        let most = state.runtime.settings.current().limits.max_viewers_per_stream;
        let joined = stream
            .join_replay(&state.streams.viewer_limit, most)
            .map_err(|full| state.access.no_room(full))?;
        let listed = viewer_registration::begin(&state, &request, stream.name(), Kind::Clip, counts.clone());
        Some((joined, permit, listed))
    };
    let begins = pictures
        .first()
        .map(|first| local_time(first.frame.captured_at()).strftime("%Y%m%d-%H%M%S").to_string());
    let file = format!("{}-{}.{}", stream.name(), begins.unwrap_or_default(), format.extension());
    let clip = clip(format, pictures);
    let mut head = HttpResponse::Ok();
    set_no_cache(&mut head);
    allow_origin(&mut head, &state.runtime.settings.current());
    head.content_type(format.content_type());
    // A stream's name has no character that would have to be escaped.
    head.insert_header((header::CONTENT_DISPOSITION, format!("attachment; filename=\"{file}\"")));
    let mut pieces = clip.chunks;
    let mut waiting = VecDeque::new();
    let body = stream::iter(std::iter::from_fn(move || {
        let _counted = &guard;
        if waiting.is_empty() {
            waiting.extend(pieces.next());
        }
        let piece = next_piece(&mut waiting)?;
        counts.count_bytes(piece.len());
        Some(Ok::<_, Infallible>(piece))
    }));
    // actix leaves out the body of an answer to HEAD, and keeps its length.
    let answer = head.body(SizedStream::new(clip.len, body));
    Ok(if is_head { answer } else { mark_logged(answer) })
}
