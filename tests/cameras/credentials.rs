//! Basic and digest authentication, against cameras that check the credentials.

use std::{
    sync::atomic::{AtomicUsize, Ordering::SeqCst},
    time::Duration,
};

use digest_auth::{Algorithm, AlgorithmType};
use framecast::config::{HttpAuth, UpstreamConfig};
use testkit::fake_camera::{FakeCamera, Reply, Request};

use crate::source_runner::{
    HEAD, answer, body, config, config_with_login, snapshots, three, watch, watch_source,
};

/// The basic credentials of `door:s3cret`.
const BASIC: &str = "Basic ZG9vcjpzM2NyZXQ=";

fn stream() -> Reply {
    Reply { bytes: answer(HEAD, &body(&three())), close: true }
}

/// Returns a 401 that keeps the connection.
fn refuse(challenges: &[&str]) -> Reply {
    refuse_with(challenges, "<html>Unauthorized</html>")
}

/// Returns a 401 that keeps the connection, with this page.
fn refuse_with(challenges: &[&str], page: &str) -> Reply {
    let lines: String = challenges.iter().map(|c| format!("WWW-Authenticate: {c}\r\n")).collect();
    let head = format!("HTTP/1.1 401 Unauthorized\r\n{lines}Content-Length: {}\r\n\r\n{page}", page.len());
    Reply { bytes: head.into(), close: false }
}

/// Returns a parameter of a digest answer.
fn parameter<'a>(header: &'a str, name: &str) -> &'a str {
    let start =
        header.find(&format!("{name}=")).unwrap_or_else(|| panic!("{name} in {header}")) + name.len() + 1;
    let rest = &header[start..];
    match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => rest.split(',').next().unwrap().trim(),
    }
}

/// Whether a digest is right, computed here as RFC 7616, section 3.4.1, describes it.
fn digest_is_right(request: &Request, algorithm: AlgorithmType, nonce: &str) -> bool {
    let Some(header) = request.header("Authorization").filter(|value| value.starts_with("Digest ")) else {
        return false;
    };
    let hash = |text: String| Algorithm::new(algorithm, false).hash_str(&text);
    let ha1 = hash(format!("{}:{}:s3cret", parameter(header, "username"), parameter(header, "realm")));
    let ha2 = hash(format!("GET:{}", request.target()));
    let [nc, cnonce, qop] = ["nc", "cnonce", "qop"].map(|name| parameter(header, name));
    let expected = hash(format!("{ha1}:{nonce}:{nc}:{cnonce}:{qop}:{ha2}"));
    parameter(header, "nonce") == nonce
        && parameter(header, "uri") == request.target()
        && qop == "auth"
        && parameter(header, "response") == expected
}

#[actix_web::test]
async fn basic_is_answered_when_asked_for_and_not_before() {
    let camera = FakeCamera::answering(|request| match request.header("Authorization") {
        Some(BASIC) => stream(),
        _ => refuse(&["Basic realm=\"cam\""]),
    })
    .await;
    watch(config_with_login(&camera.url("/v"))).await.assert_frames(&three(), "basic");
    let requests = camera.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].header("Authorization"), None);
    assert_eq!(camera.connections(), 1, "the kept connection is used again");
}

/// Reading a longer page would cost more than a new connection.
#[actix_web::test]
async fn a_connection_is_used_again_after_an_error_page_of_up_to_64_kib() {
    for (bytes, connections) in [(64 * 1024, 1), (64 * 1024 + 1, 2)] {
        let camera = FakeCamera::answering(move |request| match request.header("Authorization") {
            Some(BASIC) => stream(),
            _ => refuse_with(&["Basic realm=\"cam\""], &"x".repeat(bytes)),
        })
        .await;
        watch(config_with_login(&camera.url("/v"))).await.assert_frames(&three(), "basic");
        assert_eq!(camera.connections(), connections, "after a page of {bytes} bytes");
    }
}

#[actix_web::test]
async fn digest_is_computed_with_md5_and_sha_256() {
    for (name, algorithm) in [("MD5", AlgorithmType::MD5), ("SHA-256", AlgorithmType::SHA2_256)] {
        let camera = FakeCamera::answering(move |request| {
            if digest_is_right(request, algorithm, "n0nce") {
                stream()
            } else {
                refuse(&[&format!("Digest realm=\"cam\", qop=\"auth\", nonce=\"n0nce\", algorithm={name}")])
            }
        })
        .await;
        watch(config_with_login(&camera.url("/v?a=b"))).await.assert_frames(&three(), name);
        assert_eq!(camera.requests().len(), 2, "{name}");
    }
}

