//! Points of live graphs: who may send them, what is wrong with them, and that they show.

use std::net::SocketAddr;

use framecast::imaging::codec::codec;
use testkit::raw_client::{Client, TIMEOUT};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use crate::{
    TestRelay,
    publisher::{assert_refused, post, pushed, report, shown},
};

const CHARTS: &str = "
streams:
  load: {source: {type: chart, token: none, series: [{name: cpu, color: \"#ff0000\"}, mem], size: 320x180, \
  y: {min: 0, max: 1}}}
  guarded: {source: {type: chart, token: kept-in-a-test, series: [cpu], size: 320x180}}
  bars: {source: {type: pattern, size: 64x48, fps: 5}}
";
const LOAD: &str = "/streams/load/points";

/// Rows of the graph in which the red line stands, beneath the legend.
async fn red_rows(at: SocketAddr, stream: &str) -> Vec<usize> {
    let picture = codec().decode(&shown(at, stream).await, 1_000_000).unwrap();
    let width = usize::from(picture.width());
    let rows = picture.data().chunks(3 * width).enumerate().skip(45);
    let is_red = |pixel: &[u8]| pixel[0] > 180 && pixel[1] < 90 && pixel[2] < 90;
    rows.filter(|(_, row)| row.chunks(3).any(is_red)).map(|(y, _)| y).collect()
}

/// Looks until a picture is as wanted: points are drawn a moment after they were taken.
async fn red_rows_when(at: SocketAddr, stream: &str, wanted: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let look = async {
        loop {
            let rows = red_rows(at, stream).await;
            if wanted(&rows) {
                return rows;
            }
            tokio::task::yield_now().await;
        }
    };
    timeout(TIMEOUT, look).await.expect("a picture with the line as wanted")
}

#[tokio::test]
async fn points_show_in_the_graph_at_their_height_whether_or_not_somebody_watched() {
    let relay = TestRelay::start(CHARTS);
    let at = relay.address();
    assert_eq!(report(at, "load").await["state"], "idle");
    let age = |seconds: u64| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        now.as_secs() - seconds
    };
    let lines = format!("cpu 0.9 {}\ncpu 0.9 {}\n", age(200), age(100));
    pushed(&post(at, LOAD, &[], lines.as_bytes()).await);
    let high = red_rows_when(at, "load", |rows| !rows.is_empty()).await;
    // The same times again, out of order: replaced, and the line moves down.
    let json =
        format!("[{{\"time\": {}, \"cpu\": 0.1}}, {{\"time\": {}, \"cpu\": 0.1}}]", age(100), age(200));
    let json_type = ("Content-Type", "application/json; charset=utf-8");
    pushed(&post(at, LOAD, &[json_type], json.as_bytes()).await);
    let low = red_rows_when(at, "load", |rows| rows.last() > high.last()).await;
    assert!(low.last().unwrap() - high.last().unwrap() > 50, "{high:?} {low:?}");
    assert_eq!(report(at, "load").await["source"], "chart");
}

#[tokio::test]
async fn what_is_wrong_with_points_is_named_and_none_is_taken() {
    let relay = TestRelay::start(CHARTS);
    let at = relay.address();
    for (headers, body, expected) in [
        (&[][..], "cpu 0.5\ngpu 1", "line 2: there is no series \"gpu\"; this chart has cpu, mem"),
        (&[], "cpu NaN", "line 1: \"NaN\" is no number that can be drawn"),
        (&[], "{\"cpu\": \"high\"}", "cpu must be a number, not"),
        (&[("Content-Type", "application/json")], "cpu 1", "the body is no JSON"),
        (&[], " ", "there are no points: send {\"cpu\": 1.5}, or a line such as: cpu 1.5"),
    ] {
        let detail = assert_refused(&post(at, LOAD, headers, body.as_bytes()).await, 400);
        assert!(detail.starts_with(expected), "{body}: {detail}");
    }
    assert!(red_rows(at, "load").await.is_empty());
    let long = "cpu 0.5\n".repeat(200_000);
    assert!(assert_refused(&post(at, LOAD, &[], long.as_bytes()).await, 413).contains("several requests"));
    assert!(assert_refused(&post(at, "/streams/bars/points", &[], b"cpu 1").await, 409).contains("pattern"));
    assert_refused(&post(at, "/streams/nobody/points", &[], b"cpu 1").await, 404);
    assert!(assert_refused(&post(at, "/streams/load/frame", &[], b"cpu 1").await, 409).contains("chart"));
    let read = Client::get(at, LOAD).await;
    assert_refused(&read, 405);
    assert_eq!(read.head.get("allow"), Some("POST, PUT"));
}

#[tokio::test]
async fn points_of_a_guarded_graph_want_its_token() {
    let relay = TestRelay::start(CHARTS);
    let at = relay.address();
    let target = "/streams/guarded/points";
    for headers in [&[][..], &[("Authorization", "Bearer guessed")]] {
        let answer = post(at, target, headers, b"cpu 1").await;
        assert!(!assert_refused(&answer, 401).contains("kept-in-a-test"));
        assert_eq!(answer.head.offered_schemes(), ["Basic", "Bearer"], "a token is also taken as a password");
    }
    pushed(&post(at, target, &[("Authorization", "Bearer kept-in-a-test")], b"cpu 1").await);
    pushed(&post(at, &format!("{target}?token=kept-in-a-test"), &[], b"{\"cpu\": 1}").await);
}

/// Answers every request with the next of these bodies, the last for ever.
async fn json_server(bodies: Vec<&'static str>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut asked = 0;
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") && socket.read_buf(&mut request).await.unwrap() > 0 {}
            let body = bodies[asked.min(bodies.len() - 1)];
            asked += 1;
            let head =
                format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
            socket.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
        }
    });
    address
}

#[tokio::test]
async fn a_polled_address_gives_points_and_what_is_wrong_with_it_is_said() {
    let good = json_server(vec!["{\"system\": {\"cpu\": 0.9}}"]).await;
    let bad = json_server(vec!["<html>"]).await;
    let chart = |address: SocketAddr| {
        format!(
            "{{source: {{type: chart, size: 320x180, y: {{min: 0, max: 1}}, series: [{{name: cpu, color: \
             \"#ff0000\"}}], \
             poll: {{url: \"http://{address}/s.json\", every: 100ms, pointers: {{cpu: /system/cpu}}}}}}}}"
        )
    };
    let relay = TestRelay::start(&format!("streams: {{good: {}, bad: {}}}", chart(good), chart(bad)));
    let at = relay.address();
    red_rows_when(at, "good", |rows| !rows.is_empty()).await;
    assert!(assert_refused(&post(at, "/streams/good/points", &[], b"cpu 1").await, 409).contains("polled"));
    let reason = async {
        loop {
            if let Some(reason) = report(at, "bad").await["reason"].as_str() {
                return reason.to_owned();
            }
            tokio::task::yield_now().await;
        }
    };
    let reason = timeout(TIMEOUT, reason).await.expect("it always runs, so it fails");
    assert_eq!(reason, "the polled address did not answer with JSON");
}
