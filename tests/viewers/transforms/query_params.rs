//! The parameters of viewers in the URL: `?width=320&quality=60&fps=5`.

use std::net::SocketAddr;

use bytes::Bytes;
use framecast::{
    imaging::{Pixels, codec::codec},
    media::frame::Frame,
};
use serde_json::Value;
use testkit::{
    raw_client::{Answer, Client, TIMEOUT},
    stepped_camera::Camera,
    stream_client::{StreamViewer, push, report, report_when, wait_for_state},
};
use tokio::time::timeout;

use super::scene::{BLUE, GREEN, PLAIN, RED, YELLOW, assert_colour, at};
use crate::TestRelay;

const DOOR: &str = "streams: {door: {source: {type: push, token: none}}}";

fn pixels(jpeg: &[u8]) -> Pixels {
    codec().decode(jpeg, 5_000_000).unwrap()
}

fn size(pixels: &Pixels) -> (u16, u16) {
    (pixels.width(), pixels.height())
}

async fn door() -> TestRelay {
    let relay = TestRelay::start(DOOR);
    push(&relay, "door", PLAIN).await;
    wait_for_state(&relay, "door", "live").await;
    relay
}

async fn first_of(relay: &TestRelay, target: &str) -> Pixels {
    pixels(&StreamViewer::join(relay.address(), target).await.part().await.jpeg)
}

fn renditions(report: &Value) -> Vec<(String, u64)> {
    let all = report["renditions"].as_array().expect("a list");
    let one = |r: &Value| (r["query"].as_str().unwrap().to_owned(), r["viewers"].as_u64().unwrap());
    all.iter().map(one).collect()
}

/// One after the other.
async fn each_address(relay: &TestRelay, query: &str, wanted: (u16, u16)) {
    for address in [
        "/streams/door?",
        "/door?",
        "/door.mjpg?",
        "/video_feed?",
        "/stream?",
        "/?action=stream&",
        "/?action=stream_0&",
    ] {
        let seen = first_of(relay, &format!("{address}{query}")).await;
        assert_eq!(size(&seen), wanted, "{address}{query}");
    }
    for address in
        ["/streams/door/snapshot?", "/door.jpg?", "/snapshot?", "/?action=snapshot&", "/?action=snapshot_0&"]
    {
        let answer = Client::get(relay.address(), &format!("{address}{query}")).await;
        assert_eq!(answer.head.status, 200);
        assert_eq!(size(&pixels(&answer.body)), wanted, "{address}{query}");
        assert_eq!(answer.head.get("x-ustreamer-width"), Some(wanted.0.to_string().as_str()));
    }
}

#[tokio::test]
async fn every_address_of_streams_and_snapshots_makes_pictures_as_asked() {
    let relay = door().await;
    each_address(&relay, "width=160", (160, 120)).await;
    each_address(&relay, "height=64&rotate=90", (48, 64)).await;
}

#[tokio::test]
async fn pictures_are_shrunk_turned_and_grayed_and_the_streams_own_stay_as_they_are() {
    let relay = door().await;
    let upright = first_of(&relay, "/streams/door").await;
    for target in ["/streams/door", "/streams/door/snapshot"] {
        let see = async |query: &str| {
            let target = format!("{target}?{query}");
            if target.contains("snapshot") {
                pixels(&Client::get(relay.address(), &target).await.body)
            } else {
                first_of(&relay, &target).await
            }
        };
        let small = see("width=160&height=8000").await;
        assert_eq!(size(&small), (160, 120), "within both");
        for place in [(80, 60), (24, 18), (136, 18), (24, 102), (136, 102)] {
            assert_colour(&small, place, at(&blurred(&upright), place.0, place.1), "as in the whole");
        }
        let turned = see("rotate=180").await;
        assert_eq!(size(&turned), (320, 240));
        for (x, y) in [(40, 30), (280, 30), (40, 210), (280, 210)] {
            assert_colour(&turned, (x, y), mean(&upright, (319 - x, 239 - y)), "the other way up");
        }
        let gray = see("gray=1").await;
        assert_eq!(size(&gray), (320, 240));
        for (x, y) in [(40, 30), (280, 210)] {
            let [r, g, b] = at(&gray, x, y);
            assert!(r.abs_diff(g) < 4 && g.abs_diff(b) < 4, "no colour at {x},{y}");
        }
    }
    assert_eq!(
        StreamViewer::join(relay.address(), "/streams/door").await.part().await.jpeg,
        PLAIN,
        "the very bytes"
    );
}

