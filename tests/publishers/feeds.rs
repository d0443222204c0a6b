//! Pictures one behind the other in one body.

use testkit::raw_client::Client;

use crate::publisher::{
    Feed, INBOX, Viewer, answer, assert_refused, jpeg, jpeg_of_size, post, pushed, report, shown, start,
    until,
};

const FEED: &str = "/streams/inbox/feed";

fn part(jpeg: &[u8], with_length: bool) -> Vec<u8> {
    let length = if with_length { format!("Content-Length: {}\r\n", jpeg.len()) } else { String::new() };
    [format!("--ffmpeg\r\nContent-Type: image/jpeg\r\n{length}\r\n").as_bytes(), jpeg, b"\r\n"].concat()
}

/// Feeds pictures in this way, and watches each before the next is sent.
async fn each_is_seen_before_the_next(target: &str, kind: Option<&str>, write: impl Fn(&[u8]) -> Vec<u8>) {
    let relay = start();
    let at = relay.address();
    let mut feed = Feed::begin(at, target, kind).await;
    feed.send(&write(&jpeg(0))).await;
    until(at, "inbox", "frames_in", 1).await;
    let mut viewer = Viewer::join(at, "inbox").await;
    for n in 1..=5 {
        let bytes = write(&jpeg(n));
        // In two pieces: a picture may come in any.
        let (start, end) = bytes.split_at(bytes.len() / 2);
        feed.send(start).await;
        feed.send(end).await;
        viewer.sees(&jpeg(n), &jpeg(n - 1)).await;
    }
    let answer = feed.end().await;
    assert_eq!((answer.head.status, answer.json()), (200, serde_json::json!({"frames": 6})));
    assert_eq!(shown(at, "inbox").await, jpeg(5));
}

#[tokio::test]
async fn parts_with_a_length_are_seen_as_they_arrive() {
    let kind = Some("multipart/x-mixed-replace;boundary=ffmpeg");
    each_is_seen_before_the_next(FEED, kind, |jpeg| part(jpeg, true)).await;
}

#[tokio::test]
async fn parts_without_a_length_are_seen_before_their_delimiter_comes() {
    let kind = Some("multipart/x-mixed-replace; boundary=ffmpeg");
    each_is_seen_before_the_next(FEED, kind, |jpeg| part(jpeg, false)).await;
}

#[tokio::test]
async fn a_feed_without_any_content_type_as_ffmpeg_sends_it_is_seen_as_it_arrives() {
    each_is_seen_before_the_next(FEED, None, |jpeg| part(jpeg, true)).await;
}

#[tokio::test]
async fn jpegs_end_to_end_are_seen_as_they_arrive() {
    for kind in ["video/x-motion-jpeg", "image/jpeg"] {
        each_is_seen_before_the_next(FEED, Some(kind), <[u8]>::to_vec).await;
    }
}

#[tokio::test]
async fn what_can_only_be_a_feed_is_one_at_the_frames_address_too() {
    let kind = Some("multipart/x-mixed-replace; boundary=ffmpeg");
    each_is_seen_before_the_next(INBOX, kind, |jpeg| part(jpeg, true)).await;
    each_is_seen_before_the_next(INBOX, Some("video/x-motion-jpeg"), <[u8]>::to_vec).await;
}

#[tokio::test]
async fn the_newest_publisher_wins_and_the_older_one_is_told_and_let_go() {
    let relay = start();
    let at = relay.address();
    let mut older = Feed::begin(at, FEED, Some("image/jpeg")).await;
    older.send(&jpeg(1)).await;
    until(at, "inbox", "frames_in", 1).await;
    let mut newer = Feed::begin(at, FEED, Some("image/jpeg")).await;
    newer.send(&jpeg(2)).await;
    assert!(assert_refused(&older.answer().await, 409).contains("the newest wins"));
    // Its body goes on, as that of a program does that reads no answers; the relay does not read it for ever.
    older.closed().await;
    until(at, "inbox", "frames_in", 2).await;
    newer.send(&jpeg(3)).await;
    assert_eq!(newer.end().await.json()["frames"], 2);
    assert_eq!(shown(at, "inbox").await, jpeg(3));
}

