//! What breaks without anybody's malice: descriptors, names, networks, the process itself.
//!
//! Disks that take no pictures: `tests/viewers/saving.rs`. Lost packets: `loss.rs`. Panics, each injected at the border that
//! all of its kind pass: sources in `src/stream/pump.rs`; steps, decoders and encoders, also of renditions, in `src/transform/stage.rs`, other jobs in
//! `src/transform/pool.rs` and `src/source/mosaic/turns.rs`; what is written to viewers in `src/stream/fan_out.rs`; saving in
//! `src/recorder/tests.rs`; webhooks in `src/webhooks/sender.rs`; handlers, bodies and WebSockets in `src/web/server.rs`.

use std::{
    collections::BTreeSet,
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    net::{TcpStream, UnixStream},
    sync::watch,
    time::Instant,
};

use crate::{
    evil_camera::{EvilCamera, Line},
    house::{ADMIN, House, until},
    pictures::{numbered, plain},
    program::{Running, run, test_file},
    raw_client::{Answer, Client},
};

/// With so few, accepting fails long before anybody else does.
const DESCRIPTORS: usize = 64;

/// actix-server rests for half a second behind each failure; a loop without rest writes thousands of lines.
const MOST_COMPLAINTS: usize = 100;

#[tokio::test]
async fn without_descriptors_accepting_rests_and_those_who_are_there_go_on() {
    let shell = format!("ulimit -n {DESCRIPTORS} && exec \"$@\"");
    let mut house = House::started_by(&shell, "", "").await;
    house
        .bears(16 * 1024, async |house| {
            let mut crowd = Vec::new();
            for _ in 0..2 * DESCRIPTORS {
                crowd.push(TcpStream::connect(house.address()).await.unwrap());
            }
            until("no descriptor to be left", async || {
                let open = house.process().descriptors();
                if open >= DESCRIPTORS { Ok(()) } else { Err(open.to_string()) }
            })
            .await;
            // The good stream goes on meanwhile; so it does when all of them leave.
            drop(crowd);
            assert_eq!(Client::get(house.address(), "/healthz").await.head.status, 200);
        })
        .await;
    let log = house.end_with(&["Too many open files", "No file descriptors"]);
    assert!(log.lines().count() < MOST_COMPLAINTS, "it complains without end:\n{log}");
}

/// `framecast serve` in a folder of its own, where it keeps what was added over HTTP.
struct Served {
    running: Running,
    address: std::net::SocketAddr,
}

impl Served {
    fn start(folder: &Path) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_framecast"));
        command.args(["serve", "--listen", "127.0.0.1:0", "--config", "framecast.yaml"]).current_dir(folder);
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

/// Runs the program with a file system of its own at the folder of its configuration, which a line of shell makes there from
/// `$folder`.
fn with_folder(made: &str) -> String {
    let inside = format!("for last; do :; done; folder=$(dirname \"$last\"); {made} && exec \"$@\"");
    format!("exec unshare --user --map-root-user --mount sh -c '{inside}' sh \"$@\"")
}

/// What is added over HTTP is kept beside the configuration, or not added.
#[tokio::test]
async fn where_nothing_can_be_kept_adding_is_refused_and_nothing_else() {
    let read_only = "mount --bind \"$folder\" \"$folder\" && mount -o remount,bind,ro \"$folder\"";
    let full = "kept=$(cat \"$last\") && mount -t tmpfs -o size=16k none \"$folder\" && \
                printf %s \"$kept\" >\"$last\" && { cat /dev/zero >\"$folder/filler\" 2>/dev/null || true; }";
    for made in [read_only, full] {
        let mut house = House::started_by(&with_folder(made), "", "").await;
        house
            .bears(16 * 1024, async |house| {
                let body = json!({"name": "added", "source": {"type": "push", "token": "none"}}).to_string();
                let bearer = format!("Bearer {ADMIN}");
                let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
                for _ in 0..3 {
                    let refused =
                        Client::ask(house.address(), "POST", "/api/streams", &headers, body.as_bytes()).await;
                    assert_eq!(refused.head.status, 507, "{}", String::from_utf8_lossy(&refused.body));
                }
                let there = Client::get(house.address(), "/api/streams/added").await;
                assert_eq!(there.head.status, 404, "what cannot be kept is not there");
            })
            .await;
        house.end();
    }
}

/// Sends this picture again and again until it is told to go.
async fn show(mut line: Line, picture: Vec<u8>, mut here: watch::Receiver<bool>) -> io::Result<()> {
    line.request().await?;
    line.say(b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n")
        .await?;
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
    let part = [head.as_bytes(), &picture, b"\r\n--cam\r\n"].concat();
    tokio::select! {
        poured = line.pour(&part) => poured,
        // An error means that the test is over.
        _ = here.wait_for(|here| !here) => Ok(()),
    }
}

#[tokio::test]
async fn a_camera_whose_name_leads_elsewhere_is_asked_there() {
    let (at_first, here) = watch::channel(true);
    let (_at_last, stays) = watch::channel(true);
    let first = EvilCamera::start(move |line| show(line, plain(64, 48), here.clone())).await;
    let second_address = format!("127.0.0.2:{}", first.address().port());
    let second =
        EvilCamera::start_at(&second_address, move |line| show(line, plain(96, 64), stays.clone())).await;
    let folder = tempfile::tempdir().unwrap();
    let hosts = folder.path().join("hosts");
    fs::write(&hosts, "127.0.0.1 camera.test\n").unwrap();
    let shell = format!(
        "exec unshare --user --map-root-user --mount sh -c 'mount --bind {} /etc/hosts && exec \"$@\"' sh \"$@\"",
        hosts.display()
    );
    let streams = format!(
        "  x: {{on_demand: false, max_fps: 20, source: {{type: mjpeg, url: 'http://camera.test:{}/'}}}}\n",
        first.address().port()
    );
    let mut house = House::started_by(&shell, "", &streams).await;
    house
        .bears(16 * 1024, async |house| {
            house.report_when("x", |report| report["size"]["width"] == 64).await;
            fs::write(&hosts, "127.0.0.2 camera.test\n").unwrap();
            at_first.send_replace(false);
            drop(first);
            let report = house.report_when("x", |report| report["size"]["width"] == 96).await;
            assert_eq!(report["state"], "live", "{report}");
            assert!(report["reconnects"].as_u64() > Some(0), "{report}");
        })
        .await;
    drop(second);
    house.end();
}

/// Both in a network of their own, which the test breaks; it asks over a Unix socket, which has nothing to do with that.
struct Apart {
    running: Running,
    folder: tempfile::TempDir,
}

impl Apart {
    const PORT: &str = "8090";

    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("small.jpg"), plain(64, 48)).unwrap();
        fs::write(path("large.jpg"), plain(96, 64)).unwrap();
        let yaml = format!(
            "streams: {{x: {{on_demand: false, source: {{type: mjpeg, url: 'http://127.0.0.1:{}/', frame_timeout: 500ms}}}}, \
             bars: {{source: {{type: pattern, size: 64x48, fps: 10}}}}}}",
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
    let apart = Apart::start();
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
