//! Response heads and framings.

use framecast::config::Secret;
use testkit::{
    dialects::DIALECTS,
    fake_camera::{FakeCamera, Step},
};

use crate::source_runner::{HEAD, answer, body, config, three, watch};

/// Starts a camera that sends these bytes at once, then closes.
async fn camera_sending(bytes: Vec<u8>) -> FakeCamera {
    FakeCamera::start(move |_| vec![Step::Request, Step::Send(bytes.clone())]).await
}

#[actix_web::test]
async fn every_dialect_gives_its_frames_over_a_real_socket() {
    for dialect in DIALECTS {
        let content_type = dialect.content_type.map(|value| format!("Content-Type: {value}\r\n"));
        let head = format!("HTTP/1.1 200 OK\r\n{}\r\n", content_type.unwrap_or_default());
        let camera = camera_sending(answer(&head, &(dialect.render)(&three()))).await;
        let outcome = watch(config(&camera.url("/video"))).await;
        outcome.assert_frames(&three(), dialect.name);
        let met: Vec<_> = outcome.bus.stats().quirks().map(|(quirk, _)| quirk.as_str()).collect();
        if let Some(quirk) = dialect.quirk {
            assert!(met.contains(&quirk), "{}: {quirk} in {met:?}", dialect.name);
        }
    }
}

#[actix_web::test]
async fn odd_heads_are_no_obstacle() {
    for (case, head) in [
        ("close-delimited HTTP/1.1", HEAD),
        ("HTTP/1.0", "HTTP/1.0 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n"),
        ("ICY", "ICY 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n"),
        ("no reason", "HTTP/1.1 200\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n"),
        (
            "no colon",
            "HTTP/1.1 200 OK\r\nGoAhead-Webs\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n",
        ),
        ("bare newlines", "HTTP/1.1 200 OK\nContent-Type: multipart/x-mixed-replace;boundary=cam\n\n"),
        ("no blank line", "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n"),
        (
            "4 GB",
            "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\nContent-Length: \
             4294967296\r\n\r\n",
        ),
        (
            "twice the length, once not a number",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\nContent-Length: x\r\nContent-Type: \
             multipart/x-mixed-replace;boundary=cam\r\n\r\n",
        ),
    ] {
        let camera = camera_sending(answer(head, &body(&three()))).await;
        watch(config(&camera.url("/video"))).await.assert_frames(&three(), case);
        assert_eq!(camera.connections(), 1, "{case}");
    }
}

#[actix_web::test]
async fn a_request_has_these_lines_and_no_others() {
    let camera = camera_sending(answer(HEAD, &body(&three()))).await;
    let mut config = config(&camera.url("/a%20b/video?x=1&y=[2]#top"));
    config.headers = vec![("x-token".to_owned(), Secret::new("t0ken"))];
    watch(config).await.assert_frames(&three(), "asked");
    let head = &camera.requests()[0].head;
    let mut lines: Vec<_> = head.trim_end().split("\r\n").collect();
    lines.retain(|line| !line.starts_with("Date: "));
    lines[1..].sort_unstable();
    let host = format!("Host: {}", camera.address());
    let agent = format!("User-Agent: framecast/{}", env!("CARGO_PKG_VERSION"));
    let request_line = "GET /a%20b/video?x=1&y=[2] HTTP/1.1";
    let expected = [request_line, "Accept: */*", "Content-Length: 0", &host, &agent, "X-Token: t0ken"];
    assert_eq!(lines, expected);
}

/// Starts one camera whose connection `n` sends `cut(n)`: a listener for each would use up the system's
/// ports.
async fn watch_cuts(count: usize, cut: impl Fn(usize) -> Vec<Vec<u8>> + Send + Sync + 'static) {
    let camera = FakeCamera::start(move |n| vec![Step::Request, Step::Pieces(cut(n))]).await;
    for n in 0..count {
        watch(config(&camera.url("/video"))).await.assert_frames(&three(), &format!("cut {n}"));
    }
}

