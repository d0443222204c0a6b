//! `GET /streams/{name}/meta`: the number, times and JSON of each frame, as server-sent events.
//!
//! A reader is a viewer of the stream: it counts as one, and the source runs for it. It gets the newest frame
//! when its connection takes more, so a slow one misses some. JSON that comes after its frame is an event of
//! its own, with the frame's number.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use actix_web::{
    HttpRequest, HttpResponse,
    body::BodyStream,
    http::{Method, Version},
    web,
};
use bytes::Bytes;
use futures_util::stream;
use tokio::{sync::watch::Receiver, time::timeout};

use crate::{
    auth::ActiveGrant,
    bus::{BusReader, MetaUpdates},
    config::Role,
    media::{capture::FrameFacts, frame::FrameKind},
    stream::ViewerGuard,
    viewer::ViewerCounters,
    web::{
        middleware::{access, problem::Problem, viewers_per_address::AddressPermit},
        response::frame_headers::{allow_origin, set_no_cache},
        server::{
            http2::AnswerTimeout,
            transport::{Busy, BusyGuard, Outbox},
        },
        state::State,
        streams::{
            viewer_list::{Kind, ViewerListGuard},
            viewer_registration,
            watch::{self, NoBody},
        },
    },
};

/// Interval of comments while no frame comes: proxies close connections that are silent for a minute.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// `GET /streams/{name}/meta`.
pub(in crate::web) async fn by_name(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
) -> Result<HttpResponse, Problem> {
    let stream = state.streams.find(&name)?;
    let settings = state.runtime.settings.current();
    let mut head = HttpResponse::Ok();
    set_no_cache(&mut head);
    allow_origin(&mut head, &settings);
    head.content_type("text/event-stream").insert_header(("X-Accel-Buffering", "no")).force_close();
    let chunked = request.version() >= Version::HTTP_11;
    if request.method() == Method::HEAD {
        return Ok(watch::set_chunked(chunked, head.body(NoBody)));
    }
    let grant = access::grant(&state, &request, Role::View, &stream)?;
    let permit = access::viewer_permit(&state, &request)?;
    let guard = stream
        .join(&state.streams.viewer_limit, settings.limits.max_viewers_per_stream)
        .map_err(|full| state.access.no_room(full))?;
    let outbox = Outbox::of(&request);
    outbox.set_stall_timeout(stream.config().viewer_timeout);
    let counts: Arc<ViewerCounters> = Arc::default();
    let updates = stream.bus().meta_updates();
    let seen_updates = updates.borrow().count();
    let reader = Reader {
        seen: 0,
        seen_updates,
        frames: stream.bus().subscribe(),
        updates,
        waiting: VecDeque::new(),
        _listed: viewer_registration::begin(&state, &request, stream.name(), Kind::Meta, counts.clone()),
        counts,
        grant,
        _guard: guard,
        _busy: outbox.busy(Busy::Answering),
        _permit: permit,
    };
    let events = stream::unfold(reader, async |mut reader| {
        let event = reader.next().await?;
        Some((Ok::<_, Infallible>(event), reader))
    });
    let mut answer = head.body(BodyStream::new(Box::pin(events)));
    answer.extensions_mut().insert(AnswerTimeout(stream.config().viewer_timeout));
    Ok(watch::mark_logged(watch::set_chunked(chunked, answer)))
}

/// A reader of the events.
struct Reader {
    /// Number of the last frame.
    seen: u64,
    seen_updates: u64,
    frames: BusReader,
    updates: Receiver<MetaUpdates>,
    waiting: VecDeque<FrameFacts>,
    grant: ActiveGrant,
    counts: Arc<ViewerCounters>,
    _listed: ViewerListGuard,
    _guard: ViewerGuard,
    _busy: BusyGuard,
    _permit: AddressPermit,
}

impl Reader {
    /// Returns the next event; `None` at the end of the stream or of the permission.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if self.grant.is_ended() {
                return None;
            }
            if let Some(facts) = self.waiting.pop_front() {
                let seq = facts.seq?;
                let event = Bytes::from(format!("id: {seq}\ndata: {}\n\n", facts.json("")));
                self.counts.count_frame(event.len(), 0);
                return Some(event);
            }
            let current = self.frames.borrow_and_update().clone();
            if current.closed {
                return None;
            }
            let picture = current.frame.filter(|newest| newest.frame.kind() == FrameKind::Picture);
            if let Some(newest) = picture.filter(|newest| newest.seq > self.seen) {
                self.seen = newest.seq;
                self.waiting.extend(Some(newest.frame.facts()).filter(|facts| facts.seq.is_some()));
            }
            {
                let updates = self.updates.borrow_and_update();
                self.waiting.extend(updates.after(self.seen_updates).cloned());
                self.seen_updates = updates.count();
            }
            if !self.waiting.is_empty() {
                continue;
            }
            let changed = async {
                tokio::select! {
                    () = self.grant.ended() => None,
                    changed = self.frames.changed() => changed.ok(),
                    changed = self.updates.changed() => changed.ok(),
                }
            };
            match timeout(KEEP_ALIVE, changed).await {
                Ok(changed) => changed?,
                Err(_) => return Some(Bytes::from_static(b":\n\n")),
            }
        }
    }
}
