//! The actor of a stream: owns the stream's state and timers, and does what [`state::next`] returns.
//!
//! [`Failover`] decides which of several sources runs, and [`offline`] what viewers see while no frames come.

mod offline;
mod handlers;
pub(super) mod messages;

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use actix::prelude::*;
use messages::FirstFrame;
use offline::Offline;
use tokio::sync::watch;
use tracing::{debug, info, info_span, warn};

use super::{
    failover::{Ended, Failover, Next, Run, priority::SourcesReport, source_label},
    health::Gap,
    pump::{self, Generation, Pump},
    run_outcome::SourceEnd,
    state::{self, Action, Event, Inputs, State},
    status::{SourceId, StreamStatus},
};
use crate::{
    bus::{Bus, Ingest},
    config::{Limits, SourceConfig, StreamConfig},
    imaging::cpu_pool::CpuPool,
    media::frame::FrameKind,
    observability::{
        next_id,
        task_counts::{self, TaskGuard},
    },
    source::{self, Reason, SourceContext, offline_image},
};

/// Reason for which there is no picture before anything has failed.
const CONNECTING: &str = "connecting";

/// Reason for which a paused stream has no picture.
const PAUSED: &str = "paused";

/// Reason for which a push stream waits.
const NOTHING_PUSHED: &str = "no picture has been pushed yet";

/// The actor of one stream.
#[derive(Debug)]
pub(super) struct StreamActor {
    config: Arc<StreamConfig>,
    limits: Limits,
    pool: Arc<CpuPool>,
    ingest: Ingest,
    demand: watch::Receiver<usize>,
    status: watch::Sender<StreamStatus>,
    sources_report: watch::Sender<Option<Arc<SourcesReport>>>,
    source: SourceId,
    context: SourceContext,
    state: State,
    failover: Failover,
    timers: Timers,
    offline: Option<Offline>,
    /// The reason for which the source was away last.
    reason: Reason,
    logged_live: bool,
    _counted: TaskGuard,
}

/// The timers that run.
#[derive(Debug, Default)]
struct Timers {
    /// Runs until the source is started again.
    retry: Option<SpawnHandle>,
    /// Runs until the source is stopped because the stream has no demand.
    linger: Option<SpawnHandle>,
    /// Runs until the next source is tried.
    next_trial: Option<SpawnHandle>,
    /// Runs until the run on trial has given frames for long enough.
    trial_well: Option<SpawnHandle>,
}

fn cancel(timer: &mut Option<SpawnHandle>, ctx: &mut Context<StreamActor>) {
    if let Some(timer) = timer.take() {
        ctx.cancel_future(timer);
    }
}

impl StreamActor {
    pub(super) fn start_with(
        config: Arc<StreamConfig>,
        limits: Limits,
        pool: Arc<CpuPool>,
        ingest: Ingest,
        demand: watch::Receiver<usize>,
        (status, sources_report, source): (
            watch::Sender<StreamStatus>,
            watch::Sender<Option<Arc<SourcesReport>>>,
            SourceId,
        ),
        context: SourceContext,
    ) -> Addr<Self> {
        let failover = Failover::new(config.sources().count());
        Self {
            config,
            limits,
            pool,
            ingest,
            demand,
            status,
            sources_report,
            source,
            context,
            state: State::Idle,
            failover,
            timers: Timers::default(),
            offline: None,
            reason: CONNECTING.into(),
            logged_live: false,
            _counted: TaskGuard::new(task_counts::TaskKind::Stream),
        }
        .start()
    }

    fn bus(&self) -> &Arc<Bus> {
        self.ingest.bus()
    }

    fn is_push(&self) -> bool {
        matches!(self.config.source(), SourceConfig::Push { .. })
    }

    /// Returns the number by which the log names the connection that frames come from: for a push stream,
    /// that of its publisher.
    fn source_id(&self) -> Option<u64> {
        if self.is_push() { self.source.now() } else { Some(self.failover.generation()) }
    }

    fn always_runs(&self) -> bool {
        !self.config.on_demand() || self.is_push()
    }

    fn handle_event(&mut self, event: Event, ctx: &mut Context<Self>) {
        let passive = self.is_push().then_some(NOTHING_PUSHED);
        let with = Inputs { now: Instant::now(), sources: self.failover.candidates(), passive };
        let (state, action) = state::next(&self.state, event, with);
        if state != self.state {
            self.enter(state, ctx);
        }
        match action {
            Action::Nothing => {}
            Action::Start => self.start_source(ctx),
            Action::StopSource => self.stop_source(ctx),
            Action::RetryIn(delay) => {
                let retry = ctx.run_later(delay, |this, ctx| {
                    this.timers.retry = None;
                    this.bus().stats().count_reconnect();
                    this.handle_event(Event::RetryDue, ctx);
                });
                self.timers.retry = Some(retry);
            }
        }
        self.report_sources();
    }

