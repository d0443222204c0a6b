//! Failover between several sources of one stream: a source that is preferred to the one in use is tried in
//! parallel, and replaces it when frames have come from it for long enough.
//!
//! One source is tried at a time, in a run of its own with its own gate to the bus, so that no camera ever
//! has two connections and viewers see no gap: the one in use is stopped when the first frame of the other
//! has been shown.
//!
//! `Failover` holds the runs and decides which one is next. Its owner, the stream's actor, starts them, runs
//! the timers and changes the stream's state.

pub mod priority;
mod trial;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use priority::{SourcePriority, SourcesReport};
use tracing::{info, warn};
pub(super) use trial::Run;
use trial::Trial;

use super::{
    pump::{Generation, Pump},
    run_outcome::SourceEnd,
};
use crate::{bus::SourceSwitch, config::StreamConfig, source::Reason};

/// The runs of a stream's sources: the one in use and the one on trial.
#[derive(Debug)]
pub(super) struct Failover {
    candidates: SourcePriority,
    /// The number of the run in use, or of the stop that ended it.
    generation: Generation,
    pump: Option<Pump>,
    trial: Option<Trial>,
    /// Selects the run whose frames are shown.
    switch: Arc<SourceSwitch>,
}

/// The run that a stream starts with or goes on with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    /// The run on trial, whose frames are good enough to be shown.
    ShownTrial,
    /// The run on trial, which has not given frames yet.
    Trial,
    /// A new run of the source at this position.
    Start(usize),
}

/// The role of a run that has ended by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ended {
    InUse,
    OnTrial,
}

impl Failover {
    /// Creates the failover of a stream with `count` sources, none of which runs.
    pub(super) fn new(count: usize) -> Self {
        Self {
            candidates: SourcePriority::new(count),
            generation: 0,
            pump: None,
            trial: None,
            switch: Arc::default(),
        }
    }

    /// Returns what is known about each source.
    pub(super) fn candidates(&mut self) -> &mut SourcePriority {
        &mut self.candidates
    }

    /// Returns the number of failures of the source in use since its last picture.
    pub(super) fn failures_in_a_row(&self) -> u32 {
        self.candidates.failures_in_a_row()
    }

    /// Returns the gates that the ingests of the runs belong to.
    pub(super) fn switch(&self) -> &Arc<SourceSwitch> {
        &self.switch
    }

    /// Returns the number of the run in use, or of the stop that ended it.
    pub(super) fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns whether the run in use has not ended.
    pub(super) fn is_running(&self) -> bool {
        self.pump.is_some()
    }

    /// Returns the reason for which there is no picture after a run ended in this way.
    pub(super) fn reason(&self, ending: &SourceEnd) -> Reason {
        self.candidates.reason(ending)
    }

    /// Returns the state of all sources; `running` says whether the one in use runs.
    pub(super) fn report(&self, running: bool) -> SourcesReport {
        self.candidates.report(running)
    }

    /// Returns the run to start with now, and makes its source the one in use.
    pub(super) fn next(&mut self, now: Instant) -> Next {
        if self.is_trial_ready() {
            return Next::ShownTrial;
        }
        let position = self.candidates.choose(now);
        if self.candidates.is_on_trial(position) { Next::Trial } else { Next::Start(position) }
    }

    /// Takes a new run as the one in use.
    pub(super) fn begin(&mut self, run: Run) {
        self.switch.switch_to(run.generation);
        self.generation = run.generation;
        self.pump = Some(run.pump);
    }

    /// Records that frames come from the source in use. Returns whether they came from another before, and
    /// logs that.
    pub(super) fn on_live(&mut self, config: &StreamConfig) -> bool {
        let switched = self.candidates.on_live();
        if switched {
            self.log_switch(config);
        }
        switched
    }

    fn log_switch(&self, config: &StreamConfig) {
        let position = self.candidates.in_use();
        let source = source_label(config, position);
        let why: Vec<_> = (0..position)
            .filter_map(|n| {
                let failure = self.candidates.failure(n)?;
                Some(format!("{}: {}", source_label(config, n), failure.reason.detailed()))
            })
            .collect();
        if why.is_empty() {
            info!(stream = %config.name, "switched back to {source}");
        } else {
            warn!(stream = %config.name, "switched to {source}: {}", why.join("; "));
        }
    }

    /// Returns the source to try next, and the time until then; none while one is on trial, and when the one
    /// in use is the most preferred.
    pub(super) fn next_trial(&self, now: Instant) -> Option<(usize, Duration)> {
        if self.trial.is_some() { None } else { self.candidates.next_trial(now) }
    }

    /// Takes a new run of the source at `position` as the one on trial.
    pub(super) fn begin_trial(&mut self, position: usize, run: Run) {
        self.candidates.begin_trial(position);
        self.trial = Some(Trial::new(run));
    }

    /// Returns whether this run is on trial.
    pub(super) fn is_on_trial(&self, generation: Generation) -> bool {
        self.trial.as_ref().is_some_and(|trial| trial.run.generation == generation)
    }

    /// Records the first frame of a run on trial. Returns the time since which its source has been
    /// well.
    pub(super) fn on_trial_frame(&mut self, generation: Generation, now: Instant) -> Option<Instant> {
        let trial = self.trial.as_mut().filter(|trial| trial.run.generation == generation)?;
        trial.has_frames = true;
        self.candidates.on_trial_frame(now)
    }

    /// Returns whether the source in use gave frames before it ended, and only has to be started again.
    pub(super) fn in_use_is_well(&self) -> bool {
        self.candidates.in_use_is_stable()
    }

