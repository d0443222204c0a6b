//! The last seconds of a stream, played again.
//!
//! These answers use actix-http's normal body path, which copies each piece into the connection's buffer:
//! replays have few viewers, and the fan-out only sends the newest frame.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    body::BodyStream,
    http::{Method, StatusCode, Version},
    web,
};
use bytes::Bytes;
use futures_util::stream;
use tokio::time::{Instant, sleep_until};

use super::{options::StreamOptions, viewer_registration};
use super::{
    viewer_list::{Kind, ViewerListGuard},
    watch,
    watch::NoBody,
};
use crate::{
    auth::ActiveGrant,
    bus::{BusReader, Current, ReplayBuffer},
    config::Role,
    media::{
        frame::Frame,
        multipart::writer::{self, Framing, PreparedPart},
    },
    stream::{DemandGuard, ReplayGuard, StreamHandle},
    viewer::{ReplayCursor, ViewerCounters},
    web::{
        middleware::{access, problem::Problem, viewers_per_address::AddressPermit},
        query::query,
        server::{
            http2::AnswerTimeout,
            transport::{Busy, BusyGuard, Outbox},
        },
        state::State,
    },
};

/// The maximum size of a piece for actix-http, whose buffer for the connection grows to what one piece needs.
const MAX_PIECE: usize = 64 * 1024;

/// The maximum of `?seconds=`: that of `replay` in the configuration.
const MAX_SECONDS: f64 = 3600.0;

const SPEEDS: std::ops::RangeInclusive<f64> = 0.1..=10.0;

/// `GET /streams/{name}/replay`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    let replay_buffer = replay_buffer(&stream)?;
    let seconds = seconds(&request, replay_buffer)?;
    let speed = speed(&request)?;
    let goes_on = continues_live(&request)?;
    let options = StreamOptions::from_request(&request);
    let chunked = request.version() >= Version::HTTP_11 && !options.unchunked && stream.config().chunked;
    let pictures = replay_buffer.last(seconds)?;
    let mut head = HttpResponse::Ok();
    let meta = options.meta;
    watch::stream_head(&mut head, &state, &StreamOptions { meta, ..StreamOptions::default() });
    if request.method() == Method::HEAD {
        return Ok(watch::set_chunked(chunked, head.body(NoBody)));
    }
    let grant = access::grant(&state, &request, Role::View, &stream)?;
    let permit = access::viewer_permit(&state, &request)?;
    let guard = stream
        .join_replay(
            &state.streams.viewer_limit,
            state.runtime.settings.current().limits.max_viewers_per_stream,
        )
        .map_err(|full| state.access.no_room(full))?;
    let outbox = Outbox::of(&request);
    outbox.set_stall_timeout(stream.config().viewer_timeout);
    let counts: Arc<ViewerCounters> = Arc::default();
    // actix-http makes the chunks.
    let framing = options.framing(&request, false);
    let player = Player {
        _listed: viewer_registration::begin(&state, &request, stream.name(), Kind::Replay, counts.clone()),
        counts,
        replay: ReplayCursor::new(pictures, speed),
        current: stream.bus().subscribe(),
        framing,
        pieces: [writer::FIRST_DELIMITER, framing.first_head()].map(Bytes::from_static).into(),
        phase: ReplayState::Past,
        meta,
        demand: goes_on.then(|| stream.demand()),
        guard,
        grant,
        _busy: outbox.busy(Busy::Answering),
        _permit: permit,
    };
    let pieces = stream::unfold(player, async |mut player| {
        let piece = player.next().await?;
        Some((Ok::<_, Infallible>(piece), player))
    });
    let mut answer = head.body(BodyStream::new(Box::pin(pieces)));
    answer.extensions_mut().insert(AnswerTimeout(stream.config().viewer_timeout));
    Ok(watch::mark_logged(watch::set_chunked(chunked, answer)))
}

/// Returns the replay buffer of a stream.
///
/// # Errors
/// 409 when the stream has none, with the setting to add.
pub(in crate::web) fn replay_buffer(stream: &StreamHandle) -> Result<&ReplayBuffer, Problem> {
    let name = stream.name();
    let detail = || format!("stream {name} keeps no past: give it `replay: 30s` in the configuration");
    stream.bus().replay_buffer().ok_or_else(|| Problem::new(StatusCode::CONFLICT, detail()))
}

