//! The parts of a stream.

use std::time::{SystemTime, UNIX_EPOCH};

use testkit::{
    pictures::{jpeg, large_jpeg, without_segments},
    stream_client::{FIRST_DELIMITER, HEAD_AHEAD, IMG, NEXT_DELIMITER, StreamViewer, push},
};

use crate::TestRelay;

#[tokio::test]
async fn a_part_has_exactly_three_headers_in_this_letter_case() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    let part = viewer.part().await;
    let names: Vec<_> = part.headers.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["Content-Type", "Content-Length", "X-Timestamp"]);
    assert_eq!(part.get("Content-Type"), "image/jpeg");
    assert_eq!(part.get("Content-Length"), jpeg(1).len().to_string());
    assert_timestamp(part.get("X-Timestamp"));
}

/// Seconds since 1970, with microseconds; not from the future.
fn assert_timestamp(text: &str) {
    let (seconds, micros) = text.split_once('.').expect("a point");
    assert_eq!(micros.len(), 6, "{text}");
    assert!(micros.bytes().all(|byte| byte.is_ascii_digit()), "{text}");
    let seconds: u64 = seconds.parse().unwrap();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!((1_700_000_000..=now).contains(&seconds), "{text}");
}

#[tokio::test]
async fn a_repeated_picture_keeps_its_time_and_a_new_one_has_its_own() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    let first = viewer.part().await;
    assert_eq!(viewer.part().await.get("X-Timestamp"), first.get("X-Timestamp"));
    push(&relay, "x", &jpeg(2)).await;
    let second = viewer.after(&jpeg(1)).await;
    let time = |part: &testkit::stream_client::Part| part.get("X-Timestamp").parse::<f64>().unwrap();
    assert!(time(&second) > time(&first));
}

/// The delimiter comes with the frame before it: Firefox shows a frame only when it has seen it.
#[tokio::test]
async fn each_chunk_is_one_part_with_the_delimiter_behind_it() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut viewer = StreamViewer::ask(relay.address(), "/streams/x").await;
    assert_eq!(viewer.body.chunk().await, FIRST_DELIMITER.as_bytes());
    for _ in 0..2 {
        let chunk = viewer.body.chunk().await;
        let headers_end = chunk.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
        let expected = [&jpeg(1), NEXT_DELIMITER.as_bytes()].concat();
        assert!(chunk[headers_end..] == expected, "not a picture with its delimiter");
    }
}

/// Chromium and WebKit draw a part when they have the headers of the next one.
#[tokio::test]
async fn an_img_gets_each_parts_headers_with_the_picture_before() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for lines in [
        IMG,
        "Sec-Fetch-Dest: image\r\nSec-Fetch-Mode: no-cors\r\nAccept: */*\r\n",
        "Accept: image/avif,image/webp,image/apng,*/*;q=0.8\r\n",
        "Accept: Image/png, */*\r\n",
    ] {
        for target in ["/streams/x", "/streams/x?chunked=0", "/?action=stream", "/streams/x?gray=1"] {
            let mut viewer = StreamViewer::ask_with(relay.address(), target, lines).await;
            let first = [FIRST_DELIMITER, HEAD_AHEAD].concat();
            assert_eq!(String::from_utf8(viewer.body.exactly(first.len()).await).unwrap(), first);
            let picture = viewer.body.exactly(jpeg(1).len()).await;
            assert!(picture == jpeg(1) || target.contains("gray"), "{target}, {lines}");
            if target.contains("gray") {
                continue;
            }
            let next = [NEXT_DELIMITER, HEAD_AHEAD].concat();
            assert_eq!(String::from_utf8(viewer.body.exactly(next.len()).await).unwrap(), next);
        }
    }
}

#[tokio::test]
async fn whoever_is_no_img_gets_the_headers_with_the_picture() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for lines in [
        "",
        "Accept: */*\r\n",
        "Accept: text/html,image/webp\r\n",
        "Accept: imagery/jpeg\r\n",
        "Sec-Fetch-Dest: document\r\nAccept: image/webp\r\n",
        "Sec-Fetch-Dest: empty\r\n",
        "Sec-Fetch-Mode: no-cors\r\nAccept: image/webp\r\n",
        "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/156.0.0.0 Safari/537.36\r\n",
    ] {
        let mut viewer = StreamViewer::ask_with(relay.address(), "/streams/x", lines).await;
        viewer.first_delimiter().await;
        for _ in 0..2 {
            let part = viewer.part().await;
            assert_eq!((part.headers.len(), &part.jpeg), (3, &jpeg(1)), "{lines}");
        }
    }
}

