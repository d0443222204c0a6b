//! Several sources of one stream: one that is more wanted than the one in use is tried beside it, and takes
//! its place when frames have come from it for long enough.
//!
//! One is tried at a time, each in a run of its own with a lane of its own to the bus, so that no camera ever
//! has two connections and viewers see no gap: the one in use is let go when the first frame of the other has
//! been shown.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::prelude::*;
use tracing::{debug, info, warn};

use crate::{
    bus::Sink,
    stream::{
        actor::StreamActor,
        pump::{Generation, Pump},
        state::{Ending, Event, State},
    },
};

/// A run beside the one in use.
#[derive(Debug)]
pub(in crate::stream) struct Trial {
    pub(in crate::stream) run: Run,
    gives_frames: bool,
    well: Option<SpawnHandle>,
    /// It has been well for long enough.
    takes_over: bool,
}

/// A run of a source.
#[derive(Debug)]
pub(in crate::stream) struct Run {
    pub(in crate::stream) pump: Pump,
    pub(in crate::stream) generation: Generation,
    pub(in crate::stream) sink: Sink,
}

impl StreamActor {
    /// Frames come from the source in use: says so if it is another than before, and looks after those before
    /// it.
    pub(in crate::stream) fn in_use_is_live(&mut self, ctx: &mut Context<Self>) {
        if self.sources.live() {
            self.bus().stats().count_switch();
            self.tell_switch();
        }
        self.plan_trial(ctx);
    }

    fn tell_switch(&self) {
        let position = self.sources.in_use();
        let source = self.name_of(position);
        let why: Vec<_> = (0..position)
            .filter_map(|n| {
                Some(format!("{}: {}", self.name_of(n), self.sources.failure(n)?.reason.detailed()))
            })
            .collect();
        if why.is_empty() {
            info!(stream = %self.config.name, "shows {source} again");
        } else {
            warn!(stream = %self.config.name, "shows {source} instead: {}", why.join("; "));
        }
    }

    /// `source 2 (mjpeg 192.168.1.21)`.
    fn name_of(&self, position: usize) -> String {
        let Some(source) = self.config.sources().nth(position) else { return String::new() };
        let place = source.place().map(|place| format!(" {place}")).unwrap_or_default();
        format!("source {} ({}{place})", position + 1, source.type_name())
    }

    /// Has the next one of those before the one in use tried when its delay is over.
    fn plan_trial(&mut self, ctx: &mut Context<Self>) {
        if let Some(planned) = self.next_trial.take() {
            ctx.cancel_future(planned);
        }
        if self.trial.is_some() {
            return;
        }
        let Some((_, wait)) = self.sources.to_try(Instant::now()) else { return };
        self.next_trial = Some(ctx.run_later(wait, |this, ctx| {
            this.next_trial = None;
            this.begin_trial(ctx);
        }));
    }

    fn begin_trial(&mut self, ctx: &mut Context<Self>) {
        if self.trial.is_some() || matches!(self.state, State::Idle | State::Stopped) {
            return;
        }
        match self.sources.to_try(Instant::now()) {
            Some((position, Duration::ZERO)) => {
                debug!(stream = %self.config.name, "tries {}", self.name_of(position));
                self.sources.begin_trial(position);
                let run = self.run(position, ctx);
                self.trial = Some(Trial { run, gives_frames: false, well: None, takes_over: false });
                self.tell_sources();
            }
            // Another has failed or was used meanwhile.
            Some(_) => self.plan_trial(ctx),
            None => {}
        }
    }

    /// The first frame of a run that is not the one in use.
    pub(in crate::stream) fn trial_gives_frames(&mut self, generation: Generation, ctx: &mut Context<Self>) {
        let Some(trial) = self.trial.as_mut().filter(|trial| trial.run.generation == generation) else {
            return;
        };
        trial.gives_frames = true;
        let now = Instant::now();
        let Some(well_since) = self.sources.trial_gives_frames(now) else { return };
        self.tell_sources();
        if self.state == State::Live || self.sources.in_use_is_well() {
            let wait = (well_since + self.config.failback_after).saturating_duration_since(now);
            let well = ctx.run_later(wait, |this, ctx| this.trial_is_well(ctx));
            if let Some(trial) = &mut self.trial {
                trial.well = Some(well);
            }
        } else {
            // Nothing is shown: whoever has a frame is welcome.
            self.trial_takes_over(ctx);
        }
    }

