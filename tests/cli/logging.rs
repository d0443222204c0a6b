//! The log: in JSON for what collects it, with a line for each request if that is wanted, and numbers by
//! which viewers and sources are found in it and in the API.

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use base64::{Engine, prelude::BASE64_STANDARD};
use framecast::auth::token;
use serde_json::Value;
use testkit::{
    binary::Framecast,
    program::{Running, run, wait_for},
};

use testkit::command::{framecast, jpeg};

const ADMIN: &str = "admin-of-the-tests";
const OF_THE_WALL: &str = "s3cret-of-the-wall";
const AGENT: &str = "VLC/3.0.18 LibVLC/3.0.18";
/// May not see the stream that the others do.
const OF_THE_PORCH: &str = "s3cret-of-the-porch";

fn config(log: &str) -> String {
    format!(
        "server: {{trusted_proxies: 127.0.0.1}}\nlog: {log}\n\
         auth:\n  anonymous: none\n  tokens:\n    wall: {{hash: \"{}\", role: view}}\n    \
         porch: {{hash: \"{}\", role: view, streams: inbox}}\n\
         streams:\n  bars: {{source: {{type: pattern, size: 64x48, fps: 10}}}}\n  \
         inbox: {{source: {{type: push, token: s3cret-of-the-inbox}}}}\n",
        token::hash(OF_THE_WALL),
        token::hash(OF_THE_PORCH)
    )
}

fn serve(log: &str, change: impl FnOnce(&mut Command) -> &mut Command) -> Framecast {
    Framecast::serve_with(&config(log), |command| change(command.env("FRAMECAST_ADMIN_TOKEN", ADMIN)))
}