#[actix_web::test]
async fn answers_may_be_cut_anywhere() {
    let whole = answer(HEAD, &body(&three()));
    watch_cuts(whole.len(), move |at| vec![whole[..at].to_vec(), whole[at..].to_vec()]).await;
}

#[actix_web::test]
async fn chunks_may_be_cut_anywhere_and_their_framing_too() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: \
        multipart/x-mixed-replace;boundary=cam\r\nTransfer-Encoding: chunked\r\n\r\n";
    let body = body(&three());
    watch_cuts(body.len() - 1, move |n| {
        let (first, second) = body.split_at(n + 1);
        let chunk = |bytes: &[u8]| [format!("{:X}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        let whole = [head.as_bytes(), &chunk(first), &chunk(second), b"0\r\n\r\n"].concat();
        // The wire is cut elsewhere than the chunks are: also inside their size lines.
        let wire_cut = head.len() + n % (whole.len() - head.len());
        vec![whole[..wire_cut].to_vec(), whole[wire_cut..].to_vec()]
    })
    .await;
}

#[actix_web::test]
async fn chunks_as_cameras_write_them_are_read() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: \
        multipart/x-mixed-replace;boundary=cam\r\nTransfer-Encoding: chunked\r\n\r\n";
    let all = body(&three());
    let (first, second) = all.split_at(all.len() / 2);
    let chunk = |size: String, bytes: &[u8], end: &str| [size.as_bytes(), bytes, end.as_bytes()].concat();
    let size = |bytes: &[u8]| format!("{:x}", bytes.len());
    for (case, body) in [
        ("extensions", chunk(size(&all) + ";a=\"b\"\r\n", &all, "\r\n0\r\n\r\n")),
        ("bare newlines", chunk(size(&all) + "\n", &all, "\n0\n\n")),
        ("a trailer", chunk(size(&all) + "\r\n", &all, "\r\n0\r\nX-Sum: 1\r\n\r\n")),
        ("closed inside a chunk", chunk("fffff\r\n".into(), &all, "")),
        ("closed without a last chunk", chunk(size(&all) + "\r\n", &all, "\r\n")),
        (
            "two",
            [
                chunk(size(first) + " \r\n", first, "\r\n"),
                chunk(size(second) + "\r\n", second, "\r\n0\r\n\r\n"),
            ]
            .concat(),
        ),
    ] {
        // In one packet with the head, and in one of their own.
        let (head, together) = (head.as_bytes().to_vec(), answer(head, &body));
        for pieces in [vec![together], vec![head, body]] {
            let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Pieces(pieces.clone())]).await;
            watch(config(&camera.url("/video"))).await.assert_frames(&three(), case);
        }
    }
}

#[actix_web::test]
async fn an_answer_that_is_not_chunked_as_it_says_is_told() {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: \
        multipart/x-mixed-replace;boundary=cam\r\nTransfer-Encoding: chunked\r\n\r\n";
    let camera = camera_sending(answer(head, &body(&three()))).await;
    let error = watch(config(&camera.url("/"))).await.error();
    assert!(error.contains("its answer is chunked, but a chunk's size is no hexadecimal number"), "{error}");
}

#[actix_web::test]
async fn a_declared_length_ends_the_body_while_the_camera_talks_on() {
    let all = body(&three());
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\nContent-Length: \
         {}\r\n\r\n",
        all.len()
    );
    let more = [&all[..], &all[..]].concat();
    // In one packet with the head, and in one of their own.
    for pieces in [vec![answer(&head, &more)], vec![head.clone().into_bytes(), more.clone()]] {
        let camera =
            FakeCamera::start(move |_| vec![Step::Request, Step::Pieces(pieces.clone()), Step::Stall]).await;
        watch(config(&camera.url("/"))).await.assert_frames(&three(), "as long as it said");
        camera.all_closed().await;
    }
}

