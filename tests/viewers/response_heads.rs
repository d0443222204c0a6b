//! The head of a stream's answer, and the way its body is delimited, for each kind of client.

use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stream_client::{CLOSING, StreamViewer, push, wait_for_state},
};

use crate::TestRelay;

/// Headers of every stream, in any order.
const STREAM_HEADERS: [(&str, &str); 8] = [
    ("access-control-allow-origin", "*"),
    ("cache-control", "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0"),
    ("connection", "close"),
    ("content-type", "multipart/x-mixed-replace;boundary=boundarydonotcross"),
    ("expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
    ("pragma", "no-cache"),
    ("x-accel-buffering", "no"),
    ("x-content-type-options", "nosniff"),
];

/// Names in small letters, sorted, without the date.
fn headers_of(viewer: &StreamViewer) -> Vec<(String, String)> {
    let mut headers: Vec<_> =
        viewer.head.headers.iter().map(|(name, value)| (name.to_lowercase(), value.clone())).collect();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    headers
}

fn with(more: &[(&str, &str)]) -> Vec<(String, String)> {
    let all = STREAM_HEADERS.iter().chain(more);
    let mut all: Vec<_> = all.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    all.sort();
    all
}

#[tokio::test]
async fn an_http_1_1_client_gets_chunks_and_exactly_these_headers() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/streams/x", "/x", "/x.mjpg", "/video_feed", "/streams/x?chunked=1"] {
        let mut viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(viewer.head.version, "HTTP/1.1", "{target}");
        assert_eq!(headers_of(&viewer), with(&[("transfer-encoding", "chunked")]), "{target}");
        viewer.first_delimiter().await;
        assert_eq!(viewer.part().await.jpeg, jpeg(1), "{target}");
    }
}

#[tokio::test]
async fn an_http_1_0_client_gets_raw_bytes_to_the_end_of_the_connection() {
    let mut relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::ask_as(relay.address(), "/streams/x", "HTTP/1.0").await;
    assert_eq!(viewer.head.version, "HTTP/1.0");
    // Closing is what HTTP/1.0 does anyway, and actix does not say it there.
    let mut expected = with(&[]);
    expected.retain(|(name, _)| name != "connection");
    assert_eq!(headers_of(&viewer), expected);
    viewer.first_delimiter().await;
    assert_eq!(viewer.part().await.jpeg, jpeg(1));
    assert_eq!(viewer.part().await.jpeg, jpeg(1));
    relay.begin_stop();
    assert!(viewer.body.rest().await.ends_with(CLOSING.as_bytes()), "nothing stands behind the closing");
}

#[tokio::test]
async fn chunks_can_be_switched_off_by_the_viewer() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/streams/x?chunked=0", "/x.mjpg?chunked=false"] {
        let mut viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(viewer.head.version, "HTTP/1.1", "{target}");
        assert_eq!(headers_of(&viewer), with(&[]), "{target}");
        viewer.first_delimiter().await;
        assert_eq!(viewer.part().await.jpeg, jpeg(1), "{target}");
    }
}

#[tokio::test]
async fn chunks_can_be_switched_off_for_one_stream() {
    let yaml = "
streams:
  raw: {chunked: false, source: {type: push, token: none}}
  usual: {source: {type: push, token: none}}
";
    let relay = TestRelay::start(yaml);
    for (stream, more) in [("raw", &[][..]), ("usual", &[("transfer-encoding", "chunked")])] {
        push(&relay, stream, &jpeg(1)).await;
        let mut viewer = StreamViewer::ask(relay.address(), &format!("/streams/{stream}")).await;
        assert_eq!(headers_of(&viewer), with(more), "{stream}");
        viewer.first_delimiter().await;
        assert_eq!(viewer.part().await.jpeg, jpeg(1), "{stream}");
    }
}

/// Their clients read raw bytes to the end of the connection, whatever version they speak.
#[tokio::test]
async fn the_routes_of_mjpg_streamer_and_ustreamer_are_never_chunked() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/?action=stream", "/?action=stream_0", "/stream", "/stream?chunked=1"] {
        let mut viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(viewer.head.get("transfer-encoding"), None, "{target}");
        assert_eq!(viewer.head.get("content-length"), None, "{target}");
        viewer.first_delimiter().await;
        assert_eq!(viewer.part().await.jpeg, jpeg(1), "{target}");
    }
}

