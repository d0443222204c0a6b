//! Webhooks, told to real little servers: what comes, in which order, how often, and what never does.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use ring::hmac;
use rustls::{ServerConfig, crypto::ring as provider, pki_types::PrivateKeyDer};
use serde_json::Value;
use testkit::{
    binary::Framecast,
    fake_camera::{FakeCamera, Reply, Step},
    pictures::jpeg,
    program::run,
    raw_client::TIMEOUT,
    stepped_camera::{Camera, CameraConnection},
    stream_client::{StreamViewer, push_at, report},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::mpsc,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    TestRelay, beside, config,
    metrics::{scrape_until, scrape_when},
};

const SECRET: &str = "a-secret-of-the-hook";

/// Requests that a test has not looked at yet.
const MAX_UNREAD: usize = 64;

/// A request that a hook received.
#[derive(Debug)]
struct Received {
    head: String,
    body: String,
}

impl Received {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn event(&self) -> (String, String) {
        let text = |field: &str| self.json()[field].as_str().unwrap().to_owned();
        (text("event"), text("stream"))
    }

    /// As docs/configuration.md has a receiver do it.
    fn assert_signed(&self) {
        let (time, signature) = self.header("x-framecast-signature").unwrap().split_once(",v1=").unwrap();
        let time = time.strip_prefix("t=").unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let digits: Vec<u8> = signature
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        hmac::verify(&key, format!("{time}.{}", self.body).as_bytes(), &digits).expect("it is ours");
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        assert!(now.as_secs().abs_diff(time.parse().unwrap()) <= TIMEOUT.as_secs(), "{time}");
    }
}

/// A server that is told things. It answers request number `n`, counted from 0, with `answers[n]`, and those
/// behind them with 204; where it has no answer it is silent.
struct Receiver {
    address: SocketAddr,
    received: mpsc::Receiver<Received>,
}

impl Receiver {
    async fn start(answers: &'static [&'static str]) -> Self {
        Self::listen("127.0.0.1:0".parse().unwrap(), answers).await
    }

    async fn listen(address: SocketAddr, answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, received) = mpsc::channel(MAX_UNREAD);
        tokio::spawn(async move {
            let mut answers = answers.iter();
            while let Ok((mut io, _)) = listener.accept().await {
                while let Some(request) = read(&mut io).await {
                    // The test is over.
                    if sender.send(request).await.is_err() {
                        return;
                    }
                    let answer = answers.next().unwrap_or(&"204 No Content");
                    let answer = format!("HTTP/1.1 {answer}\r\nContent-Length: 0\r\n\r\n");
                    if io.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
        });
        Self { address, received }
    }

    async fn next(&mut self) -> Received {
        timeout(TIMEOUT, self.received.recv()).await.expect("the hook is told").unwrap()
    }

    fn assert_nothing_came(&mut self) {
        assert!(self.received.try_recv().is_err());
    }

    /// One hook called `ops`, in YAML.
    fn hook(&self, more: &str) -> String {
        format!("webhooks: {{ops: {{url: \"http://{}/path-secret\", after: 0s{more}}}}}\n", self.address)
    }
}

async fn read(io: &mut (impl AsyncRead + Unpin)) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if io.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let received = Received { head, body: String::new() };
    let length: usize = received.header("content-length").unwrap().parse().unwrap();
    while bytes.len() < end + length {
        if io.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { body: String::from_utf8(bytes[end..].to_vec()).unwrap(), ..received })
}

fn door(camera: &Camera) -> String {
    format!("streams: {{door: {{title: Front door, on_demand: false, source: {}}}}}", camera.source())
}

/// The camera shows a picture.
async fn live(camera: &Camera) -> CameraConnection {
    let mut line = camera.accept().await;
    line.show(&jpeg(1)).await;
    line
}

fn told(event: &str) -> (String, String) {
    (event.to_owned(), "door".to_owned())
}