#[actix_web::test]
async fn each_byte_may_come_alone() {
    let whole = answer(HEAD, &body(&three()));
    let pieces: Vec<_> = whole.iter().map(|byte| vec![*byte]).collect();
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Pieces(pieces.clone())]).await;
    watch(config(&camera.url("/video"))).await.assert_frames(&three(), "byte by byte");
}

#[actix_web::test]
async fn a_request_says_who_asks_and_what_for() {
    let camera = camera_sending(answer(HEAD, &body(&three()))).await;
    let mut config = config(&camera.url("/video.cgi?a=1&b=%20c"));
    config.headers = vec![("X-Api-Key".into(), framecast::config::Secret::new("k3y"))];
    watch(config).await.assert_frames(&three(), "headers");
    let [request] = &camera.requests()[..] else { panic!("one request") };
    assert!(request.head.starts_with("GET /video.cgi?a=1&b=%20c HTTP/1.1\r\n"), "{}", request.head);
    assert_eq!(request.header("Host"), Some(camera.address().to_string().as_str()));
    assert_eq!(request.header("User-Agent"), Some(concat!("framecast/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(request.header("Accept"), Some("*/*"));
    assert_eq!(request.header("Accept-Encoding"), None);
    assert_eq!(request.header("X-Api-Key"), Some("k3y"));
    assert_eq!(request.header("Authorization"), None);
}

#[actix_web::test]
async fn what_is_no_stream_is_told_by_name() {
    for (bytes, expected) in [
        (
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<html>",
            "answered text/html where a multipart or JPEG body was expected: is this the stream's URL?",
        ),
        (
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
            "answered 404 Not Found: is the URL's path right?",
        ),
        ("HTTP/1.0 503\r\n\r\nbusy", "answered 503 Service Unavailable: the camera is busy"),
        ("RTSP/1.0 200 OK\r\n\r\n", "does not answer in HTTP"),
        ("", "closed the connection without an answer"),
        ("HTTP/1.1 200 OK\r\nContent-", "closed the connection inside the head"),
        (HEAD, "closed the connection before the first frame"),
    ] {
        let camera = camera_sending(bytes.into()).await;
        let error = watch(config(&camera.url("/secret-path?token=s3cret"))).await.error();
        assert!(error.contains(expected), "{error}");
        assert!(error.contains(&camera.address().to_string()), "{error}");
        assert!(!error.contains("s3cret") && !error.contains("secret-path"), "{error}");
    }
}

#[actix_web::test]
async fn a_head_without_end_is_refused_at_its_limit() {
    let camera = FakeCamera::start(|_| {
        let lines = "X-Endless: yes\r\n".repeat(4096);
        vec![Step::Request, Step::Send(format!("HTTP/1.1 200 OK\r\n{lines}").into()), Step::Stall]
    })
    .await;
    let error = watch(config(&camera.url("/"))).await.error();
    assert!(error.contains("more than 16384 bytes (max_header_bytes)"), "{error}");
    camera.all_closed().await;
}

#[actix_web::test]
async fn ipv6_hosts_are_reached() {
    // Not every machine that runs this has IPv6.
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return;
    }
    let camera =
        FakeCamera::start_at("[::1]:0", |_| vec![Step::Request, Step::Send(answer(HEAD, &body(&three())))])
            .await;
    watch(config(&camera.url("/"))).await.assert_frames(&three(), "IPv6");
    assert_eq!(camera.requests()[0].header("Host"), Some(camera.address().to_string().as_str()));
}

#[actix_web::test]
async fn a_camera_that_is_off_is_told_with_its_address() {
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = watch(config(&format!("http://{unused}/"))).await.error();
    assert!(error.starts_with(&format!("cannot connect to {unused}: connection refused")), "{error}");
}

#[actix_web::test]
async fn a_name_without_address_is_told_by_name() {
    let error = watch(config("http://no-such-camera.invalid/")).await.error();
    assert!(error.starts_with("cannot find the address of no-such-camera.invalid: "), "{error}");
}
