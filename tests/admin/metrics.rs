//! `/metrics`: what has happened is what the numbers say, and no counter ever goes back.

use std::{collections::BTreeMap, net::SocketAddr};

use testkit::{
    pictures::jpeg,
    raw_client::{Client, TIMEOUT},
    stepped_camera::Camera,
    stream_client::{POLL_INTERVAL, StreamViewer, push, push_at, report_when, wait_for_state},
};
use tokio::time::{Instant, sleep};

use crate::{TestRelay, beside, config};

/// One scrape, read strictly.
#[derive(Debug, Default)]
pub(crate) struct Samples {
    /// By name and labels, as they are written.
    all: BTreeMap<String, f64>,
    kinds: BTreeMap<String, String>,
}

impl Samples {
    fn read(text: &str) -> Self {
        let mut samples = Self::default();
        for line in text.lines() {
            if let Some(about) = line.strip_prefix("# TYPE ") {
                let (name, kind) = about.split_once(' ').unwrap();
                let again = samples.kinds.insert(name.to_owned(), kind.to_owned());
                assert_eq!(again, None, "{name} is there twice");
            } else if !line.starts_with("# HELP ") {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let again = samples.all.insert(series.to_owned(), value.parse().unwrap());
                assert_eq!(again, None, "{series} is there twice");
            }
        }
        samples
    }

    /// The sample written so; panics when it is not there.
    pub(crate) fn value(&self, series: &str) -> f64 {
        self.get(series).unwrap_or_else(|| panic!("no {series} in {:#?}", self.all))
    }

    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.all.get(series).copied()
    }

    /// All that may only grow.
    fn counters(&self) -> impl Iterator<Item = (&String, f64)> {
        let grows = |series: &str| {
            let name = series.split('{').next().unwrap();
            let histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let kind = self.kinds.get(name).or_else(|| self.kinds.get(histogram?));
            matches!(kind.map(String::as_str), Some("counter" | "histogram"))
        };
        self.all.iter().filter(move |(series, _)| grows(series)).map(|(series, value)| (series, *value))
    }
}

async fn text(at: SocketAddr) -> String {
    let answer = Client::get(at, "/metrics").await;
    assert_eq!(answer.head.status, 200);
    assert_eq!(answer.head.get("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    String::from_utf8(answer.body).unwrap()
}

async fn scrape(at: SocketAddr) -> Samples {
    Samples::read(&text(at).await)
}

/// Scrapes until a sample has this value.
pub(crate) async fn scrape_when(at: SocketAddr, series: &str, wanted: f64) -> Samples {
    scrape_until(at, series, |value| value == wanted).await
}

/// Scrapes until a sample is there with a value as wanted.
pub(crate) async fn scrape_until(at: SocketAddr, series: &str, wanted: impl Fn(f64) -> bool) -> Samples {
    let start = Instant::now();
    loop {
        let samples = scrape(at).await;
        if samples.get(series).is_some_and(&wanted) {
            return samples;
        }
        assert!(start.elapsed() < TIMEOUT, "{series} is never as wanted: {:#?}", samples.all);
        sleep(POLL_INTERVAL).await;
    }
}

#[tokio::test]
async fn a_camera_that_is_watched_lost_and_back_is_so_in_the_numbers() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!(
        "streams: {{door: {{title: Front \"door\", placeholder: none, source: {}}}}}",
        camera.source()
    ));
    let at = relay.address();
    let before = scrape(at).await;
    assert_eq!(before.value("framecast_stream_state{stream=\"door\",state=\"idle\"}"), 1.0);
    assert_eq!(before.get("framecast_stream_frame_age_seconds{stream=\"door\"}"), None, "there is none");
    assert_eq!(
        before.value("framecast_stream_info{stream=\"door\",title=\"Front \\\"door\\\"\",source=\"mjpeg\"}"),
        1.0
    );
    let mut viewer = StreamViewer::join(at, "/streams/door").await;
    let mut line = camera.accept().await;
    for n in 1..=3 {
        line.show(&jpeg(n)).await;
        viewer.until(&jpeg(n)).await;
    }
    line.show(b"\xff\xd8 no picture at all").await;
    line.show(&jpeg(4)).await;
    viewer.until(&jpeg(4)).await;
    let live = scrape(at).await;
    let bytes: usize = (1..=4).map(|n| jpeg(n).len()).sum();
    for (series, value) in [
        ("framecast_stream_state{stream=\"door\",state=\"live\"}", 1.0),
        ("framecast_stream_state{stream=\"door\",state=\"idle\"}", 0.0),
        ("framecast_stream_received_frames_total{stream=\"door\"}", 4.0),
        ("framecast_stream_received_bytes_total{stream=\"door\"}", bytes as f64),
        ("framecast_stream_made_frames_total{stream=\"door\",of=\"stream\",way=\"passed\"}", 4.0),
        ("framecast_stream_frame_bytes{stream=\"door\"}", jpeg(4).len() as f64),
        ("framecast_stream_dropped_frames_total{stream=\"door\",of=\"stream\",reason=\"invalid\"}", 1.0),
        ("framecast_stream_parse_errors_total{stream=\"door\",kind=\"invalid\"}", 1.0),
        ("framecast_stream_reconnects_total{stream=\"door\"}", 0.0),
        ("framecast_stream_viewers{stream=\"door\"}", 1.0),
        ("framecast_stream_joined_viewers_total{stream=\"door\"}", 1.0),
        ("framecast_viewers", 1.0),
        ("framecast_streams", 1.0),
    ] {
        assert_eq!(live.value(series), value, "{series}");
    }
    let sent = live.value("framecast_stream_sent_frames_total{stream=\"door\",of=\"stream\"}");
    let repeats = sent - 4.0;
    assert!(repeats >= 0.0, "{sent}");
    assert!(
        live.value("framecast_stream_sent_bytes_total{stream=\"door\",of=\"stream\"}") >= bytes as f64,
        "all that the viewer got"
    );
    assert!(live.value("framecast_stream_frame_age_seconds{stream=\"door\"}") < TIMEOUT.as_secs_f64());

    drop(line);
    wait_for_state(&relay, "door", "waiting").await;
    let lost = scrape_when(at, "framecast_stream_state{stream=\"door\",state=\"waiting\"}", 1.0).await;
    assert_eq!(lost.value("framecast_stream_state{stream=\"door\",state=\"live\"}"), 0.0);
    let mut line = camera.accept().await;
    line.show(&jpeg(5)).await;
    viewer.until(&jpeg(5)).await;
    let back = scrape_when(at, "framecast_stream_state{stream=\"door\",state=\"live\"}", 1.0).await;
    assert_eq!(back.value("framecast_stream_reconnects_total{stream=\"door\"}"), 1.0);
    assert!(back.value("process_resident_memory_bytes") > 1e6 && back.value("process_open_fds") > 3.0);
    assert!(back.value("process_cpu_seconds_total") > 0.0);
}

