//! Streams added, changed and removed over HTTP while `framecast serve` runs.

use std::{
    fs,
    process::{Command, Stdio},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::program::{Running, wait_for};

use testkit::command::framecast;

const TOKEN: &str = "an-admin-token-of-the-tests";
const FILE: &str = "streams: {file: {source: {type: push, token: hunter2}}}";

/// A relay, the folder of its configuration, and its state file.
struct Served {
    running: Running,
    base: String,
    folder: TempDir,
}

impl Served {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("framecast.yaml"), FILE).unwrap();
        Self::in_folder(folder)
    }

    fn in_folder(folder: TempDir) -> Self {
        let mut command = framecast(&["-l", "127.0.0.1:0", "-c", "framecast.yaml"]);
        command.env("FRAMECAST_ADMIN_TOKEN", TOKEN).current_dir(folder.path());
        let running = Running::start(&mut command);
        let base = running.line_with(|line| Some(line.strip_prefix("listening on ")?.to_owned()));
        Self { running, base, folder }
    }

    /// Status and body.
    fn ask(&self, method: &str, route: &str, body: &Value) -> (u16, Value) {
        self.ask_as(TOKEN, method, route, body)
    }

    fn ask_as(&self, token: &str, method: &str, route: &str, body: &Value) -> (u16, Value) {
        let output = Command::new("curl")
            .args(["--silent", "--max-time", "60", "--write-out", "\n%{http_code}", "-X", method])
            .args(["-H", &format!("Authorization: Bearer {token}"), "-H", "Content-Type: application/json"])
            .args(["--data-binary", &body.to_string(), &format!("{}{route}", self.base)])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn names(&self) -> Vec<String> {
        let (_, report) = self.ask("GET", "api/streams", &Value::Null);
        report["streams"].as_array().unwrap().iter().map(|s| s["name"].as_str().unwrap().to_owned()).collect()
    }

    fn state_file(&self) -> String {
        fs::read_to_string(self.folder.path().join("framecast.state.json")).unwrap_or_default()
    }

    fn end(self) -> TempDir {
        self.running.terminate();
        let (status, log) = self.running.finish();
        assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
        assert!(!log.contains("hunter2") && !log.contains("s3cret"), "{log}");
        self.folder
    }
}

#[test]
fn an_added_stream_is_there_is_changed_outlives_a_restart_and_is_removed() {
    let served = Served::new();
    let door = json!({"name": "door", "title": "Door", "source": {"type": "push", "token": "s3cret"}});
    let (status, answer) = served.ask("POST", "api/streams", &door);
    assert_eq!((status, &answer["added"]), (201, &json!(["door"])), "{answer}");
    assert_eq!(served.ask("POST", "api/streams", &door).0, 409);
    assert_eq!(served.names(), ["file", "door"]);
    let shown = served.ask("GET", "api/streams/door/config", &Value::Null).1;
    assert_eq!(shown["settings"], json!({"title": "Door", "source": {"type": "push", "token": "***"}}));
    let (status, _) = served.ask("PATCH", "api/streams/door", &json!({"title": null, "max_fps": 5}));
    assert_eq!(status, 200);
    let kept = json!({"title": "Back", "source": {"type": "push", "token": "***"}});
    assert_eq!(served.ask("PUT", "api/streams/door", &kept).0, 200);
    assert!(served.state_file().contains("s3cret"), "stars keep what was there");
    let again = Served::in_folder(served.end());
    assert_eq!(again.names(), ["file", "door"]);
    assert_eq!(again.ask("GET", "api/streams/door", &Value::Null).1["title"], "Back");
    assert_eq!(again.ask("DELETE", "api/streams/door", &Value::Null).0, 204);
    assert_eq!(again.ask("DELETE", "api/streams/door", &Value::Null).0, 404);
    assert_eq!(again.names(), ["file"]);
    assert!(!again.state_file().contains("door"));
    again.end();
}

