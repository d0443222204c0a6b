//! Secrets do not appear in any log or answer.

use std::fs;

use testkit::program::{Running, run, wait_for};

use testkit::command::{framecast, jpeg};

const SECRETS: [&str; 5] = ["s3cret-password", "s3cret-header", "s3cret-token", "s3cret-query", "czNjcmV0"];

const CONFIG: &str = "
streams:
  camera:
    on_demand: false
    source:
      type: mjpeg
      url: http://door:s3cret-password@127.0.0.1:1/video?pwd=s3cret-query
      headers: {X-Api-Key: s3cret-header}
  snaps:
    on_demand: false
    source: {type: snapshot, url: 'http://door:s3cret-password@127.0.0.1:1/snap?pwd=s3cret-query'}
  again:
    on_demand: false
    source: {type: mjpeg, url: 'URL/streams/inbox?token=s3cret-query', headers: {X-Api-Key: s3cret-header}}
  inbox: {source: {type: push, token: s3cret-token}}
";

#[test]
fn no_log_answer_or_page_shows_a_credential_even_when_everything_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (file, picture) = (folder.path().join("a.yaml"), folder.path().join("a.jpg"));
    fs::write(&picture, jpeg(1)).unwrap();
    // The relay is its own camera, so that a connection with credentials succeeds, too.
    let first = testkit::binary::Framecast::serve(&CONFIG.replace("URL", "http://127.0.0.1:1"));
    fs::write(&file, CONFIG.replace("URL/", &first.url("/"))).unwrap();
    let mut command = framecast(&["-l", "127.0.0.1:0", "-c", file.to_str().unwrap()]);
    let running = Running::start(command.env("RUST_LOG", "debug"));
    let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let frame = format!("{url}streams/inbox/frame?token=s3cret-token");
    let data = format!("@{}", picture.display());
    run("curl", &["-sS", "--fail", "--data-binary", &data, &frame]);
    let wrong = format!("{url}streams/inbox/frame?token=s3cret-query");
    let mut said = String::from_utf8(run("curl", &["-sS", "--data-binary", &data, &wrong]).stdout).unwrap();
    wait_for("the cameras to be tried", || {
        let streams = run("curl", &["-sS", &format!("{url}api/streams")]).stdout;
        let streams: serde_json::Value = serde_json::from_slice(&streams).unwrap();
        let waits = |n: usize| streams["streams"][n]["state"] == "waiting";
        (waits(0) && waits(1)).then_some(())
    });
    for route in
        ["", "api/streams", "api/streams/camera", "api/streams/inbox", "view/camera", "state", "input_0.json"]
    {
        said += &String::from_utf8_lossy(&run("curl", &["-sS", &format!("{url}{route}")]).stdout);
    }
    running.terminate();
    let (status, log) = running.finish();
    assert!(status.success(), "{status}");
    assert!(log.contains("DEBUG"), "not everything was logged:\n{log}");
    said += &log;
    for secret in SECRETS {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is shown");
    }
}

/// A page that a stream's URL leads to by mistake, or by intent.
const PAGE: &str =
    "<html><head><title>Router\u{1b}[31m title-of-it</title></head><body>s3cret-body</body></html>";

/// Starts a server that answers everything with this.
fn answering(answer: String) -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the test's process.
    std::thread::spawn(move || {
        for mut io in listener.incoming().flatten() {
            use std::io::{Read, Write};
            // An error means that the relay has closed it.
            let _ = io.read(&mut [0; 4096]);
            let _ = io.write_all(answer.as_bytes());
        }
    });
    address
}