/// Returns the answer of the API to an administrator.
fn api(server: &Framecast, route: &str) -> Value {
    let authorization = format!("Authorization: Bearer {ADMIN}");
    let output = run("curl", &["-sS", "--fail", "-H", &authorization, &server.url(route)]);
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A viewer who shows a token in the URL, behind a proxy.
fn viewer(server: &Framecast) -> Running {
    let url = server.url(&format!("/streams/bars?token={OF_THE_WALL}&page=1"));
    let mut curl = Command::new("curl");
    Running::start(curl.args([
        "-sSN",
        "-A",
        AGENT,
        "-H",
        "X-Forwarded-For: 192.0.2.7",
        "-o",
        "/dev/null",
        &url,
    ]))
}

fn the_viewer(server: &Framecast) -> Value {
    wait_for("a viewer with pictures", || {
        let viewers = api(server, "/api/viewers");
        let one = viewers["viewers"].as_array().unwrap().first()?.clone();
        (one["frames"].as_u64().unwrap() > 2).then_some(one)
    })
}

fn until_nobody_watches(server: &Framecast) {
    wait_for("nobody to watch", || {
        api(server, "/api/viewers")["viewers"].as_array().unwrap().is_empty().then_some(())
    });
}

#[test]
fn every_line_of_json_is_an_object_and_numbers_are_those_of_the_api() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join("feed.mjpg");
    fs::write(&feed, [jpeg(1), jpeg(2)].concat()).unwrap();
    let server = serve("{format: json, access: all}", |command| command);
    let curl = viewer(&server);
    let known = the_viewer(&server);
    assert_eq!(
        ["stream", "kind", "client", "user", "agent", "path", "protocol"]
            .map(|field| known[field].as_str().unwrap()),
        ["bars", "stream", "192.0.2.7", "wall", AGENT, "/streams/bars?page=1", "HTTP/1.1"]
    );
    assert_eq!(api(&server, "/api/streams/bars/viewers")["viewers"][0]["id"], known["id"]);
    assert_eq!(api(&server, "/api/streams/inbox/viewers"), serde_json::json!({"viewers": []}));
    let source = api(&server, "/api/streams/bars")["source_id"].clone();
    assert!(source.as_u64().is_some() && source != known["id"], "{source}");
    drop(curl);
    until_nobody_watches(&server);
    let feeds = server.url("/streams/inbox/feed?token=s3cret-of-the-inbox");
    let data = format!("@{}", feed.display());
    run("curl", &["-sS", "--fail", "-H", "Content-Type: image/jpeg", "--data-binary", &data, &feeds]);
    run("curl", &["-sS", "-o", "/dev/null", &server.url("/nothing/here?token=s3cret-by-mistake")]);
    // A credential at every other place, also one that the log redacts differently.
    for parameter in [
        "src",
        "access_token",
        "apikey",
        "key",
        "auth",
        "password",
        "sig",
        "width",
        "format",
        "page",
        "action",
    ] {
        let url = server.url(&format!("/api/frame.jpeg?{parameter}=s3cret-by-mistake&cache=1"));
        run("curl", &["-sS", "-o", "/dev/null", &url]);
    }
    run("curl", &["-sS", "-o", "/dev/null", &server.url("/view/s3cret-by-mistake")]);

    let log = server.end();
    let lines: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    assert!(lines.iter().all(|line| line["timestamp"].is_string() && line["level"].is_string()), "{log}");
    let of_viewer: Vec<_> = lines.iter().filter(|line| line["viewer"] == known["id"]).collect();
    let [comes, goes] = of_viewer[..] else { panic!("two lines of the viewer:\n{log}") };
    assert_eq!(
        (&comes["message"], &goes["message"]),
        (&"viewer connected".into(), &"viewer disconnected".into())
    );
    for line in of_viewer {
        let fields =
            ["target", "stream", "path", "client", "user"].map(|field| line[field].as_str().unwrap());
        assert_eq!(fields, ["framecast::access", "bars", "/streams/bars?page=1", "192.0.2.7", "wall"]);
    }
    let number = |field: &str| goes[field].as_u64().unwrap();
    assert!(number("frames") >= known["frames"].as_u64().unwrap() && number("bytes") > 1000, "{goes}");
    assert_eq!((number("status"), number("skipped")), (200, 0));
    assert!(goes["duration_ms"].as_f64().unwrap() > 0.0);
    let live = lines.iter().find(|line| line["message"] == "live" && line["stream"] == "bars").unwrap();
    assert_eq!(live["source"], source, "the connection that the API named");

    let of_publisher: Vec<_> = lines.iter().filter(|line| line["publisher"].is_u64()).collect();
    let messages: Vec<_> = of_publisher.iter().map(|line| line["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["publisher connected", "publisher ended its feed", "request"]);
    assert!(of_publisher.iter().all(|line| line["publisher"] == of_publisher[0]["publisher"]));
    assert_eq!((&of_publisher[1]["frames"], &of_publisher[2]["status"]), (&2.into(), &200.into()));

    let request = |path: &str| lines.iter().find(|line| line["message"] == "request" && line["path"] == path);
    let asked = request("/api/viewers").expect("every request has a line");
    assert!(
        asked["user"].is_string() && asked["bytes"].as_u64().unwrap() > 10 && asked["method"] == "GET",
        "{asked}"
    );
    assert_eq!(request("/***").unwrap()["status"], 404);
    assert_eq!(request("/view/{name}").unwrap()["status"], 401, "of a stream that is not there");
    for secret in ["s3cret", ADMIN] {
        assert!(!log.contains(secret), "{secret} is shown:\n{log}");
    }
}

/// Sends a request and reads the beginning of the answer.
fn send(server: &Framecast, method: &str, target: &str, header: &str) {
    let url = server.url("");
    let address = url.trim_start_matches("http://").split('/').next().unwrap();
    let mut io = TcpStream::connect(address).unwrap();
    let head =
        format!("{method} {target} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{header}\r\n\r\n");
    io.write_all(head.as_bytes()).unwrap();
    assert!(io.read(&mut [0; 4096]).unwrap() > 0, "{head}");
}

#[test]
fn no_credential_is_logged_in_any_form_wherever_a_client_puts_it() {
    const PASSWORD: &str = "Correct&Horse-7";
    const DIGITS: &str = "87654321";
    /// Of somebody who has not logged in.
    const WORD: &str = "hunter2";
    let yaml = config("{access: all}").replace(
        "streams:\n",
        &format!(
            "  users:\n    alice: {{password_hash: \"{}\", role: view}}\n    \
             bob: {{password_hash: \"{}\", role: view}}\n\
             streams:\n  digits: {{source: {{type: push, token: \"{DIGITS}\"}}}}\n",
            hashed(PASSWORD),
            hashed(WORD)
        ),
    );
    let server = Framecast::serve_with(&yaml, |command| {
        command.env("FRAMECAST_ADMIN_TOKEN", ADMIN).env("RUST_LOG", "framecast=trace")
    });
    let port = server.url("").trim_end_matches('/').rsplit(':').next().unwrap().to_owned();
    let login = BASE64_STANDARD.encode(format!("alice:{PASSWORD}"));
    send(&server, "GET", "/api/streams", &format!("Authorization: Basic {login}"));
    let mut forms = Vec::new();
    // The last one lets nobody in: a credential of something else.
    for secret in [OF_THE_WALL, "s3cret-of-the-inbox", DIGITS, ADMIN, PASSWORD, WORD, "s3cret-by-mistake"] {
        let encoded: String = secret.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let login = BASE64_STANDARD.encode(format!("alice:{secret}"));
        let basic = format!("Authorization: Basic {login}");
        for text in [secret, &encoded] {
            for target in [
                "/bars?token=",
                "/bars.jpg?TOKEN=",
                "/bars.jpg?%74oken=",
                "/bars.jpg?width=320;token=",
                "/bars.jpg;token=",
                "/bars;token=",
                "/view/",
                "/",
                "/page/",
                "/streams/",
                "/streams/bars/",
                "/nothing/",
                "/nothing/here?token=",
                "/login?next=",
                "/?action=",
                "/?action=snapshot_",
                "/api/streams?src=",
                "/api/frame.jpeg?src=",
                "/api/frame.jpeg?src=bars&dst=",
                "/api/frame.jpeg?src=bars&w=",
                "/api/frame.jpeg?src=bars&cache=",
                "/api/events?after=",
                "/streams/bars?expires=1&signature=",
                "/streams/bars/clip?format=",
                "/bars?",
                "http://localhost/",
                "http://localhost/bars?token=",
            ] {
                send(&server, "GET", &format!("{target}{text}"), "Accept: */*");
            }
            for (before, after) in [("/", ".jpg"), ("/", "/stream"), ("/cam_", ".jpg"), ("/input_", ".json")]
            {
                send(&server, "GET", &format!("{before}{text}{after}"), "Accept: text/html");
            }
            for target in [format!("/streams/{text}/frame"), format!("/streams/inbox/frame?token={text}")] {
                send(&server, "POST", &target, "Content-Length: 0");
            }
            for header in [
                "Authorization: Bearer ",
                "authorization: bearer ",
                "Authorization: ",
                "X-Api-Key: ",
                "Cookie: token=",
                &format!("Cookie: framecast_{port}="),
                "Referer: http://localhost/bars?token=",
                "Origin: http://",
                "X-Forwarded-For: ",
                "Forwarded: for=",
                "Accept: ",
                "Last-Event-ID: ",
                "Content-Type: ",
            ] {
                send(&server, "POST", "/api/reload", &format!("{header}{text}\r\nContent-Length: 0"));
            }
            for agent in ["token=", "Bearer ", "cam (key:"] {
                send(&server, "GET", "/bars.jpg", &format!("User-Agent: {agent}{text}"));
            }
        }
        send(&server, secret, "/bars", "Content-Length: 0");
        for header in [&*basic, &basic.to_ascii_uppercase(), &format!("User-Agent: {login}")] {
            send(&server, "GET", "/bars.jpg", header);
        }
        for agent in [secret, &format!("VLC/3.0.18 ({secret}) Lavf/59"), &format!("\"{secret}\",x")] {
            send(&server, "GET", "/bars.jpg", &format!("user-agent: {agent}\r\n{basic}"));
            send(&server, "GET", "/healthz", &format!("User-Agent: {agent}"));
        }
        for agent in ["curl/", "curl ", "VLC/3.0.18 ", "Mozilla/5.0 (X11; ", "Linux "] {
            send(&server, "GET", "/healthz", &format!("User-Agent: {agent}{secret}"));
        }
        forms.extend([secret.to_ascii_lowercase(), encoded, login.to_ascii_lowercase()]);
    }
    let log = server.end().to_ascii_lowercase();
    for form in forms {
        let line = log.lines().find(|line| line.contains(&form));
        assert!(line.is_none(), "{form} is shown: {line:?}");
    }
    for shown in [
        "path=/bars",
        "path=/streams/{name}",
        "path=/***",
        "method=***",
        "status=401",
        "vlc/3.0.18 (***) lavf/59",
    ] {
        assert!(log.contains(shown), "{shown} is not in the log");
    }
}

/// What the log says of a request is no answer to a guess: it is the same for a credential as for a text of
/// its kind.
#[test]
fn the_line_of_a_right_guess_is_that_of_a_wrong_one() {
    const PIN: &str = "4711";
    let yaml = config("{format: json, access: all}").replace(
        "streams:\n",
        &format!(
            "  users: {{alice: {{password_hash: \"{}\", role: view}}}}\n\
             streams:\n  pin: {{source: {{type: push, token: \"{PIN}\"}}}}\n",
            hashed("hunter2")
        ),
    );
    let server = Framecast::serve_with(&yaml, |command| command.env("FRAMECAST_ADMIN_TOKEN", ADMIN));
    let login = BASE64_STANDARD.encode("alice:hunter2");
    send(&server, "GET", "/api/streams", &format!("Authorization: Basic {login}"));
    let guesses = [
        (OF_THE_WALL, "s3cret-of-the-ball"),
        (ADMIN, "admin-of-the-testz"),
        ("hunter2", "hunter3"),
        (PIN, "4712"),
        ("s3cret-of-the-inbox", "s3cret-of-the-index"),
    ];
    for (pair, (right, wrong)) in guesses.iter().enumerate() {
        for guess in [right, wrong] {
            // The number of the pair is a version, by which its lines are found.
            let agent = format!("User-Agent: Android {pair} VLC/{guess} {guess} ({guess}; {guess})");
            for target in [
                &*format!("/bars.jpg?w={guess}&after={guess}&src={guess}&action=stream_{guess}"),
                &format!("/{guess}.jpg"),
                &format!("/{guess}/stream"),
            ] {
                send(&server, "GET", target, &agent);
            }
        }
    }
    let log = server.end();
    let lines = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_guesses =
        lines.filter(|line| line["agent"].as_str().is_some_and(|agent| agent.starts_with("Android")));
    let mut shown: Vec<_> = of_guesses
        .map(|mut line| {
            line.as_object_mut().unwrap().retain(|field, _| field != "timestamp" && field != "duration_ms");
            line.to_string()
        })
        .collect();
    shown.sort_unstable();
    assert_eq!(shown.len(), guesses.len() * 6, "{log}");
    for pair in shown.chunks_exact(2) {
        assert_eq!(pair[0], pair[1]);
    }
}

/// A hash that takes little to check.
fn hashed(password: &str) -> String {
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8, 1, 1, None).unwrap());
    let salt = SaltString::encode_b64(b"sixteen bytes of").unwrap();
    argon.hash_password(password.as_bytes(), &salt).unwrap().to_string()
}

