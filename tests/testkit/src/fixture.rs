//! The built program with a good stream in it, and what is asserted of it while something bad happens.

use std::{cell::Cell, fs, net::SocketAddr, process::Command, time::Duration};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep},
};
use tokio_rustls::client::TlsStream;

use crate::{
    binary::Framecast,
    control_stream::{CONTROL_STREAM, ControlStream},
    proc_stats::Process,
    raw_client::{Answer, Client, TIMEOUT},
    test_cert::TestCert,
};

/// Changes what is configured.
pub const ADMIN: &str = "admin-of-these-tests";

/// Interval at which a condition is checked while it is waited for.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// A running relay.
pub struct Fixture {
    framecast: Framecast,
    address: SocketAddr,
    cert: Option<TestCert>,
    process: Process,
    control: Option<ControlStream>,
    _folder: TempDir,
}

impl Fixture {
    /// Serves the good stream and those of `streams`, YAML of the block style below `streams:`; `top` stands
    /// above it.
    pub async fn serving(top: &str, streams: &str) -> Self {
        Self::started_by("exec \"$@\"", top, streams).await
    }

    /// Starts the fixture with TLS.
    pub async fn secured(top: &str, streams: &str) -> Self {
        Self::secured_by("exec \"$@\"", top, streams).await
    }

    /// Starts it over TLS, by a line of shell that ends with `exec "$@"`.
    pub async fn secured_by(shell: &str, top: &str, streams: &str) -> Self {
        let cert = TestCert::make();
        let top = format!("server: {{tls: {{{}}}}}\n{top}", cert.tls());
        Self::with(shell, &top, streams, Some(cert)).await
    }

    /// Starts the fixture by a line of shell that ends with `exec "$@"`.
    pub async fn started_by(shell: &str, top: &str, streams: &str) -> Self {
        Self::with(shell, top, streams, None).await
    }

