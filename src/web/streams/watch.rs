//! A stream as an HTTP answer: head, and the feed of the viewer's [`Outbox`].

use std::{
    convert::Infallible,
    pin::Pin,
    sync::atomic::Ordering,
    task::{Context, Poll},
    time::Instant,
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
    abr_task::{Adapting, Taken},
    multiplexed,
    multiplexed::Multiplexed,
    renditions,
    viewer_list::{Kind, Viewing},
};
use crate::{
    bus::{Published, Showing},
    config::Role,
    limits::BudgetError,
    media::{
        frame::FrameKind,
        multipart::{
            writer,
            writer::{Framing, PreparedPart},
        },
    },
    registry::{Held, Variant},
    stream::StreamHandle,
    viewer::Viewer,
    web::{
        State, WebState,
        middleware::{access, access_log::notes::Told, problem::Problem, viewers_per_address::AddressSeat},
        query::{query, switch, switched_off, switched_on},
        response::headers::{allow_origin, never_cached},
        server::{
            http2::Patience,
            transport::{Busy, BusyGuard, Feed, FeedGuard, Filled, Outbox, Pieces, Stays},
            unsent::SlowPart,
        },
        streams::viewing::begin,
    },
};

/// The options of one viewer's stream.
#[derive(Debug, Clone, Default)]
pub(in crate::web) struct Wishes {
    /// Raw bytes to the end of the connection, as mjpg-streamer and ustreamer send (`?chunked=0`).
    pub unchunked: bool,
    /// ustreamer's `?advance_headers=1`: the next part's headers are sent ahead, without a length.
    pub advance_headers: bool,
    /// ustreamer's `?extra_headers=1`: X-UStreamer-* on each part.
    pub extra_headers: bool,
    /// ustreamer's `?zero_data=1`: headers without pictures, to measure with.
    pub zero_data: bool,
    /// `?format=raw`: JPEGs one behind the other, for programs that refuse multipart.
    pub raw: bool,
    /// `?adapt=1`: smaller pictures while the link carries no others; none as the stream is configured.
    pub adapt: Option<bool>,
    /// ustreamer's `Set-Cookie: stream_client=…`.
    pub cookie: Option<String>,
}

impl Wishes {
    /// As the query says.
    pub(in crate::web) fn of(request: &HttpRequest) -> Self {
        Self {
            unchunked: switched_off(request, "chunked"),
            advance_headers: switched_on(request, "advance_headers"),
            extra_headers: switched_on(request, "extra_headers"),
            zero_data: switched_on(request, "zero_data"),
            raw: query(request, "format").as_deref() == Some("raw"),
            adapt: switch(request, "adapt"),
            cookie: None,
        }
    }
}

/// `GET /streams/{name}`, `/{name}`, `/{name}.mjpg`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.stream(&name)?, Wishes::of(&request)).await
}

/// `GET /video_feed`: the default stream, where the Flask example had its only one.
pub(in crate::web) async fn of_default(request: HttpRequest, state: State) -> Result<HttpResponse, Problem> {
    answer(&request, &state, &state.default_stream()?, Wishes::of(&request)).await
}

/// Answers with the stream `stream`, or the rendition of it that the query asks for.
///
/// # Errors
/// 400 for a query that makes no sense, 503 when there is no room for a viewer or a rendition.
pub(in crate::web) async fn answer(
    request: &HttpRequest,
    state: &State,
    stream: &StreamHandle,
    wishes: Wishes,
) -> Result<HttpResponse, Problem> {
    answer_as(request, state, stream, renditions::asked(request)?, wishes).await
}