#[test]
fn by_default_those_who_come_and_go_have_lines_and_those_who_poll_have_none() {
    let server = serve("{}", |command| command);
    run(
        "curl",
        &["-sS", "--fail", "-o", "/dev/null", &server.url(&format!("/bars.jpg?token={OF_THE_WALL}"))],
    );
    run("curl", &["-sS", "--fail", &server.url("/healthz")]);
    run("curl", &["-sS", "-X", "POST", &server.url("/api/reload")]);
    for stream in ["bars", "nothing"] {
        let target = format!("/api/streams/{stream}/history?token={OF_THE_PORCH}");
        run("curl", &["-sS", &server.url(&target)]);
    }
    let curl = viewer(&server);
    the_viewer(&server);
    drop(curl);
    until_nobody_watches(&server);
    let log = server.end();
    let lines = |word: &str| log.lines().filter(|line| line.contains(word)).count();
    assert_eq!((lines("viewer connected"), lines("viewer disconnected")), (1, 1), "{log}");
    assert_eq!((lines("/api/reload"), lines("status=401")), (1, 1), "who was refused is of interest:\n{log}");
    assert_eq!((lines("status=404"), lines("user=\"porch\"")), (2, 2), "also by what is not there:\n{log}");
    assert_eq!((lines("/bars.jpg"), lines("/healthz"), lines("/api/viewers")), (0, 0, 0), "{log}");
}

