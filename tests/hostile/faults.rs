//! Faults without malice: of descriptors, names, networks, the process itself.
//!
//! Full and read-only disks: `tests/viewers/recording.rs`. Lost packets: `loss.rs`. Panics are injected next
//! to the code that catches them: of sources in `src/stream/pump.rs`; of steps, decoders and encoders, also
//! of renditions, in `src/imaging/transform/stage.rs`; of other jobs, also of mosaics, in
//! `src/imaging/cpu_pool/tests.rs`; of writes to viewers in `src/stream/fan_out.rs`; of recordings in
//! `src/recording/tests.rs`; of webhooks in `src/webhooks/delivery.rs`; of handlers, bodies and WebSockets in
//! `src/web/server/tests.rs`.

use std::{
    cell::RefCell,
    collections::BTreeSet,
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use testkit::{
    attacks::frames::{get, nth},
    control_stream::next_picture,
    fixture::{ADMIN, Fixture, until},
    malicious_camera::{CameraConnection, MaliciousCamera},
    numbered_pictures::{numbered, plain},
    program::{Running, run, test_file},
    raw_client::{Answer, Body, Client},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream, UnixStream},
    sync::watch,
    time::Instant,
};

use crate::http2::Raw;

/// So few that idle connections would take all of them.
const DESCRIPTORS: u64 = 128;

fn few_descriptors() -> String {
    format!("ulimit -n {DESCRIPTORS} && exec \"$@\"")
}

/// A camera that shows a picture, and closes each connection on command.
struct ClosingCamera {
    camera: MaliciousCamera,
    closing: watch::Sender<bool>,
}

impl ClosingCamera {
    async fn start() -> Self {
        let (closing, open) = watch::channel(true);
        let camera = MaliciousCamera::start(move |line| show(line, plain(64, 48), open.clone())).await;
        Self { camera, closing }
    }

    /// It is connected to before anybody watches, and retried soon.
    fn stream(&self) -> String {
        let address = self.camera.address();
        format!(
            "  closing: {{on_demand: false, max_fps: 10, \
             source: {{type: mjpeg, url: 'http://{address}/'}}}}\n"
        )
    }

    /// Closes once, and waits until the relay has reconnected.
    async fn close_once(&self, fixture: &Fixture) {
        let (connections, before) = (self.camera.connections(), fixture.report("closing").await);
        self.closing.send_replace(false);
        until("the camera to be asked again", async || {
            let now = self.camera.connections();
            if now > connections { Ok(()) } else { Err(fixture.report("closing").await.to_string()) }
        })
        .await;
        self.closing.send_replace(true);
        let seen = before["frames_in"].as_u64().unwrap();
        fixture
            .report_when("closing", |now| now["state"] == "live" && now["frames_in"].as_u64() > Some(seen))
            .await;
    }
}

/// Returns the relay's counts of connections.
async fn connections(fixture: &Fixture) -> Value {
    fixture.all().await["connections"].clone()
}

/// Returns these counts once this many idle connections were closed for new ones.
async fn connections_when_closed(fixture: &Fixture, idle: u64) -> Value {
    until(&format!("{idle} idle connections to be closed"), async || {
        let now = connections(fixture).await;
        if now["closed_idle"].as_u64() >= Some(idle) { Ok(now) } else { Err(now.to_string()) }
    })
    .await
}