#[actix_web::test]
async fn the_password_is_not_sent_in_the_clear_where_digest_is_offered() {
    let camera = FakeCamera::answering(|request| {
        if digest_is_right(request, AlgorithmType::MD5, "n") {
            stream()
        } else {
            refuse(&["Basic realm=\"cam\"", "Digest realm=\"cam\", qop=\"auth\", nonce=\"n\""])
        }
    })
    .await;
    watch(config_with_login(&camera.url("/"))).await.assert_frames(&three(), "digest of two");
    assert!(camera.requests().iter().all(|request| request.header("Authorization") != Some(BASIC)));
}

#[actix_web::test]
async fn digest_is_tried_when_basic_was_refused() {
    let camera = FakeCamera::answering(|request| {
        if digest_is_right(request, AlgorithmType::MD5, "n") {
            stream()
        } else if request.header("Authorization") == Some(BASIC) {
            refuse(&["Digest realm=\"cam\", qop=\"auth\", nonce=\"n\""])
        } else {
            refuse(&["Basic realm=\"cam\""])
        }
    })
    .await;
    watch(config_with_login(&camera.url("/"))).await.assert_frames(&three(), "basic, then digest");
    assert_eq!(camera.requests().len(), 3);
}

#[actix_web::test]
async fn a_stale_nonce_is_replaced() {
    let asked = AtomicUsize::new(0);
    let camera = FakeCamera::answering(move |request| match asked.fetch_add(1, SeqCst) {
        0 => refuse(&["Digest realm=\"cam\", qop=\"auth\", nonce=\"old\""]),
        1 => refuse(&["Digest realm=\"cam\", qop=\"auth\", nonce=\"new\", stale=true"]),
        _ if digest_is_right(request, AlgorithmType::MD5, "new") => stream(),
        _ => refuse(&["Digest realm=\"cam\", qop=\"auth\", nonce=\"late\""]),
    })
    .await;
    watch(config_with_login(&camera.url("/"))).await.assert_frames(&three(), "stale");
}

#[actix_web::test]
async fn a_refusal_that_closes_needs_a_second_connection_but_never_two_at_once() {
    let camera = FakeCamera::answering(|request| match request.header("Authorization") {
        Some(BASIC) => stream(),
        _ => Reply {
            bytes: b"HTTP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=cam\r\n\r\nno".to_vec(),
            close: true,
        },
    })
    .await;
    watch(config_with_login(&camera.url("/"))).await.assert_frames(&three(), "closing");
    assert_eq!((camera.connections(), camera.most_open()), (2, 1));
}

#[actix_web::test]
async fn a_nonce_is_used_for_one_connection_only() {
    let camera = FakeCamera::answering(|request| {
        let nonce = format!("n{}", request.connection);
        if digest_is_right(request, AlgorithmType::MD5, &nonce) {
            stream()
        } else {
            refuse(&[&format!("Digest realm=\"cam\", qop=\"auth\", nonce=\"{nonce}\"")])
        }
    })
    .await;
    let config = config_with_login(&camera.url("/"));
    let mut source =
        framecast::source::camera::mjpeg::MjpegSource::new(config, &crate::source_runner::limits());
    for _ in 0..3 {
        crate::source_runner::watch_source(&mut source).await.assert_frames(&three(), "each run");
    }
    assert_eq!((camera.connections(), camera.requests().len()), (3, 6));
}

#[actix_web::test]
async fn wrong_and_missing_passwords_end_soon_and_are_told_without_showing_them() {
    for challenge in ["Basic realm=\"cam\"", "Digest realm=\"cam\", qop=\"auth\", nonce=\"n\""] {
        let camera = FakeCamera::answering(move |_| refuse(&[challenge])).await;
        for config in [config(&camera.url("/")), config_with_login(&camera.url("/"))] {
            let error = watch(config).await.error();
            let expected = format!(
                "{} answered 401: user or password is wrong, or missing in the URL",
                camera.address()
            );
            assert_eq!(error, expected);
        }
        assert_eq!(camera.requests().len(), 3, "one without a login, two with one: accounts get locked");
    }
}