/// A merge keeps what it does not name, also credentials. They are for one address only.
#[test]
fn a_stream_may_be_one_line_and_says_what_its_camera_is() {
    let served = Served::new();
    let ask = |method: &str, name: &str, settings: Value| {
        let (status, answer) = served.ask(method, &format!("api/streams/{name}"), &settings);
        assert!(status < 300, "{method} {name}: {answer}");
        answer
    };
    ask("PUT", "bars", json!({"source": {"type": "pattern"}}));
    let camera = format!("{}streams/bars", served.base);
    ask("PUT", "moving", json!(camera));
    ask("PATCH", "moving", json!({"on_demand": false}));
    ask("PUT", "still", json!({"source": format!("{camera}/snapshot"), "on_demand": false}));
    let settings = ask("GET", "moving/config", Value::Null)["settings"].clone();
    assert_eq!(settings, json!({"source": {"type": "auto", "url": camera}, "on_demand": false}));
    for (name, kind) in [("moving", "mjpeg"), ("still", "snapshot")] {
        let report = || Some(ask("GET", name, Value::Null)).filter(|stream| stream.get("detected").is_some());
        let stream = wait_for("a known kind", report);
        assert_eq!((&stream["source"], &stream["detected"]), (&json!("auto"), &json!(kind)));
    }
    // Another type keeps the URL, and is not detected.
    ask("PATCH", "still", json!({"source": {"type": "snapshot"}}));
    assert_eq!(ask("GET", "still", Value::Null).get("detected"), None);
    // A password in one line is one.
    ask("PATCH", "moving", json!({"source": "http://u:s3cret@127.0.0.1:1/"}));
    let settings = ask("GET", "moving/config", Value::Null)["settings"].clone();
    assert_eq!(settings["source"]["url"], "http://***@127.0.0.1:1/");
    ask("PUT", "moving", settings);
    ask("PUT", "moving", json!("http://***@127.0.0.1:1/"));
    assert!(served.state_file().contains("u:s3cret@"), "{}", served.state_file());
    assert_eq!(served.ask("PUT", "api/streams/moving", &json!("http://***@127.0.0.2:1/")).0, 422);
    for (line, cure) in [("push", "FRAMECAST_PUSH_TOKEN, which is not set"), ("pusj", "(did you mean push?)")]
    {
        let (status, problem) = served.ask("POST", "api/streams/inbox", &json!(line));
        assert_eq!((status, &problem["errors"][0]["path"]), (422, &json!("streams.inbox.source")));
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains(cure), "{problem}");
    }
    served.end();
}

#[test]
fn a_patch_sends_no_credential_to_another_address() {
    let served = Served::new();
    let camera = json!({
        "source": {"type": "mjpeg", "url": "http://127.0.0.1:1/video", "headers": {"X-Key": "s3cret"}}
    });
    let chart = json!({"source": {"type": "chart", "series": ["cpu"], "poll": {
        "url": "http://127.0.0.1:1/status", "headers": {"X-Key": "s3cret"},
    }}});
    for (name, settings) in [("camera", &camera), ("chart", &chart)] {
        assert_eq!(served.ask("PUT", &format!("api/streams/{name}"), settings).0, 201);
    }
    let before = served.state_file();
    for elsewhere in ["http://127.0.0.2:1/video", "http://127.0.0.1:2/video", "https://127.0.0.1:1/video"] {
        let patch = json!({"source": {"url": elsewhere}});
        let (status, problem) = served.ask("PATCH", "api/streams/camera", &patch);
        assert_eq!(status, 422, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("streams.camera.source.headers.X-Key: ") && detail.contains("null"),
            "{detail}"
        );
        let patch = json!({"source": {"poll": {"url": elsewhere}}});
        let (status, problem) = served.ask("PATCH", "api/streams/chart", &patch);
        assert_eq!(status, 422, "{problem}");
        assert!(problem["detail"].as_str().unwrap().starts_with("streams.chart.source.poll.headers.X-Key: "));
        // Stars stand for the former ones, too.
        let patch = json!({"source": {"url": elsewhere, "headers": {"X-Key": "***"}}});
        assert_eq!(served.ask("PATCH", "api/streams/camera", &patch).0, 422);
    }
    assert_eq!(served.state_file(), before, "nothing has changed");
    for patch in [
        json!({"source": {"url": "http://127.0.0.1:1/other"}}),
        json!({"source": {"url": "http://127.0.0.2:1/", "headers": {"X-Key": "of-another"}}}),
        json!({"source": {"url": "http://127.0.0.1:1/", "headers": null}}),
    ] {
        let (status, problem) = served.ask("PATCH", "api/streams/camera", &patch);
        assert_eq!(status, 200, "{patch}: {problem}");
    }
    served.end();
}

