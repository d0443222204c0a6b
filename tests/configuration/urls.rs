//! URLs of cameras: credentials are taken out, and no message shows any part of them.

use super::*;

/// The mistake of a camera's URL, without its place.
fn refused(kind: &str, url: &str) -> String {
    let url = serde_json::to_string(url).expect("any text is JSON");
    let found = mistakes(&format!("streams: {{a: {{source: {{type: {kind}, url: {url}}}}}}}"));
    let [mistake] = &*found else { panic!("{url}: {found:?}") };
    mistake.split_once("streams.a.source.url: ").expect("its path").1.to_owned()
}

fn upstream(url: &str) -> config::UpstreamConfig {
    match source(&format!("{{type: mjpeg, url: {url:?}}}")) {
        SourceConfig::Mjpeg(upstream) => upstream,
        other => panic!("{other:?}"),
    }
}

#[test]
fn credentials_are_taken_out_and_decoded() {
    let camera = upstream("http://ad%40min:p%3A%2Fss@192.168.1.20:81/video.mjpg?x=1");
    assert_eq!(camera.url.as_str(), "http://192.168.1.20:81/video.mjpg?x=1");
    let login = camera.login.unwrap();
    assert_eq!((&*login.user, login.password.reveal()), ("ad@min", "p:/ss"));
    assert_eq!(upstream("https://host/").login, None);
}

#[test]
fn a_password_from_a_variable_may_hold_any_character() {
    let secret = "p@s/s:#?% ${X}ä";
    let environment: Environment =
        [("P", secret), ("HOST", "cam.local:81"), ("PATH_", "a/b")].into_iter().collect();
    let text = "streams: {a: {source: {type: mjpeg, url: \"http://u:${P}@${HOST}/${PATH_}\"}}}";
    let config = config::parse(text, "f.yaml", &environment).unwrap();
    let SourceConfig::Mjpeg(camera) = config.streams[0].source() else { panic!("{config:?}") };
    assert_eq!(camera.url.as_str(), "http://cam.local:81/a/b");
    assert_eq!(camera.login.as_ref().unwrap().password.reveal(), secret);
}

#[test]
fn bad_urls_are_refused_without_showing_them() {
    for (url, want) in [
        ("ftp://u:hunter2@host/", "scheme must be http or https"),
        ("u:hunter2@host/", "must begin with http:// or https://"),
        ("http://u:hunter2@/", "is not a URL"),
        ("http://u:hunter2@ho st/", "is not a URL"),
        ("http://", "is not a URL"),
        ("http://host:99999/", "is not a URL"),
        ("", "must begin with"),
        ("hunter2hunter2://host", "scheme must be"),
    ] {
        let mistake = refused("mjpeg", url);
        assert!(mistake.starts_with(want) && !mistake.contains("hunter2"), "{url}: {mistake}");
    }
}

#[test]
fn an_rtsp_url_keeps_its_credentials_and_shows_none() {
    let url = "rtsp://u:hunter2@192.168.1.30:554/stream1";
    let SourceConfig::Rtsp(camera) = source(&format!("{{type: rtsp, url: {url:?}}}")) else { panic!() };
    assert_eq!(camera.url.reveal(), url);
    for url in [
        "http://u:hunter2@host/",
        "hunter2",
        "rtsp://",
        "rtsp:///hunter2",
        "rtsp://u:hunter2@/x",
        // What ffmpeg would take for an option, a file, or several of them.
        "-i",
        "-rtsp://h/hunter2",
        "file:///hunter2",
        "file://rtsp://h/hunter2",
        "concat:rtsp://h/hunter2|/etc/passwd",
        "subfile,,start,0,end,9,,:/hunter2",
        "RTSP://h/hunter2",
        "rtsp://h:hunter2/",
    ] {
        let mistake = refused("rtsp", url);
        assert!(!mistake.contains("hunter2"), "{url}: {mistake}");
    }
}

#[test]
fn a_key_in_the_query_from_a_variable_may_hold_any_character() {
    let secret = "p&w=d#%+ä x";
    let environment: Environment = [("P", secret), ("MORE", "a=1&b=2")].into_iter().collect();
    let text = "
webhooks: {ops: {url: \"https://u:${P}@hook/?token=${P}\"}}
streams: {a: {source: [{type: snapshot, url: \"http://cam/snap?user=x&pwd=${P}&${MORE}\"},
                       {type: rtsp, url: \"rtsp://u:${P}@cam/?key=${P}\"}]}}";
    let config = config::parse(text, "f.yaml", &environment).unwrap();
    let SourceConfig::Snapshot(camera) = config.streams[0].source() else { panic!("{config:?}") };
    let pairs: Vec<(String, String)> = camera.url.query_pairs().into_owned().collect();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(pairs, [pair("user", "x"), pair("pwd", secret), pair("a", "1"), pair("b", "2")]);
    let hook: url::Url = config.webhooks[0].url.reveal().parse().unwrap();
    assert_eq!(hook.query_pairs().next().unwrap().1, secret);
    assert_eq!(config.webhooks[0].login.as_ref().unwrap().password.reveal(), secret);
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn a_variable_that_seems_to_be_escaped_already_is_a_warning_without_its_value() {
    let environment: Environment = [("P", "hunter%202"), ("Q", "100%")].into_iter().collect();
    let text = "
streams:
  a: {source: {type: mjpeg, url: \"http://u:${P}@h/?k=${P}&q=${Q}\"}}
  b: {source: {type: mjpeg, url: \"http://h/${P}\"}}";
    let config = config::parse(text, "f.yaml", &environment).unwrap();
    let [warning] = &*config.warnings else { panic!("{:?}", config.warnings) };
    assert!(
        warning.starts_with("3:") && warning.contains(": streams.a.source.url: the value of ${P} contains %")
    );
    assert!(!warning.contains("hunter"), "{warning}");
}

#[test]
fn a_written_login_with_a_character_that_ends_it_is_a_mistake_with_its_cure() {
    let rtsp = refused("rtsp", "rtsp://u:hunter2/x@host/");
    assert!(rtsp.contains("write %40 for @") && !rtsp.contains("hunter2"), "{rtsp}");
    for url in ["http://u:hunter2/x@host/", "http://u:hunter2#@host/", "http://u:12#hunter2@host/"] {
        for text in ["type: mjpeg", "type: snapshot"] {
            let mistake = refused(&text["type: ".len()..], url);
            assert!(mistake.contains("write %40 for @") && !mistake.contains("hunter2"), "{url}: {mistake}");
        }
    }
}