#[tokio::test]
async fn a_hook_is_told_what_is_lost_and_back_and_can_check_that_it_is_ours() {
    let (camera, mut receiver) = (Camera::start().await, Receiver::start(&[]).await);
    let more = format!(
        ", secret: {SECRET}, events: [lost, back, no-viewers], headers: {{Authorization: Bearer abc, X-Own: \
         y}}"
    );
    let relay = TestRelay::start(&(receiver.hook(&more) + &door(&camera)));
    drop(live(&camera).await);
    let lost = receiver.next().await;
    assert!(lost.head.starts_with("POST /path-secret HTTP/1.1\r\n"), "{}", lost.head);
    assert_eq!(lost.event(), told("lost"));
    lost.assert_signed();
    let json = lost.json();
    assert_eq!((&json["title"], &json["missed"]), (&"Front door".into(), &0.into()));
    assert_eq!(json["message"], "the source ended");
    assert!(json["time"].as_f64().unwrap() > 1e9, "{json}");
    for (name, value) in [
        ("content-type", "application/json"),
        ("x-framecast-event", "lost"),
        ("x-framecast-delivery", json["id"].as_str().unwrap()),
        ("authorization", "Bearer abc"),
        ("x-own", "y"),
        ("user-agent", concat!("framecast/", env!("CARGO_PKG_VERSION"))),
    ] {
        assert_eq!(lost.header(name), Some(value), "{name}");
    }
    let _line = live(&camera).await;
    let back = receiver.next().await;
    back.assert_signed();
    assert_eq!(back.event(), told("back"));
    assert_ne!(back.json()["id"], json["id"]);
    drop(StreamViewer::join(relay.address(), "/streams/door").await);
    assert_eq!(receiver.next().await.event(), told("no-viewers"));
}

#[tokio::test]
async fn what_is_not_taken_is_told_again_and_what_follows_waits_for_it() {
    let camera = Camera::start().await;
    // Nobody listens there yet.
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let hook = format!("webhooks: {{ops: {{url: \"http://{address}/\", after: 0s}}}}\n");
    let relay = TestRelay::start(&(hook + &door(&camera)));
    drop(live(&camera).await);
    let at = relay.address();
    scrape_when(at, "framecast_webhook_queue{webhook=\"ops\"}", 1.0).await;
    let line = live(&camera).await;
    scrape_when(at, "framecast_webhook_queue{webhook=\"ops\"}", 2.0).await;
    let answers = &["500 Internal Server Error", "503 Service Unavailable\r\nRetry-After: 1"];
    let mut receiver = Receiver::listen(address, answers).await;
    let first = receiver.next().await;
    assert_eq!(first.event(), told("lost"));
    for _ in 0..2 {
        let again = receiver.next().await;
        assert_eq!((&again.body, again.header("x-framecast-signature")), (&first.body, None), "the same");
    }
    assert_eq!(receiver.next().await.event(), told("back"), "behind it");
    let delivered = "framecast_webhook_events_total{webhook=\"ops\",outcome=\"delivered\"}";
    let samples = scrape_when(at, delivered, 2.0).await;
    assert!(samples.value("framecast_webhook_retries_total{webhook=\"ops\"}") >= 3.0);
    assert_eq!(samples.value("framecast_webhook_queue{webhook=\"ops\"}"), 0.0);
    drop(line);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_a_refusal_not_repeated_and_the_next_event_says_what_is_missing() {
    let (camera, mut elsewhere) = (Camera::start().await, Receiver::start(&[]).await);
    let to = format!("302 Found\r\nLocation: http://{}/", elsewhere.address).leak();
    let answers: &'static [&'static str] = vec![&*to, "410 Gone"].leak();
    let mut receiver = Receiver::start(answers).await;
    let relay = TestRelay::start(&(receiver.hook("") + &door(&camera)));
    drop(live(&camera).await);
    assert_eq!(receiver.next().await.event(), told("lost"));
    let line = live(&camera).await;
    assert_eq!(receiver.next().await.event(), told("back"));
    drop(line);
    let lost = receiver.next().await;
    assert_eq!((lost.event(), &lost.json()["missed"]), (told("lost"), &2.into()));
    elsewhere.assert_nothing_came();
    let failed = "framecast_webhook_events_total{webhook=\"ops\",outcome=\"failed\"}";
    let samples = scrape_when(relay.address(), failed, 2.0).await;
    assert_eq!(samples.value("framecast_webhook_retries_total{webhook=\"ops\"}"), 0.0);
}

#[tokio::test]
async fn a_hook_is_told_what_it_asked_for_of_the_streams_that_it_named() {
    let (camera, other) = (Camera::start().await, Camera::start().await);
    let (mut some, mut all) = (Receiver::start(&[]).await, Receiver::start(&[]).await);
    let yaml = format!(
        "webhooks:\n  some: {{url: \"http://{}/\", after: 0s, events: back, streams: [door]}}\n  \
         all: {{url: \"http://{}/\", after: 0s}}\n\
         streams:\n  door: {{on_demand: false, source: {}}}\n  yard: {{on_demand: false, source: {}}}\n",
        some.address,
        all.address,
        camera.source(),
        other.source()
    );
    let _relay = TestRelay::start(&yaml);
    drop(live(&other).await);
    drop(live(&camera).await);
    let mut heard = vec![all.next().await.event(), all.next().await.event()];
    let yards = live(&other).await;
    heard.push(all.next().await.event());
    let doors = live(&camera).await;
    heard.push(all.next().await.event());
    heard[..2].sort();
    let of = |event: &str, stream: &str| (event.to_owned(), stream.to_owned());
    assert_eq!(heard, [told("lost"), of("lost", "yard"), of("back", "yard"), told("back")]);
    assert_eq!(some.next().await.event(), told("back"), "and no other");
    some.assert_nothing_came();
    drop((yards, doors));
}

