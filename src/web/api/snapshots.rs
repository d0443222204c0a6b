//! `GET /snapshots?of=a,b,c&at=TIME`: of several streams the frames that were taken nearest to one time.

use std::{
    collections::VecDeque,
    convert::Infallible,
    fmt::Write,
    sync::Arc,
    time::{Duration, SystemTime},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::SizedStream,
    http::{StatusCode, header},
};
use bytes::Bytes;
use futures_util::{future::join_all, stream};

use crate::{
    auth::Principal,
    bus::{PublishedFrame, distance},
    media::{
        capture::{parse_time, rfc3339},
        frame::FrameKind,
        multipart::writer::{BOUNDARY, timestamp},
    },
    stream::StreamHandle,
    viewer::newest_picture,
    web::{
        middleware::{access::authenticate_fully, problem::Problem},
        query::query,
        response::frame_headers::{allow_origin, set_no_cache},
        server::transport::{Busy, Outbox},
        state::State,
        streams::replay::next_piece,
    },
};

/// Maximum number of streams: each may be a picture in memory until the client has read it.
const MAX_STREAMS: usize = 16;

/// A stream and its frame, or the reason why there is none.
type Found = (StreamHandle, Result<Arc<PublishedFrame>, String>);

/// `GET /snapshots`.
pub(in crate::web) async fn nearest(
    request: HttpRequest,
    state: State,
    principal: Principal,
) -> Result<HttpResponse, Problem> {
    let bad = |detail: String| Problem::new(StatusCode::BAD_REQUEST, detail);
    let of = query(&request, "of").unwrap_or_default();
    let names: Vec<_> = of.split(',').filter(|name| !name.is_empty()).collect();
    if !(1..=MAX_STREAMS).contains(&names.len()) {
        return Err(bad(format!("of must name 1 to {MAX_STREAMS} streams, such as of=door,porch")));
    }
    let at = match query(&request, "at") {
        None => SystemTime::now(),
        Some(text) => parse_time(&text).ok_or_else(|| {
            bad("at must be Unix seconds or RFC 3339, such as at=2026-11-30T12:00:00Z".to_owned())
        })?,
    };
    let principal = authenticate_fully(principal, &state, &request).await;
    let streams = names.into_iter().map(|name| state.streams.find_visible(&principal, name));
    let streams = streams.collect::<Result<Vec<_>, _>>()?;
    let _busy = Outbox::of(&request).busy(Busy::Answering);
    let found = join_all(streams.into_iter().map(async |stream| {
        let frame = match held(&stream, at) {
            Some(frame) => Ok(frame),
            None => newest_picture(&stream).await.map_err(|error| error.to_string()),
        };
        (stream, frame)
    }))
    .await;
    let mut head = HttpResponse::Ok();
    set_no_cache(&mut head);
    allow_origin(&mut head, &state.runtime.settings.current());
    let accepted = request.headers().get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    if !accepted.is_some_and(|accept| accept.contains("multipart/mixed")) {
        return Ok(head.content_type("application/json").body(json(&found, at)));
    }
    head.content_type(format!("multipart/mixed;boundary={BOUNDARY}"));
    let mut pieces = parts(&found, at);
    let len = pieces.iter().map(|piece| piece.len() as u64).sum();
    let body = std::iter::from_fn(move || next_piece(&mut pieces).map(Ok::<_, Infallible>));
    // actix leaves out the body of an answer to HEAD, and keeps its length.
    Ok(head.body(SizedStream::new(len, stream::iter(body))))
}

/// Returns the frame that is held and was taken nearest to `at`.
fn held(stream: &StreamHandle, at: SystemTime) -> Option<Arc<PublishedFrame>> {
    let newest = stream.bus().newest().filter(|newest| newest.frame.kind() == FrameKind::Picture);
    let past = stream.bus().replay_buffer().and_then(|replay| replay.nearest(at));
    let off = |frame: &Arc<PublishedFrame>| distance(frame.frame.capture().time, at);
    newest.into_iter().chain(past.map(|past| Arc::new(past.published()))).min_by_key(off)
}

/// Returns by how many milliseconds a frame was taken after `at`; below zero: before.
fn difference_ms(frame: &PublishedFrame, at: SystemTime) -> f64 {
    let time = frame.frame.capture().time;
    let milliseconds = |duration: Duration| (duration.as_secs_f64() * 1e6).round() / 1e3;
    time.duration_since(at).map_or_else(|error| -milliseconds(error.duration()), milliseconds)
}

fn json(found: &[Found], at: SystemTime) -> String {
    let times = || found.iter().filter_map(|(_, frame)| Some(frame.as_ref().ok()?.frame.capture().time));
    let spread = times().max().zip(times().min()).map_or(Duration::ZERO, |(max, min)| distance(max, min));
    let mut streams = String::new();
    for (stream, frame) in found {
        let name = stream.name();
        let entry = match frame {
            Ok(frame) => {
                let seq = frame.frame.seq().map_or(0, std::num::NonZeroU64::get);
                let difference = difference_ms(frame, at);
                // Relative, so that it is right under a base path too.
                frame.frame.facts().json(&format!(
                    r#","stream":"{name}","difference_ms":{difference},"url":"streams/{name}/snapshot?seq={seq}""#
                ))
            }
            Err(error) => serde_json::json!({"stream": name.as_str(), "error": error}).to_string(),
        };
        let comma = if streams.is_empty() { "" } else { "," };
        // A String takes whatever is written to it.
        let _ = write!(streams, "{comma}{entry}");
    }
    let spread = spread.as_secs_f64() * 1e3;
    format!(r#"{{"at":"{}","spread_ms":{spread},"streams":[{streams}]}}"#, rfc3339(at))
}

/// Returns the pieces of a multipart body with the pictures that were found.
fn parts(found: &[Found], at: SystemTime) -> VecDeque<Bytes> {
    let mut pieces = VecDeque::new();
    for (stream, frame) in found {
        let Ok(frame) = frame else { continue };
        let picture = &frame.frame;
        let head = format!(
            "--{BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\nX-Timestamp: {}\r\n\
             X-Framecast-Stream: {}\r\nX-Framecast-Difference-Ms: {}\r\n{}\r\n",
            picture.jpeg().len(),
            timestamp(picture.captured_at()),
            stream.name(),
            difference_ms(frame, at),
            picture.facts().header_lines(),
        );
        pieces.extend([Bytes::from(head), picture.jpeg().clone(), Bytes::from_static(b"\r\n")]);
    }
    pieces.push_back(format!("--{BOUNDARY}--\r\n").into());
    pieces
}
