//! A stream as an HTTP answer: its head, and the producer for the viewer's [`Outbox`].

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::{
    HttpRequest, HttpResponse, HttpResponseBuilder,
    body::{BodySize, MessageBody},
    http::{Method, StatusCode, Version, header},
    web,
};
use bytes::Bytes;
use tracing::debug;

use super::{
    abr_task::{AbrTask, DeliveredCounter},
    http2_viewer::{self, Http2Viewer},
    renditions,
    viewer_list::{Kind, ViewerListGuard},
};
use super::{options::StreamOptions, viewer_feed::ViewerProducer, viewer_registration};
use crate::{
    config::Role,
    limits::BudgetError,
    media::multipart::writer,
    registry::ImageParams,
    stream::StreamHandle,
    viewer::FrameCursor,
    web::{
        middleware::{
            access, access_log::extensions::LoggedElsewhere, problem::Problem,
            viewers_per_address::AddressPermit,
        },
        response::frame_headers::{allow_origin, set_no_cache},
        server::{
            http2::AnswerTimeout,
            response_budget::SlowPart,
            transport::{BusBinding, Busy, BusyGuard, Outbox, ProducerGuard},
        },
        state::{State, WebState},
    },
};

/// `GET /streams/{name}`, `/{name}`, `/{name}.mjpg`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.streams.find(&name)?, StreamOptions::from_request(&request)).await
}

/// `GET /video_feed`: the default stream, where the Flask example had its only one.
pub(in crate::web) async fn default_stream(
    request: HttpRequest,
    state: State,
) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.default_stream()?, StreamOptions::from_request(&request)).await
}

/// Answers with the stream `stream`, or the rendition of it that the query asks for.
///
/// # Errors
/// 400 for a query that makes no sense, 503 when there is no room for a viewer or a rendition.
pub(in crate::web) async fn answer(
    request: &HttpRequest,
    state: &State,
    stream: &StreamHandle,
    options: StreamOptions,
) -> Result<HttpResponse, Problem> {
    answer_as(request, state, stream, renditions::params_of(request)?, options).await
}

