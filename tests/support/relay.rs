//! A relay of the test's own: the real one, in this process, on a free port.
//!
//! It runs in a thread with an actix system of its own, so that a test may use whatever runtime it likes.

use std::{net::SocketAddr, sync::mpsc, thread};

use framecast::{
    config::{self, Environment, Listen},
    registry::Registry,
    relay::Relay,
};
use tokio::sync::oneshot;

/// A running relay, stopped when this is dropped.
pub(crate) struct TestRelay {
    address: SocketAddr,
    registry: Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl TestRelay {
    /// Serves this YAML on a free port of 127.0.0.1.
    pub(crate) fn start(yaml: &str) -> Self {
        let mut config = config::parse(yaml, "test", &Environment::default())
            .unwrap_or_else(|mistakes| panic!("the test's configuration is wrong:\n{mistakes}"));
        config.auth.start_token = Some(config::Secret::new("admin-of-tests"));
        config.server.listen.retain(|listen| matches!(listen, Listen::Unix(_)));
        config.server.listen.push(SocketAddr::from(([127, 0, 0, 1], 0)).into());
        let (stop, stopped) = oneshot::channel();
        let (told, started) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let relay = Relay::start(config).await.expect("the relay starts");
                // A second registry of the same streams: the relay keeps its own.
                let registry = Registry::new(relay.registry().all());
                told.send((relay.addresses()[0], registry)).expect("the test waits for it");
                // An error means that the test panicked; then it ends too.
                let _ = stopped.await;
                relay.stop().await;
            });
        });
        let (address, registry) = started.recv().expect("the relay starts");
        Self { address, registry, stop: Some(stop), thread: Some(thread) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its streams.
    pub(crate) fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Begins to stop it; dropping it waits for the end.
    pub(crate) fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it has ended already, which joining its thread tells.
            let _ = stop.send(());
        }
    }
}

impl Drop for TestRelay {
    fn drop(&mut self) {
        self.begin_stop();
        let thread = self.thread.take().expect("only dropping takes it");
        if let Err(panic) = thread.join()
            && !thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}