    /// Enters a new state, with the log lines and the card that belong to it.
    fn enter(&mut self, state: State, ctx: &mut Context<Self>) {
        debug!(stream = %self.config.name, ?state, "state changed");
        self.state = state.clone();
        let was_away = match state {
            State::Connecting | State::Waiting { .. } => {
                self.enter_offline(ctx);
                false
            }
            _ => self.leave_offline(ctx),
        };
        let offline = self.offline.as_ref().map(|offline| &offline.gap);
        self.status.send_replace(StreamStatus {
            since: SystemTime::now(),
            gap_since: offline.map(Gap::since),
            is_offline: offline.is_some_and(Gap::is_reported),
            failures_in_a_row: if state == State::Live { 0 } else { self.failover.failures_in_a_row() },
            state,
        });
        match self.state {
            State::Connecting | State::Waiting { .. } => {}
            State::Live => {
                // A camera that closes after each picture reconnects twice a second; that is not logged.
                if was_away || !self.logged_live {
                    info!(stream = %self.config.name, source = self.source_id(), "live");
                }
                self.logged_live = true;
                self.on_live(ctx);
            }
            State::Idle | State::Paused | State::Stopped => {
                if std::mem::take(&mut self.logged_live) {
                    info!(stream = %self.config.name, state = self.state.as_str(), "source closed");
                }
            }
        }
    }

    fn enter_offline(&mut self, ctx: &mut Context<Self>) {
        if let State::Waiting { reason, .. } = &self.state {
            self.reason.clone_from(reason);
        }
        match &self.offline {
            None => {
                let timer = ctx.run_later(self.config.placeholder.after, |this, ctx| {
                    let Some(offline) = &mut this.offline else { return };
                    offline.gap.report();
                    // It is not a new state.
                    this.status.send_if_modified(|status| {
                        status.is_offline = true;
                        false
                    });
                    if !this.is_push() {
                        warn!(
                            stream = %this.config.name,
                            source = this.failover.generation(),
                            "source is offline: {}",
                            this.reason.detailed()
                        );
                    }
                    this.show_offline_image(ctx);
                });
                self.offline = Some(Offline::begin(self.bus().newest(), timer));
            }
            Some(offline) if offline.gap.is_reported() => self.show_offline_image(ctx),
            Some(_) => {}
        }
    }

    /// Returns whether the source had been away for long enough to be logged.
    fn leave_offline(&mut self, ctx: &mut Context<Self>) -> bool {
        self.reason = CONNECTING.into();
        let Some(mut offline) = self.offline.take() else { return false };
        cancel(&mut offline.timer, ctx);
        offline.gap.is_reported()
    }

    /// Shows that the stream is paused for as long as it is.
    fn show_paused(&mut self, ctx: &mut Context<Self>) {
        if self.state == State::Paused && self.offline.is_none() {
            self.reason = PAUSED.into();
            self.offline = Some(Offline::paused());
            self.show_offline_image(ctx);
        }
    }

    /// Draws why there is no picture, in the pool, and shows it unless a frame came meanwhile.
    fn show_offline_image(&mut self, ctx: &mut Context<Self>) {
        let Some(offline) = &self.offline else { return };
        let max_pixels = self.limits.max_frame_pixels;
        let keyframe_wait = self.bus().stats().keyframe_wait().map(Reason::public_only);
        let reason = keyframe_wait.as_ref().unwrap_or(&self.reason);
        let Some(card) = offline.card(&self.config, reason, max_pixels) else { return };
        let seen = self.bus().newest().map_or(0, |newest| newest.seq);
        let queue = self.pool.queue(&self.config.name);
        let memory = self.pool.memory().clone();
        let bytes = card.bytes(memory.max_bytes());
        let drawing = async move { queue.run(bytes, move || offline_image::draw(&card, &memory)).await };
        ctx.spawn(drawing.into_actor(self).map(move |drawn, this, _| match drawn {
            // Stopped, or back, while it was drawn: the card would be the first that the next viewer sees.
            Ok(_) if this.offline.is_none() => {}
            Ok(frame) => this.bus().publish_if_newest_is(seen, frame.into_offline_image()),
            // The workers are busy with pictures for viewers; the next state change draws again.
            Err(busy) => debug!(stream = %this.config.name, "placeholder not drawn: {busy}"),
        }));
    }