    async fn with(shell: &str, top: &str, streams: &str, cert: Option<TestCert>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let camera = listener.local_addr().unwrap();
        let yaml = format!(
            "{top}\nstreams:\n  {CONTROL_STREAM}: {{source: {{type: mjpeg, url: 'http://{camera}/', \
             frame_timeout: 1h}}}}\n{streams}"
        );
        let folder = tempfile::tempdir().unwrap();
        let pid_file = folder.path().join("pid");
        // The shell becomes the program: its number is the program's.
        let script = format!("echo $$ >\"$0\" && {shell}");
        let framecast = Framecast::serve_with(&yaml, |command| {
            let mut wrapped = Command::new("sh");
            wrapped.args(["-c", &script]).arg(&pid_file);
            wrapped.arg(command.get_program()).args(command.get_args());
            wrapped.env_remove("RUST_LOG").env("FRAMECAST_ADMIN_TOKEN", ADMIN);
            *command = wrapped;
            command
        });
        let url = framecast.url("");
        let address = url.split_once("://").unwrap().1.parse().expect("it listens on TCP");
        let process = Process(fs::read_to_string(&pid_file).unwrap().trim().parse().unwrap());
        let client = connect(address, cert.as_ref()).await;
        let control = Some(ControlStream::begin(client, listener).await);
        Self { framecast, address, cert, process, control, _folder: folder }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the path of the certificate of a fixture that has TLS.
    pub fn certificate(&self) -> String {
        self.cert.as_ref().expect("it has TLS").path("cert.pem")
    }

    /// Connects, over TLS if the fixture has it.
    pub async fn client(&self) -> Client {
        connect(self.address, self.cert.as_ref()).await
    }

    /// Connects and agrees on HTTP/2, in a fixture that has TLS.
    pub async fn http2(&self) -> TlsStream<TcpStream> {
        let socket = TcpStream::connect(self.address).await.unwrap();
        self.cert
            .as_ref()
            .expect("HTTP/2 needs TLS")
            .handshake(socket, &["h2"])
            .await
            .expect("the relay speaks TLS")
    }

    pub fn process(&self) -> Process {
        self.process
    }

    /// Everything the API says.
    pub async fn all(&self) -> Value {
        self.client().await.ask_here("GET", "/api/streams", &[], b"").await.json()
    }

    /// Returns the report of the API about a stream.
    pub async fn report(&self, stream: &str) -> Value {
        let target = format!("/api/streams/{stream}");
        self.client().await.ask_here("GET", &target, &[], b"").await.json()
    }

    /// Waits until the report about a stream is as wanted, and returns it.
    pub async fn report_when(&self, stream: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(&format!("{stream} to be as wanted"), async || {
            let report = self.report(stream).await;
            if wanted(&report) { Ok(report) } else { Err(report.to_string()) }
        })
        .await
    }

    /// Pushes a picture, or what is taken for one.
    pub async fn push(&self, stream: &str, body: &[u8]) -> Answer {
        let target = format!("/streams/{stream}/frame");
        self.client().await.ask_here("POST", &target, &[("Content-Type", "image/jpeg")], body).await
    }

    /// Bears `attack`: meanwhile every frame of the good camera reaches its viewer, memory grows by no more
    /// than `kib`, and afterwards no file or socket is open that was not before.
    pub async fn assert_survives(&mut self, kib: u64, attack: impl AsyncFnOnce(&Self)) {
        let mut control = self.control.take().expect("it is put back");
        let (descriptors, sent) = (self.process.descriptors(), control.sent());
        self.process.forget_peak();
        let before = self.process.memory_kib();
        let is_on = Cell::new(true);
        let attacking = async {
            attack(self).await;
            is_on.set(false);
        };
        tokio::join!(control.run_while(|| is_on.get()), attacking);
        let grown = self.process.peak_kib().saturating_sub(before);
        eprintln!("memory grew by {grown} KiB, at most {kib} are expected");
        assert!(grown <= kib, "memory grew by {grown} KiB, at most {kib} were expected");
        // One frame more, after all of it.
        control.exchange().await;
        assert!(control.sent() > sent + 1, "no frame was sent meanwhile");
        self.wait_for_descriptors(descriptors).await;
        let report = self.report(CONTROL_STREAM).await;
        assert_eq!(report["frames_in"], control.sent(), "{report}");
        assert_eq!((&report["skipped"], &report["reconnects"]), (&0.into(), &0.into()), "{report}");
        let dropped = report["dropped"].as_object().expect("a map");
        assert!(dropped.values().all(|count| *count == 0), "{report}");
        assert_eq!(report["viewers"], 1);
        self.control = Some(control);
    }

    /// Waits until no more files and sockets are open than these.
    pub async fn wait_for_descriptors(&self, most: usize) {
        until(&format!("{most} descriptors at most"), async || {
            let open = self.process.descriptors();
            if open <= most { Ok(()) } else { Err(format!("{open} descriptors")) }
        })
        .await;
    }

    /// Returns the log so far.
    pub fn log(&self) -> String {
        self.framecast.log()
    }

    /// Ends it with SIGTERM; what it has logged, in which nothing is an error or a panic.
    pub fn end(self) -> String {
        self.end_with(&[])
    }

    /// Ends the fixture; lines with one of these words may be errors.
    pub fn end_with(mut self, expected: &[&str]) -> String {
        drop(self.control.take());
        let log = self.framecast.end();
        let bad = |line: &&str| ["ERROR", "panicked"].iter().any(|word| line.contains(word));
        let known = |line: &str| expected.iter().any(|words| line.contains(words));
        let complaints: Vec<_> = log.lines().filter(bad).filter(|line| !known(line)).collect();
        assert!(complaints.is_empty(), "the log complains:\n{}", complaints.join("\n"));
        log
    }
}

async fn connect(address: SocketAddr, cert: Option<&TestCert>) -> Client {
    match cert {
        None => Client::connect(address).await,
        Some(cert) => {
            let socket = TcpStream::connect(address).await.expect("the relay listens");
            Box::new(cert.handshake(socket, &[]).await.expect("the relay speaks TLS")).into()
        }
    }
}

/// Looks until there is something to see; says at last what was seen instead.
pub async fn until<T>(what: &str, look: impl AsyncFn() -> Result<T, String>) -> T {
    let start = Instant::now();
    loop {
        match look().await {
            Ok(seen) => return seen,
            Err(instead) => {
                assert!(start.elapsed() < TIMEOUT, "waited in vain for {what}; at last: {instead}");
            }
        }
        sleep(POLL_INTERVAL).await;
    }
}