    /// Makes the next frame of a run on trial replace those of the run in use. The future completes when that
    /// frame has come.
    pub(super) fn show_trial(
        &mut self,
        generation: Generation,
    ) -> Option<impl Future<Output = ()> + 'static> {
        let trial = self.trial.as_mut().filter(|trial| trial.run.generation == generation)?;
        trial.replaces_current = true;
        self.switch.switch_to(generation);
        let mut given = trial.run.ingest.received();
        let seen = *given.borrow_and_update();
        // An error means that its ingest is gone, and so is the trial.
        Some(async move { drop(given.wait_for(|given| *given > seen).await) })
    }

    /// Returns whether the run on trial is to be shown, without further delay, when the one in use is away.
    pub(super) fn is_trial_ready(&self) -> bool {
        let in_use_is_well = self.in_use_is_well();
        self.trial
            .as_ref()
            .is_some_and(|trial| trial.replaces_current || (trial.has_frames && !in_use_is_well))
    }

    /// Makes the run on trial, if there is one, the one in use. Returns the run before, which is to be ended.
    pub(super) fn adopt_trial(&mut self) -> Option<Pump> {
        let run = self.trial.take()?.run;
        if let Some(position) = self.candidates.end_trial() {
            self.candidates.set_in_use(position);
        }
        self.switch.switch_to(run.generation);
        self.generation = run.generation;
        self.pump.replace(run.pump)
    }

    /// Records that a run has ended by itself. Returns its role; none if it was stopped meanwhile.
    pub(super) fn on_run_ended(
        &mut self,
        generation: Generation,
        ending: &SourceEnd,
        now: Instant,
    ) -> Option<Ended> {
        if generation == self.generation {
            // The state machine decides the delay before the next start.
            self.pump = None;
            return Some(Ended::InUse);
        }
        self.trial.take_if(|trial| trial.run.generation == generation)?;
        self.switch.switch_to(self.generation);
        self.candidates.on_trial_ended(ending, now);
        Some(Ended::OnTrial)
    }

    /// Gives up all runs. Returns them, to be ended. `generation` is the number of this stop: nothing that
    /// the runs report later is taken for a later run's.
    pub(super) fn stop(&mut self, generation: Generation) -> Vec<Pump> {
        self.generation = generation;
        let trial = self.trial.take().map(|trial| {
            self.candidates.end_trial();
            trial.run.pump
        });
        [self.pump.take(), trial].into_iter().flatten().collect()
    }
}

/// Returns the name of a source in the log, such as `source 2 (mjpeg 192.168.1.21)`.
pub(super) fn source_label(config: &StreamConfig, position: usize) -> String {
    let Some(source) = config.sources().nth(position) else { return String::new() };
    let place = source.place().map(|place| format!(" {place}")).unwrap_or_default();
    format!("source {} ({}{place})", position + 1, source.type_name())
}

#[cfg(test)]
mod tests {
    use futures_util::future::LocalBoxFuture;
    use tracing::Span;

    use super::*;
    use crate::{
        bus::{Bus, Ingest, tests::tiny_frame},
        source::{Source, SourceError},
    };

    struct Endless;

    impl Source for Endless {
        fn run<'a>(&'a mut self, _: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
            Box::pin(std::future::pending())
        }
    }

    #[actix::test]
    async fn a_trial_is_shown_from_its_next_frame_on_and_the_run_before_is_ended() {
        let plain = Ingest::new(Arc::new(Bus::default()), None);
        let shown = || plain.bus().stats().frames_in();
        let mut failover = Failover::new(2);
        let run = |failover: &Failover, generation| {
            let ingest = plain.for_source(failover.switch(), generation);
            let (pump, _) = Pump::start(|| Box::new(Endless), ingest.clone(), Span::none(), || {});
            (Run { pump, generation, ingest: ingest.clone() }, ingest)
        };
        let now = Instant::now();
        let failed = SourceEnd { reason: "broken".into(), orderly: false, gave_frames: false };

        assert_eq!(failover.next(now), Next::Start(0));
        failover.begin(run(&failover, 1).0);
        assert_eq!(failover.on_run_ended(1, &failed, now), Some(Ended::InUse));
        assert!(!failover.is_running());
        assert_eq!(failover.candidates().on_ended(&failed, now), Duration::ZERO);
        assert_eq!(failover.next(now), Next::Start(1));
        let (fallback, fallback_sink) = run(&failover, 2);
        failover.begin(fallback);
        fallback_sink.push_frame(tiny_frame());
        assert_eq!(shown(), 1);

        assert_eq!(failover.next_trial(now).map(|(position, _)| position), Some(0));
        let (trial, trial_sink) = run(&failover, 3);
        failover.begin_trial(0, trial);
        assert_eq!(failover.next_trial(now), None, "one at a time");
        trial_sink.push_frame(tiny_frame());
        assert_eq!(shown(), 1, "it is only tried");
        assert_eq!(failover.on_trial_frame(9, now), None);
        assert_eq!(failover.on_trial_frame(3, now), Some(now));
        let taken_over = failover.show_trial(3).unwrap();
        fallback_sink.push_frame(tiny_frame());
        assert_eq!(shown(), 2, "the one in use is shown until the other has a frame");
        trial_sink.push_frame(tiny_frame());
        taken_over.await;
        assert_eq!(shown(), 3);
        fallback_sink.push_frame(tiny_frame());
        assert_eq!(shown(), 3, "the one before is not shown any more");
        assert!(failover.adopt_trial().is_some(), "two runs");
        assert_eq!((failover.generation(), failover.is_on_trial(3)), (3, false));
        assert_eq!(failover.on_run_ended(2, &failed, now), None, "it was stopped");
        assert_eq!(failover.stop(4).len(), 1);
        assert_eq!((failover.generation(), failover.is_running()), (4, false));
    }
}