    fn start_source(&mut self, ctx: &mut Context<Self>) {
        let position = match self.failover.next(Instant::now()) {
            Next::ShownTrial => {
                self.adopt_trial(ctx);
                return self.handle_event(Event::FirstFrame, ctx);
            }
            Next::Trial => return self.adopt_trial(ctx),
            Next::Start(position) => position,
        };
        let run = self.run(position, ctx);
        self.failover.begin(run);
        // Pushed pictures come past the source: the first one perhaps before it was started, as soon as the
        // relay listens.
        if self.is_push()
            && self.bus().newest().is_some_and(|newest| newest.frame.kind() == FrameKind::Picture)
        {
            self.handle_event(Event::FirstFrame, ctx);
        }
    }

    /// Starts a run of the source at this place of the list.
    fn run(&mut self, position: usize, ctx: &mut Context<Self>) -> Run {
        let generation: Generation = next_id();
        let (config, limits, pool) = (self.config.clone(), self.limits.clone(), self.pool.clone());
        let context = self.context.clone();
        let several = config.has_fallbacks();
        let build = move || source::build_source((&config, position), &limits, &pool, &context);
        let actor = ctx.address();
        let on_first_frame = move || {
            // Awaited in a task of its own: the pump must not wait for a full mailbox.
            task_counts::spawn(async move { actor.send(FirstFrame(generation)).await });
        };
        let ingest = if several {
            self.ingest.for_source(self.failover.switch(), generation)
        } else {
            self.ingest.clone()
        };
        let span = info_span!("source", stream = %self.config.name, source = generation);
        debug!(stream = %self.config.name, source = generation, "a source starts");
        let (pump, join) = Pump::start(build, ingest.clone(), span, on_first_frame);
        let ended = pump::outcome(join);
        ctx.spawn(ended.into_actor(self).map(move |ending, this, ctx| {
            if let Some(ending) = ending {
                this.on_run_ended(generation, ending, ctx);
            }
        }));
        Run { pump, generation, ingest }
    }

    /// Handles the end of a run that ended by itself.
    fn on_run_ended(&mut self, generation: Generation, ending: SourceEnd, ctx: &mut Context<Self>) {
        let Some(role) = self.failover.on_run_ended(generation, &ending, Instant::now()) else { return };
        let what = match role {
            Ended::InUse => "a source",
            Ended::OnTrial => "a tried source",
        };
        debug!(
            stream = %self.config.name,
            source = generation,
            "{what} ended: {}",
            ending.reason.detailed()
        );
        match role {
            Ended::InUse => {
                if ending.gave_frames && self.state == State::Connecting {
                    // It ended before its first frame was noticed: a camera that closes behind its picture.
                    self.handle_event(Event::FirstFrame, ctx);
                }
                self.handle_event(Event::Ended(ending.clone()), ctx);
                if self.state == State::Connecting {
                    // The previous source's reason stays visible until there is a picture.
                    self.reason = self.failover.reason(&ending);
                }
                if self.failover.is_trial_ready() {
                    self.on_trial_shown(ctx);
                }
            }
            Ended::OnTrial => {
                cancel(&mut self.timers.trial_well, ctx);
                self.plan_trial(ctx);
                self.report_sources();
            }
        }
    }

    /// Stops the source and clears its last frame: the next viewer must not see an old one.
    fn stop_source(&mut self, ctx: &mut Context<Self>) {
        let Timers { retry, linger, next_trial, trial_well } = &mut self.timers;
        for timer in [retry, linger, next_trial, trial_well] {
            cancel(timer, ctx);
        }
        self.ingest.clear();
        let pumps = self.failover.stop(next_id());
        if pumps.is_empty() {
            return;
        }
        let ingest = self.ingest.clone();
        let gone = async move {
            for pump in pumps {
                pump.end().await;
            }
            // It may have given a frame in its last moment.
            ingest.clear();
        };
        // Nothing else is handled meanwhile: the next start cannot overtake the end of this one.
        ctx.wait(gone.into_actor(self));
    }

    /// Handles that frames come from the source in use, and plans the next trial.
    fn on_live(&mut self, ctx: &mut Context<Self>) {
        if self.failover.on_live(&self.config) {
            self.bus().stats().count_switch();
        }
        self.plan_trial(ctx);
    }

    /// Plans the trial of the next one of the sources that are preferred to the one in use.
    fn plan_trial(&mut self, ctx: &mut Context<Self>) {
        cancel(&mut self.timers.next_trial, ctx);
        let Some((_, wait)) = self.failover.next_trial(Instant::now()) else { return };
        self.timers.next_trial = Some(ctx.run_later(wait, |this, ctx| {
            this.timers.next_trial = None;
            this.begin_trial(ctx);
        }));
    }

    fn begin_trial(&mut self, ctx: &mut Context<Self>) {
        if matches!(self.state, State::Idle | State::Stopped) {
            return;
        }
        match self.failover.next_trial(Instant::now()) {
            Some((position, Duration::ZERO)) => {
                debug!(stream = %self.config.name, "tries {}", source_label(&self.config, position));
                let run = self.run(position, ctx);
                self.failover.begin_trial(position, run);
                self.report_sources();
            }
            // Another has failed or was used meanwhile.
            Some(_) => self.plan_trial(ctx),
            None => {}
        }
    }

