//! Tells others over HTTP what happens to streams: a source that is lost, or back, and viewers who have all
//! left.
//!
//! One task follows the events of the relay and looks at the viewers once a second; each hook has a queue and
//! a task of its own that empties it in order. They run where [`Webhooks::start`] was called, and nothing of
//! a stream waits for them. A hook that does not answer fills its queue, which is bounded, and nothing else.
//!
//! A hook's task ends with its configuration; what waits goes on with the next one of its name. No URL,
//! secret or header of a hook is ever said: the log and the metrics know its name.

mod event;
mod retry;
mod queue;
mod delivery;
mod signature;
mod debounce;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use debounce::{Happened, Tracker};
use delivery::Sender;
use event::Notice;
pub use queue::Deliveries;
use queue::{MAX_WAITING, Queue};
use tokio::{
    sync::watch,
    task::JoinHandle,
    time::{MissedTickBehavior, interval, timeout},
};
use tracing::warn;

use crate::{
    config::{HookEvent, SourceConfig, WebhookConfig},
    media::stream_name::StreamName,
    observability::tasks,
    registry::{EventKind, Events, Registry},
    stream::{StreamHandle, state::State},
};

/// Interval at which viewers are counted and lasting states are checked.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Time that the waiting notices have for their delivery when framecast ends.
const STOP_WITHIN: Duration = Duration::from_secs(1);

/// All webhooks of a relay.
#[derive(Debug)]
pub struct Webhooks {
    configs: watch::Sender<Vec<WebhookConfig>>,
    stopping: watch::Sender<bool>,
    queues: Arc<Queues>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// The queue of each hook, by its name.
type Queues = Mutex<HashMap<String, Arc<Queue>>>;

impl Webhooks {
    /// Begins to tell. Must be called inside an actix system, on whose thread it stays.
    pub fn start(registry: Arc<Registry>, events: Arc<Events>, configs: Vec<WebhookConfig>) -> Self {
        let (configs, changes) = watch::channel(configs);
        let (stopping, stops) = watch::channel(false);
        let queues = Arc::<Queues>::default();
        let teller = Teller {
            registry,
            events,
            queues: queues.clone(),
            stopping: stops,
            hooks: Vec::new(),
            run: fastrand::u64(..),
            told: 0,
        };
        let task = tasks::spawn(teller.run(changes));
        Self { configs, stopping, queues, task: Mutex::new(Some(task)) }
    }

    /// From now on these are told. Those that stay as they are notice nothing.
    pub fn set(&self, configs: Vec<WebhookConfig>) {
        self.configs.send_if_modified(|before| {
            let changed = *before != configs;
            *before = configs;
            changed
        });
    }

    /// Returns the delivery counters of each hook, by the hook's name.
    pub fn deliveries(&self) -> Vec<(String, Deliveries)> {
        let mut all: Vec<_> =
            lock(&self.queues).iter().map(|(name, queue)| (name.clone(), queue.deliveries())).collect();
        all.sort_by(|(a, _), (b, _)| a.cmp(b));
        all
    }

    /// Tells nothing new from now on.
    pub fn begin_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Stops, after trying for at most a second to deliver the waiting notices.
    pub async fn stop(&self) {
        self.begin_stop();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It bounds itself.
            let _ = task.await;
        }
    }
}

fn lock(queues: &Queues) -> MutexGuard<'_, HashMap<String, Arc<Queue>>> {
    queues.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows what happens, and puts it into the queues.
struct Teller {
    registry: Arc<Registry>,
    events: Arc<Events>,
    queues: Arc<Queues>,
    stopping: watch::Receiver<bool>,
    hooks: Vec<Hook>,
    /// Of this run of the relay, for the numbers of notices.
    run: u64,
    told: u64,
}

/// One webhook.
struct Hook {
    config: WebhookConfig,
    tracker: Tracker,
    queue: Arc<Queue>,
    sender: JoinHandle<()>,
    /// It was said that its queue is full.
    full: bool,
}

