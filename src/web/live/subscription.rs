//! A page's subscription to one stream.
//!
//! A task that sends the newest picture whenever the page is ready for one: nothing queues. It adds to the
//! demand of its stream, so that an on-demand source runs only while it is subscribed.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    rc::Rc,
    sync::Arc,
    time::Duration,
};

use actix_rt::task::JoinHandle;
use tokio::{sync::Semaphore, time::Instant};

use super::{
    message::{self, ServerMessage, Subscribe},
    session::LiveSession,
    size,
};
use crate::{
    bus::{Current, PublishedFrame},
    media::frame::FrameKind,
    observability::task_counts,
    registry::{ImageParams, RenditionGuard, RenditionUse},
    stream::StreamHandle,
    web::state::WebState,
};

/// The number of frames of one subscription in transit: one is drawn while the next is sent.
const MAX_IN_FLIGHT: usize = 2;

/// The weight of the newest measure in the latency that is shown.
const LATENCY_WEIGHT: f64 = 0.2;

/// A page shows a stream for as long as this lives.
pub(super) struct Subscription {
    session: Rc<LiveSession>,
    in_flight: Rc<InFlight>,
    task: JoinHandle<()>,
}

/// The pictures that are on their way.
struct InFlight {
    permits: Semaphore,
    sent: RefCell<VecDeque<Sent>>,
    latency_s: Cell<Option<f64>>,
}

struct Sent {
    seq: u32,
    at: Instant,
    arrived: std::time::Instant,
}

impl Subscription {
    pub(super) fn start(
        state: Arc<WebState>,
        line: Rc<LiveSession>,
        request: Subscribe,
        stream: StreamHandle,
    ) -> Self {
        let in_flight = InFlight {
            permits: Semaphore::new(MAX_IN_FLIGHT),
            sent: RefCell::default(),
            latency_s: Cell::default(),
        };
        let in_flight = Rc::new(in_flight);
        let task = task_counts::spawn(run(state, line.clone(), in_flight.clone(), request, stream));
        Self { session: line, in_flight, task }
    }

    /// The picture `seq` and those before it are drawn. Numbers that were not sent are nothing to us.
    pub(super) fn drawn(&self, seq: u32) {
        let mut sent = self.in_flight.sent.borrow_mut();
        let Some(last) = sent.iter().position(|picture| picture.seq == seq) else { return };
        for picture in sent.drain(..=last) {
            self.in_flight.permits.add_permits(1);
            self.session.drawn(picture.at.into_std());
            let latency = picture.arrived.elapsed().as_secs_f64();
            let before = self.in_flight.latency_s.get().unwrap_or(latency);
            self.in_flight.latency_s.set(Some(before + (latency - before) * LATENCY_WEIGHT));
        }
    }

    /// Returns the seconds from a frame's arrival to the page's acknowledgement that it is drawn.
    pub(super) fn latency_s(&self) -> Option<f64> {
        self.in_flight.latency_s.get()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.task.abort();
        self.session.release(self.in_flight.sent.borrow_mut().drain(..).count());
    }
}

async fn run(
    state: Arc<WebState>,
    line: Rc<LiveSession>,
    in_flight: Rc<InFlight>,
    request: Subscribe,
    stream: StreamHandle,
) {
    let id = request.id;
    let small = smaller(&state, &request, &stream).await;
    // Only the stream that is shown runs; a rendition adds to the demand of the stream that it shows.
    let shown = small.as_ref().map_or(&stream, RenditionGuard::stream);
    if show(&line, &in_flight, &request, shown, &stream).await.is_ok() {
        // An error means that the page has gone as well.
        let _ = line.send_text(ServerMessage::Ended { id }.text()).await;
    }
}

/// The rendition that all pages share which show the stream in about this size; none if it is small enough,
/// or if there is no room for one more: then its own pictures are sent.
async fn smaller(state: &WebState, request: &Subscribe, stream: &StreamHandle) -> Option<RenditionGuard> {
    let newest = stream.bus().newest().filter(|newest| newest.frame.kind() == FrameKind::Picture);
    let known = newest.map(|newest| (newest.frame.width(), newest.frame.height()));
    let (width, height) = size::shared_size((request.width, request.height), known)?;
    let side = |key: &str| match key {
        "width" => Some(width.to_string()),
        "height" => Some(height.to_string()),
        _ => None,
    };
    let params = ImageParams::parse(side).expect("the shared sizes are in the range that it takes");
    // Who is refused is counted there.
    let starter = &*state.streams.starter;
    state.streams.renditions.acquire(stream, params, RenditionUse::Tiles, starter).await.ok()
}

/// Sends what `shown` shows, and counts it as a picture of `stream`, until it has ended.
async fn show(
    line: &LiveSession,
    in_flight: &InFlight,
    request: &Subscribe,
    shown: &StreamHandle,
    stream: &StreamHandle,
) -> Result<(), actix_ws::Closed> {
    let _running = shown.demand();
    let bus = shown.bus().clone();
    let mut frames = bus.subscribe();
    let mut beat = FrameThrottle::new(request.fps);
    let mut last = 0;
    loop {
        let current = frames.borrow_and_update().clone();
        if current.closed {
            return Ok(());
        }
        let Some(first) = picture_above(&current, last).map(|picture| picture.seq) else {
            // A placeholder is not for it, so it does not miss it.
            last = current.frame.map_or(last, |newest| newest.seq.max(last));
            if frames.changed().await.is_err() {
                return Ok(());
            }
            continue;
        };
        let turn = async {
            beat.wait().await;
            let in_flight = in_flight.permits.acquire().await.expect("it is never closed");
            (in_flight, line.acquire().await)
        };
        let places = tokio::select! {
            places = turn => places,
            // Looked at again above.
            _ = frames.wait_for(|current| current.closed) => continue,
        };
        // Not the one that was seen first: whatever is newest by now.
        let Some(picture) = picture_above(&bus.current(), last) else { continue };
        let frame = &picture.frame;
        let seq = message::short(picture.seq);
        in_flight.sent.borrow_mut().push_back(Sent { seq, at: Instant::now(), arrived: frame.arrived_at() });
        places.0.forget();
        places.1.forget();
        // Of what was before it subscribed it missed nothing.
        let next = if last == 0 { first } else { last + 1 };
        stream.bus().stats().count_frame_out(frame.jpeg().len(), picture.seq - next);
        last = picture.seq;
        if line.meta {
            line.send_text(message::facts(request.id, picture.seq, frame)).await?;
        }
        line.send_picture(message::picture(request.id, picture.seq, frame)).await?;
    }
}

/// Returns the newest frame after `seq` that is not an offline image: a page shows by itself what is wrong.
fn picture_above(current: &Current, seq: u64) -> Option<Arc<PublishedFrame>> {
    current.frame.clone().filter(|newest| newest.seq > seq && newest.frame.kind() == FrameKind::Picture)
}

/// Lets one picture through each interval.
struct FrameThrottle {
    interval: Duration,
    due: Instant,
}

impl FrameThrottle {
    fn new(fps: Option<f64>) -> Self {
        let interval = fps.map_or(Duration::ZERO, |fps| Duration::from_secs_f64(1.0 / fps));
        Self { interval, due: Instant::now() }
    }

    async fn wait(&mut self) {
        let now = Instant::now();
        if self.due > now {
            tokio::time::sleep_until(self.due).await;
        }
        // What was missed is not made up for.
        self.due = self.due.max(now) + self.interval;
    }
}
