//! Polled snapshots.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use framecast::bus::DropReason;
use testkit::fake_camera::{FakeCamera, Reply, Step};

use crate::source_runner::{
    Outcome, config, config_with_login, jpeg, jpeg_of_size, snapshots, three, watch_source,
};

const OFTEN: Duration = Duration::from_millis(1);

fn picture(more: &str, picture: &[u8]) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n{more}Content-Length: {}\r\n\r\n",
        picture.len()
    );
    Reply { bytes: [head.as_bytes(), picture].concat(), close: false }
}

/// Returns a response that ends a run when it comes twice in a row, as any other than a picture does.
fn gone() -> Reply {
    Reply { bytes: b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), close: false }
}

async fn poll(camera: &FakeCamera) -> Outcome {
    watch_source(&mut snapshots(config(&camera.url("/snap.jpg")), OFTEN)).await
}

/// Starts a camera that answers its `n`th request by `answer(n)`.
async fn counting(answer: impl Fn(usize) -> Reply + Send + Sync + 'static) -> FakeCamera {
    let asked = AtomicUsize::new(0);
    FakeCamera::answering(move |_| answer(asked.fetch_add(1, SeqCst))).await
}

#[actix_web::test]
async fn pictures_are_polled_over_one_connection() {
    let camera = counting(|n| three().get(n).map_or_else(gone, |jpeg| picture("", jpeg))).await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&three(), "three polls");
    assert!(
        outcome.error().ends_with("answered 404 Not Found: is the URL's path right?"),
        "{}",
        outcome.error()
    );
    assert_eq!((camera.requests().len(), camera.connections()), (5, 1));
    camera.all_closed().await;
}

#[actix_web::test]
async fn the_same_bytes_are_shown_once() {
    let camera = counting(|n| match n {
        0..3 => picture("", &jpeg(1)),
        3 => picture("", &jpeg(2)),
        _ => gone(),
    })
    .await;
    poll(&camera).await.assert_shown(&[jpeg(1), jpeg(2)], "unchanged");
    assert_eq!(camera.requests().len(), 6);
}

#[actix_web::test]
async fn what_the_camera_says_about_the_picture_is_asked_with_it() {
    let camera = counting(|n| match n {
        0 => picture("ETag: \"a\"\r\nLast-Modified: Mon, 03 Jan 2000 12:34:56 GMT\r\n", &jpeg(1)),
        1 => Reply {
            bytes: b"HTTP/1.1 304 Not Modified\r\nContent-Length: 700\r\n\r\n".to_vec(),
            close: false,
        },
        2 => picture("ETag: \"b\"\r\n", &jpeg(2)),
        _ => gone(),
    })
    .await;
    poll(&camera).await.assert_shown(&[jpeg(1), jpeg(2)], "304 shows nothing");
    let asked: Vec<_> = camera
        .requests()
        .iter()
        .map(|r| {
            (r.header("If-None-Match").map(str::to_owned), r.header("If-Modified-Since").map(str::to_owned))
        })
        .collect();
    let a = (Some("\"a\"".to_owned()), Some("Mon, 03 Jan 2000 12:34:56 GMT".to_owned()));
    let b = (Some("\"b\"".to_owned()), None);
    assert_eq!(asked, [(None, None), a.clone(), a, b.clone(), b]);
    assert_eq!(camera.connections(), 1, "a 304 has no body to wait for");
}

#[actix_web::test]
async fn a_camera_that_closes_after_each_picture_is_asked_again_over_a_new_connection() {
    let camera = FakeCamera::start(|n| match three().get(n) {
        Some(jpeg) => {
            let head = b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n";
            vec![Step::Request, Step::Send([&head[..], jpeg].concat())]
        }
        None => vec![Step::Request, Step::Send(gone().bytes)],
    })
    .await;
    poll(&camera).await.assert_shown(&three(), "HTTP/1.0");
    assert_eq!((camera.connections(), camera.most_open()), (5, 1));
}

#[actix_web::test]
async fn a_kept_connection_that_the_camera_closed_silently_is_replaced() {
    let camera = FakeCamera::start(|n| match three().get(n) {
        Some(jpeg) => vec![Step::Request, Step::Send(picture("Connection: keep-alive\r\n", jpeg).bytes)],
        None => vec![Step::Request, Step::Send(gone().bytes)],
    })
    .await;
    poll(&camera).await.assert_shown(&three(), "keep-alive that was not kept");
    assert_eq!((camera.connections(), camera.most_open()), (5, 1));
}

