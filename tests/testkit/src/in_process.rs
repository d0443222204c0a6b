//! A server under test in this process, on a free port.
//!
//! It runs in a thread with an actix system of its own, so that a test may use whatever runtime it likes.

use std::{future::Future, net::SocketAddr, sync::mpsc, thread, time::Duration};

use tokio::{sync::oneshot, time::sleep};

use crate::{
    pictures::jpeg,
    stream_client::{ONE_PUSH, push},
};

/// A server that [`InProcess`] runs. This crate does not depend on framecast, whose library
/// `cargo test --lib` would then build twice: [`define_test_relay`](crate::define_test_relay) implements this
/// for it, in the test's crate.
pub trait Server: Sized + 'static {
    /// The registry that a test may use from its own thread.
    type Registry: Send + 'static;

    /// Serves this YAML on a free port of 127.0.0.1.
    fn start(yaml: String) -> impl Future<Output = (Self, SocketAddr, Self::Registry)>;

    /// Stops it in an orderly way.
    fn stop(self) -> impl Future<Output = ()>;

    /// Waits until a stream is in this state; panics when it takes too long.
    fn wait_for_state(registry: &Self::Registry, stream: &str, state: &str) -> impl Future<Output = ()>;
}

/// A running server, stopped when this is dropped.
pub struct InProcess<S: Server> {
    address: SocketAddr,
    registry: S::Registry,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl<S: Server> InProcess<S> {
    /// Serves this YAML on a free port of 127.0.0.1.
    pub fn start(yaml: &str) -> Self {
        let yaml = yaml.to_owned();
        let (stop, stopped) = oneshot::channel();
        let (started, starts) = mpsc::sync_channel(1);
        let thread = thread::spawn(move || {
            actix_rt::System::new().block_on(async {
                let (server, address, registry) = S::start(yaml).await;
                started.send((address, registry)).expect("the test waits for it");
                // An error means that the test panicked; then it ends too.
                let _ = stopped.await;
                server.stop().await;
            });
        });
        let (address, registry) = starts.recv().expect("the server starts");
        Self { address, registry, stop: Some(stop), thread: Some(thread) }
    }

    /// Starts one with a live push stream `x` that shows `jpeg`.
    pub async fn live_push(jpeg: &[u8]) -> Self {
        let server = Self::start(ONE_PUSH);
        push(&server, "x", jpeg).await;
        S::wait_for_state(server.registry(), "x", "live").await;
        server
    }

    /// Serves this YAML, and pushes so many pictures to its stream `x`, one each `interval` at most.
    pub async fn with_pictures(yaml: &str, pictures: u8, interval: Duration) -> Self {
        let server = Self::start(yaml);
        for n in 1..=pictures {
            if n > 1 {
                // The pace of what is recorded, not a wait for anything.
                sleep(interval).await;
            }
            push(&server, "x", &jpeg(n)).await;
        }
        server
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its streams.
    pub fn registry(&self) -> &S::Registry {
        &self.registry
    }

    /// Begins to stop it; dropping it waits for the end.
    pub fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // An error means that it has ended already, which joining its thread tells.
            let _ = stop.send(());
        }
    }
}

impl<S: Server> Drop for InProcess<S> {
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

/// Defines `TestRelay`, a relay of framecast that is [`InProcess`].
#[macro_export]
macro_rules! define_test_relay {
    () => {
        /// A relay in this process.
        type TestRelay = $crate::in_process::InProcess<RelayServer>;

        struct RelayServer(framecast::app::Relay);

        impl $crate::in_process::Server for RelayServer {
            type Registry = framecast::registry::Registry;

            async fn start(yaml: String) -> (Self, std::net::SocketAddr, Self::Registry) {
                use framecast::config::{Environment, Listen, Secret, parse};

                let mut config = parse(&yaml, "test", &Environment::default())
                    .unwrap_or_else(|mistakes| panic!("the test's configuration is wrong:\n{mistakes}"));
                config.auth.start_token = Some(Secret::new("admin-of-tests"));
                config.server.listen.retain(|listen| matches!(listen, Listen::Unix(_)));
                config.server.listen.push(std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into());
                let relay = framecast::app::Relay::start(config).await.expect("the relay starts");
                // A second registry of the same streams: the relay keeps its own.
                let registry = framecast::registry::Registry::new(relay.registry().all());
                let address = relay.addresses()[0];
                (Self(relay), address, registry)
            }

            async fn stop(self) {
                self.0.stop().await;
            }

            async fn wait_for_state(registry: &Self::Registry, stream: &str, state: &str) {
                let name = stream.parse().expect("the name of a stream");
                let handle = registry.get(&name).expect("the stream is configured");
                let mut changes = handle.status_changes();
                let reached =
                    async { changes.wait_for(|status| status.state.as_str() == state).await.is_ok() };
                let reached = tokio::time::timeout($crate::raw_client::TIMEOUT, reached).await;
                assert!(reached == Ok(true), "{stream} is not {state} but {:?}", handle.status());
            }
        }
    };
}

/// Defines `config` and `beside`, for tests that run in one actix system with the relay and reconfigure it.
#[macro_export]
macro_rules! define_relay_beside {
    () => {
        /// Parses a configuration that listens on a free port of 127.0.0.1.
        fn config(yaml: &str) -> framecast::config::Config {
            use framecast::config::{Environment, Listen, parse};

            let mut config = parse(yaml, "test", &Environment::default()).unwrap();
            config.server.listen = vec![Listen::Tcp(std::net::SocketAddr::from(([127, 0, 0, 1], 0)))];
            config
        }

        /// Runs a test beside a relay, in one system.
        fn beside<T>(
            test: impl AsyncFnOnce(framecast::app::Relay, std::net::SocketAddr) -> T,
            yaml: &str,
        ) -> T {
            actix_rt::System::new().block_on(async {
                let relay = framecast::app::Relay::start(config(yaml)).await.unwrap();
                let at = relay.addresses()[0];
                test(relay, at).await
            })
        }
    };
}