/// Parses `?seconds=`, by default the whole replay buffer.
pub(in crate::web) fn seconds(
    request: &HttpRequest,
    replay_buffer: &ReplayBuffer,
) -> Result<Duration, Problem> {
    let Some(text) = query(request, "seconds") else { return Ok(replay_buffer.span()) };
    let seconds = number(&text).filter(|seconds| (0.0..=MAX_SECONDS).contains(seconds) && *seconds > 0.0);
    let detail = || format!("seconds must be a number above 0, up to {MAX_SECONDS}");
    seconds.map(Duration::from_secs_f64).ok_or_else(|| bad_request(detail()))
}

fn speed(request: &HttpRequest) -> Result<f64, Problem> {
    let Some(text) = query(request, "speed") else { return Ok(1.0) };
    let detail = || format!("speed must be a number from {} to {}", SPEEDS.start(), SPEEDS.end());
    number(&text).filter(|speed| SPEEDS.contains(speed)).ok_or_else(|| bad_request(detail()))
}

fn continues_live(request: &HttpRequest) -> Result<bool, Problem> {
    match query(request, "then").as_deref() {
        None => Ok(false),
        Some("live") => Ok(true),
        Some(_) => Err(bad_request("then must be live, or left out")),
    }
}

pub(in crate::web) fn bad_request(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, detail)
}

/// Parses digits with at most a point: `nan`, `inf` and `1e9` are refused.
fn number(text: &str) -> Option<f64> {
    text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.').then(|| text.parse().ok()).flatten()
}

/// Returns the next piece. The rest of one that is too large to be sent at once stays in front.
pub(in crate::web) fn next_piece(pieces: &mut VecDeque<Bytes>) -> Option<Bytes> {
    let mut piece = pieces.pop_front()?;
    if piece.len() > MAX_PIECE {
        pieces.push_front(piece.split_off(MAX_PIECE));
    }
    Some(piece)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ReplayState {
    Past,
    Present,
    Ended,
}

/// A viewer of the replay buffer.
struct Player {
    replay: ReplayCursor,
    current: BusReader,
    framing: Framing,
    pieces: VecDeque<Bytes>,
    phase: ReplayState,
    /// Number, capture time and JSON of the frame stand on each part.
    meta: bool,
    /// The source runs while the past is played, if the present is to follow.
    demand: Option<DemandGuard>,
    guard: ReplayGuard,
    grant: ActiveGrant,
    counts: Arc<ViewerCounters>,
    _listed: ViewerListGuard,
    _busy: BusyGuard,
    _permit: AddressPermit,
}

impl Player {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = next_piece(&mut self.pieces) {
                return Some(piece);
            }
            match self.phase {
                ReplayState::Ended => return None,
                _ if self.grant.is_ended() => self.end(),
                ReplayState::Past => self.fill_past().await,
                ReplayState::Present => self.fill_live().await,
            }
        }
    }

    async fn fill_past(&mut self) {
        let Some(due) = self.replay.due(std::time::Instant::now()) else {
            if self.demand.is_some() {
                self.phase = ReplayState::Present;
            } else {
                self.end();
            }
            return;
        };
        let closed = |current: &Current| current.closed;
        let ended = tokio::select! {
            biased;
            () = self.grant.ended() => true,
            () = sleep_until(Instant::from_std(due)) => false,
            _ = self.current.wait_for(closed) => true,
        };
        if ended {
            self.end();
        } else if let Some(past) = self.replay.next_frame() {
            self.send(&past.frame, &past.part);
        }
    }

    async fn fill_live(&mut self) {
        let current = self.current.borrow_and_update().clone();
        if current.closed {
            self.end();
        } else if let Some(newest) = self.replay.next_live(&current) {
            self.send(&newest.frame, &newest.part);
        } else {
            let ended = tokio::select! {
                () = self.grant.ended() => true,
                changed = self.current.changed() => changed.is_err(),
            };
            if ended {
                self.end();
            }
        }
    }

    fn send(&mut self, frame: &Frame, part: &PreparedPart) {
        let bytes = frame.jpeg().len();
        if self.meta {
            let lines = frame.facts().header_lines();
            let part = PreparedPart::with_headers(frame.jpeg().clone(), frame.captured_at(), &lines);
            self.pieces.extend(part.pieces(self.framing));
        } else {
            self.pieces.extend(part.pieces(self.framing));
        }
        self.guard.stream().bus().stats().count_frame_out(bytes, 0);
        self.counts.count_frame(bytes, 0);
    }

    fn end(&mut self) {
        self.phase = ReplayState::Ended;
        self.pieces.push_back(Bytes::from_static(writer::CLOSING_AFTER_DELIMITER));
    }
}
