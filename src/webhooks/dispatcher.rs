//! Follows the streams, and queues what each webhook reports.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant, SystemTime},
};

use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::warn;

use super::{
    debounce::{Debouncer, StreamEvent},
    delivery::Sender,
    event::WebhookEvent,
    queue::{DeliveryQueue, MAX_WAITING, Queues, lock},
};
use crate::{
    config::{HookEvent, SourceConfig, WebhookConfig},
    media::stream_name::StreamName,
    observability::task_counts,
    registry::{EventKind, Events, Registry},
    stream::{StreamHandle, state::State},
};

/// Interval at which viewers are counted and lasting states are checked.
const CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// Time for the delivery of waiting events when framecast ends.
const STOP_TIMEOUT: Duration = Duration::from_secs(1);

/// Follows the events of streams, and queues those that hooks want.
pub(super) struct Dispatcher {
    registry: Arc<Registry>,
    events: Arc<Events>,
    queues: Arc<Queues>,
    stopping: watch::Receiver<bool>,
    hooks: Vec<Hook>,
    /// Random number of this run of the relay, part of the events' numbers.
    run: u64,
    created: u64,
}

/// One webhook.
struct Hook {
    config: WebhookConfig,
    debouncer: Debouncer,
    queue: Arc<DeliveryQueue>,
    sender: JoinHandle<()>,
    /// That its queue is full has been logged.
    full: bool,
}

impl Dispatcher {
    /// Creates a dispatcher without hooks.
    pub(super) fn new(
        registry: Arc<Registry>,
        events: Arc<Events>,
        queues: Arc<Queues>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { registry, events, queues, stopping, hooks: Vec::new(), run: fastrand::u64(..), created: 0 }
    }