    /// Its next frame is shown, and then the one in use is let go.
    fn trial_is_well(&mut self, ctx: &mut Context<Self>) {
        let Some(trial) = &mut self.trial else { return };
        (trial.well, trial.takes_over) = (None, true);
        let generation = trial.run.generation;
        self.lanes.show(generation);
        let mut given = trial.run.sink.given();
        let seen = *given.borrow_and_update();
        // An error means that its sink is gone, and so is the trial.
        let shown = async move { drop(given.wait_for(|given| *given > seen).await) };
        ctx.spawn(shown.into_actor(self).map(move |(), this, ctx| {
            if this.trial.as_ref().is_some_and(|trial| trial.run.generation == generation) {
                this.trial_takes_over(ctx);
            }
        }));
    }

    /// A run that was tried is the one in use now.
    fn trial_takes_over(&mut self, ctx: &mut Context<Self>) {
        match self.state {
            State::Live => {
                self.adopt_trial(ctx);
                self.in_use_is_live(ctx);
                self.tell_sources();
            }
            State::Connecting => {
                self.adopt_trial(ctx);
                self.happen(Event::FirstFrame, ctx);
            }
            State::Waiting { next_try: Some(_), .. } => {
                if let Some(retry) = self.retry.take() {
                    ctx.cancel_future(retry);
                }
                // Instead of a start it is adopted.
                self.happen(Event::RetryDue, ctx);
            }
            State::Waiting { next_try: None, .. } | State::Idle | State::Paused | State::Stopped => {}
        }
    }

    /// The run that is tried becomes the one in use, if there is one; the one before ends.
    pub(in crate::stream) fn adopt_trial(&mut self, ctx: &mut Context<Self>) {
        let Some(trial) = self.trial.take() else { return };
        if let Some(well) = trial.well {
            ctx.cancel_future(well);
        }
        if let Some(position) = self.sources.end_trial() {
            self.sources.take(position);
        }
        self.lanes.show(trial.run.generation);
        self.generation = trial.run.generation;
        if let Some(old) = self.pump.replace(trial.run.pump) {
            // Nothing else is handled meanwhile: its camera may be wanted again at once.
            ctx.wait(async move { old.end().await }.into_actor(self));
        }
    }

    /// Whether what runs beside the one in use is to be shown, now that that one is away: then nothing need
    /// be waited for.
    pub(in crate::stream) fn trial_is_next(&self) -> bool {
        let in_use_is_well = self.sources.in_use_is_well();
        self.trial.as_ref().is_some_and(|trial| trial.takes_over || (trial.gives_frames && !in_use_is_well))
    }

    /// A run has ended by itself.
    pub(in crate::stream) fn run_ended(
        &mut self,
        generation: Generation,
        ending: Ending,
        ctx: &mut Context<Self>,
    ) {
        if generation == self.generation {
            debug!(
                stream = %self.config.name,
                source = generation,
                "a source ended: {}",
                ending.reason.detailed()
            );
            self.pump = None;
            self.happen(Event::Ended(ending.clone()), ctx);
            if self.state == State::Connecting {
                // What was wrong with the one before stays readable until there is a picture.
                self.reason = self.sources.reason(&ending);
            }
            if self.trial_is_next() {
                self.trial_takes_over(ctx);
            }
        } else if let Some(trial) = self.trial.take_if(|trial| trial.run.generation == generation) {
            debug!(
                stream = %self.config.name,
                source = generation,
                "a tried source ended: {}",
                ending.reason.detailed()
            );
            if let Some(well) = trial.well {
                ctx.cancel_future(well);
            }
            self.lanes.show(self.generation);
            self.sources.trial_ended(&ending, Instant::now());
            self.plan_trial(ctx);
            self.tell_sources();
        }
    }

    /// Gives up what is tried, and plans nothing more; the pump is to be ended.
    pub(in crate::stream) fn end_trial(&mut self, ctx: &mut Context<Self>) -> Option<Pump> {
        if let Some(planned) = self.next_trial.take() {
            ctx.cancel_future(planned);
        }
        let trial = self.trial.take()?;
        if let Some(well) = trial.well {
            ctx.cancel_future(well);
        }
        self.sources.end_trial();
        Some(trial.run.pump)
    }

    /// Says which source is in use and, where there is a choice, how it stands.
    pub(in crate::stream) fn tell_sources(&self) {
        // A push stream's publishers say it themselves.
        if !self.is_push() {
            self.source.set(self.pump.is_some().then_some(self.generation));
        }
        if self.config.has_fallbacks() {
            let running = !matches!(self.state, State::Idle | State::Stopped);
            self.standing.send_replace(Some(Arc::new(self.sources.report(running))));
        }
    }
}