#[test]
fn a_key_in_the_place_of_a_user_is_not_shown() {
    let served = Served::new();
    for url in [
        "http://s3cret@127.0.0.1:1/",
        "http://127.0.0.1:1/?user=s3cret",
        "http://:s3cret@127.0.0.1:1/#s3cret",
    ] {
        let camera = json!({"source": {"type": "mjpeg", "url": url}});
        assert!(matches!(served.ask("PUT", "api/streams/camera", &camera).0, 200 | 201));
        let shown = served.ask("GET", "api/streams/camera/config", &Value::Null).1;
        assert!(!shown.to_string().contains("s3cret") && shown.to_string().contains("***"), "{shown}");
        // Redacted settings can be sent back.
        let mut kept = shown["settings"].clone();
        kept["title"] = "Kept".into();
        assert_eq!(served.ask("PUT", "api/streams/camera", &kept).0, 200);
        assert!(served.state_file().contains(url));
    }
    served.end();
}

#[test]
fn an_rtsp_camera_that_needs_no_ffmpeg_is_added_like_any_address() {
    let served = Served::new();
    let native = json!({"source": {"type": "rtsp", "url": "rtsp://127.0.0.1:1/s", "decoder": "native"}});
    assert_eq!(served.ask("PUT", "api/streams/yard", &native).0, 201);
    served.end();
}

/// A role that may add streams must not start programs, unless the file allows it.
#[test]
fn a_stream_over_http_starts_ffmpeg_only_where_the_file_allows_it() {
    let rtsp = |url: &str| json!({"source": {"type": "rtsp", "url": url}});
    let list = json!({"source": [
        {"type": "mjpeg", "url": "http://127.0.0.1:1/"}, {"type": "rtsp", "url": "rtsp://127.0.0.1:1/s"},
    ]});
    let served = Served::new();
    for settings in [rtsp("rtsp://127.0.0.1:1/s"), list.clone()] {
        let (status, problem) = served.ask("PUT", "api/streams/yard", &settings);
        assert_eq!(status, 422, "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        assert!(
            detail.starts_with("streams.yard.source.type: rtsp ")
                && detail.contains("server.api_sources: network+ffmpeg"),
            "{detail}"
        );
    }
    assert_eq!(served.state_file(), "", "nothing was kept");
    let folder = served.end();
    let file = folder.path().join("framecast.yaml");
    fs::write(&file, format!("server: {{api_sources: network+ffmpeg}}\n{FILE}")).unwrap();
    let served = Served::in_folder(folder);
    assert_eq!(served.ask("PUT", "api/streams/yard", &rtsp("rtsp://127.0.0.1:1/s")).0, 201);
    // It is no longer allowed: the existing stream stays, and can only be changed to something else.
    fs::write(&file, FILE).unwrap();
    let (status, answer) = served.ask("POST", "api/reload", &Value::Null);
    assert_eq!(status, 200, "{answer}");
    assert_eq!(served.names(), ["file", "yard"]);
    assert_eq!(served.ask("PATCH", "api/streams/yard", &json!({"title": "Yard"})).0, 200);
    let moved = json!({"source": {"url": "rtsp://127.0.0.1:2/s"}});
    assert_eq!(served.ask("PATCH", "api/streams/yard", &moved).0, 422);
    assert_eq!(served.ask("PUT", "api/streams/other", &rtsp("rtsp://127.0.0.1:1/s")).0, 422);
    served.running.terminate();
    let (status, log) = served.running.finish();
    let warns = |text: &str| {
        text.lines().any(|line| {
            line.contains("yard was added over HTTP and starts ffmpeg") && line.contains("api_sources")
        })
    };
    assert!(status.success() && warns(&log), "{log}");
    let check = framecast(&["check", file.to_str().unwrap()]).output().unwrap();
    let said = String::from_utf8(check.stderr).unwrap();
    assert!(check.status.success() && warns(&said), "{said}");
}