#[tokio::test]
async fn refused_pushes_are_counted_at_their_stream_and_made_up_names_are_no_labels() {
    let relay = TestRelay::start(
        "limits: {max_frame_bytes: 4KiB}\nserver: {mosaic: false}\nstreams:\n  \
         inbox: {source: {type: push, token: letmein}}\n  bars: {source: {type: pattern}}",
    );
    let at = relay.address();
    let post = async |target: &str, token: &str, body: &[u8]| {
        let token = format!("Bearer {token}");
        let headers = [("Authorization", token.as_str())];
        Client::ask(at, "POST", target, &headers, body).await.head.status
    };
    let inbox = "/streams/inbox/frame";
    assert_eq!(post(inbox, "guessed", &jpeg(1)).await, 401);
    assert_eq!(post(inbox, "letmein", b"<html>").await, 415);
    assert_eq!(post(inbox, "letmein", b"").await, 415);
    assert_eq!(post(inbox, "letmein", &[0xff; 5000]).await, 413);
    assert_eq!(post("/streams/bars/frame", "admin-of-tests", &jpeg(1)).await, 409);
    assert_eq!(post("/streams/made-up/frame", "admin-of-tests", &jpeg(1)).await, 404);
    assert_eq!(post("/streams/made-up/feed", "guessed", &jpeg(1)).await, 404);
    assert_eq!(post(inbox, "letmein", &jpeg(1)).await, 204);
    assert_eq!(Client::get(at, "/streams/made-up").await.head.status, 404);
    let all = text(at).await;
    assert!(!all.contains("made-up") && !all.contains("letmein"), "{all}");
    let samples = Samples::read(&all);
    for (stream, reason, count) in [
        ("inbox", "not_allowed", 1.0),
        ("inbox", "unreadable", 2.0),
        ("inbox", "too_large", 1.0),
        ("inbox", "conflict", 0.0),
        ("bars", "conflict", 1.0),
    ] {
        let series =
            format!("framecast_stream_refused_pushes_total{{stream=\"{stream}\",reason=\"{reason}\"}}");
        assert_eq!(samples.value(&series), count, "{series}");
    }
    assert_eq!(samples.value("framecast_stream_received_frames_total{stream=\"inbox\"}"), 1.0);
}