    /// Reports events until it is stopped.
    pub(super) async fn run(mut self, mut configs: watch::Receiver<Vec<WebhookConfig>>) {
        let mut changes = self.events.changes();
        // Earlier events are part of the current states.
        let mut last = *changes.borrow_and_update();
        let mut checks = interval(CHECK_INTERVAL);
        checks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.stopping.clone();
        let first = configs.borrow_and_update().clone();
        self.apply_configs(first);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => break,
                changed = configs.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let now = configs.borrow_and_update().clone();
                    self.apply_configs(now);
                }
                // The relay holds the events for as long as it holds us.
                _ = changes.changed() => last = self.read_events(last),
                // Without a hook there is nothing to check for.
                _ = checks.tick(), if !self.hooks.is_empty() => self.check_viewers(),
            }
        }
        self.stop().await;
    }

    /// Applies a configuration. A hook keeps the queue and the state of the one that had its name before.
    fn apply_configs(&mut self, configs: Vec<WebhookConfig>) {
        let mut before: HashMap<String, Hook> =
            self.hooks.drain(..).map(|hook| (hook.config.name.clone(), hook)).collect();
        let hooks: Vec<_> =
            configs.into_iter().map(|config| self.hook(before.remove(&config.name), config)).collect();
        self.hooks = hooks;
        for (name, hook) in before {
            hook.sender.abort();
            let left = hook.queue.discard_all();
            if left > 0 {
                warn!(webhook = %name, left, "the webhook was removed with undelivered events");
            }
        }
        self.sync_states();
        self.check_viewers();
        let queues = self.hooks.iter().map(|hook| (hook.config.name.clone(), hook.queue.clone()));
        *lock(&self.queues) = queues.collect();
    }

    fn hook(&self, before: Option<Hook>, config: WebhookConfig) -> Hook {
        let start = |queue: &Arc<DeliveryQueue>| {
            task_counts::spawn(Sender::new(config.clone(), queue.clone(), self.stopping.clone()).run())
        };
        match before {
            Some(hook) if hook.config == config => hook,
            Some(mut hook) => {
                hook.sender.abort();
                hook.sender = start(&hook.queue);
                hook.debouncer.set_after(config.after);
                Hook { config, ..hook }
            }
            None => {
                let (queue, mut debouncer) = (Arc::default(), Debouncer::new(config.after));
                for stream in self.registry.all().iter().chain(&self.registry.overview()) {
                    debouncer.track(stream.name(), stream.bus().stats().joined());
                }
                Hook { sender: start(&queue), debouncer, queue, config, full: false }
            }
        }
    }

    /// Takes the current states of all streams: for new hooks, and when more events have happened than are
    /// kept.
    fn sync_states(&mut self) {
        for stream in self.registry.all() {
            let state = stream.status().state;
            let reason = match &state {
                State::Waiting { reason, .. } => reason.public(),
                _ => "",
            };
            self.on_state(stream.name(), state.as_str(), reason);
        }
    }

    /// Handles the events after number `last`, and returns the newest one's number.
    fn read_events(&mut self, last: u64) -> u64 {
        if self.hooks.is_empty() {
            // New hooks begin with the states of that time.
            return *self.events.changes().borrow();
        }
        let news = self.events.after(last);
        if news.first().is_some_and(|first| first.id > last + 1) {
            self.sync_states();
        }
        for event in &news {
            match (&event.stream, event.kind) {
                // The receivers' permissions are not known here: never the details.
                (Some(stream), EventKind::State(state)) => {
                    self.on_state(stream, state, event.message.public())
                }
                (Some(stream), EventKind::Removed) => {
                    self.hooks.iter_mut().for_each(|hook| hook.debouncer.remove(stream));
                }
                _ => {}
            }
        }
        news.last().map_or(last, |event| event.id)
    }

    /// Handles the new state of a stream.
    fn on_state(&mut self, stream: &StreamName, state: &str, reason: &str) {
        let now = Instant::now();
        let handle = self.registry.get(stream);
        let pushed = |stream: &StreamHandle| matches!(stream.config().source(), SourceConfig::Push { .. });
        // A stream that was removed has lost nothing.
        let passive = handle.as_ref().is_none_or(pushed);
        let gap_since = handle.and_then(|stream| stream.status().gap_since);
        for position in 0..self.hooks.len() {
            let debouncer = &mut self.hooks[position].debouncer;
            if let Some(stream_event) = debouncer.on_state(stream, (state, reason, gap_since), passive, now) {
                self.enqueue(position, stream, stream_event);
            }
        }
    }

    fn check_viewers(&mut self) {
        let now = Instant::now();
        let viewers: Vec<_> = self
            .registry
            .all()
            .into_iter()
            .chain(self.registry.overview())
            .map(|stream| {
                let stats = stream.bus().stats();
                (stream.name().clone(), stats.viewers(), stats.joined())
            })
            .collect();
        for position in 0..self.hooks.len() {
            let debouncer = &mut self.hooks[position].debouncer;
            for (name, viewers, joined) in &viewers {
                debouncer.on_viewers(name, *viewers, *joined, now);
            }
            for (stream, stream_event) in debouncer.due(now) {
                self.enqueue(position, &stream, stream_event);
            }
        }
    }

    /// Queues an event for a hook, if its configuration selects it.
    fn enqueue(&mut self, position: usize, stream: &StreamName, stream_event: StreamEvent) {
        let hook = &mut self.hooks[position];
        let (kind, since, message) = match stream_event {
            StreamEvent::Offline { since, reason } => (HookEvent::Lost, since, reason),
            StreamEvent::Online => (HookEvent::Back, Instant::now(), String::new()),
            StreamEvent::NoViewers { since } => (HookEvent::NoViewers, since, String::new()),
        };
        if !hook.config.events.contains(&kind) || !hook.config.streams.covers(Some(stream)) {
            return;
        }
        self.created += 1;
        let title = self.registry.get(stream).map(|stream| stream.config().title.clone());
        let event = WebhookEvent {
            id: format!("{:016x}-{}", self.run, self.created),
            kind,
            stream: stream.clone(),
            title: title.unwrap_or_default(),
            time: SystemTime::now().checked_sub(since.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH),
            message,
        };
        let full = hook.queue.push(event);
        if full && !hook.full {
            warn!(
                webhook = %hook.config.name,
                MAX_WAITING,
                "the webhook's queue is full: dropped the oldest event"
            );
        }
        hook.full = full;
    }

    /// Ends all hooks. Their senders have received the signal, and try once to deliver what waits.
    async fn stop(&mut self) {
        let deadline = tokio::time::Instant::now() + STOP_TIMEOUT;
        for mut hook in self.hooks.drain(..) {
            let left_time = deadline.saturating_duration_since(tokio::time::Instant::now());
            if timeout(left_time, &mut hook.sender).await.is_err() {
                hook.sender.abort();
            }
            let left = hook.queue.discard_all();
            if left > 0 {
                warn!(webhook = %hook.config.name, left, "framecast stops with undelivered webhook events");
            }
        }
    }
}