#[tokio::test]
async fn a_publisher_that_breaks_off_mid_frame_leaves_its_last_whole_frame_and_a_count() {
    let relay = start();
    let at = relay.address();
    let mut feed = Feed::begin(at, FEED, Some("image/jpeg")).await;
    feed.send(&jpeg(1)).await;
    until(at, "inbox", "frames_in", 1).await;
    feed.send(&jpeg(2)[..100]).await;
    drop(feed);
    until(at, "inbox", "dropped/invalid", 1).await;
    assert_eq!(shown(at, "inbox").await, jpeg(1));
    assert_eq!(report(at, "inbox").await["frames_in"], 1);
}

#[tokio::test]
async fn pictures_that_are_no_good_are_left_out_of_a_feed_and_counted() {
    let relay = start();
    let at = relay.address();
    let kind = Some("multipart/x-mixed-replace; boundary=ffmpeg");
    let mut feed = Feed::begin(at, FEED, kind).await;
    let cut = &jpeg(2)[..jpeg(2).len() - 20];
    for picture in [&jpeg(1), cut, &jpeg_of_size(3, 400, 400), &vec![0xFF; 400_000], &jpeg(4)] {
        feed.send(&part(picture, true)).await;
    }
    assert_eq!(feed.end().await.json()["frames"], 2);
    assert_eq!(shown(at, "inbox").await, jpeg(4));
    let dropped = report(at, "inbox").await["dropped"].clone();
    // The last of the bad ones is no JPEG at all, so it is not a large one either.
    assert_eq!((&dropped["invalid"], &dropped["too_large"]), (&2.into(), &1.into()), "{dropped}");
}

#[tokio::test]
async fn a_feed_that_holds_no_picture_is_refused_and_counted() {
    let relay = start();
    let at = relay.address();
    let mut feed = Feed::begin(at, FEED, None).await;
    feed.send(b"<!doctype html><p>not found").await;
    let answer = assert_refused(&feed.end().await, 415);
    assert!(answer.contains("(text/html)") && !answer.contains("not found"), "{answer}");
    let feed = Feed::begin(at, FEED, None).await;
    assert_refused(&feed.end().await, 422);
    let mut feed = Feed::begin(at, FEED, Some("image/jpeg")).await;
    feed.send(&jpeg(1)[..100]).await;
    assert_refused(&feed.end().await, 422);
    let mut feed = Feed::begin(at, FEED, None).await;
    for _ in 0..40 {
        feed.send(&[b'x'; 16_384]).await;
    }
    assert_refused(&feed.answer().await, 415);
    assert_eq!(report(at, "inbox").await["dropped"]["invalid"], 3);
}

#[tokio::test]
async fn a_relay_that_stops_tells_its_publishers() {
    let mut relay = start();
    let at = relay.address();
    let mut feed = Feed::begin(at, FEED, None).await;
    feed.send(&part(&jpeg(1), true)).await;
    until(at, "inbox", "frames_in", 1).await;
    relay.begin_stop();
    assert!(assert_refused(&feed.answer().await, 503).contains("stopping"));
}

const STEADY: &str = "/streams/steady/feed";

#[tokio::test]
async fn where_the_second_publisher_is_refused_the_first_one_stays_until_it_has_gone() {
    let relay = start();
    let at = relay.address();
    let mut first = Feed::begin(at, STEADY, Some("image/jpeg")).await;
    first.send(&jpeg(1)).await;
    until(at, "steady", "frames_in", 1).await;
    let mut second = Feed::begin(at, STEADY, Some("image/jpeg")).await;
    second.send(&jpeg(2)).await;
    assert!(assert_refused(&second.answer().await, 409).contains("the first one stays"));
    second.closed().await;
    let single = post(at, "/streams/steady/frame", &[], &jpeg(3)).await;
    assert!(assert_refused(&single, 409).contains("the first one stays"));
    first.send(&jpeg(4)).await;
    assert_eq!(first.end().await.json()["frames"], 2);
    assert_eq!(shown(at, "steady").await, jpeg(4), "nobody else was shown");
    pushed(&post(at, "/streams/steady/frame", &[], &jpeg(5)).await);
    let mut next = Feed::begin(at, STEADY, Some("image/jpeg")).await;
    next.send(&jpeg(6)).await;
    assert_eq!(next.end().await.json()["frames"], 1);
    assert_eq!(report(at, "steady").await["frames_in"], 4);
}