#[tokio::test]
async fn refused_viewers_are_counted_by_what_was_full() {
    let relay = TestRelay::start(
        "limits: {max_viewers: 2, max_viewers_per_stream: 1, max_renditions: 0, max_live_connections: 1}\n\
         streams:\n  x: {source: {type: push, token: none}}\n  y: {source: {type: push, token: none}}\n  \
         z: {source: {type: push, token: none}}",
    );
    let at = relay.address();
    let status = async |target: &str| Client::get(at, target).await.head.status;
    let _first = StreamViewer::join(at, "/streams/x").await;
    for _ in 0..3 {
        assert_eq!(status("/streams/x").await, 503);
    }
    assert_eq!(status("/streams/y?width=64").await, 503);
    report_when(&relay, "y", |report| report["viewers"] == 0).await;
    let _second = StreamViewer::join(at, "/streams/y").await;
    assert_eq!(status("/streams/z").await, 503);
    let samples = scrape(at).await;
    for (full, count) in
        [("stream", 3.0), ("relay", 1.0), ("renditions", 1.0), ("address", 0.0), ("pages", 0.0)]
    {
        let series = format!("framecast_refused_viewers_total{{full=\"{full}\"}}");
        assert_eq!(samples.value(&series), count, "{series}");
    }
    assert_eq!(samples.value("framecast_refused_renditions_total"), 1.0);
    assert_eq!((samples.value("framecast_viewers"), samples.value("framecast_viewers_limit")), (2.0, 2.0));
}

#[tokio::test]
async fn what_is_encoded_is_timed_and_what_renditions_send_is_their_streams() {
    let relay = TestRelay::start(
        "streams: {x: {encode: {quality: 50}, source: {type: push, token: none}}, \
         y: {source: {type: push, token: none}}}",
    );
    let at = relay.address();
    let encoded = |of: &str, stream: &str| {
        format!("framecast_stream_encode_seconds_count{{stream=\"{stream}\",of=\"{of}\"}}")
    };
    push(&relay, "x", &jpeg(1)).await;
    let samples = scrape_when(at, &encoded("stream", "x"), 1.0).await;
    assert_eq!(samples.get(&encoded("stream", "y")), None, "its frames pass as they are");
    assert!(samples.value("framecast_stream_encode_seconds_sum{stream=\"x\",of=\"stream\"}") > 0.0);
    // The worker is done with it a moment later.
    scrape_until(at, "framecast_pool_task_seconds_count", |count| count >= 1.0).await;

    push(&relay, "y", &jpeg(1)).await;
    let viewer = StreamViewer::join(at, "/streams/y?quality=30").await.part().await;
    assert_ne!(viewer.jpeg, jpeg(1));
    // It is gone two seconds after its viewer.
    let samples = scrape_when(at, "framecast_renditions", 0.0).await;
    assert_eq!(samples.value(&encoded("renditions", "y")), 1.0);
    let sent = "framecast_stream_sent_frames_total{stream=\"y\",of=\"renditions\"}";
    assert!(samples.value(sent) >= 1.0, "what it had sent");
    assert_eq!(samples.value("framecast_stream_sent_frames_total{stream=\"y\",of=\"stream\"}"), 0.0);
}

#[test]
fn no_counter_goes_back_while_a_stream_gets_other_settings_and_a_removed_one_takes_its_own_along() {
    let yaml = |settings: &str| {
        format!(
            "server: {{mosaic: false}}\nstreams:\n  x: {{{settings}source: {{type: push, token: none}}}}\n  \
             y: {{source: {{type: push, token: none}}}}"
        )
    };
    beside(
        async |relay, at| {
            for n in 1..=3 {
                push_at(at, "x", &jpeg(n)).await;
            }
            drop(StreamViewer::join(at, "/streams/x").await.part().await);
            let (settings, mut before) =
                (["title: X, ", "replay: 5s, ", "replay: 9s, ", ""], scrape(at).await);
            assert_eq!(before.value("framecast_stream_received_frames_total{stream=\"x\"}"), 3.0);
            for settings in settings {
                relay.apply(config(&yaml(settings))).await.unwrap();
                let after = scrape(at).await;
                for (series, value) in before.counters() {
                    let now = after.get(series);
                    assert!(now.is_some_and(|now| now >= value), "{settings}: {series} {value} → {now:?}");
                }
                push_at(at, "x", &jpeg(4)).await;
                before = scrape(at).await;
            }
            assert_eq!(before.value("framecast_stream_received_frames_total{stream=\"x\"}"), 7.0);
            assert!(before.counters().count() > 100);
            relay.apply(config("streams: {y: {source: {type: push, token: none}}}")).await.unwrap();
            assert!(!text(at).await.contains("stream=\"x\""), "it is gone");
            relay.stop().await;
        },
        &yaml(""),
    );
}
