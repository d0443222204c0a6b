//! The actor: owns the stream's state and timers, and does what [`state::next`] says.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix::prelude::*;
use tokio::{sync::watch, task::JoinHandle};
use tracing::{debug, info, info_span, warn};

use super::{
    failover::{
        priority::{Candidates, Sources},
        trial::{Run, Trial},
    },
    handle::{SourceId, Status},
    pump::{Generation, Pump},
    state::{self, Action, Circumstances, Ending, Event, State},
};
use crate::{
    bus::{Bus, Lanes, Sink},
    config::{Limits, Placeholder, SourceConfig, StreamConfig},
    imaging::cpu_pool::Pool,
    media::frame::{Frame, FrameKind},
    observability::{
        next_id,
        tasks::{self, Counted},
    },
    source::{
        self, Lasting, Reason,
        offline_image::{self, StandIn},
    },
};

/// A source that is away for less than this is worth neither a placeholder nor a line in the log: cameras
/// that close after each picture are back before, and the first viewer of an idle stream mostly has its frame
/// by then.
const AWAY_AFTER: Duration = Duration::from_secs(2);

/// Why there is no picture before anything has failed.
const CONNECTING: &str = "connecting";

/// Why there is no picture of a paused stream.
const PAUSED: &str = "paused";

/// Reason for which a push stream waits.
const NOTHING_PUSHED: &str = "no picture has been pushed yet";

/// Ends the stream for good; answered when its source is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Stop;

/// Stops the actor without a visible change, because another actor continues the stream.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Retire;

/// Ends the source and starts it anew; answered when the old one is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Restart;

/// Lets go of the source until [`Resume`]; answered when it is gone.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Pause;

/// Ends a pause.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(super) struct Resume;

/// The pump's first frame came.
#[derive(Debug, Message)]
#[rtype(result = "()")]
struct FirstFrame(Generation);

/// Owns one stream's life.
#[derive(Debug)]
pub(super) struct StreamActor {
    pub(super) config: Arc<StreamConfig>,
    limits: Limits,
    pool: Arc<Pool>,
    sink: Sink,
    demand: watch::Receiver<usize>,
    status: watch::Sender<Status>,
    pub(super) standing: watch::Sender<Option<Arc<Sources>>>,
    pub(super) source: SourceId,
    lasting: Lasting,
    pub(super) state: State,
    pub(super) sources: Candidates,
    /// The run in use.
    pub(super) generation: Generation,
    pub(super) pump: Option<Pump>,
    /// Whose frames are shown, where there are several sources.
    pub(super) lanes: Arc<Lanes>,
    pub(super) trial: Option<Trial>,
    pub(super) next_trial: Option<SpawnHandle>,
    pub(super) retry: Option<SpawnHandle>,
    linger: Option<SpawnHandle>,
    away: Option<Away>,
    /// Why the source was away last.
    pub(super) reason: Reason,
    said_live: bool,
    _counted: Counted,
}

/// The source is wanted and gives no frames.
#[derive(Debug)]
struct Away {
    since: SystemTime,
    /// The last picture before.
    last: Option<Frame>,
    timer: SpawnHandle,
    due: bool,
}

impl StreamActor {
    pub(super) fn start_with(
        config: Arc<StreamConfig>,
        limits: Limits,
        pool: Arc<Pool>,
        sink: Sink,
        demand: watch::Receiver<usize>,
        (status, standing, source): (watch::Sender<Status>, watch::Sender<Option<Arc<Sources>>>, SourceId),
        lasting: Lasting,
    ) -> Addr<Self> {
        let sources = Candidates::new(config.sources().count());
        Self {
            config,
            limits,
            pool,
            sink,
            demand,
            status,
            standing,
            source,
            lasting,
            state: State::Idle,
            sources,
            generation: 0,
            pump: None,
            lanes: Arc::default(),
            trial: None,
            next_trial: None,
            retry: None,
            linger: None,
            away: None,
            reason: CONNECTING.into(),
            said_live: false,
            _counted: Counted::new(tasks::Kind::Stream),
        }
        .start()
    }

    pub(super) fn bus(&self) -> &Arc<Bus> {
        self.sink.bus()
    }

    pub(super) fn is_push(&self) -> bool {
        matches!(self.config.source(), SourceConfig::Push { .. })
    }

    /// Returns the number by which the log names the connection that frames come from: for a push stream,
    /// that of its publisher.
    fn source_id(&self) -> Option<u64> {
        if self.is_push() { self.source.now() } else { Some(self.generation) }
    }

    fn always_runs(&self) -> bool {
        !self.config.on_demand() || self.is_push()
    }