/// GStreamer's multipartmux makes three buffers of each picture, and souphttpclientsink a request of each.
#[tokio::test]
async fn a_request_for_each_part_head_picture_and_line_end_is_a_feed_too() {
    let relay = start();
    let at = relay.address();
    let mut client = Client::connect(at).await;
    for target in [FEED, INBOX] {
        for n in 1..=3 {
            let head =
                format!("--b\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg(n).len());
            for (body, statuses) in
                [(head.as_bytes(), [200, 200]), (&jpeg(n), [200, 204]), (b"\r\n", [200, 200])]
            {
                let status = statuses[usize::from(target == INBOX)];
                let length = body.len();
                let head = format!("PUT {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n");
                client.send(&[head.as_bytes(), body].concat()).await;
                assert_eq!(answer(&mut client).await.head.status, status, "{target}");
            }
            assert_eq!(shown(at, "inbox").await, jpeg(n));
        }
    }
    let report = report(at, "inbox").await;
    assert_eq!((&report["frames_in"], &report["dropped"]["invalid"]), (&6.into(), &0.into()));
    for no_head in [&b"Error: no picture\r\n"[..], b"--b\r\nContent-Type: image/jpeg\r\n\r\nno picture"] {
        assert_refused(&post(at, FEED, &[], no_head).await, 415);
    }
}

#[tokio::test]
async fn a_body_without_end_at_the_frames_address_is_a_feed_from_its_second_picture_on() {
    type Between = fn(&[u8]) -> Vec<u8>;
    let between: [Between; 3] = [<[u8]>::to_vec, |jpeg| [jpeg, b"\r\n"].concat(), |jpeg| part(jpeg, true)];
    for write in between {
        for kind in [None, Some("image/jpeg"), Some("application/octet-stream")] {
            let relay = start();
            let at = relay.address();
            let mut feed = Feed::begin(at, INBOX, kind).await;
            feed.send(&write(&jpeg(0))).await;
            feed.send(&write(&jpeg(1))).await;
            until(at, "inbox", "frames_in", 2).await;
            let mut viewer = Viewer::join(at, "inbox").await;
            for n in 2..=4 {
                feed.send(&write(&jpeg(n))).await;
                viewer.sees(&jpeg(n), &jpeg(n - 1)).await;
            }
            assert_eq!(feed.end().await.json(), serde_json::json!({"frames": 5}));
        }
    }
}

#[tokio::test]
async fn the_first_picture_of_a_body_without_end_is_shown_though_nothing_follows() {
    let relay = start();
    let mut feed = Feed::begin(relay.address(), INBOX, Some("image/jpeg")).await;
    feed.send(&jpeg(1)).await;
    until(relay.address(), "inbox", "frames_in", 1).await;
    assert_eq!(shown(relay.address(), "inbox").await, jpeg(1));
    feed.send(&jpeg(2)).await;
    assert_eq!(feed.end().await.json()["frames"], 2);
}

#[tokio::test]
async fn a_body_without_end_that_is_no_picture_is_refused_at_once() {
    let relay = start();
    for body in
        [&b"\x00\x00\x00\x18ftypisom and a video that goes on"[..], b"<html><body>no picture, and no end"]
    {
        let mut feed = Feed::begin(relay.address(), INBOX, None).await;
        feed.send(body).await;
        assert!(assert_refused(&feed.answer().await, 415).contains("not a picture"));
    }
}