    /// Handles the first frame of a run that is not the one in use.
    fn on_trial_frame(&mut self, generation: Generation, ctx: &mut Context<Self>) {
        let now = Instant::now();
        let Some(well_since) = self.failover.on_trial_frame(generation, now) else { return };
        self.report_sources();
        if self.state == State::Live || self.failover.in_use_is_well() {
            let wait = (well_since + self.config.failback_after).saturating_duration_since(now);
            self.timers.trial_well = Some(ctx.run_later(wait, move |this, ctx| {
                this.timers.trial_well = None;
                this.on_trial_stable(generation, ctx);
            }));
        } else {
            // Nothing is shown now, so any source that has a frame is used.
            self.on_trial_shown(ctx);
        }
    }

    /// Shows the next frame of the run on trial, and then stops the run in use.
    fn on_trial_stable(&mut self, generation: Generation, ctx: &mut Context<Self>) {
        let Some(shown) = self.failover.show_trial(generation) else { return };
        ctx.spawn(shown.into_actor(self).map(move |(), this, ctx| {
            if this.failover.is_on_trial(generation) {
                this.on_trial_shown(ctx);
            }
        }));
    }

    /// Makes the run on trial the one in use, and moves the state along.
    fn on_trial_shown(&mut self, ctx: &mut Context<Self>) {
        match self.state {
            State::Live => {
                self.adopt_trial(ctx);
                self.on_live(ctx);
                self.report_sources();
            }
            State::Connecting => {
                self.adopt_trial(ctx);
                self.handle_event(Event::FirstFrame, ctx);
            }
            State::Waiting { next_try: Some(_), .. } => {
                cancel(&mut self.timers.retry, ctx);
                // Instead of a start it is adopted.
                self.handle_event(Event::RetryDue, ctx);
            }
            State::Waiting { next_try: None, .. } | State::Idle | State::Paused | State::Stopped => {}
        }
    }

    fn adopt_trial(&mut self, ctx: &mut Context<Self>) {
        cancel(&mut self.timers.trial_well, ctx);
        if let Some(old) = self.failover.adopt_trial() {
            // Nothing else is handled meanwhile: its camera may be wanted again at once.
            ctx.wait(async move { old.end().await }.into_actor(self));
        }
    }

    /// Publishes which source is in use and, where there is a choice, the state of each.
    fn report_sources(&self) {
        // A push stream's publishers set it themselves.
        if !self.is_push() {
            self.source.set(self.failover.is_running().then_some(self.failover.generation()));
        }
        if self.config.has_fallbacks() {
            let running = !matches!(self.state, State::Idle | State::Stopped);
            self.sources_report.send_replace(Some(Arc::new(self.failover.report(running))));
        }
    }

    /// Completes when the source that [`stop_source`](Self::stop_source) stops is gone, after `then` was
    /// called.
    fn after_stop(
        &self,
        then: impl FnOnce(&mut Self, &mut Context<Self>) + 'static,
    ) -> ResponseActFuture<Self, ()> {
        Box::pin(async {}.into_actor(self).map(|(), this, ctx| then(this, ctx)))
    }

    fn demand_changed(&mut self, wanted: usize, ctx: &mut Context<Self>) {
        if wanted > 0 || self.always_runs() {
            cancel(&mut self.timers.linger, ctx);
            self.handle_event(Event::Wanted, ctx);
        } else if !matches!(self.state, State::Idle | State::Paused | State::Stopped) {
            // A viewer may have joined and left since the last call (a snapshot of a stream that is away is
            // answered at once): the linger counts from the last viewer that left.
            cancel(&mut self.timers.linger, ctx);
            let linger = ctx.run_later(self.config.linger, |this, ctx| {
                this.timers.linger = None;
                // A viewer may have joined whose message has not been handled yet.
                if *this.demand.borrow() == 0 {
                    this.handle_event(Event::Unwanted, ctx);
                }
            });
            self.timers.linger = Some(linger);
        }
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
        let offline_after = config.streams[0].placeholder.after;
        let pool = Arc::new(CpuPool::new(NonZeroUsize::MIN, 8).unwrap());
        let (release, released) = mpsc::sync_channel::<()>(0);
        let holding = pool.clone();
        let held = actix_rt::spawn(async move { holding.run(move || released.recv()).await });
        let stream = StreamHandle::start(
            config.streams[0].clone(),
            config.limits,
            pool.clone(),
            Arc::new(source::NoStreams),
        );
        let viewer = stream.demand();
        // Long enough for the card to be requested; the one worker is held.
        tokio::time::sleep(offline_after * 2).await;
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