/// Answers each request that comes over TLS, with a certificate that nobody vouches for; gives the bodies.
async fn secured_receiver() -> (SocketAddr, mpsc::Receiver<Received>) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let config = ServerConfig::builder_with_provider(Arc::new(provider::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let address = listener.local_addr().unwrap();
    let (sender, received) = mpsc::channel(MAX_UNREAD);
    tokio::spawn(async move {
        while let Ok((io, _)) = listener.accept().await {
            // Whoever does not believe the certificate leaves.
            let Ok(mut io) = acceptor.accept(io).await else { continue };
            while let Some(request) = read(&mut io).await {
                if sender.send(request).await.is_err()
                    || io.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.is_err()
                {
                    return;
                }
            }
        }
    });
    (address, received)
}

#[tokio::test]
async fn a_hook_whose_certificate_nobody_vouches_for_is_told_nothing_unless_any_will_do() {
    let camera = Camera::start().await;
    let (address, mut received) = secured_receiver().await;
    let hooks = format!(
        "webhooks:\n  careful: {{url: \"https://{address}/careful\", after: 0s}}\n  \
         careless: {{url: \"https://{address}/careless\", after: 0s, insecure: true}}\n"
    );
    let relay = TestRelay::start(&(hooks + &door(&camera)));
    drop(live(&camera).await);
    let told_it = timeout(TIMEOUT, received.recv()).await.expect("one hook is told").unwrap();
    assert!(told_it.head.starts_with("POST /careless "), "{}", told_it.head);
    let samples =
        scrape_until(relay.address(), "framecast_webhook_retries_total{webhook=\"careful\"}", |n| n >= 1.0)
            .await;
    assert_eq!(samples.value("framecast_webhook_queue{webhook=\"careful\"}"), 1.0);
    assert!(received.try_recv().is_err());
}

#[test]
fn hooks_change_with_the_configuration_and_no_stream_notices() {
    let stream = "streams: {x: {source: {type: push, token: none}}}";
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let mut viewer = StreamViewer::join(at, "/streams/x").await;
            viewer.until(&jpeg(1)).await;
            let mut receiver = Receiver::start(&[]).await;
            let hook = receiver.hook(", events: no-viewers");
            let applied = relay.apply(config(&format!("{hook}{stream}"))).await.unwrap();
            assert_eq!((applied.changed.len(), applied.added.len()), (0, 0), "{applied}");
            push_at(at, "x", &jpeg(2)).await;
            assert_eq!(viewer.after(&jpeg(1)).await.jpeg, jpeg(2), "the same viewer, the next picture");
            // From then on it looks.
            scrape_when(at, "framecast_webhook_queue{webhook=\"ops\"}", 0.0).await;
            drop(viewer);
            assert_eq!(receiver.next().await.event(), ("no-viewers".to_owned(), "x".to_owned()));
            relay.apply(config(stream)).await.unwrap();
            let samples = scrape_when(at, "framecast_streams", 1.0).await;
            let hooks = samples.get("framecast_webhook_queue{webhook=\"ops\"}");
            assert_eq!(hooks, None, "it is gone");
            relay.stop().await;
        },
        stream,
    );
}