#[actix_web::test]
async fn a_kept_connection_that_ends_under_the_request_is_replaced_once() {
    let camera = FakeCamera::start(|n| match three().get(n) {
        // Takes the second request, and closes without a word.
        Some(jpeg) => vec![Step::Request, Step::Send(picture("", jpeg).bytes), Step::Request],
        None => vec![Step::Request],
    })
    .await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&three(), "each asked again");
    assert!(outcome.error().ends_with("closed the connection without an answer"), "{}", outcome.error());
    assert_eq!((camera.connections(), camera.most_open()), (5, 1));
}

/// The ESP-IDF's server writes the size of the last chunk and the empty line after it separately.
#[actix_web::test]
async fn chunked_pictures_are_polled_over_one_connection() {
    let camera = FakeCamera::start(|_| {
        let mut steps = Vec::new();
        for jpeg in three() {
            let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nTransfer-Encoding: chunked\r\n\r\n";
            let (first, second) = jpeg.split_at(20);
            let chunk = |bytes: &[u8]| [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
            let body = [head.as_bytes(), &chunk(first), &chunk(second), b"0\r\n"].concat();
            steps.extend([Step::Request, Step::Pieces(vec![body, b"\r\n".to_vec()])]);
        }
        steps.extend([Step::Request, Step::Send(gone().bytes), Step::Request, Step::Send(gone().bytes)]);
        steps
    })
    .await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&three(), "chunked");
    assert!(outcome.error().contains("answered 404 Not Found"), "{}", outcome.error());
    assert_eq!((camera.requests().len(), camera.connections()), (5, 1));
}

#[actix_web::test]
async fn what_comes_after_a_picture_is_not_taken_for_the_answer_to_the_next_request() {
    for size in [16, 640] {
        let pictures = [1, 2].map(|n| jpeg_of_size(n, size, size));
        let expected = pictures.to_vec();
        let camera = FakeCamera::start(move |n| {
            let reply = pictures.get(n).map_or_else(gone, |jpeg| picture("", jpeg));
            let unasked = picture("", &jpeg(3)).bytes;
            vec![Step::Request, Step::Send([reply.bytes, unasked].concat()), Step::Stall]
        })
        .await;
        poll(&camera).await.assert_shown(&expected, "each over a connection of its own");
        assert_eq!((camera.connections(), camera.most_open()), (4, 1));
    }
}

#[actix_web::test]
async fn a_broken_picture_is_dropped_and_the_next_one_shown() {
    let camera = counting(|n| match n {
        0 => picture("", &jpeg(1)),
        1 => picture("ETag: \"broken\"\r\n", &jpeg(2)[..40]),
        2 => picture("", &jpeg(2)),
        _ => gone(),
    })
    .await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&[jpeg(1), jpeg(2)], "around the broken one");
    assert_eq!(outcome.dropped(DropReason::Invalid), 1);
    assert!(camera.requests().iter().all(|r| r.header("If-None-Match") != Some("\"broken\"")));
}

#[actix_web::test]
async fn broken_pictures_without_end_are_given_up() {
    let camera = counting(|_| picture("", &jpeg(1)[..40])).await;
    let outcome = poll(&camera).await;
    assert!(outcome.error().contains("sends broken pictures only: "), "{}", outcome.error());
    assert_eq!(outcome.dropped(DropReason::Invalid), 10);
}

#[actix_web::test]
async fn what_is_no_jpeg_is_told_by_name() {
    for (content_type, bytes, named) in [
        ("image/png", &b"\x89PNG\r\n\x1a\n...."[..], "image/png"),
        ("image/jpeg", b"\x89PNG\r\n\x1a\n....", "image/png labelled image/jpeg"),
        ("text/html; charset=utf-8", b"<html>login</html>", "text/html"),
        ("image/jpeg", b"<html>login</html>", "text/html labelled image/jpeg"),
    ] {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            bytes.len()
        );
        let reply = [head.as_bytes(), bytes].concat();
        let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(reply.clone())]).await;
        let error = poll(&camera).await.error();
        let expected =
            format!("answered {named} where a JPEG picture was expected: is this the picture's URL?");
        assert!(error.ends_with(&expected), "{error}");
    }
}