#[tokio::test]
async fn a_camera_comes_back_and_a_viewer_gets_in_while_idle_connections_take_all_there_is() {
    let camera = ClosingCamera::start().await;
    let folder = tempfile::tempdir().unwrap();
    let saved = folder.path().join("saved.jpg");
    let streams = format!(
        "{}  saved: {{save: {{latest: '{}'}}, source: {{type: push, token: none}}}}\n",
        camera.stream(),
        saved.display()
    );
    let mut fixture = Fixture::started_by(&few_descriptors(), "", &streams).await;
    fixture
        .assert_survives(16 * 1024, async |fixture| {
            fixture.report_when("closing", |report| report["state"] == "live").await;
            let viewers = Watching::join(fixture).await;
            let mut crowd = Vec::new();
            // No bytes, a partial head, and a request that was answered.
            let said = ["", "GET /streams/neigh", "GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"];
            for n in 0..3 * DESCRIPTORS as usize {
                let mut idle = TcpStream::connect(fixture.address()).await.unwrap();
                // An error means that it was already closed to make room.
                let _ = idle.write_all(said[n % said.len()].as_bytes()).await;
                crowd.push(idle);
            }
            let full = connections_when_closed(fixture, 2 * DESCRIPTORS).await;
            let most = full["most"].as_u64().unwrap();
            assert!(most > 8 && most < DESCRIPTORS, "{full}");
            until("the last ones to get in", async || {
                let now = connections(fixture).await;
                if now["open"] == now["most"] { Ok(()) } else { Err(now.to_string()) }
            })
            .await;
            assert!((fixture.process().descriptors() as u64) < DESCRIPTORS, "there is a reserve");
            camera.close_once(fixture).await;
            let mut new = Watching::join(fixture).await;
            new.see().await;
            assert_eq!(fixture.push("saved", &numbered(7)).await.head.status, 204);
            until("the picture to be saved", async || {
                let found = fs::read(&saved).unwrap_or_default();
                if found == numbered(7) { Ok(()) } else { Err(format!("{} bytes", found.len())) }
            })
            .await;
            drop((viewers, new, crowd));
            let report = connections(fixture).await;
            assert_eq!(report["refused"], json!({"address": 0, "full": 0}), "{report}");
        })
        .await;
    let metrics = Client::get(fixture.address(), "/metrics").await;
    let metrics = String::from_utf8(metrics.body).unwrap();
    let closed = metrics.lines().find_map(|l| l.strip_prefix("framecast_closed_idle_connections_total "));
    assert!(closed.unwrap().parse::<f64>().unwrap() >= 2.0 * DESCRIPTORS as f64, "{metrics}");
    fixture.end();
}

/// A viewer of the stream `closing`.
struct Watching(Body);

impl Watching {
    async fn join(fixture: &Fixture) -> Self {
        let mut viewer = fixture.client().await;
        viewer.send(b"GET /streams/closing HTTP/1.1\r\nHost: test\r\n\r\n").await;
        let head = viewer.head().await;
        assert_eq!(head.status, 200);
        let mut body = Body::after(&head, viewer);
        assert_eq!(body.text_until("\r\n").await, "--boundarydonotcross");
        Self(body)
    }

    async fn see(&mut self) {
        next_picture(&mut self.0).await;
    }
}