/// Serves a stream with options that come from another API's parameters.
///
/// # Errors
/// 503 when there is no room for a viewer or a rendition.
pub(in crate::web) async fn answer_as(
    request: &HttpRequest,
    state: &State,
    stream: &StreamHandle,
    params: ImageParams,
    options: StreamOptions,
) -> Result<HttpResponse, Problem> {
    let chunked = request.version() == Version::HTTP_11 && !options.unchunked && stream.config().chunked;
    let framing = options.framing(request, chunked);
    let mut head = HttpResponse::Ok();
    stream_head(&mut head, state, &options);
    if request.method() == Method::HEAD {
        return Ok(set_chunked(chunked, head.body(NoBody)));
    }
    let outbox = Outbox::of(request);
    outbox.set_stall_timeout(stream.config().viewer_timeout);
    let mut grant = access::grant(state, request, Role::View, stream)?;
    let permit = access::viewer_permit(state, request)?;
    let (guard, rendition) = renditions::join(state, stream, params).await?;
    let shown = guard.stream().clone();
    // The streams of an HTTP/2 connection share its link.
    let adapts = options.adapt.unwrap_or(stream.config().adapt) && request.version() != Version::HTTP_2;
    let delivered = adapts.then(DeliveredCounter::default);
    let abr = delivered.clone().map(|delivered| {
        Box::new(AbrTask::new(state.clone(), stream.clone(), params, shown.clone(), delivered))
    });
    let viewer = FrameCursor::new(guard);
    let counts = viewer.counts().clone();
    let register = || viewer_registration::begin(state, request, stream.name(), Kind::Stream, counts);
    let producer = ViewerProducer::new(viewer, rendition, delivered, options, framing);
    let busy = outbox.busy(Busy::Answering);
    if request.version() == Version::HTTP_2 {
        let (current, listed) = (shown.bus().subscribe(), register());
        let viewer = Http2Viewer { producer, current, grant, _busy: busy, _permit: permit, _listed: listed };
        let mut answer = mark_logged(head.body(http2_viewer::body(viewer)));
        answer.extensions_mut().insert(AnswerTimeout(stream.config().viewer_timeout));
        answer.extensions_mut().insert(state.runtime.unsent.clone());
        return Ok(answer);
    }
    let binding = if adapts { BusBinding::Switchable } else { BusBinding::Fixed };
    let producer = outbox.attach(Box::new(producer), shown.bus(), binding).ok_or_else(|| {
        let detail =
            "a stream was the last answer of its connection; ask for the next one on another".to_owned();
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let grant: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { grant.ended().await });
    let (grant, listed) = (Some(grant), register());
    let slow = (SlowPart::new(state.runtime.unsent.clone()), shown);
    let body = ViewerBody { producer, grant, abr, slow, _busy: busy, _permit: permit, _listed: listed };
    Ok(mark_logged(set_chunked(chunked, head.body(body))))
}

/// Marks a response as logged by the line of its viewer.
pub(in crate::web) fn mark_logged(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(LoggedElsewhere);
    response
}

/// Sets whether the response is chunked: actix sends chunks also to HTTP/1.0 clients. The builder's own
/// `no_chunking` would write a length.
pub(in crate::web) fn set_chunked(chunked: bool, mut response: HttpResponse) -> HttpResponse {
    response.head_mut().no_chunking(!chunked);
    response
}

pub(in crate::web) fn stream_head(head: &mut HttpResponseBuilder, state: &WebState, options: &StreamOptions) {
    head.force_close();
    head.content_type(if options.raw { "application/octet-stream" } else { writer::STREAM_CONTENT_TYPE });
    head.insert_header(("X-Accel-Buffering", "no"));
    if options.is_framecast || options.meta {
        // Another framecast asks for the numbers and times of frames then.
        head.insert_header(("X-Framecast", "1"));
    }
    if options.meta && !options.raw && !options.advance_headers {
        head.insert_header(("X-Framecast-Parts", "meta"));
    }
    set_no_cache(head);
    allow_origin(head, &state.runtime.settings.current());
    if let Some(cookie) = &options.cookie {
        head.insert_header((header::SET_COOKIE, cookie.as_str()));
    }
}

/// The body of a HEAD answer: of unknown length, like the stream itself, and empty.
pub(in crate::web) struct NoBody;

impl MessageBody for NoBody {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

/// Lets the producer fill the outbox; yields no bytes itself.
struct ViewerBody {
    producer: ProducerGuard,
    /// Resolves when the viewer may no longer watch; `None` after that.
    grant: Option<Pin<Box<dyn Future<Output = ()>>>>,
    abr: Option<Box<AbrTask>>,
    /// Bounds the frames that slow viewers hold, and gives the length of the stream's frames.
    slow: (SlowPart, StreamHandle),
    _busy: BusyGuard,
    _permit: AddressPermit,
    _listed: ViewerListGuard,
}

impl MessageBody for ViewerBody {
    type Error = BudgetError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BudgetError>>> {
        let this = self.get_mut();
        if let Some(abr) = &mut this.abr {
            abr.poll(cx, &this.producer);
        }
        if this.grant.as_mut().is_some_and(|grant| grant.as_mut().poll(cx).is_ready()) {
            this.grant = None;
            this.producer.end();
        }
        // Polled only if the socket does not accept a whole part at once.
        let (slow, stream) = &mut this.slow;
        let waits = this.producer.with_waiting(|part, rest| {
            let length =
                rest.and_then(|_| stream.bus().newest()).map_or(0, |newest| newest.frame.jpeg().len());
            slow.waits(part, rest, length)
        });
        if let Err(error) = waits {
            debug!("a viewer that does not keep up is disconnected: {error}");
            // A regular end would wait until the client has read the rest, and keep the frame until then.
            return Poll::Ready(Some(Err(error)));
        }
        slow.wake_when_late(cx);
        this.producer.poll_ended(cx).map(|()| None)
    }
}