    pub(super) fn happen(&mut self, event: Event, ctx: &mut Context<Self>) {
        let passive = self.is_push().then_some(NOTHING_PUSHED);
        let with = Circumstances { now: Instant::now(), sources: &mut self.sources, passive };
        let (state, action) = state::next(&self.state, event, with);
        if state != self.state {
            self.enter(state, ctx);
        }
        match action {
            Action::Nothing => {}
            Action::Start => self.start_source(ctx),
            Action::Halt => self.halt(ctx),
            Action::RetryIn(delay) => {
                let retry = ctx.run_later(delay, |this, ctx| {
                    this.retry = None;
                    this.bus().stats().count_reconnect();
                    this.happen(Event::RetryDue, ctx);
                });
                self.retry = Some(retry);
            }
        }
        self.tell_sources();
    }

    /// Takes on a new state, and minds what is said and shown while the source is away.
    fn enter(&mut self, state: State, ctx: &mut Context<Self>) {
        debug!(stream = %self.config.name, ?state, "state changed");
        self.state = state.clone();
        self.status.send_replace(Status { state, since: SystemTime::now() });
        match self.state {
            State::Connecting | State::Waiting { .. } => self.is_away(ctx),
            State::Live => {
                let was_away = self.no_longer_away(ctx);
                // A camera that closes after each picture goes and comes twice a second; that is no news.
                if was_away || !self.said_live {
                    info!(stream = %self.config.name, source = self.source_id(), "live");
                }
                self.said_live = true;
                self.in_use_is_live(ctx);
            }
            State::Idle | State::Paused | State::Stopped => {
                self.no_longer_away(ctx);
                if std::mem::take(&mut self.said_live) {
                    info!(stream = %self.config.name, state = self.state.as_str(), "its source is let go");
                }
            }
        }
    }

    fn is_away(&mut self, ctx: &mut Context<Self>) {
        if let State::Waiting { reason, .. } = &self.state {
            self.reason.clone_from(reason);
        }
        match &self.away {
            None => {
                let timer = ctx.run_later(AWAY_AFTER, |this, ctx| {
                    let Some(away) = &mut this.away else { return };
                    away.due = true;
                    if !this.is_push() {
                        warn!(
                            stream = %this.config.name,
                            source = this.generation,
                            "source is away: {}",
                            this.reason.detailed()
                        );
                    }
                    this.show_placeholder(ctx);
                });
                let last = self.bus().newest().map(|newest| newest.frame.clone());
                let last = last.filter(|frame| frame.kind() == FrameKind::Picture);
                self.away = Some(Away { since: SystemTime::now(), last, timer, due: false });
            }
            Some(away) if away.due => self.show_placeholder(ctx),
            Some(_) => {}
        }
    }

    /// Whether it had been away for long enough to be said.
    fn no_longer_away(&mut self, ctx: &mut Context<Self>) -> bool {
        self.reason = CONNECTING.into();
        let Some(away) = self.away.take() else { return false };
        ctx.cancel_future(away.timer);
        away.due
    }

    /// Shows that it is paused for as long as it is.
    fn show_paused(&mut self, ctx: &mut Context<Self>) {
        if self.state == State::Paused && self.away.is_none() {
            self.reason = PAUSED.into();
            let timer = ctx.run_later(Duration::ZERO, |_, _| {});
            self.away = Some(Away { since: SystemTime::now(), last: None, timer, due: true });
            self.show_placeholder(ctx);
        }
    }

    /// Draws why there is no picture, in the pool, and shows it unless a frame came meanwhile.
    fn show_placeholder(&mut self, ctx: &mut Context<Self>) {
        let Some(away) = &self.away else { return };
        // Of a stream that shows another's pictures that one's placeholder is shown, which says more.
        let shows_others = !self.config.has_fallbacks() && !self.config.source().origins().is_empty();
        if self.config.placeholder == Placeholder::None || shows_others {
            return;
        }
        let seen = self.bus().newest().map_or(0, |newest| newest.seq);
        let wanted = StandIn {
            style: self.config.placeholder.clone(),
            title: self.config.title.clone(),
            // That of the failure before stays readable while the next try is on.
            reason: self.reason.public().to_owned(),
            since: away.since,
            last: away.last.clone(),
            max_pixels: self.limits.max_frame_pixels,
        };
        let queue = self.pool.queue(&self.config.name);
        let memory = self.pool.memory().clone();
        let bytes = wanted.bytes(memory.most_bytes());
        let drawing = async move { queue.run(bytes, move || offline_image::draw(&wanted, &memory)).await };
        ctx.spawn(drawing.into_actor(self).map(move |drawn, this, _| match drawn {
            // Let go of, or back, while it was drawn: the card would be the first that the next viewer sees.
            Ok(_) if this.away.is_none() => {}
            Ok(frame) => this.bus().publish_if_newest_is(seen, frame.as_placeholder()),
            // The workers are busy with pictures that somebody sees; the next state change draws again.
            Err(busy) => debug!(stream = %this.config.name, "placeholder not drawn: {busy}"),
        }));
    }