/// The mean of 9 by 9 pixels.
fn mean(pixels: &Pixels, (x, y): (usize, usize)) -> [u8; 3] {
    let all = (0..81).map(|n| at(pixels, x + n % 9 - 4, y + n / 9 - 4));
    let sums = all
        .fold([0_usize; 3], |sums, color| std::array::from_fn(|part| sums[part] + usize::from(color[part])));
    sums.map(|sum| (sum / 81) as u8)
}

/// Half as large, each pixel the mean of its surroundings.
fn blurred(pixels: &Pixels) -> Pixels {
    let (width, height) = (pixels.width() / 2, pixels.height() / 2);
    let data = (0..usize::from(height)).flat_map(|y| (0..usize::from(width)).map(move |x| (x, y)));
    let clamped = |at: usize, side: u16| (2 * at).clamp(4, usize::from(side) - 5);
    let data = data
        .flat_map(|(x, y)| mean(pixels, (clamped(x, pixels.width()), clamped(y, pixels.height()))))
        .collect();
    Pixels::new(width, height, framecast::imaging::codec::PixelFormat::Rgb, data).unwrap()
}

#[tokio::test]
async fn nothing_becomes_larger_and_what_needs_no_change_is_the_very_bytes() {
    let relay = door().await;
    for query in ["width=4000", "width=320&height=240", "height=8192", "rotate=0", "fps=30"] {
        let mut viewer = StreamViewer::join(relay.address(), &format!("/streams/door?{query}")).await;
        assert_eq!(viewer.part().await.jpeg, PLAIN, "{query}");
        let snapshot = Client::get(relay.address(), &format!("/door.jpg?{query}")).await;
        assert_eq!(snapshot.body, PLAIN, "{query}");
    }
}

#[tokio::test]
async fn quality_makes_pictures_smaller_or_larger() {
    let relay = door().await;
    let bytes = async |quality: u32| {
        let target = format!("/streams/door?quality={quality}");
        StreamViewer::join(relay.address(), &target).await.part().await.jpeg.len()
    };
    let (low, middle, high) = (bytes(10).await, bytes(50).await, bytes(95).await);
    assert!(low < middle && middle < high, "{low} {middle} {high}");
}

#[tokio::test]
async fn nonsense_is_refused_with_what_would_be_right() {
    let relay = door().await;
    for (target, words) in [
        ("/streams/door?width=0", "width must be a number of pixels, 1 to 8192, not \"0\""),
        ("/door?fps=fast", "fps must be a number of frames a second"),
        ("/door.jpg?quality=101", "quality must be a number from 1 to 100"),
        ("/?action=stream&rotate=45", "rotate must be 0, 90, 180 or 270"),
        ("/snapshot?gray=x%0d%0a", "gray must be 1 or 0"),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = Client::ask(relay.address(), method, target, &[], b"").await;
            assert_eq!(answer.head.status, 400, "{target}");
            if method == "GET" {
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(detail.contains(words), "{target}: {detail}");
            }
        }
    }
    assert_eq!(report(&relay, "door").await["renditions"], Value::Array(Vec::new()));
}