#[test]
fn what_is_refused_is_said_with_its_path_and_changes_nothing() {
    let served = Served::new();
    let put = |settings: Value| served.ask("PUT", "api/streams/new", &settings);
    let (status, problem) =
        put(json!({"sorce": {}, "max_fps": "fast", "source": {"type": "pattern", "fps": 0}}));
    assert_eq!(status, 422);
    let paths: Vec<_> =
        problem["errors"].as_array().unwrap().iter().map(|e| e["path"].as_str().unwrap()).collect();
    for path in ["streams.new.sorce", "streams.new.max_fps", "streams.new.source.fps"] {
        assert!(paths.contains(&path), "{problem}");
    }
    for (settings, path) in [
        (json!({"source": {"type": "exec", "command": ["id"]}}), "streams.new.source.command"),
        (json!({"source": {"type": "v4l2", "device": "/dev/video0"}}), "streams.new.source.device"),
        (json!({"source": {"type": "images", "path": "/etc/*"}}), "streams.new.source.path"),
        (json!({"source": {"type": "pattern"}, "save": {"latest": "/tmp/x.jpg"}}), "streams.new.save"),
        (
            json!({"source": {"type": "pattern"}, "transform": [{"image": {"path": "a.png"}}]}),
            "streams.new.transform[0].image.path",
        ),
    ] {
        let (status, problem) = put(settings);
        assert_eq!(status, 422, "{problem}");
        let errors = problem["errors"].as_array().unwrap();
        assert!(
            errors.iter().any(|e| e["path"] == path && e["detail"].as_str().unwrap().contains("machine")),
            "{problem}"
        );
    }
    // Whether the file is there is not looked at: the answers for one that is and one that is not are the
    // same.
    let answer = |path: &str| {
        let path = format!("{}{path}", served.folder.path().display());
        [
            json!({"source": {"type": "pattern"}, "placeholder": {"image": path}}),
            json!({"source": {"type": "pattern"}, "transform": [{"image": {"path": path}}]}),
            json!({"source": {"type": "images", "path": path}}),
            json!({"source": {"type": "exec", "command": [path]}}),
            json!({"source": {"type": "exec", "command": ["id"], "cwd": path}}),
            json!({"source": {"type": "pattern"}, "save": {"latest": path}}),
            json!({"source": {"type": "pattern"}, "save": {"dir": path, "keep": 2}}),
        ]
        .map(|settings| {
            let (status, problem) = put(settings);
            assert_eq!(status, 422, "{problem}");
            problem
        })
    };
    let absent = answer("/absent/file");
    for path in ["", "/framecast.yaml"] {
        assert_eq!(answer(path), absent, "{path}");
    }
    // A variable of framecast's environment is a text here, so this is no address.
    assert_eq!(put(json!({"source": {"type": "mjpeg", "url": "${FRAMECAST_ADMIN_TOKEN}"}})).0, 422);
    assert_eq!(served.ask("PUT", "api/streams/file", &json!({"source": {"type": "pattern"}})).0, 409);
    assert_eq!(served.ask("DELETE", "api/streams/file", &Value::Null).0, 409);
    assert_eq!(served.ask("PUT", "api/streams/NEW", &json!({"source": {"type": "pattern"}})).0, 422);
    for (method, route) in [
        ("POST", "api/streams"),
        ("DELETE", "api/streams/file"),
        ("POST", "api/reload"),
        ("GET", "api/streams/file/config"),
    ] {
        assert_eq!(
            served.ask_as("wrong-token-of-nobody", method, route, &json!({})).0,
            401,
            "{method} {route}"
        );
    }
    assert_eq!(served.names(), ["file"]);
    assert_eq!(served.state_file(), "", "nothing was kept");
    served.end();
}