/// The answer of a camera that refuses without a challenge, by closing if the status is empty. It is gone
/// after two right answers.
fn refusing(status: &'static str) -> impl Fn(&Request) -> Reply {
    let served = AtomicUsize::new(0);
    move |request| match request.header("Authorization") {
        Some(BASIC) if served.fetch_add(1, SeqCst) < 2 => stream(),
        Some(BASIC) => Reply { bytes: b"HTTP/1.1 410 Gone\r\nContent-Length: 0\r\n\r\n".into(), close: true },
        _ if status.is_empty() => Reply { bytes: Vec::new(), close: true },
        _ => {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            Reply { bytes: head.into(), close: true }
        }
    }
}

const UNASKED: &str = "; if it wants user and password without asking for them, set `auth: basic`";

#[actix_web::test]
async fn a_camera_that_refuses_without_asking_is_named_with_the_setting_and_works_with_it() {
    for status in ["404 Not Found", "403 Forbidden", ""] {
        let camera = FakeCamera::answering(refusing(status)).await;
        let error = watch(config_with_login(&camera.url("/v"))).await.error();
        assert!(error.ends_with(UNASKED), "{status}: {error}");
        // Without user and password there is nothing to send.
        let error = watch(config(&camera.url("/v"))).await.error();
        assert!(!error.contains("auth"), "{status}: {error}");
        let asked = camera.requests().len();
        let basic = UpstreamConfig { auth: HttpAuth::Basic, ..config_with_login(&camera.url("/v")) };
        watch(basic.clone()).await.assert_frames(&three(), status);
        let outcome = watch_source(&mut snapshots(basic, Duration::from_millis(1))).await;
        outcome.assert_shown(&three()[..1], status);
        let requests = camera.requests();
        assert!(requests.len() > asked + 1, "{status}");
        assert!(requests[asked..].iter().all(|one| one.header("Authorization") == Some(BASIC)), "{status}");
    }
}

#[actix_web::test]
async fn basic_that_is_sent_unasked_and_refused_is_a_wrong_password() {
    for (status, expected) in [
        ("404 Not Found", "answered 404 Not Found: is the URL's path right?"),
        ("401 Unauthorized", "answered 401: user or password is wrong, or missing in the URL"),
    ] {
        let camera = FakeCamera::answering(move |_| {
            let head = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
            Reply { bytes: head.into(), close: true }
        })
        .await;
        let basic = UpstreamConfig { auth: HttpAuth::Basic, ..config_with_login(&camera.url("/v")) };
        let error = watch(basic).await.error();
        assert!(error.ends_with(expected), "{error}");
        assert_eq!(camera.requests().len(), 1, "{status}");
    }
}

#[actix_web::test]
async fn basic_that_is_sent_unasked_gives_way_to_digest() {
    let camera = FakeCamera::answering(|request| {
        let is_right = digest_is_right(request, AlgorithmType::MD5, "n1");
        let challenge = "Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\", algorithm=MD5";
        if is_right { stream() } else { refuse(&[challenge]) }
    })
    .await;
    let basic = UpstreamConfig { auth: HttpAuth::Basic, ..config_with_login(&camera.url("/v")) };
    watch(basic).await.assert_frames(&three(), "digest");
    assert_eq!(camera.requests()[0].header("Authorization"), Some(BASIC));
}

#[actix_web::test]
async fn basic_is_sent_unasked_to_the_configured_origin_only() {
    let other = FakeCamera::answering(refusing("404 Not Found")).await;
    let elsewhere = other.url("/v");
    let first = FakeCamera::answering(move |request| {
        let to = if request.target() == "/v" { "/w" } else { elsewhere.as_str() };
        let head = format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n");
        Reply { bytes: head.into(), close: false }
    })
    .await;
    let basic = UpstreamConfig { auth: HttpAuth::Basic, ..config_with_login(&first.url("/v")) };
    let error = watch(basic).await.error();
    assert!(error.ends_with("answered 404 Not Found: is the URL's path right?"), "{error}");
    let sent = |camera: &FakeCamera| -> Vec<_> {
        camera.requests().iter().map(|one| one.header("Authorization").map(str::to_owned)).collect()
    };
    assert_eq!(sent(&first), [Some(BASIC.to_owned()), Some(BASIC.to_owned())], "also to another path of it");
    assert_eq!(sent(&other), [None]);
}