/// Twenty who ask for the same, in other words.
#[tokio::test]
async fn viewers_who_ask_the_same_cost_one_encode() {
    let relay = door().await;
    let queries = ["width=160&quality=60", "quality=61&width=153", "gray=0&quality=60&fps=&width=160"];
    let mut viewings = Vec::new();
    for n in 0..20 {
        // The last of them is wrong: an empty rate.
        let query = queries[n % 2];
        viewings.push(StreamViewer::join(relay.address(), &format!("/streams/door?{query}")).await);
    }
    let refused = Client::get(relay.address(), &format!("/streams/door?{}", queries[2])).await;
    assert_eq!(refused.head.status, 400);
    let first = viewings[0].part().await.jpeg;
    for viewer in &mut viewings[1..] {
        assert_eq!(viewer.part().await.jpeg, first, "one picture for all");
    }
    let report = report(&relay, "door").await;
    assert_eq!(renditions(&report), [("width=160&quality=60".to_owned(), 20)]);
    assert_eq!(report["renditions"][0]["made"]["encoded"], 1, "{report}");
    assert_eq!(report["renditions"][0]["size"]["width"], 160);
    assert_eq!(report["viewers"], 20, "they are viewers of the stream");
    push(&relay, "door", super::scene::COLOURED[2].1).await;
    for viewer in &mut viewings {
        viewer.after(&first).await;
    }
    let report = report_when(&relay, "door", |report| report["renditions"][0]["made"]["encoded"] == 2).await;
    assert_eq!(report["frames_out"], 0, "none had the stream itself: {report}");
}

#[tokio::test]
async fn a_rendition_goes_after_its_last_viewer_and_the_source_runs_while_there_is_one() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!("streams: {{door: {{linger: 0s, source: {}}}}}", camera.source()));
    camera.assert_nobody_waits().await;
    for _ in 0..2 {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
        let mut line = camera.accept().await;
        line.show(PLAIN).await;
        assert_eq!(size(&pixels(&viewer.part().await.jpeg)), (160, 120));
        let other = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
        report_when(&relay, "door", |report| report["renditions"][0]["viewers"] == 2).await;
        drop(viewer);
        report_when(&relay, "door", |report| report["renditions"][0]["viewers"] == 1).await;
        drop(other);
        line.closed().await;
        let report = report_when(&relay, "door", |r| r["renditions"] == Value::Array(Vec::new())).await;
        assert_eq!(report["viewers"], 0);
        wait_for_state(&relay, "door", "idle").await;
    }
    camera.assert_nobody_waits().await;
}

#[tokio::test]
async fn there_are_only_so_many_and_one_more_is_refused_and_counted() {
    let relay = TestRelay::start(&format!("limits: {{max_renditions: 1}}\n{DOOR}"));
    push(&relay, "door", PLAIN).await;
    let refused = async |target: &str| {
        let answer: Answer = Client::get(relay.address(), target).await;
        assert_eq!(answer.head.status, 503, "{target}");
        assert!(answer.head.get("retry-after").is_some());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("limits.max_renditions"), "{detail}");
    };
    let first = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
    let _same = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
    refused("/streams/door?width=80").await;
    let all = Client::get(relay.address(), "/api/streams").await.json();
    assert_eq!(all["renditions"], serde_json::json!({"running": 1, "most": 1, "refused": 1}));
    assert_eq!(all["streams"].as_array().map(Vec::len), Some(1), "a rendition is no stream of the list");
    assert_eq!(
        Client::get(relay.address(), "/?action=snapshot_1").await.head.status,
        404,
        "and has no number"
    );
    assert_eq!(report(&relay, "door").await["viewers"], 2, "who was refused is no viewer");
    // A snapshot needs no stream.
    assert_eq!(Client::get(relay.address(), "/door.jpg?width=80").await.head.status, 200);
    drop((first, _same));
    report_when(&relay, "door", |report| report["renditions"] == Value::Array(Vec::new())).await;
    StreamViewer::join(relay.address(), "/streams/door?width=80").await;
}

#[tokio::test]
async fn viewers_of_renditions_count_in_the_limits_of_their_stream() {
    let relay = TestRelay::start(&format!("limits: {{max_viewers_per_stream: 1}}\n{DOOR}"));
    push(&relay, "door", PLAIN).await;
    let first = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
    for target in ["/streams/door", "/streams/door?width=160", "/streams/door?width=80"] {
        let answer = Client::get(relay.address(), target).await;
        assert_eq!(answer.head.status, 503, "{target}");
        assert!(String::from_utf8_lossy(&answer.body).contains("stream door has all the viewers"));
    }
    drop(first);
    report_when(&relay, "door", |report| report["viewers"] == 0).await;
    StreamViewer::join(relay.address(), "/streams/door").await;
}

