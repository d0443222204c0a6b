//! Texts from cameras and administrators' clients appear on the pages as text, whatever they contain.

use std::{
    io::{Read, Write},
    net::TcpListener,
    thread,
};

use testkit::{
    binary::Framecast,
    browser::Browser,
    program::{run, wait_for},
};

const TOKEN: &str = "an-administrators-token";

/// A camera's `Content-Type`, which the reason for its absence quotes to administrators only.
const TYPE: &str = "text/<img src=x onerror=document.title='owned'>";

/// Of a title that was sent to the API.
const TITLE: &str = "</title><svg onload=document.title='owned'><script>document.title='owned'</script>";

/// A camera that answers everything with that type.
fn camera() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    // It ends with the test's process.
    thread::spawn(move || {
        for mut io in listener.incoming().flatten() {
            // An error is the relay's end of it.
            let _ = io.read(&mut [0; 4096]);
            let _ = write!(io, "HTTP/1.1 200 OK\r\nContent-Type: {TYPE}\r\nConnection: close\r\n\r\n");
        }
    });
    address
}

#[test]
fn markup_in_a_cameras_answer_and_in_what_the_api_was_sent_is_text() {
    let yaml = format!(
        "streams: {{door: {{on_demand: false, source: {{type: mjpeg, url: 'http://{}/'}}}}}}",
        camera()
    );
    let framecast = Framecast::serve_with(&yaml, |command| command.env("FRAMECAST_ADMIN_TOKEN", TOKEN));
    let added = serde_json::json!({"name": "added", "title": TITLE, "source": {"type": "pattern", "fps": 5}});
    let bearer = format!("Authorization: Bearer {TOKEN}");
    let json = "Content-Type: application/json";
    let (url, body) = (framecast.url("/api/streams"), added.to_string());
    run("curl", &["--silent", "--fail", "-H", &bearer, "-H", json, "--data-binary", &body, &url]);
    framecast.wait_for_state("door", "waiting");
    let mut browser = Browser::chromium();
    let shown = |text: &str| format!("document.body.textContent.includes({})", serde_json::json!(text));
    let as_admin = format!("/view/door?token={TOKEN}");
    for (page, text) in [
        ("/", TITLE),
        ("/view/door", "the camera sent something else than pictures"),
        (as_admin.as_str(), TYPE),
        ("/view/added", TITLE),
    ] {
        browser.open(&framecast.url(page));
        browser.wait_for(&shown(text));
        let foreign =
            browser.run("return document.querySelectorAll('img[src=x], svg[onload], body script').length");
        assert_eq!(foreign, 0, "{page}");
        assert_ne!(browser.run("return document.title"), "owned", "{page}");
        browser.assert_no_errors();
    }
    drop(browser);
    framecast.end();
}

/// Another site's page shows none of framecast's in a frame, and the same page does where it is allowed.
#[test]
fn pages_are_framed_by_those_only_that_the_configuration_names() {
    let bars = "streams: {bars: {source: {type: pattern, fps: 5}}}";
    let host = Framecast::serve(bars);
    // Another host name is another origin; both lead here.
    let elsewhere = host.url("").replace("127.0.0.1", "localhost");
    let mut browser = Browser::chromium();
    for (setting, seen) in [("self", false), (elsewhere.as_str(), true)] {
        let framed = Framecast::serve(&format!("server: {{frame_ancestors: '{setting}'}}\n{bars}"));
        browser.open(&format!("{elsewhere}/healthz"));
        // A page of that origin without a policy of its own.
        let frame = format!(
            "const frame = document.createElement('iframe'); frame.src = {}; document.body.append(frame);",
            serde_json::json!(framed.url("/view/bars"))
        );
        browser.run(&frame);
        // Another origin's frame cannot be looked into, but a page that is there watches its stream.
        let watched = || framed.stream("bars")["viewers"].as_u64() > Some(0);
        if seen {
            wait_for("the framed page to watch", || watched().then_some(()));
            browser.assert_no_errors();
        } else {
            wait_for("the browser's refusal", || {
                browser.errors().to_string().contains("frame").then_some(())
            });
            assert!(!watched(), "the frame is empty");
        }
        framed.end();
    }
    drop(browser);
    host.end();
}