/// Foreign texts are not for viewers: bodies, headers, the target of a redirect, a program's output, local
/// paths.
#[test]
fn what_a_camera_or_program_says_is_for_no_viewer_and_a_body_for_nobody() {
    let html =
        answering(format!("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n{PAGE}"));
    let untyped = answering(format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{PAGE}"));
    let odd = answering(format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/s3cret-type\r\nConnection: close\r\n\r\n{PAGE}"
    ));
    let phrase = answering(format!("HTTP/1.1 404 s3cret-phrase\r\nConnection: close\r\n\r\n{PAGE}"));
    let moved = answering(
        "HTTP/1.1 302 Found\r\nLocation: http://s3cret-host.invalid/\r\nConnection: close\r\n\r\n".to_owned(),
    );
    let sources = [
        ("html", format!("{{type: mjpeg, url: 'http://{html}/'}}"), "the camera sent text/html"),
        ("snap", format!("{{type: snapshot, url: 'http://{html}/'}}"), "the camera sent text/html"),
        ("untyped", format!("{{type: mjpeg, url: 'http://{untyped}/'}}"), "the camera sent text/html"),
        (
            "untyped-snap",
            format!("{{type: snapshot, url: 'http://{untyped}/'}}"),
            "the camera sent text/html",
        ),
        ("odd", format!("{{type: mjpeg, url: 'http://{odd}/'}}"), "the camera sent text/html"),
        ("phrase", format!("{{type: mjpeg, url: 'http://{phrase}/'}}"), "the camera answered 404 Not Found"),
        ("moved", format!("{{type: mjpeg, url: 'http://{moved}/'}}"), "cannot find the camera's address"),
        (
            "chart",
            format!(
                "{{type: chart, series: [a], poll: {{url: 'http://{html}/', \
                 pointers: {{a: /s3cret-pointer}}}}}}"
            ),
            "did not answer with JSON",
        ),
        (
            "program",
            "{type: exec, command: [sh, -c, 'echo s3cret-words >&2; exit 3']}".to_owned(),
            "(exit status: 3)",
        ),
        ("files", "{type: images, path: '/s3cret-folder/*.jpg'}".to_owned(), "there are no picture files"),
    ];
    let streams: Vec<_> = sources
        .iter()
        .map(|(name, source, _)| format!("{name}: {{on_demand: false, source: {source}}}"))
        .collect();
    let server =
        testkit::binary::Framecast::serve_with(&format!("streams: {{{}}}", streams.join(", ")), |command| {
            // All ends of a source, not only those that last.
            command.env("RUST_LOG", "framecast=debug")
        });
    let get = |route: &str, admin: bool| {
        let bearer = format!("Authorization: Bearer {}", testkit::binary::ADMIN_TOKEN);
        let mut arguments = vec!["-sS", "--max-time", "20", "-i"];
        if admin {
            arguments.extend(["-H", &bearer]);
        }
        let url = server.url(route);
        String::from_utf8_lossy(&run("curl", &[&arguments[..], &[&url]].concat()).stdout).into_owned()
    };
    let reason = |name: &str, admin: bool| {
        wait_for(&format!("{name} to fail"), || {
            let report = if admin { server.stream_for_admin(name) } else { server.stream(name) };
            report["reason"].as_str().map(str::to_owned)
        })
    };
    let mut public = String::new();
    for (name, _, says) in &sources {
        let said = reason(name, false);
        assert!(said.contains(says), "{name}: {said}");
        public += &said;
        for route in [
            format!("/streams/{name}/snapshot"),
            format!("/view/{name}"),
            format!("/api/{name}/latest.jpg"),
            format!("/api/frame.jpeg?src={name}"),
        ] {
            public += &get(&route, false);
        }
    }
    for route in
        ["/api/streams", "/api/events", "/metrics", "/", "/state", "/input_0.json", "/go2rtc/api/streams"]
    {
        public += &get(route, false);
    }
    let hosts = [html, untyped, odd, phrase, moved].map(|address| address.to_string());
    for secret in ["s3cret", "title-of-it"].into_iter().chain(hosts.iter().map(String::as_str)) {
        let line = public.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is shown to a viewer");
    }
    for (name, says) in [
        ("html", "text/html (\"Router [31m title-of-it\") where a multipart"),
        ("snap", "text/html (\"Router [31m title-of-it\") where a JPEG"),
        ("untyped", "text/html without a type (\"Router [31m title-of-it\")"),
        ("odd", "text/s3cret-type"),
        ("moved", "s3cret-host.invalid"),
        ("program", "s3cret-words"),
        ("files", "/s3cret-folder/*.jpg"),
    ] {
        let said = reason(name, true);
        assert!(said.contains(says), "{name}: {said}");
    }
    let events = get("/api/events", true);
    assert!(events.contains("title-of-it") && events.contains("s3cret-words"), "{events}");
    let bearer = format!("Authorization: Bearer {}", testkit::binary::ADMIN_TOKEN);
    let asked = format!("{{\"url\": \"http://{html}/\"}}");
    let probed =
        run("curl", &["-sS", "-H", &bearer, "--data-binary", &asked, &server.url("/api/probe")]).stdout;
    let probed = String::from_utf8(probed).unwrap();
    assert!(probed.contains("text/html") && probed.contains("title-of-it"), "{probed}");
    let log = server.end();
    assert!(log.contains("title-of-it"), "{log}");
    assert!(![&events, &probed, &log].iter().any(|text| text.contains('\u{1b}')), "{events}{probed}{log}");
    for text in [events, probed, log, public] {
        assert!(!text.contains("s3cret-body") && !text.contains("s3cret-phrase"), "{text}");
    }
}