    fn start_source(&mut self, ctx: &mut Context<Self>) {
        if self.trial_is_next() {
            self.adopt_trial(ctx);
            self.happen(Event::FirstFrame, ctx);
            return;
        }
        let position = self.sources.choose(Instant::now());
        if self.sources.is_on_trial(position) {
            self.adopt_trial(ctx);
            return;
        }
        let run = self.run(position, ctx);
        self.lanes.show(run.generation);
        self.generation = run.generation;
        self.pump = Some(run.pump);
        // Pushed pictures come past the source: the first one perhaps before it was started, as soon as the
        // relay listens.
        if self.is_push()
            && self.bus().newest().is_some_and(|newest| newest.frame.kind() == FrameKind::Picture)
        {
            self.happen(Event::FirstFrame, ctx);
        }
    }

    /// Runs and halts have numbers of their own, all of them in the log's one count.
    fn next_generation() -> Generation {
        next_id()
    }

    /// Starts a run of the source at this place of the list.
    pub(super) fn run(&mut self, position: usize, ctx: &mut Context<Self>) -> Run {
        let generation = Self::next_generation();
        let (config, limits, pool) = (self.config.clone(), self.limits.clone(), self.pool.clone());
        let lasting = self.lasting.clone();
        let several = config.has_fallbacks();
        let build = move || source::build((&config, position), &limits, &pool, &lasting);
        let actor = ctx.address();
        let on_first_frame = move || {
            // Awaited in a task of its own: the pump must not wait for a full mailbox.
            tasks::spawn(async move { actor.send(FirstFrame(generation)).await });
        };
        let sink = if several { self.sink.in_lane(&self.lanes, generation) } else { self.sink.clone() };
        let span = info_span!("source", stream = %self.config.name, source = generation);
        debug!(stream = %self.config.name, source = generation, "a source starts");
        let (pump, join) = Pump::start(build, sink.clone(), span, on_first_frame);
        let ended = async move { outcome(join).await };
        ctx.spawn(ended.into_actor(self).map(move |ending, this, ctx| {
            if let Some(ending) = ending {
                this.run_ended(generation, ending, ctx);
            }
        }));
        Run { pump, generation, sink }
    }

    /// Lets go of the source and its last frame: whoever joins next must not see the past.
    fn halt(&mut self, ctx: &mut Context<Self>) {
        for timer in [self.retry.take(), self.linger.take()].into_iter().flatten() {
            ctx.cancel_future(timer);
        }
        self.generation = Self::next_generation();
        self.sink.clear();
        let pumps: Vec<_> = [self.pump.take(), self.end_trial(ctx)].into_iter().flatten().collect();
        if pumps.is_empty() {
            return;
        }
        let sink = self.sink.clone();
        let gone = async move {
            for pump in pumps {
                pump.end().await;
            }
            // It may have given a frame in its last moment.
            sink.clear();
        };
        // Nothing else is handled meanwhile: the next start cannot overtake the end of this one.
        ctx.wait(gone.into_actor(self));
    }

    /// Answers when what [`halt`](Self::halt) waits for is over, having done `then`.
    fn when_let_go(
        &self,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) -> ResponseActFuture<Self, ()> {
        Box::pin(async {}.into_actor(self).map(|(), this, ctx| then(this, ctx)))
    }

    fn demand_changed(&mut self, wanted: usize, ctx: &mut Context<Self>) {
        if wanted > 0 || self.always_runs() {
            if let Some(linger) = self.linger.take() {
                ctx.cancel_future(linger);
            }
            self.happen(Event::Wanted, ctx);
        } else if !matches!(self.state, State::Idle | State::Paused | State::Stopped) {
            // Somebody may have come and gone since the last look (a snapshot of a stream that is away is
            // answered at once): the linger counts from the last one who left.
            if let Some(earlier) = self.linger.take() {
                ctx.cancel_future(earlier);
            }
            let linger = ctx.run_later(self.config.linger, |this, ctx| {
                this.linger = None;
                // Somebody may have joined in this very turn, whose message has not come yet.
                if *this.demand.borrow() == 0 {
                    this.happen(Event::Unwanted, ctx);
                }
            });
            self.linger = Some(linger);
        }
    }
}