/// ustreamer's parameters and the raw format are what was asked for, whoever asks.
#[tokio::test]
async fn an_img_gets_the_form_of_parts_that_its_url_asks_for() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for (query, first) in [
        ("extra_headers=1", "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: "),
        ("zero_data=1", "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n"),
        ("advance_headers=1", "--boundarydonotcross\r\nContent-Type: image/jpeg\r\nX-Timestamp: "),
    ] {
        let target = format!("/streams/x?{query}");
        let mut viewer = StreamViewer::ask_with(relay.address(), &target, IMG).await;
        assert_eq!(String::from_utf8(viewer.body.exactly(first.len()).await).unwrap(), first, "{query}");
    }
    let mut viewer = StreamViewer::ask_with(relay.address(), "/streams/x?format=raw", IMG).await;
    assert_eq!(viewer.body.exactly(jpeg(1).len()).await, jpeg(1));
}

#[tokio::test]
async fn a_picture_goes_out_as_the_very_bytes_that_came_in() {
    let pictures = [jpeg(1), large_jpeg(2, 10_000), large_jpeg(3, 3_000_000), jpeg(4)];
    let relay = TestRelay::live_push(&pictures[0]).await;
    let mut chunked = StreamViewer::join(relay.address(), "/streams/x").await;
    let mut raw = StreamViewer::join(relay.address(), "/?action=stream").await;
    let mut seen = Vec::new();
    for picture in &pictures {
        push(&relay, "x", picture).await;
        for viewer in [&mut chunked, &mut raw] {
            let part = if seen == *picture { viewer.part().await } else { viewer.after(&seen).await };
            assert!(part.jpeg == *picture || seen.is_empty(), "other bytes");
        }
        seen.clone_from(picture);
    }
}

/// Enough viewers for pages that they share, pictures that no socket takes at once, and one too large for
/// pages.
#[tokio::test]
async fn the_same_bytes_come_whichever_way_they_are_sent() {
    for processing in ["true", "false", "auto"] {
        let yaml = format!(
            "server: {{sendfile: {processing}}}\nstreams: {{x: {{source: {{type: push, token: none}}}}}}"
        );
        let relay = TestRelay::start(&yaml);
        let mut viewers = Vec::new();
        for target in ["/streams/x", "/streams/x?chunked=0"].repeat(4) {
            viewers.push(StreamViewer::join(relay.address(), target).await);
        }
        let mut images = Vec::new();
        for _ in 0..8 {
            let mut viewer = StreamViewer::ask_with(relay.address(), "/streams/x", IMG).await;
            assert_eq!(viewer.body.chunk().await, [FIRST_DELIMITER, HEAD_AHEAD].concat().as_bytes());
            images.push(viewer);
        }
        for picture in
            [jpeg(1), large_jpeg(2, 400_000), large_jpeg(3, 3_000_000), jpeg(4), large_jpeg(5, 100_000)]
        {
            push(&relay, "x", &picture).await;
            for viewer in &mut viewers {
                viewer.until(&picture).await;
            }
            let chunk = [&picture, NEXT_DELIMITER.as_bytes(), HEAD_AHEAD.as_bytes()].concat();
            for viewer in &mut images {
                while viewer.body.chunk().await != chunk {}
            }
        }
    }
}

/// Cheap cameras leave them out, and Apple's browsers show black then.
#[tokio::test]
async fn missing_huffman_tables_are_added_and_nothing_else_is_changed() {
    const DHT: u8 = 0xc4;
    let bare = without_segments(&jpeg(1), DHT);
    assert!(bare.len() < jpeg(1).len());
    let relay = TestRelay::live_push(&bare).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    let shown = viewer.part().await.jpeg;
    assert!(shown.len() > bare.len(), "tables were added");
    assert!(without_segments(&shown, DHT) == bare, "and nothing else");
}

#[tokio::test]
async fn the_raw_format_is_pictures_one_behind_the_other() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    for target in ["/streams/x?format=raw", "/streams/x?format=raw&chunked=0", "/x.mjpg?format=raw"] {
        let mut viewer = StreamViewer::ask(relay.address(), target).await;
        assert_eq!(viewer.head.get("content-type"), Some("application/octet-stream"), "{target}");
        for _ in 0..3 {
            assert_eq!(viewer.body.exactly(jpeg(1).len()).await, jpeg(1), "{target}");
        }
    }
}