#[actix_web::test]
async fn pictures_are_bounded_by_their_declared_length_and_by_their_bytes() {
    let camera = FakeCamera::start(|_| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 4294967296\r\n\r\n";
        vec![Step::Request, Step::Send(head.into()), Step::Stall]
    })
    .await;
    let outcome = poll(&camera).await;
    assert!(outcome.error().ends_with("sent a picture of more than 262144 bytes (max_frame_bytes)"));
    assert_eq!(outcome.dropped(DropReason::TooLarge), 1);
    let camera = FakeCamera::start(|_| {
        let head = b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8".to_vec();
        vec![Step::Request, Step::Pieces(vec![head, vec![0x55; 300 * 1024]]), Step::Stall]
    })
    .await;
    assert!(poll(&camera).await.error().ends_with("(max_frame_bytes)"));
    camera.all_closed().await;
}

#[actix_web::test]
async fn a_picture_that_ends_early_or_stalls_is_an_error() {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", jpeg(1).len());
    let half = [head.as_bytes(), &jpeg(1)[..60]].concat();
    let cut = half.clone();
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(cut.clone())]).await;
    let error = poll(&camera).await.error();
    assert!(error.ends_with("it was closed before the declared end of the picture"), "{error}");
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(half.clone()), Step::Stall]).await;
    let mut config = config(&camera.url("/"));
    config.first_frame_timeout = Duration::from_millis(50);
    let error = watch_source(&mut snapshots(config, OFTEN)).await.error();
    assert!(error.ends_with("sent no whole frame after its answer began within 0.05 s"), "{error}");
}

#[actix_web::test]
async fn a_slow_camera_is_never_asked_twice_at_once() {
    let camera = FakeCamera::start(|n| {
        if n > 0 {
            return vec![Step::Request, Step::Send(gone().bytes)];
        }
        let slow = picture("", &jpeg_of_size(1, 64, 64)).bytes.chunks(16).map(<[u8]>::to_vec).collect();
        vec![Step::Request, Step::Pieces(slow), Step::Request, Step::Send(gone().bytes)]
    })
    .await;
    poll(&camera).await.assert_shown(&[jpeg_of_size(1, 64, 64)], "slower than the interval");
    assert_eq!((camera.requests().len(), camera.most_open()), (3, 1));
}

#[actix_web::test]
async fn a_nonce_serves_all_polls_of_a_connection() {
    let asked = AtomicUsize::new(0);
    let camera = FakeCamera::answering(move |request| match request.header("Authorization") {
        Some(answer) if answer.starts_with("Digest ") => {
            three().get(asked.fetch_add(1, SeqCst)).map_or_else(gone, |jpeg| picture("", jpeg))
        }
        _ => Reply {
            bytes: b"HTTP/1.1 401 No\r\nWWW-Authenticate: Digest realm=\"c\", nonce=\"n\", \
                qop=\"auth\"\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            close: false,
        },
    })
    .await;
    let outcome = watch_source(&mut snapshots(config_with_login(&camera.url("/")), OFTEN)).await;
    outcome.assert_shown(&three(), "digest");
    let counts: Vec<_> = camera
        .requests()
        .iter()
        .filter_map(|r| r.header("Authorization")?.split("nc=").nth(1)?.split(',').next().map(str::to_owned))
        .collect();
    assert_eq!(counts, ["00000001", "00000002", "00000003", "00000004", "00000005"]);
}

#[actix_web::test]
async fn a_picture_shorter_than_its_declared_length_is_shown_with_its_last_byte() {
    // Dahua, Lorex, Amcrest: the length counts the line breaks and the boundary of a multipart that is not
    // sent.
    for surplus in [1, 32, 48] {
        for open in [false, true] {
            let camera = FakeCamera::start(move |n| {
                let Some(jpeg) = three().get(n).cloned() else {
                    return vec![Step::Request, Step::Send(gone().bytes)];
                };
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
                    jpeg.len() + surplus
                );
                let mut steps = vec![Step::Request, Step::Send([head.as_bytes(), &jpeg].concat())];
                steps.extend(open.then_some(Step::Stall));
                steps
            })
            .await;
            let outcome = poll(&camera).await;
            outcome.assert_shown(&three(), &format!("{surplus} bytes missing, open: {open}"));
            assert_eq!(outcome.quirk("short-body"), 3);
            assert_eq!(outcome.dropped(DropReason::Invalid), 0);
            assert_eq!(camera.most_open(), 1);
        }
    }
}