/// Serves a stream with options that come from another API's parameters.
///
/// # Errors
/// 503 when there is no room for a viewer or a rendition.
pub(in crate::web) async fn answer_as(
    request: &HttpRequest,
    state: &State,
    stream: &StreamHandle,
    variant: Variant,
    wishes: Wishes,
) -> Result<HttpResponse, Problem> {
    let chunked = request.version() == Version::HTTP_11 && !wishes.unchunked && stream.config().chunked;
    let framing = if chunked { Framing::Chunked } else { Framing::Raw };
    let mut head = HttpResponse::Ok();
    stream_head(&mut head, state, &wishes);
    if request.method() == Method::HEAD {
        return Ok(unchunked_unless(chunked, head.body(NoBody)));
    }
    let outbox = Outbox::of(request);
    outbox.set_stall_timeout(stream.config().viewer_timeout);
    let mut lease = access::lease(state, request, Role::View, stream)?;
    let seat = access::seat(state, request)?;
    let (guard, held) = renditions::join(state, stream, variant).await?;
    let shown = guard.stream().clone();
    // The streams of an HTTP/2 connection share its link.
    let adapts = wishes.adapt.unwrap_or(stream.config().adapt) && request.version() != Version::HTTP_2;
    let taken = adapts.then(Taken::default);
    let adapting = taken
        .clone()
        .map(|taken| Box::new(Adapting::new(state.clone(), stream.clone(), variant, shown.clone(), taken)));
    let viewer = Viewer::new(guard);
    let counts = viewer.counts().clone();
    let viewing = || begin(state, request, stream.name(), Kind::Stream, counts);
    let feed = ViewerFeed {
        viewer,
        held,
        taken,
        wishes,
        framing,
        stage: Stage::Joined,
        over: false,
        pace: ClientPace::default(),
    };
    let busy = outbox.busy(Busy::Answering);
    if request.version() == Version::HTTP_2 {
        let (showing, viewing) = (shown.bus().subscribe(), viewing());
        let viewer = Multiplexed { feed, showing, lease, _busy: busy, _seat: seat, _viewing: viewing };
        let mut answer = told(head.body(multiplexed::body(viewer)));
        answer.extensions_mut().insert(Patience(stream.config().viewer_timeout));
        answer.extensions_mut().insert(state.unsent.clone());
        return Ok(answer);
    }
    let stays = if adapts { Stays::No } else { Stays::Yes };
    let feed = outbox.attach(Box::new(feed), shown.bus(), stays).ok_or_else(|| {
        let detail =
            "a stream was the last answer of its connection; ask for the next one on another".to_owned();
        Problem::new(StatusCode::BAD_REQUEST, detail)
    })?;
    let lease: Pin<Box<dyn Future<Output = ()>>> = Box::pin(async move { lease.over().await });
    let (lease, viewing) = (Some(lease), viewing());
    let slow = (SlowPart::new(state.unsent.clone()), shown);
    let body = ViewerBody { feed, lease, adapting, slow, _busy: busy, _seat: seat, _viewing: viewing };
    Ok(told(unchunked_unless(chunked, head.body(body))))
}

/// The viewer's own line says how it ended.
pub(in crate::web) fn told(mut response: HttpResponse) -> HttpResponse {
    response.extensions_mut().insert(Told);
    response
}

/// Otherwise actix sends chunks also to HTTP/1.0 clients. The builder's own `no_chunking` would write a
/// length.
pub(in crate::web) fn unchunked_unless(chunked: bool, mut response: HttpResponse) -> HttpResponse {
    response.head_mut().no_chunking(!chunked);
    response
}