/// Returns how the task of a pump ended; none if the actor itself ended it.
pub(super) async fn outcome(join: JoinHandle<Ending>) -> Option<Ending> {
    match join.await {
        Ok(ending) => Some(ending),
        Err(error) if error.is_cancelled() => None,
        Err(error) => {
            let panic = error.into_panic();
            let text = panic.downcast_ref::<&str>().copied().map(str::to_owned);
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
            let what = "the source failed inside framecast, which is a bug";
            let reason = Reason::with_detail(what, &format!("{what}: {text}"));
            Some(Ending { reason, orderly: false, live_for: Duration::ZERO })
        }
    }
}

impl Actor for StreamActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let changes = futures_util::stream::unfold(self.demand.clone(), |mut demand| async move {
            demand.changed().await.ok()?;
            let wanted = *demand.borrow_and_update();
            Some((wanted, demand))
        });
        ctx.add_stream(changes);
        let before = self.status.borrow().state.clone();
        if before == State::Paused {
            // Of an actor whose stream this one goes on with.
            self.happen(Event::Pause, ctx);
            return self.show_paused(ctx);
        }
        self.status.send_if_modified(|status| {
            *status = Status { state: State::Idle, since: SystemTime::now() };
            before != State::Idle
        });
        let wanted = *self.demand.borrow();
        self.demand_changed(wanted, ctx);
    }
}

impl StreamHandler<usize> for StreamActor {
    fn handle(&mut self, wanted: usize, ctx: &mut Context<Self>) {
        self.demand_changed(wanted, ctx);
    }

    /// The last handle is gone: nobody can watch any more.
    fn finished(&mut self, ctx: &mut Context<Self>) {
        self.happen(Event::Stop, ctx);
        // What beats and fans out ends with it.
        self.bus().close();
        ctx.stop();
    }
}

impl Handler<FirstFrame> for StreamActor {
    type Result = ();

    fn handle(&mut self, FirstFrame(generation): FirstFrame, ctx: &mut Context<Self>) {
        if generation == self.generation {
            self.happen(Event::FirstFrame, ctx);
        } else {
            self.trial_gives_frames(generation, ctx);
        }
    }
}

impl Handler<Stop> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Stop, ctx: &mut Context<Self>) -> Self::Result {
        self.happen(Event::Stop, ctx);
        Box::pin(async {}.into_actor(self).map(|(), _, ctx: &mut Context<Self>| ctx.stop()))
    }
}

impl Handler<Retire> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Retire, ctx: &mut Context<Self>) -> Self::Result {
        // Whoever looks at the status goes on with the next actor's.
        let now = self.status.borrow().clone();
        self.status = watch::Sender::new(now);
        self.standing = watch::Sender::new(None);
        Handler::<Stop>::handle(self, Stop, ctx)
    }
}

impl Handler<Restart> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Restart, ctx: &mut Context<Self>) -> Self::Result {
        self.happen(Event::Unwanted, ctx);
        self.when_let_go(|this, ctx| {
            let wanted = *this.demand.borrow();
            this.demand_changed(wanted, ctx);
        })
    }
}

impl Handler<Pause> for StreamActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, _: Pause, ctx: &mut Context<Self>) -> Self::Result {
        self.happen(Event::Pause, ctx);
        self.when_let_go(|this, ctx| {
            this.show_paused(ctx);
        })
    }
}

impl Handler<Resume> for StreamActor {
    type Result = ();

    fn handle(&mut self, _: Resume, ctx: &mut Context<Self>) {
        self.happen(Event::Resume, ctx);
        let wanted = *self.demand.borrow();
        self.demand_changed(wanted, ctx);
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroUsize, sync::mpsc};

    use super::*;
    use crate::{config, stream::handle::StreamHandle};

    #[actix::test]
    async fn a_card_that_was_drawn_for_viewers_who_left_is_not_shown_to_the_next() {
        tokio::time::pause();
        let yaml = "streams: {door: {linger: 0s, source: {type: images, path: /nowhere/*.jpg}}}";
        let config = config::parse(yaml, "test", &config::Environment::default()).unwrap();
        let pool = Arc::new(Pool::new(NonZeroUsize::MIN, 8).unwrap());
        let (release, released) = mpsc::sync_channel::<()>(0);
        let holding = pool.clone();
        let held = actix_rt::spawn(async move { holding.run(move || released.recv()).await });
        let stream = StreamHandle::start(
            config.streams[0].clone(),
            config.limits,
            pool.clone(),
            Arc::new(source::NoUpstreams),
        );
        let viewer = stream.want();
        // Long enough for the card to be asked for; the one worker is held.
        tokio::time::sleep(AWAY_AFTER * 2).await;
        drop(viewer);
        let mut status = stream.status_changes();
        status.wait_for(|status| status.state == State::Idle).await.unwrap();
        release.send(()).unwrap();
        held.await.unwrap().unwrap().unwrap();
        // Behind the card in the queue.
        pool.run(|| ()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert!(stream.bus().newest().is_none(), "the past is not shown");
    }
}