#[actix_web::test]
async fn a_camera_that_fails_now_and_then_is_polled_on() {
    let camera = counting(|n| match n % 3 {
        2 if n < 12 => {
            Reply { bytes: b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy".to_vec(), close: false }
        }
        _ if n < 12 => picture("", &jpeg(n as u8)),
        _ => gone(),
    })
    .await;
    let shown: Vec<_> = (0..12).filter(|n| n % 3 != 2).map(jpeg).collect();
    poll(&camera).await.assert_shown(&shown, "each third poll fails");
    assert_eq!((camera.requests().len(), camera.connections()), (13, 1), "one run, over one connection");
}

#[actix_web::test]
async fn a_picture_is_taken_whatever_its_label_and_its_success() {
    for label in ["text/plain", "text/html", "application/force-download", "multipart/x-mixed-replace", ""] {
        for status in ["206 Partial Content", "203 Yes", "200 OK"] {
            let camera = counting(move |n| match three().get(n) {
                Some(jpeg) => {
                    let kind =
                        if label.is_empty() { String::new() } else { format!("Content-Type: {label}\r\n") };
                    let head = format!("HTTP/1.1 {status}\r\n{kind}Content-Length: {}\r\n\r\n", jpeg.len());
                    Reply { bytes: [head.as_bytes(), jpeg].concat(), close: false }
                }
                None => gone(),
            })
            .await;
            poll(&camera).await.assert_shown(&three(), &format!("{label} {status}"));
        }
    }
}

#[actix_web::test]
async fn a_picture_that_is_too_large_between_two_others_is_counted() {
    let camera = counting(|n| match n {
        0 | 2 => picture("", &jpeg(n as u8)),
        1 => picture("", &jpeg_of_size(1, 1600, 1600)),
        _ => gone(),
    })
    .await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&[jpeg(0), jpeg(2)], "around the large one");
    assert_eq!(outcome.dropped(DropReason::TooLarge), 1);
}

#[actix_web::test]
async fn a_cookie_of_the_camera_is_sent_back_unless_one_is_configured() {
    let camera = async || {
        FakeCamera::answering(|request| match request.header("Cookie") {
            Some("session=a1") => picture("", &jpeg(1)),
            _ => Reply {
                bytes: b"HTTP/1.1 302 Found\r\nLocation: /snap.jpg\r\nSet-Cookie: session=a1; Path=/; \
                    HttpOnly\r\nContent-Length: 0\r\n\r\n"
                    .to_vec(),
                close: false,
            },
        })
        .await
    };
    let with_cookie = camera().await;
    let shown = async {
        let mut source = snapshots(config(&with_cookie.url("/snap.jpg")), OFTEN);
        let bus = std::sync::Arc::new(framecast::bus::Bus::default());
        let ingest = framecast::bus::Ingest::new(bus.clone(), None);
        let mut reader = bus.subscribe();
        tokio::select! {
            changed = reader.changed() => changed.unwrap(),
            result = framecast::source::Source::run(&mut source, &ingest) => panic!("{result:?}"),
        }
    };
    shown.await;
    let configured = camera().await;
    let mut config = config(&configured.url("/snap.jpg"));
    config.headers.push(("Cookie".to_owned(), framecast::config::Secret::new("mine=1")));
    let error = watch_source(&mut snapshots(config, OFTEN)).await.error();
    assert!(error.contains("redirects too often"), "{error}");
    for request in configured.requests() {
        assert_eq!(request.head.matches("ookie:").count(), 1, "{}", request.head);
        assert_eq!(request.header("Cookie"), Some("mine=1"));
    }
}

#[actix_web::test]
async fn a_picture_without_its_end_marker_is_shown_with_it() {
    let camera = counting(|n| {
        let jpegs = three();
        jpegs.get(n).map_or_else(gone, |jpeg| picture("", &jpeg[..jpeg.len() - 2]))
    })
    .await;
    let outcome = poll(&camera).await;
    outcome.assert_shown(&three(), "completed");
    assert_eq!((outcome.quirk("missing-eoi"), outcome.dropped(DropReason::Invalid)), (3, 0));
}