pub(in crate::web) fn stream_head(head: &mut HttpResponseBuilder, state: &WebState, wishes: &Wishes) {
    head.force_close();
    head.content_type(if wishes.raw { "application/octet-stream" } else { writer::STREAM_CONTENT_TYPE });
    head.insert_header(("X-Accel-Buffering", "no"));
    never_cached(head);
    allow_origin(head, &state.settings.now());
    if let Some(cookie) = &wishes.cookie {
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

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing was sent.
    Joined,
    /// The first delimiter was.
    Streaming,
    /// The closing one was.
    Closed,
}

/// The answer of one viewer.
#[derive(Debug)]
pub(super) struct ViewerFeed {
    viewer: Viewer,
    held: Option<Held>,
    /// Counts for those who look at its link.
    taken: Option<Taken>,
    wishes: Wishes,
    framing: Framing,
    stage: Stage,
    /// It may not go on.
    over: bool,
    pace: ClientPace,
}

impl ViewerFeed {
    /// The bytes before the first part: browsers show a spinner until they see that a multipart begins.
    fn open(&mut self, pieces: &mut Pieces) {
        self.stage = Stage::Streaming;
        if self.wishes.raw {
            return;
        }
        let delimiter = Bytes::from_static(writer::FIRST_DELIMITER);
        let ahead = if self.wishes.advance_headers { writer::headers_ahead() } else { Bytes::new() };
        pieces.put(writer::framed([delimiter, ahead, Bytes::new()], self.framing));
    }

    fn send(&mut self, frame: &Published, pieces: &mut Pieces) {
        let framing = self.framing;
        let wishes = &self.wishes;
        if wishes.raw {
            let jpeg = frame.frame.jpeg().clone();
            pieces.put(writer::framed([jpeg, Bytes::new(), Bytes::new()], framing));
        } else if wishes.advance_headers {
            let jpeg = if wishes.zero_data { Bytes::new() } else { frame.frame.jpeg().clone() };
            let parts = [jpeg, Bytes::from_static(writer::NEXT_DELIMITER), writer::headers_ahead()];
            pieces.put(writer::framed(parts, framing));
        } else if wishes.extra_headers || wishes.zero_data {
            let more = if wishes.extra_headers { self.extra_headers(frame) } else { String::new() };
            let jpeg = if self.wishes.zero_data { Bytes::new() } else { frame.frame.jpeg().clone() };
            let part = PreparedPart::with_headers(jpeg, frame.frame.taken(), &more);
            pieces.put(part.pieces(framing));
        } else {
            pieces.put_part(frame, framing);
        }
    }

    /// ustreamer's headers about this viewer's stream.
    fn extra_headers(&mut self, frame: &Published) -> String {
        let picture = &frame.frame;
        format!(
            "X-UStreamer-Online: {}\r\nX-UStreamer-Dropped: {}\r\nX-UStreamer-Width: {}\r\n\
             X-UStreamer-Height: {}\r\nX-UStreamer-Client-FPS: {}\r\nX-UStreamer-Latency: {:.6}\r\n",
            picture.kind() == FrameKind::Picture,
            self.viewer.stream().bus().stats().dropped().map(|(_, count)| count).sum::<u64>(),
            picture.width(),
            picture.height(),
            self.pace.count(Instant::now()),
            picture.arrived().elapsed().as_secs_f64(),
        )
    }

    fn close(&mut self, pieces: &mut Pieces) {
        self.stage = Stage::Closed;
        if !self.wishes.raw {
            let closing = Bytes::from_static(writer::CLOSING_AFTER_DELIMITER);
            pieces.put(writer::framed([closing, Bytes::new(), Bytes::new()], self.framing));
        }
    }
}

impl Feed for ViewerFeed {
    fn fill(&mut self, showing: &Showing, pieces: &mut Pieces) -> Filled {
        if self.stage == Stage::Joined {
            self.open(pieces);
        } else if self.stage == Stage::Streaming && (showing.closed || self.over) {
            self.close(pieces);
        } else if self.stage == Stage::Closed {
            return Filled::Ended;
        } else if let Some((frame, new)) = self.viewer.take(showing) {
            if let (Some(taken), true) = (&self.taken, new) {
                taken.fetch_add(1, Ordering::Relaxed);
            }
            self.send(frame, pieces);
        } else {
            return Filled::Nothing;
        }
        Filled::Some
    }

    fn wants(&self, showing: &Showing) -> bool {
        self.stage != Stage::Streaming || showing.closed || self.over || self.viewer.wants(showing)
    }

    fn end(&mut self) {
        self.over = true;
    }

    fn move_to(&mut self, rendition: Option<Held>) -> Option<Held> {
        self.viewer.look_at(rendition.as_ref().map(Held::stream));
        std::mem::replace(&mut self.held, rendition)
    }
}

/// Lets the feed fill the outbox; yields no bytes itself.
struct ViewerBody {
    feed: FeedGuard,
    /// Until the viewer may watch no longer; none behind that.
    lease: Option<Pin<Box<dyn Future<Output = ()>>>>,
    adapting: Option<Box<Adapting>>,
    /// Bounds the frames that slow viewers hold, and gives the length of the stream's frames.
    slow: (SlowPart, StreamHandle),
    _busy: BusyGuard,
    _seat: AddressSeat,
    _viewing: Viewing,
}

impl MessageBody for ViewerBody {
    type Error = BudgetError;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, BudgetError>>> {
        let this = self.get_mut();
        if let Some(adapting) = &mut this.adapting {
            adapting.poll(cx, &this.feed);
        }
        if this.lease.as_mut().is_some_and(|lease| lease.as_mut().poll(cx).is_ready()) {
            this.lease = None;
            this.feed.end();
        }
        // Only polled if a socket does not take a whole part at once.
        let (slow, stream) = &mut this.slow;
        let waits = this.feed.with_waiting(|part, rest| {
            let length =
                rest.and_then(|_| stream.bus().newest()).map_or(0, |newest| newest.frame.jpeg().len());
            slow.waits(part, rest, length)
        });
        if let Err(error) = waits {
            debug!("a viewer that does not keep up is disconnected: {error}");
            // A regular end would wait until the client has read the rest, and hold the frame for as long.
            return Poll::Ready(Some(Err(error)));
        }
        slow.wake_when_late(cx);
        this.feed.poll_ended(cx).map(|()| None)
    }
}

/// Frames that a viewer took in the last whole second, as ustreamer counts them.
#[derive(Debug, Default)]
struct ClientPace {
    second: Option<Instant>,
    counting: u32,
    counted: u32,
}

impl ClientPace {
    fn count(&mut self, now: Instant) -> u32 {
        let second = *self.second.get_or_insert(now);
        if now.duration_since(second).as_secs() >= 1 {
            (self.second, self.counted, self.counting) = (Some(now), self.counting, 0);
        }
        self.counting += 1;
        self.counted
    }
}
