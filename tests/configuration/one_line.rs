//! Streams and sources in one line: a URL, or `push`.

use serde_json::json;

use super::*;

const TOKEN: (&str, &str) = ("FRAMECAST_PUSH_TOKEN", "s3cret ${NOT}");

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    config::parse(text, "f.yaml", &variables.iter().copied().collect())
}

#[test]
fn a_stream_may_be_only_its_source() {
    let text = r#"
defaults: {max_fps: 5}
streams:
  door: "rtsp://user:${PW}@cam/stream1"
  porch: http://u:${PW}@cam/video.mjpg
  shelf: {source: HTTPS://cam/snap.jpg, title: Shelf}
  hall: {source: ["http://cam/a", {type: snapshot, url: "http://cam/b"}, {type: pattern}]}
  gate: ${GATE}
  inbox: push
  bag: {source: push}
"#;
    let variables = [("PW", "a/b"), ("GATE", "http://gate/"), ("FRAMECAST_PUSH_TOKEN", "s3cret${NOT}")];
    let config = parse_with(text, &variables).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let [door, porch, shelf, hall, gate, inbox, bag] = &*config.streams else { panic!("{config:?}") };
    let SourceConfig::Rtsp(rtsp) = door.source() else { panic!("{door:?}") };
    assert_eq!(rtsp.url.reveal(), "rtsp://user:a%2Fb@cam/stream1");
    let SourceConfig::Auto(camera) = porch.source() else { panic!("{porch:?}") };
    assert_eq!((camera.url.as_str(), porch.max_fps), ("http://cam/video.mjpg", Some(5.0)));
    assert_eq!(camera.login.as_ref().unwrap().password.reveal(), "a/b");
    assert_eq!((&*shelf.title, shelf.source().type_name()), ("Shelf", "auto"));
    let kinds: Vec<_> = hall.sources().map(SourceConfig::type_name).collect();
    assert_eq!(kinds, ["auto", "snapshot", "pattern"]);
    assert_eq!(gate.source().place().as_deref(), Some("gate"));
    for push in [inbox, bag] {
        let SourceConfig::Push { token: Some(token), .. } = push.source() else { panic!("{push:?}") };
        assert_eq!(token.reveal(), "s3cret${NOT}");
    }
    // What the API returns: the variable's name, not its value, and no token.
    let written = |stream: &config::StreamConfig| config.written.of(&stream.name).unwrap().clone();
    let url = "rtsp://user:${PW}@cam/stream1";
    assert_eq!(written(door), json!({"source": {"type": "rtsp", "url": url}}));
    assert_eq!(written(inbox), json!({"source": "push"}));
}

#[test]
fn type_auto_has_the_keys_that_a_stream_and_snapshots_share() {
    let yaml = "{type: auto, url: \"http://cam/\", headers: {A: b}, insecure: true, frame_timeout: 1m}";
    let SourceConfig::Auto(camera) = source(yaml) else { panic!("another type") };
    assert_eq!((camera.insecure, camera.frame_timeout), (true, Duration::from_secs(60)));
    let found = mistakes("streams: {a: {source: {type: auto, url: \"http://cam/\", interval: 1s}}}");
    assert!(found[0].contains("source.interval: unknown key: the keys here are type, url, "), "{found:?}");
    let found = mistakes("streams: {a: {source: {type: auto}}}");
    assert!(found[0].contains("source.url: is missing: the URL of the camera, such as "), "{found:?}");
}

#[test]
fn push_alone_is_never_open() {
    let text = "streams: {inbox: push, bag: {source: push}}";
    let cases: [(&[(&str, &str)], &str); 4] = [
        (&[], "which is not set"),
        (&[("FRAMECAST_PUSH_TOKEN", "")], "which is not set"),
        (&[("FRAMECAST_PUSH_TOKEN", "none")], "which is none, which would let anybody push"),
        (&[TOKEN], "which is not one word"),
    ];
    for (variables, why) in cases {
        let errors = parse_with(text, variables).unwrap_err();
        let found: Vec<_> = errors.mistakes().iter().map(ToString::to_string).collect();
        let message = format!(
            "`push` takes its token from the environment variable FRAMECAST_PUSH_TOKEN, {why}: set it to a secret, \
             or write the source out with a token: {{type: push, token: …}}"
        );
        let expected = [
            format!("f.yaml:1:18: streams.inbox.source: {message}"),
            format!("f.yaml:1:38: streams.bag.source: {message}"),
        ];
        assert_eq!(found, expected);
        assert!(!errors.to_string().contains("s3cret"), "{errors}");
        assert!(errors.to_string().contains("streams: {inbox: push, bag: {source: push}}"), "{errors}");
    }
}

#[test]
fn what_is_no_source_in_one_line_says_what_would_be_one() {
    const RIGHT: &str = "must be a URL such as http://192.168.1.20/video.mjpg or rtsp://…, the word push";
    for (written, want) in [
        (
            "ftp://cam/x",
            "scheme must be http, https, rtsp or rtsps, not ftp: what ffmpeg can read is {type: exec, ",
        ),
        ("rstp://cam/x", "scheme must be http, https, rtsp or rtsps (did you mean rtsp?)"),
        ("hunter2hunter2://cam/x", "scheme must be http, https, rtsp or rtsps"),
        ("pusj", "the word push (did you mean push?), or a map such as {type: images, "),
        ("pattern", "must be a map for this type: {type: pattern, …}; only a URL and `push` can stand alone"),
        ("192.168.1.9/video.mjpg", RIGHT),
        ("/dev/video0", RIGHT),
        ("5", RIGHT),
        ("${SECRET}", RIGHT),
        (
            "${UNSET}",
            "the environment variable UNSET is not set: set it, or give a default: ${UNSET:-default}",
        ),
        ("http://", "is not a URL (empty host): it must be like http://user:password@host:port/path"),
        ("http://u:hunter2@/x", "is not a URL"),
        ("rtsp://", "must name a host after rtsp://"),
    ] {
        for text in [
            format!("streams: {{a: {written:?}}}"),
            format!("streams: {{a: {{source: {written:?}}}}}"),
            format!("streams: {{a: {{source: [{{type: mjpeg, url: \"http://x/\"}}, {written:?}]}}}}"),
        ] {
            let errors = parse(&text).unwrap_err();
            let [mistake] = errors.mistakes() else { panic!("{errors}") };
            assert!(mistake.message.contains(want), "{text}: {mistake}");
            assert!(mistake.path.starts_with("streams.a.source"), "{mistake}");
            assert!(!errors.to_string().contains("hunter2"), "{errors}");
        }
    }
}

/// Nobody over HTTP may read the environment, but for the token, which nobody sees.
#[test]
fn streams_in_one_line_may_come_over_http() {
    let added = |name: &str, settings: serde_json::Value| config::Added { name: name.into(), settings };
    let all = [
        added("door", json!("http://u:${PW}@cam/")),
        added("yard", json!({"source": "rtsp://cam/"})),
        added("inbox", json!("push")),
    ];
    let environment: Environment = [("PW", "x"), ("FRAMECAST_PUSH_TOKEN", "s3cret")].into_iter().collect();
    let file = "streams: {a: {source: {type: pattern}}}";
    let config = config::parse_with(file, "f.yaml", &environment, &all).unwrap();
    let [_, door, yard, inbox] = &*config.streams else { panic!("{config:?}") };
    let SourceConfig::Auto(camera) = door.source() else { panic!("{door:?}") };
    assert_eq!(camera.login.as_ref().unwrap().password.reveal(), "${PW}");
    assert_eq!(yard.source().type_name(), "rtsp");
    assert!(
        matches!(inbox.source(), SourceConfig::Push { token: Some(token), .. } if token.reveal() == "s3cret")
    );
    let errors = config::parse_with(file, "f.yaml", &Environment::default(), &all).unwrap_err();
    assert!(errors.to_string().contains("streams.inbox.source: `push` takes its token"), "{errors}");
    assert_eq!(
        config::written_out(&json!("http://cam/")),
        json!({"source": {"type": "auto", "url": "http://cam/"}})
    );
    assert_eq!(
        config::written_out(&json!({"source": "push", "max_fps": 5})),
        json!({"source": "push", "max_fps": 5})
    );
}