impl Teller {
    async fn run(mut self, mut configs: watch::Receiver<Vec<WebhookConfig>>) {
        let mut changes = self.events.changes();
        // What was before shows in how the streams are now.
        let mut last = *changes.borrow_and_update();
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = self.stopping.clone();
        let first = configs.borrow_and_update().clone();
        self.take_on(first);
        loop {
            tokio::select! {
                biased;
                _ = stopping.wait_for(|stopping| *stopping) => break,
                changed = configs.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let now = configs.borrow_and_update().clone();
                    self.take_on(now);
                }
                // The relay holds the events for as long as it holds us.
                _ = changes.changed() => last = self.read_events(last),
                // Without a hook there is nobody to look for.
                _ = looks.tick(), if !self.hooks.is_empty() => self.look(),
            }
        }
        self.end().await;
    }

    /// Goes on with these hooks. One with the name of one before takes over what waits for that, and what it
    /// knows.
    fn take_on(&mut self, configs: Vec<WebhookConfig>) {
        let mut before: HashMap<String, Hook> =
            self.hooks.drain(..).map(|hook| (hook.config.name.clone(), hook)).collect();
        let hooks: Vec<_> =
            configs.into_iter().map(|config| self.hook(before.remove(&config.name), config)).collect();
        self.hooks = hooks;
        for (name, hook) in before {
            hook.sender.abort();
            let left = hook.queue.give_up();
            if left > 0 {
                warn!(webhook = %name, left, "the webhook is gone, and was not told all");
            }
        }
        self.look_at_states();
        self.look();
        let queues = self.hooks.iter().map(|hook| (hook.config.name.clone(), hook.queue.clone()));
        *lock(&self.queues) = queues.collect();
    }

    fn hook(&self, before: Option<Hook>, config: WebhookConfig) -> Hook {
        let start = |queue: &Arc<Queue>| {
            tasks::spawn(Sender::new(config.clone(), queue.clone(), self.stopping.clone()).run())
        };
        match before {
            Some(hook) if hook.config == config => hook,
            Some(mut hook) => {
                hook.sender.abort();
                hook.sender = start(&hook.queue);
                hook.tracker.set_after(config.after);
                Hook { config, ..hook }
            }
            None => {
                let (queue, mut tracker) = (Arc::default(), Tracker::new(config.after));
                for stream in self.registry.all().iter().chain(&self.registry.overview()) {
                    tracker.begin(stream.name(), stream.bus().stats().joined());
                }
                Hook { sender: start(&queue), tracker, queue, config, full: false }
            }
        }
    }

    /// Begins with how streams are now: for new hooks, and when more has happened than is kept.
    fn look_at_states(&mut self) {
        for stream in self.registry.all() {
            let state = stream.status().state;
            let reason = match &state {
                State::Waiting { reason, .. } => reason.public(),
                _ => "",
            };
            self.is(stream.name(), state.as_str(), reason);
        }
    }

    /// Takes in the events behind number `last`; the newest one's number.
    fn read_events(&mut self, last: u64) -> u64 {
        if self.hooks.is_empty() {
            // New ones begin with how streams are then.
            return *self.events.changes().borrow();
        }
        let news = self.events.after(last);
        if news.first().is_some_and(|first| first.id > last + 1) {
            self.look_at_states();
        }
        for event in &news {
            match (&event.stream, event.kind) {
                // The receivers' permissions are not known here: never the details.
                (Some(stream), EventKind::State(state)) => self.is(stream, state, event.message.public()),
                (Some(stream), EventKind::Removed) => {
                    self.hooks.iter_mut().for_each(|hook| hook.tracker.forget(stream));
                }
                _ => {}
            }
        }
        news.last().map_or(last, |event| event.id)
    }

    /// A stream has this state now.
    fn is(&mut self, stream: &StreamName, state: &str, reason: &str) {
        let now = Instant::now();
        let pushed = |stream: StreamHandle| matches!(stream.config().source(), SourceConfig::Push { .. });
        // One that is gone already has lost nothing.
        let passive = self.registry.get(stream).is_none_or(pushed);
        for position in 0..self.hooks.len() {
            let tracker = &mut self.hooks[position].tracker;
            if let Some(happened) = tracker.state(stream, (state, reason), passive, now) {
                self.tell(position, stream, happened);
            }
        }
    }

    fn look(&mut self) {
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
            let tracker = &mut self.hooks[position].tracker;
            for (name, viewers, joined) in &viewers {
                tracker.viewers(name, *viewers, *joined, now);
            }
            for (stream, happened) in tracker.due(now) {
                self.tell(position, &stream, happened);
            }
        }
    }

    /// Puts it into the queue of a hook, if that is to be told.
    fn tell(&mut self, position: usize, stream: &StreamName, happened: Happened) {
        let hook = &mut self.hooks[position];
        let (event, since, message) = match happened {
            Happened::Lost { since, reason } => (HookEvent::Lost, since, reason),
            Happened::Back => (HookEvent::Back, Instant::now(), String::new()),
            Happened::NoViewers { since } => (HookEvent::NoViewers, since, String::new()),
        };
        if !hook.config.events.contains(&event) || !hook.config.streams.covers(Some(stream)) {
            return;
        }
        self.told += 1;
        let title = self.registry.get(stream).map(|stream| stream.config().title.clone());
        let notice = Notice {
            id: format!("{:016x}-{}", self.run, self.told),
            event,
            stream: stream.clone(),
            title: title.unwrap_or_default(),
            time: SystemTime::now().checked_sub(since.elapsed()).unwrap_or(SystemTime::UNIX_EPOCH),
            message,
        };
        let full = hook.queue.push(notice);
        if full && !hook.full {
            warn!(
                webhook = %hook.config.name,
                MAX_WAITING,
                "too much waits for the webhook: the oldest is dropped"
            );
        }
        hook.full = full;
    }

    /// The senders have heard that it is over, and try what waits once.
    async fn end(&mut self) {
        let deadline = tokio::time::Instant::now() + STOP_WITHIN;
        for mut hook in self.hooks.drain(..) {
            let left_time = deadline.saturating_duration_since(tokio::time::Instant::now());
            if timeout(left_time, &mut hook.sender).await.is_err() {
                hook.sender.abort();
            }
            let left = hook.queue.give_up();
            if left > 0 {
                warn!(webhook = %hook.config.name, left, "framecast ends, and the webhook was not told all");
            }
        }
    }
}