#[test]
fn a_stream_is_paused_resumed_and_restarted_and_the_events_say_so() {
    let served = Served::new();
    let clock = json!({"on_demand": false, "source": {"type": "pattern", "size": "64x48"}});
    assert_eq!(served.ask("PUT", "api/streams/clock", &clock).0, 201);
    let is = |state: &str| {
        wait_for(state, || {
            (served.ask("GET", "api/streams/clock", &Value::Null).1["state"] == state).then_some(())
        });
    };
    is("live");
    assert_eq!(served.ask("POST", "api/streams/clock/pause", &Value::Null).0, 204);
    is("paused");
    assert_eq!(served.ask("POST", "api/streams/clock/resume", &Value::Null).0, 204);
    is("live");
    assert_eq!(served.ask("POST", "api/streams/clock/restart", &Value::Null).0, 204);
    is("live");
    assert_eq!(served.ask("POST", "api/streams/nobody/pause", &Value::Null).0, 404);
    let (status, applied) = served.ask("POST", "api/reload", &Value::Null);
    assert_eq!((status, &applied["changed"]), (200, &json!([])));
    let (_, report) = served.ask("GET", "api/events?after=0", &Value::Null);
    let kinds: Vec<_> =
        report["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    for kind in ["added", "state", "restarted", "reloaded"] {
        assert!(kinds.contains(&json!(kind)), "no {kind}: {report}");
    }
    served.end();
}

/// Killed with no time to clean up, again and again, while streams are written: what is there is whole, and
/// is the last that was answered or the one after it.
#[cfg(unix)]
#[test]
fn a_kill_at_any_moment_leaves_the_old_or_the_new_streams() {
    let mut folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("framecast.yaml"), FILE).unwrap();
    let mut answered = 0_u64;
    for round in 0..12 {
        let served = Served::in_folder(folder);
        let there = served.ask("GET", "api/streams/door", &Value::Null).1;
        if answered > 0 {
            let title: u64 = there["title"].as_str().unwrap().parse().unwrap();
            assert!(title == answered || title == answered + 1, "{title} is there, {answered} was answered");
            answered = title;
        }
        let Served { running, base, folder: kept } = served;
        let writing = thread::spawn(move || {
            let mut last = answered;
            loop {
                let settings =
                    json!({"title": (last + 1).to_string(), "source": {"type": "pattern", "size": "64x48"}});
                let done = Command::new("curl")
                    .args([
                        "--silent",
                        "--fail",
                        "-X",
                        "PUT",
                        "-H",
                        &format!("Authorization: Bearer {TOKEN}"),
                    ])
                    .args(["-H", "Content-Type: application/json"])
                    .args(["--data-binary", &settings.to_string(), &format!("{base}api/streams/door")])
                    .stdout(Stdio::null())
                    .status();
                if !done.is_ok_and(|status| status.success()) {
                    return last;
                }
                last += 1;
            }
        });
        // At another moment of a write each time.
        let wanted = answered + 2 + round % 3;
        let file = kept.path().join("framecast.state.json");
        wait_for("a few writes", || {
            let text = fs::read_to_string(&file).ok()?;
            let state: Value = serde_json::from_str(&text).expect("it is whole at every moment");
            let title: u64 = state["streams"][0]["settings"]["title"].as_str()?.parse().ok()?;
            (title >= wanted).then_some(())
        });
        running.signal("KILL");
        running.finish();
        answered = writing.join().unwrap();
        folder = kept;
    }
}