#[tokio::test]
async fn a_stream_is_thinned_to_the_rate_asked_for() {
    let relay = TestRelay::start("streams: {bars: {source: {type: pattern, size: 64x48, fps: 50}}}");
    let mut fast = StreamViewer::join(relay.address(), "/streams/bars").await;
    let mut slow = StreamViewer::join(relay.address(), "/streams/bars?fps=5").await;
    for _ in 0..6 {
        slow.part().await;
    }
    for _ in 0..30 {
        fast.part().await;
    }
    let report = report_when(&relay, "bars", |report| report["frames_in"].as_u64() >= Some(60)).await;
    let made = report["renditions"][0]["frames_in"].as_u64().unwrap();
    let came = report["frames_in"].as_u64().unwrap();
    assert!(made * 6 < came && made > 1, "{made} of {came}");
}

#[tokio::test]
async fn a_rendition_ends_with_the_relay_in_the_same_way_as_its_stream() {
    let mut relay = door().await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
    viewer.part().await;
    relay.begin_stop();
    let rest = timeout(TIMEOUT, viewer.body.rest()).await.expect("it ends");
    let text = String::from_utf8_lossy(&rest);
    assert!(text.ends_with("--boundarydonotcross--\r\n"), "the closing delimiter: {} bytes", rest.len());
}

#[tokio::test]
async fn a_placeholder_is_shown_to_viewers_of_a_rendition_too() {
    let address: SocketAddr = "127.0.0.1:9".parse().unwrap();
    let relay = TestRelay::start(&format!(
        "streams: {{door: {{source: {{type: mjpeg, url: \"http://{address}/\"}}}}}}"
    ));
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door?width=160").await;
    let card = Frame::from_jpeg(Bytes::from(viewer.part().await.jpeg)).unwrap();
    assert!(card.width() > 0);
    let snapshot = Client::get(relay.address(), "/door.jpg?width=160").await;
    assert_eq!(snapshot.head.status, 503, "a snapshot is never a placeholder");
}

#[tokio::test]
async fn a_snapshot_made_so_has_a_tag_of_its_own() {
    let relay = door().await;
    let tag = async |query: &str| {
        let answer = Client::get(relay.address(), &format!("/streams/door/snapshot{query}")).await;
        answer.head.get("etag").unwrap().to_owned()
    };
    let (plain, small, same) = (tag("").await, tag("?width=160").await, tag("?width=155").await);
    assert_ne!(plain, small);
    assert_eq!(small, same);
    let again = |query: &'static str, tag: String| {
        let address = relay.address();
        async move {
            let headers = [("If-None-Match", tag.as_str())];
            let target = format!("/streams/door/snapshot{query}");
            Client::ask(address, "GET", &target, &headers, b"").await.head.status
        }
    };
    assert_eq!(again("?width=160", small.clone()).await, 304);
    assert_eq!(again("?width=160", plain).await, 200);
    assert_eq!(again("", small).await, 200);
}

#[tokio::test]
async fn colours_stay_what_they_are() {
    let relay = door().await;
    let small = first_of(&relay, "/streams/door?width=160&quality=90").await;
    let near = |color: [u8; 3], wanted: [u8; 3]| color.iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 40);
    for wanted in [RED, GREEN, BLUE, YELLOW] {
        let mut all = (0..160).flat_map(|x| (0..120).map(move |y| (x, y)));
        assert!(all.any(|(x, y)| near(at(&small, x, y), wanted)), "{wanted:?} is somewhere");
    }
}

#[tokio::test]
async fn turning_and_graying_alone_lose_nothing() {
    let relay = door().await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/door?rotate=90&gray=1&width=4000").await;
    let turned = pixels(&viewer.part().await.jpeg);
    assert_eq!(size(&turned), (240, 320));
    let report = report(&relay, "door").await;
    assert_eq!(report["renditions"][0]["made"]["lossless"], 1, "{report}");
}
