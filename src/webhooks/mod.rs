//! Reports events of streams over HTTP: a source that is lost or back, and the last viewer leaving.
//!
//! One task follows the events of the relay and counts viewers once a second; each hook has a queue and a
//! task of its own that delivers it in order. They run where [`Webhooks::start`] was called, and no stream
//! waits for them. A hook that does not respond fills its queue, which is bounded, and affects nothing else.
//!
//! A hook's task ends with its configuration; waiting events are delivered by the next hook of that name. No
//! URL, secret or header of a hook is ever printed: the log and the metrics have its name.

mod debounce;
mod delivery;
mod dispatcher;
mod event;
mod queue;
mod retry;
mod signature;

use std::sync::{Arc, Mutex, PoisonError};

use dispatcher::Dispatcher;
pub use queue::Deliveries;
use queue::{Queues, lock};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    config::WebhookConfig,
    observability::task_counts,
    registry::{Events, Registry},
};

/// All webhooks of a relay.
#[derive(Debug)]
pub struct Webhooks {
    configs: watch::Sender<Vec<WebhookConfig>>,
    stopping: watch::Sender<bool>,
    queues: Arc<Queues>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Webhooks {
    /// Starts to report. Must be called inside an actix system, on whose thread it stays.
    pub fn start(registry: Arc<Registry>, events: Arc<Events>, configs: Vec<WebhookConfig>) -> Self {
        let (configs, changes) = watch::channel(configs);
        let (stopping, stops) = watch::channel(false);
        let queues = Arc::<Queues>::default();
        let dispatcher = Dispatcher::new(registry, events, queues.clone(), stops);
        let task = task_counts::spawn(dispatcher.run(changes));
        Self { configs, stopping, queues, task: Mutex::new(Some(task)) }
    }

    /// Replaces the configuration. Hooks that stay the same are not affected.
    pub fn set_configs(&self, configs: Vec<WebhookConfig>) {
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

    /// Reports nothing new from now on.
    pub fn begin_stop(&self) {
        self.stopping.send_replace(true);
    }

    /// Stops, after trying for at most a second to deliver the waiting events.
    pub async fn stop(&self) {
        self.begin_stop();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            // It is bounded by itself.
            let _ = task.await;
        }
    }
}