#[test]
fn requests_have_no_line_when_the_file_or_rust_log_says_so() {
    let quiet = |log: &str, filter: Option<&str>| {
        let server = serve(log, |command| match filter {
            Some(filter) => command.env("RUST_LOG", filter),
            None => command,
        });
        run("curl", &["-sS", "-X", "POST", &server.url("/api/reload")]);
        let curl = viewer(&server);
        the_viewer(&server);
        drop(curl);
        until_nobody_watches(&server);
        let log = server.end();
        assert!(log.contains("stopped"), "{log}");
        !log.contains("viewer") && !log.contains("/api/reload")
    };
    assert!(quiet("{access: none}", None));
    assert!(quiet("{access: all}", Some("framecast=info,framecast::access=off")));
    assert!(!quiet("{access: none}", Some("framecast=info")), "the variable goes before the file");
}

#[test]
fn the_format_is_that_of_the_option_before_the_variable_before_the_file() {
    let is_json = |log: &str, variable: Option<&str>, option: &[&str]| {
        let server = serve(log, |command| {
            if let Some(format) = variable {
                command.env("FRAMECAST_LOG_FORMAT", format);
            }
            command.args(option)
        });
        let log = server.end();
        log.lines().next().expect("its end is logged").starts_with('{')
    };
    assert!(!is_json("{}", None, &[]));
    assert!(is_json("{}", Some("json"), &[]));
    assert!(!is_json("{format: json}", Some("text"), &[]));
    assert!(is_json("{format: text}", Some("text"), &["--log-format", "json"]));
    let mut wrong = framecast(&["serve", "--log-format", "xml"]);
    let wrong: testkit::command::ProgramResult = wrong.output().unwrap().into();
    wrong.assert_failed(2, &["xml", "text, json"]);
}
