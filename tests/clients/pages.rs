//! Chromium: what the pages know from the beginning, who is logged in, and many plain streams over HTTP/2.

use rcgen::generate_simple_self_signed;
use serde_json::Value;
use testkit::{
    binary::Framecast,
    browser::Browser,
    program::{run, wait_for},
};

use crate::browser::patterns;

const TOKEN: &str = "an-administrators-token";

fn serve(yaml: &str) -> Framecast {
    Framecast::serve_with(yaml, |command| command.env("FRAMECAST_ADMIN_TOKEN", TOKEN))
}

/// Those who watch, as an administrator sees them.
fn viewers(framecast: &Framecast) -> Vec<Value> {
    let authorization = format!("Authorization: Bearer {TOKEN}");
    let args = ["-sS", "--fail", "--insecure", "-H", &authorization, &framecast.url("/api/viewers")];
    let answer: Value = serde_json::from_slice(&run("curl", &args).stdout).expect("the API answers JSON");
    answer["viewers"].as_array().expect("it is a list").clone()
}

#[test]
fn graphs_have_a_past_when_a_page_is_opened() {
    let framecast = serve("streams: {bars: {on_demand: false, source: {type: pattern, fps: 10}}}");
    wait_for("some steps of history", || {
        let answer = run("curl", &["-sS", "--fail", &framecast.url("/api/streams/bars/history")]);
        let answer: Value = serde_json::from_slice(&answer.stdout).expect("the API answers JSON");
        (answer["fps"]["bars"].as_array()?.len() >= 4).then_some(())
    });
    let mut browser = Browser::chromium();
    for page in ["/", "/view/bars"] {
        browser.open(&framecast.url(page));
        let steps = "document.querySelector('svg.spark .line')?.getAttribute('d')?.split('L').length";
        browser.wait_for(&format!("{steps} >= 4"));
        // The page's own reports add one each two seconds, and the first only after two.
        let more = format!("return ({steps} - 1) * 2000 > performance.now()");
        assert_eq!(browser.run(&more), true, "{page} began with the server's count");
    }
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

#[test]
fn whoever_logs_in_sees_who_watches_and_logs_out_again() {
    let framecast = serve(&format!("auth: {{anonymous: none}}\n{}", patterns(1)));
    let mut browser = Browser::chromium();
    browser.open(&framecast.url("/view/cam1"));
    browser.wait_for("location.pathname === '/login' && document.getElementById('password') !== null");
    browser.assert_accessible();
    browser.keys("#password", TOKEN);
    browser.click("button[type=submit]");
    browser.wait_for(
        "location.pathname === '/view/cam1' && document.querySelectorAll('#watching tbody tr').length === 1",
    );
    let row = browser.run("return document.querySelector('#watching tbody tr').textContent");
    let row = row.as_str().expect("it is a text");
    let known = viewers(&framecast);
    let number = known[0]["id"].to_string();
    assert!(known.len() == 1 && row.starts_with(&number) && row.contains("127.0.0.1"), "{row} and {known:?}");
    assert!(row.contains("Chrome"), "with which program: {row}");
    browser.assert_accessible();
    browser.open(&framecast.url("/"));
    browser.wait_for("document.getElementById('logout')?.hidden === false");
    browser.assert_accessible();
    browser.click("#logout");
    browser.wait_for("location.pathname === '/login'");
    browser.open(&framecast.url("/"));
    browser.wait_for("location.pathname === '/login'");
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

/// Browsers open six connections to a server over HTTP/1.1, and one over HTTP/2 with all streams on it.
#[test]
fn twelve_plain_streams_move_in_one_page_over_http_2_where_http_1_has_six() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = |name: &str| folder.path().join(name).to_str().expect("it is UTF-8").to_owned();
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    std::fs::write(path("cert.pem"), made.cert.pem()).expect("the folder is ours");
    std::fs::write(path("key.pem"), made.signing_key.serialize_pem()).expect("the folder is ours");
    for (http2, moving, protocol) in [(true, 12, "HTTP/2.0"), (false, 6, "HTTP/1.1")] {
        let tls =
            format!("{{cert_file: '{}', key_file: '{}', http2: {http2}}}", path("cert.pem"), path("key.pem"));
        let framecast = serve(&format!("server: {{tls: {tls}}}\n{}", patterns(12)));
        let streams = (1..=12).map(|n| format!("/streams/cam{n}"));
        let pictures: String = streams.map(|url| format!("<img width=240 height=180 src={url}>")).collect();
        let mut browser = Browser::chromium();
        browser.size(1280, 800);
        // A page of ours that shows no stream by itself: browsers let no stranger's page at this machine.
        browser.open(&framecast.url("/login"));
        browser.wait_for("document.getElementById('password') !== null");
        browser.run(&format!("document.head.replaceChildren(); document.body.innerHTML = '{pictures}'"));
        browser.wait_for_movement("img", moving);
        let watch = viewers(&framecast);
        assert!(watch.iter().all(|viewer| viewer["protocol"] == protocol), "{watch:?}");
        assert_eq!(watch.len(), moving);
        drop(browser);
        framecast.end_cleanly();
    }
}
