//! nginx and Caddy in front, with the very snippets of docs/operations.md.

use std::{
    fs,
    io::Read,
    net::SocketAddr,
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;
use testkit::program::{Running, TIMEOUT, free_address, proxy, run, try_run, wait_for};

/// Viewers of one address; the next one is too many.
const VIEWERS: usize = 1;

/// Parts that may have been sent when the first of them is here: a proxy that waits for a full buffer holds
/// twenty of these pictures back.
const SENT_AT_MOST: u64 = 8;

/// Large pictures for a viewer that takes next to nothing. A proxy that buffers takes them all, and shows
/// them when they are old; else a few are on their way at most.
const LARGE: u8 = 30;
const TAKEN_AT_MOST: u64 = 10;

const TOKEN: &str = "an-admin-token-of-the-tests";
const HOST: &str = "cameras.example.org";
const SOCKET: &str = "unix//run/framecast/framecast.sock";

/// The block of the document in which this stands.
fn snippet(with: &str) -> String {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(document).expect("it is there");
    let block = text.split("```").skip(1).step_by(2).find(|block| block.contains(with));
    let block = block.unwrap_or_else(|| panic!("no block of docs/operations.md has {with}"));
    block.split_once('\n').expect("a language stands first").1.to_owned()
}

/// framecast behind a Unix socket, as the document has it.
struct RelayBehindProxy {
    running: Running,
    folder: TempDir,
}

impl RelayBehindProxy {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("there is room");
        let file = folder.path().join("framecast.yaml");
        let socket = folder.path().join("framecast.sock").display().to_string();
        let server = snippet("trusted_proxies: unix").replace("/run/framecast/framecast.sock", &socket);
        assert!(server.contains(&format!("unix:{socket}")), "{server}");
        let rest = format!(
            "limits: {{max_viewers_per_address: {VIEWERS}}}\nstreams: {{x: {{source: {{type: push, token: \
             none}}}}}}\n"
        );
        fs::write(&file, server + &rest).expect("the folder is ours");
        let mut command = Command::new(env!("CARGO_BIN_EXE_framecast"));
        command.args(["serve", "--config"]).arg(&file).env("FRAMECAST_ADMIN_TOKEN", TOKEN);
        let running = Running::start(command.env_remove("RUST_LOG").env_remove("FRAMECAST_CONFIG"));
        running.line_with(|line| line.contains("listening on unix:").then_some(()));
        Self { running, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Parts given to viewers so far.
    fn sent(&self) -> u64 {
        self.count("frames_out")
    }

    fn viewers(&self) -> u64 {
        self.count("viewers")
    }

    fn count(&self, field: &str) -> u64 {
        let socket = self.path("framecast.sock");
        let output = run("curl", &["-sS", "--unix-socket", &socket, "http://localhost/api/streams/x"]);
        let report: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
        report[field].as_u64().expect("a count")
    }

    fn end(self) {
        self.running.terminate();
        let (status, log) = self.running.finish();
        assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
    }
}

/// A running proxy, and the way in which curl reaches it.
struct Proxy {
    base: String,
    /// Arguments that curl needs for the proxy.
    arguments: Vec<String>,
    _proxy: Running,
}

impl Proxy {
    /// Returns the command line of curl for a request from an address of its own.
    fn curl(&self, from: &str, more: &[&str], route: &str) -> Vec<String> {
        let mut all: Vec<_> = self.arguments.clone();
        all.extend(["-sS", "--no-buffer", "--interface", from].map(str::to_owned));
        all.extend(more.iter().map(|argument| (*argument).to_owned()));
        all.push(format!("{}{route}", self.base));
        all
    }

    fn ask(&self, from: &str, more: &[&str], route: &str) -> String {
        let all = self.curl(from, more, route);
        let output = try_run("curl", &all.iter().map(String::as_str).collect::<Vec<_>>());
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn status(&self, from: &str, more: &[&str], route: &str) -> String {
        let more =
            [&["--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}"], more].concat();
        self.ask(from, &more, route)
    }

    fn is_ready(&self) {
        wait_for("the proxy", || (self.status("127.0.0.1", &[], "/healthz") == "200").then_some(()));
    }

    fn push(&self, picture: &[u8], folder: &Path) {
        let file = folder.join("picture.jpg");
        fs::write(&file, picture).expect("the folder is ours");
        let body = format!("@{}", file.display());
        assert_eq!(self.status("127.0.0.1", &["--data-binary", &body], "/streams/x/frame"), "204");
    }
}

/// curl is bounded by itself: whoever ends a `timeout` around it leaves it running.
fn time_limit() -> String {
    TIMEOUT.as_secs().to_string()
}

/// A viewer that reads as it comes.
struct Viewer {
    child: Child,
    out: ChildStdout,
    read: Vec<u8>,
}

impl Viewer {
    fn start(front: &Proxy, from: &str) -> Self {
        let arguments = front.curl(from, &["--max-time", &time_limit()], "/streams/x");
        let mut command = Command::new("curl");
        command.args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().expect("scripts/test installs curl");
        let out = child.stdout.take().expect("it is piped");
        Self { child, out, read: Vec::new() }
    }

    fn until(&mut self, picture: &[u8]) {
        let mut buffer = [0; 4096];
        while !self.read.windows(picture.len()).any(|bytes| bytes == picture) {
            let length = self.out.read(&mut buffer).expect("a pipe can be read");
            assert!(length > 0, "it ended before");
            self.read.extend_from_slice(&buffer[..length]);
        }
        self.read.clear();
    }
}

impl Drop for Viewer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn jpeg(n: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = [n.wrapping_mul(37); 64];
    jpeg_encoder::Encoder::new(&mut jpeg, 80)
        .encode(&pixels, 8, 8, jpeg_encoder::ColorType::Luma)
        .expect("a small picture can be encoded");
    jpeg
}

/// One that nobody looks at closely.
fn large_jpeg(n: u8) -> Vec<u8> {
    const COMMENT: u16 = 60_000;
    let small = jpeg(n);
    let comment = [&[0xff, 0xfe][..], &COMMENT.to_be_bytes(), &vec![n; usize::from(COMMENT) - 2]].concat();
    [&small[..2], &comment.repeat(32), &small[2..]].concat()
}

/// A viewer behind a slow line gets the newest picture: none waits in the proxy.
fn assert_nothing_waits_in_the_proxy(behind: &RelayBehindProxy, front: &Proxy) {
    let bounded = ["--max-time", &time_limit(), "--limit-rate", "1k", "--output", "/dev/null"];
    let all = front.curl("127.0.0.5", &bounded, "/streams/x");
    let _slow = Running::start(Command::new("curl").args(all));
    wait_for("the slow viewer", || (behind.viewers() > 0).then_some(()));
    let before = behind.sent();
    for n in 0..LARGE {
        front.push(&large_jpeg(n), behind.folder.path());
    }
    let taken = behind.sent() - before;
    assert!(
        taken <= TAKEN_AT_MOST,
        "{taken} of {LARGE} pictures were taken for a viewer that does not look at them"
    );
}

/// Checks the properties that the document promises of a proxy.
fn assert_served(behind: &RelayBehindProxy, front: &Proxy) {
    let folder = behind.folder.path();
    front.is_ready();
    front.push(&jpeg(0), folder);
    let mut viewer = Viewer::start(front, "127.0.0.2");
    viewer.until(&jpeg(0));
    for n in 1..6 {
        let before = behind.sent();
        front.push(&jpeg(n), folder);
        viewer.until(&jpeg(n));
        let sent = behind.sent() - before;
        assert!(sent <= SENT_AT_MOST, "picture {n} was held back until {sent} parts were sent");
    }
    assert_eq!(front.status("127.0.0.2", &[], "/streams/x"), "429", "the viewer's address, not the proxy's");
    let invented = ["-H", "X-Forwarded-For: 192.0.2.1"];
    assert_eq!(
        front.status("127.0.0.2", &invented, "/streams/x"),
        "429",
        "a viewer's own word counts for nothing"
    );
    Viewer::start(front, "127.0.0.3").until(&jpeg(5));
    drop(viewer);
    wait_for("the viewers to be gone", || (behind.viewers() == 0).then_some(()));
    assert_nothing_waits_in_the_proxy(behind, front);
    let origin = format!("Origin: {}", front.base);
    let upgrade = [
        "--http1.1",
        "--include",
        "--max-time",
        "2",
        "-H",
        "Connection: Upgrade",
        "-H",
        "Upgrade: websocket",
        "-H",
        "Sec-WebSocket-Version: 13",
        "-H",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "-H",
    ];
    let page = |origin: &str| front.ask("127.0.0.4", &[&upgrade[..], &[origin]].concat(), "/api/live");
    assert!(page(&origin).starts_with("HTTP/1.1 101"), "{}", page(&origin));
    assert!(page("Origin: http://evil.example").starts_with("HTTP/1.1 403"));
}

#[test]
fn nginx_passes_streams_on_as_they_come_with_the_viewers_address() {
    let behind = RelayBehindProxy::start();
    let address = free_address();
    let location = snippet("proxy_pass http://unix:");
    let location = location.replace("/run/framecast/framecast.sock", &behind.path("framecast.sock"));
    let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {};\n", behind.path(kind)))
        .collect();
    let config = format!(
        "daemon off;\nmaster_process off;\npid {};\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log \
         off;\n{temporary}\
         server {{\nlisten {address};\n{location}\n}}\n}}\n",
        behind.path("nginx.pid"),
    );
    fs::write(behind.path("nginx.conf"), config).expect("the folder is ours");
    let mut command = Command::new(proxy("nginx"));
    command.args(["-e", "stderr", "-p", &behind.path(""), "-c", &behind.path("nginx.conf")]);
    let front = Proxy {
        base: format!("http://{address}"),
        arguments: Vec::new(),
        _proxy: Running::start(&mut command),
    };
    assert_served(&behind, &front);
    drop(front);
    behind.end();
}

#[test]
fn caddy_speaks_tls_and_passes_streams_on_as_they_come_with_the_viewers_address() {
    let behind = RelayBehindProxy::start();
    let address: SocketAddr = free_address();
    let site = snippet("reverse_proxy");
    // Its own authority instead of Let's Encrypt's, on an address of the test's.
    let site = site.replacen(
        &format!("{HOST} {{"),
        &format!("https://{HOST}:{} {{\n    bind {}\n    tls internal", address.port(), address.ip()),
        1,
    );
    let site = site.replace(SOCKET, &format!("unix/{}", behind.path("framecast.sock")));
    assert!(
        site.contains("tls internal") && site.contains("framecast.sock") && !site.contains("/run/"),
        "{site}"
    );
    let options = format!(
        "{{\n    admin off\n    skip_install_trust\n    storage file_system {}\n}}\n",
        behind.path("caddy")
    );
    fs::write(behind.path("Caddyfile"), format!("{options}{site}")).expect("the folder is ours");
    let mut command = Command::new(proxy("caddy"));
    command.args(["run", "--adapter", "caddyfile", "--config", &behind.path("Caddyfile")]);
    command.env("HOME", behind.folder.path()).env("XDG_DATA_HOME", behind.path("data"));
    command.env("XDG_CONFIG_HOME", behind.path("config"));
    let proxy = Running::start(&mut command);
    let authority = behind.path("caddy/pki/authorities/local/root.crt");
    let resolve = format!("{HOST}:{}:{}", address.port(), address.ip());
    let arguments = ["--cacert", &authority, "--resolve", &resolve].map(str::to_owned).to_vec();
    let front = Proxy { base: format!("https://{HOST}:{}", address.port()), arguments, _proxy: proxy };
    assert_served(&behind, &front);
    let cookie = front.ask("127.0.0.1", &["--include"], &format!("/?token={TOKEN}"));
    assert!(cookie.contains("; Secure"), "the proxy says that it speaks TLS: {cookie}");
    drop(front);
    behind.end();
}