#[tokio::test]
async fn no_secret_of_a_hook_is_said_anywhere_and_one_that_never_answers_does_not_hold_up_the_end() {
    let (camera, silent) = (Camera::start().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let hook = format!(
        "webhooks: {{ops: {{url: \"http://user:url-secret@{}/path-secret?q=query-secret\", after: 0s, \
         secret: {SECRET}, headers: {{X-Key: header-secret}}, timeout: 1m}}}}\n",
        silent.local_addr().unwrap()
    );
    let yaml = hook + &door(&camera);
    let started = tokio::task::spawn_blocking(move || {
        Framecast::serve_with(&yaml, |command| {
            command.env("RUST_LOG", "framecast=trace,awc=trace,actix_http=trace")
        })
    });
    let framecast = started.await.unwrap();
    drop(live(&camera).await);
    // It connects, is told, and says nothing.
    let (mut io, _) = timeout(TIMEOUT, silent.accept()).await.expect("the hook is told").unwrap();
    let told_it = read(&mut io).await.unwrap();
    assert_eq!(told_it.event(), told("lost"));
    assert_eq!(told_it.header("authorization"), Some("Basic dXNlcjp1cmwtc2VjcmV0"));
    let ended = tokio::task::spawn_blocking(move || {
        let mut said = String::new();
        for route in
            ["/api/streams", "/api/streams/door/config", "/api/events", "/metrics", "/api/openapi.json"]
        {
            let output = run("curl", &["--silent", "-H", "Authorization: Bearer x", &framecast.url(route)]);
            said += &String::from_utf8_lossy(&output.stdout);
        }
        said + &framecast.end()
    });
    let said = timeout(TIMEOUT, ended).await.expect("it ends before the hook's minute is over").unwrap();
    assert!(said.contains("framecast_webhook_queue{webhook=\"ops\"} 1"), "{said}");
    for secret in ["url-secret", "path-secret", "query-secret", "header-secret", SECRET] {
        assert!(!said.contains(secret), "{secret} is in\n{said}");
    }
}

/// Pictures of one run of a camera that fails after them.
const RUN: u8 = 5;

/// The answer of a camera with the pictures of its run `n`: its head, and each part.
fn run_of_pictures(n: usize) -> Vec<Vec<u8>> {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";
    let first = u8::try_from(n).unwrap() * RUN;
    let part = |n| {
        let jpeg = jpeg(n);
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        [head.as_bytes(), &jpeg, b"\r\n--cam\r\n"].concat()
    };
    std::iter::once(head.into()).chain((first..first + RUN).map(part)).collect()
}

#[tokio::test]
async fn cameras_that_fail_now_and_then_are_never_offline_and_never_lost() {
    // The picture by which a viewer has seen eight failures, or four polls that failed.
    const LAST: u8 = 8 * RUN;
    let polls = AtomicU8::new(0);
    let busy = FakeCamera::answering(move |_| {
        let n = polls.fetch_add(1, Relaxed);
        let picture = || {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", jpeg(n).len());
            [head.as_bytes(), &jpeg(n)].concat()
        };
        let refused = || b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".to_vec();
        Reply { bytes: if n % 10 == 9 { refused() } else { picture() }, close: false }
    })
    .await;
    let resets =
        FakeCamera::start(|n| vec![Step::Request, Step::Pieces(run_of_pictures(n)), Step::Reset]).await;
    // Picture and end arrive together.
    let closes =
        FakeCamera::start(|n| vec![Step::Request, Step::Send(run_of_pictures(n)[..2].concat())]).await;
    let refuses = FakeCamera::start(|n| match n % 2 {
        0 => vec![Step::Request, Step::Pieces(run_of_pictures(n)), Step::Reset],
        _ => vec![Step::Request, Step::Reset],
    })
    .await;
    let mut receiver = Receiver::start(&[]).await;
    let mut yaml = format!("webhooks: {{ops: {{url: \"http://{}/\", after: 3s}}}}\n", receiver.address);
    yaml += "defaults: {on_demand: false}\nstreams:\n";
    for (name, kind, camera) in [
        ("busy", "snapshot, interval: 20ms", &busy),
        ("resets", "mjpeg", &resets),
        ("closes", "mjpeg", &closes),
        ("refuses", "mjpeg", &refuses),
    ] {
        yaml += &format!("  {name}: {{source: {{type: {kind}, url: \"{}\"}}}}\n", camera.url("/"));
    }
    let relay = TestRelay::start(&yaml);
    let watch = async |name: &str| {
        let target = format!("/streams/{name}?extra_headers=1");
        let mut viewer = StreamViewer::join(relay.address(), &target).await;
        loop {
            let part = viewer.part().await;
            assert_eq!(part.get("X-UStreamer-Online"), "true", "{name}");
            if (LAST..LAST + RUN).any(|n| part.jpeg == jpeg(n)) {
                break;
            }
        }
        report(&relay, name).await["frames_in"].as_u64().unwrap()
    };
    let frames = tokio::join!(watch("busy"), watch("resets"), watch("closes"), watch("refuses"));
    assert!(frames.0 >= u64::from(LAST - LAST / 10), "{frames:?}");
    assert!(frames.1 > u64::from(LAST) && frames.2 > u64::from(LAST / RUN), "{frames:?}");
    assert!(frames.3 > u64::from(LAST / 2), "{frames:?}");
    receiver.assert_nothing_came();
    // The first events are those of their real end.
    drop((resets, closes, refuses));
    let mut lost = Vec::new();
    for _ in 0..3 {
        lost.push(receiver.next().await.event());
    }
    lost.sort();
    let names = ["closes", "refuses", "resets"];
    assert_eq!(lost, names.map(|name| ("lost".to_owned(), name.to_owned())));
}