/// Over TLS an unfinished handshake is idle, and so is HTTP/2 without a request.
#[tokio::test]
async fn handshakes_that_never_end_and_http_2_without_requests_make_room() {
    let camera = ClosingCamera::start().await;
    let mut fixture = Fixture::secured_by(&few_descriptors(), "", &camera.stream()).await;
    fixture
        .assert_survives(32 * 1024, async |fixture| {
            fixture.report_when("closing", |report| report["state"] == "live").await;
            let mut watching = Raw::begin(fixture.http2().await, 1_000_000).await.reading();
            watching.say(&get(nth(0), "/streams/closing")).await.unwrap();
            watching.seen_when(|seen| seen.data_bytes > 1000).await;
            let (mut crowd, mut http2) = (Vec::new(), Vec::new());
            for _ in 0..16 {
                http2.push(Raw::begin(fixture.http2().await, 1000).await);
                for said in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
                    for _ in 0..8 {
                        let mut idle = TcpStream::connect(fixture.address()).await.unwrap();
                        // An error means that it was already closed to make room.
                        let _ = idle.write_all(said).await;
                        crowd.push(idle);
                    }
                }
            }
            let report = connections_when_closed(fixture, 100).await;
            assert_eq!(report["refused"], json!({"address": 0, "full": 0}), "{report}");
            camera.close_once(fixture).await;
            let mut new = Watching::join(fixture).await;
            new.see().await;
            let before = watching.seen();
            let more = before.data_bytes + 1000;
            let seen = watching.seen_when(|seen| seen.ended || seen.data_bytes > more).await;
            assert!(!seen.ended, "whoever watches over HTTP/2 goes on watching");
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn connections_with_requests_are_never_closed_and_one_too_many_is_refused_and_counted() {
    // Without `sendfile`, since a stream that had eight viewers keeps its pipes.
    let mut fixture = Fixture::started_by(&few_descriptors(), "server: {sendfile: false}", "").await;
    fixture
        .assert_survives(16 * 1024, async |fixture| {
            let most = connections(fixture).await["most"].as_u64().unwrap();
            let mut viewers = Vec::new();
            // The good viewer has one.
            for _ in 1..most {
                let mut viewer = fixture.client().await;
                viewer.send(b"GET /streams/control HTTP/1.1\r\nHost: test\r\n\r\n").await;
                assert_eq!(viewer.head().await.status, 200);
                viewers.push(viewer);
            }
            let mut refused = fixture.client().await;
            let head = refused.head().await;
            assert_eq!((head.status, head.get("retry-after").is_some()), (503, true));
            drop(viewers.pop());
            let (report, _client) = until("a place", async || {
                asked_from("127.0.0.1", fixture.address()).await.map_err(|status| status.to_string())
            })
            .await;
            assert!(report["connections"]["refused"]["full"].as_u64() > Some(0), "{report}");
            assert_eq!(report["streams"][0]["viewers"], most - 1, "only one has left: {report}");
        })
        .await;
    fixture.end();
}

/// Anybody may send a login, and may leave it incomplete.
#[tokio::test]
async fn logins_that_never_end_and_refused_bodies_make_room() {
    let mut fixture = Fixture::started_by(
        &few_descriptors(),
        "",
        "  closed: {source: {type: push, token: secret-of-the-test}}\n",
    )
    .await;
    fixture
        .assert_survives(16 * 1024, async |fixture| {
            let mut crowd = Vec::new();
            for n in 0..2 * DESCRIPTORS {
                let target = ["/login", "/streams/closed/frame", "/nothing"][n as usize % 3];
                let head =
                    format!("POST {target} HTTP/1.1\r\nHost: test\r\nContent-Length: 8000\r\n\r\nname=");
                let mut io = TcpStream::connect(fixture.address()).await.unwrap();
                // An error means that it was already closed to make room.
                let _ = io.write_all(head.as_bytes()).await;
                crowd.push(io);
            }
            let report = connections_when_closed(fixture, DESCRIPTORS).await;
            assert_eq!(report["refused"], json!({"address": 0, "full": 0}), "{report}");
        })
        .await;
    fixture.end();
}

/// `framecast serve` in a folder of its own, where it keeps what was added over HTTP.
struct Served {
    running: Running,
    address: std::net::SocketAddr,
}

impl Served {
    fn start(folder: &Path) -> Self {
        Self::on("127.0.0.1:0", folder)
    }

    fn on(listen: &str, folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framecast"));
        command.args(["serve", "--listen", listen, "--config", "framecast.yaml"]).current_dir(folder);
        command.env_remove("RUST_LOG").env_remove("FRAMECAST_CONFIG").env("FRAMECAST_ADMIN_TOKEN", ADMIN);
        let running = Running::start(&mut command);
        let address = running
            .line_with(|line| line.strip_prefix("listening on http://")?.trim_end_matches('/').parse().ok());
        Self { running, address }
    }

    async fn add(&self, name: &str) -> Answer {
        let body = json!({"name": name, "source": {"type": "push", "token": "none"}}).to_string();
        let bearer = format!("Bearer {ADMIN}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        Client::ask(self.address, "POST", "/api/streams", &headers, body.as_bytes()).await
    }

    async fn names(&self) -> BTreeSet<String> {
        let all = Client::get(self.address, "/api/streams").await.json();
        let names = all["streams"].as_array().unwrap().iter();
        names.map(|stream| stream["name"].as_str().unwrap().to_owned()).collect()
    }
}

/// Asks for the streams over a connection from this address, which stays open.
async fn asked_from(from: &str, to: std::net::SocketAddr) -> Result<(Value, Client), u16> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }.unwrap();
    socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
    let mut io = socket.connect(to).await.unwrap();
    // An error means that it is refused, with the reason in the answer.
    let _ = io.write_all(b"GET /api/streams HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let mut client = Client::over(io);
    let head = client.head().await;
    if head.status != 200 {
        assert!(head.get("retry-after").is_some());
        return Err(head.status);
    }
    let body = client.exactly(head.get("content-length").unwrap().parse().unwrap()).await;
    Ok((serde_json::from_slice(&body).unwrap(), client))
}

#[tokio::test]
async fn an_address_has_only_so_many_connections_and_a_proxy_any_number() {
    const MOST: usize = 3;
    let settings = format!(
        "limits: {{max_connections_per_address: {MOST}}}\n\
         streams: {{x: {{source: {{type: push, token: none}}}}}}"
    );
    for (listen, from) in [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("[::]:0", "127.0.0.1")] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("framecast.yaml"), &settings).unwrap();
        let served = Served::on(listen, folder.path());
        let mut to = served.address;
        let mut held = Vec::new();
        if listen == "[::]:0" {
            // IPv4 to a socket of IPv6.
            to.set_ip([127, 0, 0, 1].into());
        }
        for _ in 0..MOST {
            held.push(asked_from(from, to).await.unwrap().1);
        }
        assert_eq!(asked_from(from, to).await.err(), Some(429), "{listen}");
        if to.is_ipv4() {
            assert!(asked_from("127.0.0.2", to).await.is_ok(), "another address");
        }
        drop(held.pop());
        let (all, client) = until("the place of one that left", async || {
            asked_from(from, to).await.map_err(|status| status.to_string())
        })
        .await;
        assert!(all["connections"]["refused"]["address"].as_u64() > Some(0), "{all}");
        held.push(client);
        let proxied = format!("server: {{trusted_proxies: [127.0.0.1, '::1']}}\n{settings}");
        fs::write(folder.path().join("framecast.yaml"), &proxied).unwrap();
        let held = RefCell::new(held);
        until("the proxy to have as many as it likes", async || {
            let (_, client) = asked_from(from, to).await.map_err(|status| status.to_string())?;
            held.borrow_mut().push(client);
            let count = held.borrow().len();
            if count > 2 * MOST { Ok(()) } else { Err(format!("{count} connections")) }
        })
        .await;
        served.running.terminate();
        let (status, log) = served.running.finish();
        assert!(status.success() && !log.contains("panicked"), "{log}");
    }
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_kill_9_under_load() {
    const ROUNDS: usize = 8;
    const VIEWERS: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let yaml = "streams: {bars: {source: {type: pattern, size: 64x48, fps: 30}}}";
    fs::write(folder.path().join("framecast.yaml"), yaml).unwrap();
    let mut acknowledged = BTreeSet::from(["bars".to_owned()]);
    let mut begun = acknowledged.clone();
    for round in 0..ROUNDS {
        let start = Instant::now();
        let served = Served::start(folder.path());
        eprintln!("round {round}: listening {} ms after the start", start.elapsed().as_millis());
        let names = served.names().await;
        assert!(names.is_superset(&acknowledged), "{acknowledged:?} were acknowledged, {names:?} are there");
        assert!(names.is_subset(&begun), "{names:?} are there, {begun:?} were asked for");
        let mut viewers = Vec::new();
        for _ in 0..VIEWERS {
            let mut viewer = Client::connect(served.address).await;
            viewer.send(b"GET /streams/bars HTTP/1.1\r\nHost: test\r\n\r\n").await;
            assert_eq!(viewer.head().await.status, 200);
            viewers.push(viewer);
        }
        for n in 0..=round {
            let name = format!("added-{round}-{n}");
            begun.insert(name.clone());
            let answer = served.add(&name).await;
            assert_eq!(answer.head.status, 201, "{}", String::from_utf8_lossy(&answer.body));
            acknowledged.insert(name);
        }
        // One more is on its way when the power fails.
        let name = format!("lost-{round}");
        begun.insert(name.clone());
        let mut pending = Client::connect(served.address).await;
        let body = json!({"name": name, "source": {"type": "push", "token": "none"}}).to_string();
        let head = format!(
            "POST /api/streams HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {ADMIN}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        pending.send(head.as_bytes()).await;
        served.running.signal("KILL");
        let (status, log) = served.running.finish();
        assert!(!status.success() && !log.contains("panicked"), "{log}");
    }
}

/// Runs the program with a file system of its own at the folder of its configuration, which a line of shell
/// makes there from `$folder`.
fn with_folder(made: &str) -> String {
    let inside = format!("for last; do :; done; folder=$(dirname \"$last\"); {made} && exec \"$@\"");
    format!("exec unshare --user --map-root-user --mount sh -c '{inside}' sh \"$@\"")
}

/// Checks that a stream that is added over HTTP is stored beside the configuration, or not added.
#[tokio::test]
async fn where_nothing_can_be_kept_adding_is_refused_and_nothing_else() {
    let read_only = "mount --bind \"$folder\" \"$folder\" && mount -o remount,bind,ro \"$folder\"";
    let full = "kept=$(cat \"$last\") && mount -t tmpfs -o size=16k none \"$folder\" && \
                printf %s \"$kept\" >\"$last\" && { cat /dev/zero >\"$folder/filler\" 2>/dev/null || true; }";
    for made in [read_only, full] {
        let mut fixture = Fixture::started_by(&with_folder(made), "", "").await;
        fixture
            .assert_survives(16 * 1024, async |fixture| {
                let body = json!({"name": "added", "source": {"type": "push", "token": "none"}}).to_string();
                let bearer = format!("Bearer {ADMIN}");
                let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
                for _ in 0..3 {
                    let refused =
                        Client::ask(fixture.address(), "POST", "/api/streams", &headers, body.as_bytes())
                            .await;
                    assert_eq!(refused.head.status, 507, "{}", String::from_utf8_lossy(&refused.body));
                }
                let there = Client::get(fixture.address(), "/api/streams/added").await;
                assert_eq!(there.head.status, 404, "what cannot be kept is not there");
            })
            .await;
        fixture.end();
    }
}

/// Sends this picture again and again until it is told to go.
async fn show(
    mut line: CameraConnection,
    picture: Vec<u8>,
    mut here: watch::Receiver<bool>,
) -> io::Result<()> {
    line.request().await?;
    line.send(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n")
        .await?;
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
    let part = [head.as_bytes(), &picture, b"\r\n--cam\r\n"].concat();
    tokio::select! {
        poured = line.send_endlessly(&part) => poured,
        // An error means that the test is over.
        _ = here.wait_for(|here| !here) => Ok(()),
    }
}

#[tokio::test]
async fn a_camera_whose_name_leads_elsewhere_is_asked_there() {
    let (at_first, here) = watch::channel(true);
    let (_at_last, stays) = watch::channel(true);
    let first = MaliciousCamera::start(move |line| show(line, plain(64, 48), here.clone())).await;
    let second_address = format!("127.0.0.2:{}", first.address().port());
    let second =
        MaliciousCamera::start_at(&second_address, move |line| show(line, plain(96, 64), stays.clone()))
            .await;
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 camera.test\n").unwrap();
    let shell = format!(
        "exec unshare --user --map-root-user --mount sh -c 'mount --bind {} /etc/hosts && exec \"$@\"' sh \
         \"$@\"",
        hosts.display()
    );
    let streams = format!(
        "  x: {{on_demand: false, max_fps: 20, source: {{type: mjpeg, url: 'http://camera.test:{}/'}}}}\n",
        first.address().port()
    );
    let mut fixture = Fixture::started_by(&shell, "", &streams).await;
    fixture
        .assert_survives(16 * 1024, async |fixture| {
            fixture.report_when("x", |report| report["size"]["width"] == 64).await;
            fs::write(&hosts, "127.0.0.2 camera.test\n").unwrap();
            at_first.send_replace(false);
            drop(first);
            let wanted = |report: &Value| report["size"]["width"] == 96 && report["state"] == "live";
            let report = fixture.report_when("x", wanted).await;
            assert!(report["reconnects"].as_u64() > Some(0), "{report}");
        })
        .await;
    drop(second);
    fixture.end();
}

/// Both in a network of their own, which the test breaks; it asks over a Unix socket, which has nothing to do
/// with that.
struct IsolatedRelay {
    running: Running,
    folder: tempfile::TempDir,
}

impl IsolatedRelay {
    const PORT: &str = "8090";

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("small.jpg"), plain(64, 48)).unwrap();
        fs::write(path("large.jpg"), plain(96, 64)).unwrap();
        let yaml = format!(
            "streams: {{x: {{on_demand: false, source: {{type: mjpeg, url: 'http://127.0.0.1:{}/', \
             frame_timeout: 500ms}}}}, bars: {{source: {{type: pattern, size: 64x48, fps: 10}}}}}}",
            Self::PORT
        );
        fs::write(path("framecast.yaml"), yaml).unwrap();
        let script = "ip link set lo up && echo $$ >\"$0/pid\" && \
                      { python3 \"$1\" \"$2\" \"$0/small.jpg\" \"$0/large.jpg\" & shift 2; exec \"$@\"; }";
        let mut command = Command::new("unshare");
        command.args([
            "--user",
            "--map-root-user",
            "--net",
            "sh",
            "-c",
            script,
            folder.path().to_str().unwrap(),
        ]);
        command.args([&test_file("hostile/camera.py"), Self::PORT, env!("CARGO_BIN_EXE_framecast"), "serve"]);
        command.args(["--listen", &format!("unix:{}", path("sock")), "--config", &path("framecast.yaml")]);
        command.env_remove("RUST_LOG").env_remove("FRAMECAST_CONFIG");
        let running = Running::start(&mut command);
        running.line_with(|line| line.contains("listening on").then_some(()));
        Self { running, folder }
    }

    fn network(&self, how: &str) {
        let pid = fs::read_to_string(self.folder.path().join("pid")).unwrap();
        let target = ["--target", pid.trim(), "--user", "--net", "--preserve-credentials"];
        run("nsenter", &[&target[..], &["ip", "link", "set", "lo", how]].concat());
    }

    async fn report_when(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        until(what, async || {
            let io = UnixStream::connect(self.folder.path().join("sock")).await.unwrap();
            let answer = Client::from(Box::new(io)).ask_here("GET", "/api/streams/x", &[], b"").await;
            let report = answer.json();
            if wanted(&report) { Ok(report) } else { Err(report.to_string()) }
        })
        .await
    }
}

#[tokio::test]
async fn a_camera_that_vanishes_without_a_word_is_noticed_and_shown_again_with_another_size() {
    let apart = IsolatedRelay::start();
    let width =
        |wanted: u32| move |report: &Value| report["state"] == "live" && report["size"]["width"] == wanted;
    apart.report_when("the camera", width(64)).await;
    apart.network("down");
    let away = apart.report_when("it to be missed", |report| report["state"] == "waiting").await;
    let reason = away["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("within 0.5 s") || reason.contains("cannot connect"), "{away}");
    apart.network("up");
    // The picture of its second connection, or of a later one.
    apart.report_when("its return", |report| report["state"] == "live").await;
    apart.report_when("another size", width(96)).await;
    apart.running.terminate();
    let (status, log) = apart.running.finish();
    assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
}

/// Nobody has to be there who reads what it prints.
#[tokio::test]
async fn a_closed_standard_output_and_error_is_no_reason_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("sock");
    fs::write(folder.path().join("framecast.yaml"), "streams: {x: {source: {type: push, token: none}}}")
        .unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_framecast"))
        .args(["serve", "--config", "framecast.yaml", "--listen"])
        .arg(format!("unix:{}", socket.display()))
        .current_dir(folder.path())
        .env_remove("FRAMECAST_CONFIG")
        .env("RUST_LOG", "debug")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    until("the socket", async || {
        UnixStream::connect(&socket).await.map(drop).map_err(|error| error.to_string())
    })
    .await;
    for n in 0..3 {
        let io = UnixStream::connect(&socket).await.unwrap();
        let pushed = Client::from(Box::new(io)).ask_here("POST", "/streams/x/frame", &[], &numbered(n)).await;
        assert_eq!(pushed.head.status, 204);
    }
    assert!(child.try_wait().unwrap().is_none(), "it runs on");
    child.kill().unwrap();
    child.wait().unwrap();
}