#[tokio::test]
async fn other_origins_may_read_streams_and_snapshots_and_nothing_else() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let origin = [("Origin", "http://elsewhere.example")];
    for target in ["/streams/x", "/?action=stream", "/stream"] {
        let viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(viewer.head.get("access-control-allow-origin"), Some("*"), "{target}");
    }
    for target in ["/streams/x/snapshot", "/x.jpg", "/snapshot", "/?action=snapshot"] {
        let answer = Client::ask(relay.address(), "GET", target, &origin, b"").await;
        assert_eq!(answer.head.get("access-control-allow-origin"), Some("*"), "{target}");
    }
    for target in ["/", "/api/streams", "/api/streams/x", "/healthz", "/readyz", "/state", "/program.json"] {
        let answer = Client::ask(relay.address(), "GET", target, &origin, b"").await;
        assert_eq!(answer.head.status, 200, "{target}");
        assert_eq!(answer.head.get("access-control-allow-origin"), None, "{target}");
    }
    let pushed = Client::ask(relay.address(), "POST", "/streams/x/frame", &origin, &jpeg(2)).await;
    assert_eq!(pushed.head.get("access-control-allow-origin"), None);
}

#[tokio::test]
async fn the_origins_that_may_read_are_set_by_the_configuration() {
    for (cors, said) in [("none", None), ("https://wall.example", Some("https://wall.example"))] {
        let yaml = format!(
            "{{server: {{cors: \"{cors}\"}}, streams: {{x: {{source: {{type: push, token: none}}}}}}}}"
        );
        let relay = TestRelay::start(&yaml);
        push(&relay, "x", &jpeg(1)).await;
        wait_for_state(&relay, "x", "live").await;
        let viewer = StreamViewer::ask(relay.address(), "/streams/x").await;
        assert_eq!(viewer.head.get("access-control-allow-origin"), said);
        let snapshot = Client::get(relay.address(), "/x.jpg").await;
        assert_eq!(snapshot.head.get("access-control-allow-origin"), said);
    }
}

/// Pages of other sites must not show pictures and data of a relay that no other site may read.
#[tokio::test]
async fn every_answer_says_which_sites_may_show_it_and_that_it_is_what_it_says() {
    for (server, policy) in [
        ("cors: none", Some("same-site")),
        ("cors: none, cross_origin_resource_policy: same-site", Some("same-site")),
        ("cors: none, cross_origin_resource_policy: none", None),
        ("cross_origin_resource_policy: same-site", None),
        ("cors: 'https://wall.example'", None),
    ] {
        let yaml =
            format!("{{server: {{{server}}}, streams: {{x: {{source: {{type: push, token: s3cret}}}}}}}}");
        let relay = TestRelay::start(&yaml);
        let token = [("Authorization", "Bearer s3cret")];
        let pushed = Client::ask(relay.address(), "POST", "/streams/x/frame", &token, &jpeg(1)).await;
        let mut heads =
            vec![(204, pushed.head), (200, StreamViewer::ask(relay.address(), "/streams/x").await.head)];
        for (method, target, status) in [
            ("GET", "/", 200),
            ("GET", "/page/base.css", 200),
            ("GET", "/x.jpg", 200),
            ("HEAD", "/x.jpg", 200),
            ("GET", "/api/streams", 200),
            ("GET", "/api/openapi.json", 200),
            ("GET", "/metrics", 200),
            ("GET", "/state", 200),
            ("GET", "/login", 200),
            ("POST", "/logout", 303),
            ("GET", "/x?width=0", 400),
            ("POST", "/streams/x/frame", 401),
            ("GET", "/nobody", 404),
            ("GET", "/no/such/place", 404),
            ("DELETE", "/x", 405),
            ("OPTIONS", "/x", 405),
            ("GET", "/api/live", 426),
            ("GET", "/?action=take", 501),
        ] {
            heads.push((status, Client::ask(relay.address(), method, target, &[], b"").await.head));
        }
        for (status, head) in heads {
            assert_eq!(head.status, status, "{server}: {head:?}");
            assert_eq!(head.get("x-content-type-options"), Some("nosniff"), "{server}: {head:?}");
            assert_eq!(head.get("cross-origin-resource-policy"), policy, "{server}: {head:?}");
        }
    }
}
