//! Streams, snapshots and pages over TLS.

use framecast::auth::token;
use memchr::memmem;
use serde_json::json;
use testkit::{
    binary::Framecast,
    pictures::{jpeg, large_jpeg},
    program::run,
    raw_client::{Client, TIMEOUT},
    stream_client::{CLOSING, StreamViewer},
    test_cert::TestCert,
    web_socket::{ServerMessage, WebSocket},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpSocket, TcpStream},
    time::timeout,
};
use tokio_rustls::client::TlsStream;

use crate::{TestRelay, beside, config};

/// Far more than what the kernel takes for a viewer with a small window.
const LARGE: usize = 2_000_000;

/// A configuration with TLS and one push stream called `x`.
fn yaml(cert: &TestCert, viewer_timeout: &str) -> String {
    format!(
        "server: {{tls: {{{}}}}}\n\
         streams: {{x: {{viewer_timeout: {viewer_timeout}, source: {{type: push, token: none}}}}}}",
        cert.tls()
    )
}

/// A relay that speaks TLS, and who may believe it.
struct Secured {
    relay: TestRelay,
    cert: TestCert,
}

impl Secured {
    fn start() -> Self {
        Self::with_viewer_timeout("1s")
    }

    fn with_viewer_timeout(viewer_timeout: &str) -> Self {
        let cert = TestCert::make();
        Self { relay: TestRelay::start(&yaml(&cert, viewer_timeout)), cert }
    }

    async fn handshake(
        &self,
        socket: TcpStream,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        self.cert.handshake(socket, protocols).await
    }

    async fn socket(&self) -> TcpStream {
        TcpStream::connect(self.relay.address()).await.unwrap()
    }

    async fn client(&self) -> Client {
        Box::new(self.handshake(self.socket().await, &[]).await.unwrap()).into()
    }

    /// A client that takes little ahead.
    async fn narrow_client(&self) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let socket = socket.connect(self.relay.address()).await.unwrap();
        Box::new(self.handshake(socket, &[]).await.unwrap()).into()
    }

    async fn watch(&self, target: &str, version: &str) -> StreamViewer {
        StreamViewer::over(self.client().await, target, version).await
    }

    async fn push(&self, jpeg: &[u8]) {
        let headers = [("Content-Type", "image/jpeg")];
        let answer = self.client().await.ask_here("POST", "/streams/x/frame", &headers, jpeg).await;
        assert_eq!(answer.head.status, 204, "{}", String::from_utf8_lossy(&answer.body));
    }

    async fn viewers_are(&self, wanted: u64) {
        let asking = async {
            loop {
                let answer = self.client().await.ask_here("GET", "/api/streams/x", &[], b"").await;
                if answer.json()["viewers"] == wanted {
                    return;
                }
            }
        };
        assert!(timeout(TIMEOUT, asking).await.is_ok(), "never {wanted} viewers");
    }
}

#[tokio::test]
async fn streams_snapshots_and_pushes_are_those_of_plain_connections() {
    let secured = Secured::start();
    secured.push(&large_jpeg(1, LARGE)).await;
    for (target, version) in [("/streams/x", "HTTP/1.1"), ("/streams/x", "HTTP/1.0"), ("/stream", "HTTP/1.1")]
    {
        let mut viewer = secured.watch(target, version).await;
        viewer.first_delimiter().await;
        assert!(viewer.part().await.jpeg == large_jpeg(1, LARGE), "{target} {version}");
        assert!(viewer.part().await.jpeg == large_jpeg(1, LARGE), "{target} {version}: the repetition");
    }
    let snapshot = secured.client().await.ask_here("GET", "/streams/x/snapshot", &[], b"").await;
    assert!(snapshot.body == large_jpeg(1, LARGE));
}

#[tokio::test]
async fn a_slow_viewer_skips_to_the_newest_picture() {
    const PICTURES: u8 = 10;
    // Longer than a loaded machine takes for all pushes.
    let secured = Secured::with_viewer_timeout("60s");
    secured.push(&large_jpeg(0, LARGE)).await;
    let mut slow = StreamViewer::over(secured.narrow_client().await, "/streams/x", "HTTP/1.1").await;
    slow.first_delimiter().await;
    let mut good = secured.watch("/streams/x", "HTTP/1.1").await;
    good.first_delimiter().await;
    for n in 1..=PICTURES {
        secured.push(&large_jpeg(n, LARGE)).await;
        good.until(&large_jpeg(n, LARGE)).await;
    }
    let on_its_way = slow.part().await.jpeg;
    assert!(on_its_way != large_jpeg(PICTURES, LARGE), "it was slow");
    assert!(slow.after(&on_its_way).await.jpeg == large_jpeg(PICTURES, LARGE), "then the newest");
}

#[tokio::test]
async fn a_viewer_that_never_reads_is_let_go() {
    let secured = Secured::start();
    secured.push(&large_jpeg(0, LARGE)).await;
    let _stuck = StreamViewer::over(secured.narrow_client().await, "/streams/x", "HTTP/1.1").await;
    secured.viewers_are(1).await;
    secured.viewers_are(0).await;
}

#[tokio::test]
async fn a_viewer_that_leaves_in_the_middle_of_a_picture_is_noticed() {
    let secured = Secured::start();
    secured.push(&large_jpeg(0, LARGE)).await;
    let mut viewer = StreamViewer::over(secured.narrow_client().await, "/streams/x", "HTTP/1.1").await;
    viewer.first_delimiter().await;
    viewer.body.text_until("\r\n\r\n").await;
    viewer.body.client().exactly(LARGE / 2).await;
    secured.viewers_are(1).await;
    drop(viewer);
    secured.viewers_are(0).await;
}

/// Reading a connection to its end fails unless TLS, too, was closed.
#[tokio::test]
async fn a_shutdown_in_the_middle_of_a_picture_ends_picture_answer_and_tls() {
    for (version, target) in [("HTTP/1.1", "/streams/x"), ("HTTP/1.0", "/streams/x")] {
        let mut secured = Secured::start();
        secured.push(&large_jpeg(0, LARGE)).await;
        let mut viewer = StreamViewer::over(secured.narrow_client().await, target, version).await;
        viewer.first_delimiter().await;
        let head = viewer.body.text_until("\r\n\r\n").await;
        assert!(head.contains("Content-Length"), "{head}");
        secured.relay.begin_stop();
        assert!(viewer.body.exactly(large_jpeg(0, LARGE).len()).await == large_jpeg(0, LARGE));
        // The picture may have been repeated meanwhile.
        let rest = viewer.body.rest().await;
        let end = format!("\r\n--boundarydonotcross\r\n{CLOSING}");
        assert!(rest.ends_with(end.as_bytes()), "{version}: {} bytes without the end", rest.len());
    }
}

#[tokio::test]
async fn clients_that_do_not_speak_tls_are_closed_and_disturb_nobody() {
    let secured = Secured::start();
    secured.push(&jpeg(1)).await;
    let mut viewer = secured.watch("/streams/x", "HTTP/1.1").await;
    viewer.first_delimiter().await;
    let silent = secured.socket().await;
    let mut half = secured.socket().await;
    half.write_all(b"\x16\x03\x01\x02").await.unwrap();
    let mut plain = Client::over(secured.socket().await);
    plain.send(b"GET /streams/x HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let answer = plain.rest().await;
    assert!(!answer.starts_with(b"HTTP/"), "{}", String::from_utf8_lossy(&answer));
    secured.push(&jpeg(2)).await;
    viewer.until(&jpeg(2)).await;
    drop((silent, half));
}

#[tokio::test]
async fn a_pages_web_socket_is_the_same_over_tls() {
    let secured = Secured::start();
    let large = large_jpeg(1, LARGE);
    secured.push(&large).await;
    let mut socket = WebSocket::over(secured.client().await, "/api/live").await;
    socket.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
    let picture = |got: &ServerMessage| {
        if let ServerMessage::Binary(bytes) = got { Some(bytes[16..].to_vec()) } else { None }
    };
    assert!(socket.until(picture).await == large);
    secured.push(&jpeg(2)).await;
    assert_eq!(socket.until(picture).await, jpeg(2));
}

#[tokio::test]
async fn http_2_is_agreed_on_unless_it_is_switched_off() {
    let secured = Secured::start();
    let both = secured.handshake(secured.socket().await, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let old = secured.handshake(secured.socket().await, &["http/1.1"]).await.unwrap();
    assert_eq!(old.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));

    let cert = TestCert::make();
    let without = yaml(&cert, "1s").replace("{tls: {", "{tls: {http2: false, ");
    let without = Secured { relay: TestRelay::start(&without), cert };
    let both = without.handshake(without.socket().await, &["h2", "http/1.1"]).await.unwrap();
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert!(without.handshake(without.socket().await, &["h2"]).await.is_err());
}

/// A connection of HTTP/2, on which any number of streams may be watched.
struct Multiplexed(h2::client::SendRequest<bytes::Bytes>);

impl Multiplexed {
    async fn connect(secured: &Secured) -> Self {
        Self::over(secured.handshake(secured.socket().await, &["h2"]).await.unwrap()).await
    }

    async fn over(io: TlsStream<TcpStream>) -> Self {
        // Less than a large picture: the client's wishes are felt.
        let (client, connection) = h2::client::Builder::new()
            .initial_window_size(64 * 1024)
            // What one stream does not take must not be room that the others lack.
            .initial_connection_window_size(4 * 1024 * 1024)
            .handshake(io)
            .await
            .unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    async fn watch(&self, target: &str) -> h2::RecvStream {
        let request = http::Request::get(format!("https://localhost{target}")).body(()).unwrap();
        let mut client = self.0.clone().ready().await.unwrap();
        let (answer, _) = client.send_request(request, true).unwrap();
        let answer = answer.await.unwrap();
        assert_eq!((answer.status().as_u16(), answer.headers().get("connection")), (200, None));
        answer.into_body()
    }
}

/// Reads until the picture has been there whole; answers what came before and with it.
async fn until(body: &mut h2::RecvStream, picture: &[u8]) -> Vec<u8> {
    let mut read = Vec::new();
    let reading = async {
        while !read.ends_with(b"boundarydonotcross\r\n") || memmem::find(&read, picture).is_none() {
            let piece = body.data().await.expect("the stream goes on").unwrap();
            body.flow_control().release_capacity(piece.len()).unwrap();
            read.extend_from_slice(&piece);
        }
    };
    timeout(TIMEOUT, reading).await.expect("the picture comes");
    read
}

#[tokio::test]
async fn twelve_streams_share_a_connection_and_one_that_is_not_read_holds_up_no_other() {
    const PICTURES: u8 = 6;
    let cert = TestCert::make();
    let patient = yaml(&cert, "60s");
    let secured = Secured { relay: TestRelay::start(&patient), cert };
    secured.push(&large_jpeg(0, LARGE)).await;
    let client = Multiplexed::connect(&secured).await;
    let mut lazy = client.watch("/streams/x").await;
    let mut bodies = Vec::new();
    for _ in 0..12 {
        bodies.push(client.watch("/streams/x").await);
    }
    secured.viewers_are(13).await;
    for n in 1..=PICTURES {
        secured.push(&jpeg(n)).await;
        for body in &mut bodies {
            until(body, &jpeg(n)).await;
        }
    }
    // It gets the rest of the picture that it had begun, and then the newest: nothing queued.
    let read = until(&mut lazy, &jpeg(PICTURES)).await;
    for n in 1..PICTURES {
        assert!(memmem::find(&read, &jpeg(n)).is_none(), "picture {n} was kept for it");
    }
    drop((lazy, bodies, client));
    secured.viewers_are(0).await;
}

#[tokio::test]
async fn over_http_2_a_viewer_that_leaves_is_noticed_though_nothing_is_shown() {
    let cert = TestCert::make();
    let dark = yaml(&cert, "60s, placeholder: none");
    let secured = Secured { relay: TestRelay::start(&dark), cert };
    let client = Multiplexed::connect(&secured).await;
    let (leaves, _stays) = (client.watch("/streams/x").await, client.watch("/streams/x").await);
    secured.viewers_are(2).await;
    drop(leaves);
    secured.viewers_are(1).await;
}

#[test]
fn over_http_2_a_stream_ends_when_the_right_to_it_is_taken_back_and_others_of_its_connection_go_on() {
    let cert = TestCert::make();
    let with = |tokens: &[&str]| {
        let token = |name: &&str| format!("    {name}: {{hash: \"{}\", role: view}}\n", token::hash(name));
        let tokens: String = tokens.iter().map(token).collect();
        format!("auth:\n  tokens:\n{tokens}{}", yaml(&cert, "1s"))
    };
    beside(
        async |relay, at| {
            let push = async |picture: &[u8]| {
                let io = cert.handshake(TcpStream::connect(at).await.unwrap(), &[]).await.unwrap();
                let client: Client = Box::new(io).into();
                let answer = client.ask_here("POST", "/streams/x/frame", &[], picture).await;
                assert_eq!(answer.head.status, 204);
            };
            push(&jpeg(1)).await;
            let io = cert.handshake(TcpStream::connect(at).await.unwrap(), &["h2"]).await.unwrap();
            let client = Multiplexed::over(io).await;
            let mut goes = client.watch("/streams/x?token=gone").await;
            let mut stays = client.watch("/streams/x?token=stays").await;
            until(&mut goes, &jpeg(1)).await;
            until(&mut stays, &jpeg(1)).await;
            relay.apply(config(&with(&["stays"]))).await.unwrap();
            let rest = timeout(TIMEOUT, rest(&mut goes)).await.expect("it ends");
            assert!(rest.ends_with(CLOSING.as_bytes()), "{}", String::from_utf8_lossy(&rest));
            push(&jpeg(2)).await;
            until(&mut stays, &jpeg(2)).await;
            drop((goes, stays, client));
            relay.stop().await;
        },
        &with(&["gone", "stays"]),
    );
}

/// Reads to the end.
async fn rest(body: &mut h2::RecvStream) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece.expect("it ends in an orderly way");
        body.flow_control().release_capacity(piece.len()).unwrap();
        read.extend_from_slice(&piece);
    }
    read
}

#[tokio::test]
async fn a_stream_that_is_not_taken_is_let_go_and_the_others_of_its_connection_go_on() {
    let secured = Secured::start();
    secured.push(&large_jpeg(0, LARGE)).await;
    let client = Multiplexed::connect(&secured).await;
    let stuck = client.watch("/streams/x").await;
    let mut good = client.watch("/streams/x").await;
    secured.viewers_are(2).await;
    let reading = async {
        while let Some(piece) = good.data().await {
            good.flow_control().release_capacity(piece.unwrap().len()).unwrap();
        }
    };
    tokio::select! {
        () = reading => panic!("a stream that is read goes on"),
        () = secured.viewers_are(1) => {}
    }
    secured.push(&jpeg(1)).await;
    until(&mut good, &jpeg(1)).await;
    drop((stuck, good));
}

#[tokio::test]
async fn a_renewed_certificate_is_used_and_a_broken_one_is_not() {
    let secured = Secured::start();
    let viewer = secured.watch("/streams/x", "HTTP/1.1").await;
    let renewed = TestCert::make();
    let copy = |name: &str| std::fs::copy(renewed.path(name), secured.cert.path(name)).unwrap();
    let serves = async |cert: &TestCert| cert.handshake(secured.socket().await, &[]).await.is_ok();
    assert!(serves(&secured.cert).await);
    copy("cert.pem");
    copy("key.pem");
    let renewing = async {
        while !serves(&renewed).await {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    assert!(timeout(TIMEOUT, renewing).await.is_ok(), "the new one is used");
    std::fs::write(secured.cert.path("key.pem"), "broken").unwrap();
    // It is looked at every two seconds; long enough for a look to have been taken.
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    assert!(serves(&renewed).await, "the one before stays");
    drop(viewer);
}

#[test]
fn curl_trusts_the_certificate_and_takes_a_picture() {
    let cert = TestCert::make();
    let framecast =
        Framecast::serve(&yaml(&cert, "1s").replace("{type: push, token: none}", "{type: pattern}"));
    let port = framecast.url("").rsplit(':').next().unwrap().to_owned();
    assert_eq!(framecast.url(""), format!("https://127.0.0.1:{port}"));
    let url = format!("https://localhost:{port}/streams/x/snapshot");
    let resolve = format!("localhost:{port}:127.0.0.1");
    let certificate = cert.path("cert.pem");
    let picture =
        run("curl", &["-sS", "--fail", "--cacert", &certificate, "--resolve", &resolve, &url]).stdout;
    assert!(picture.starts_with(&[0xff, 0xd8]) && picture.ends_with(&[0xff, 0xd9]));
    let version = run(
        "curl",
        &[
            "-sS",
            "--http2",
            "-o",
            "/dev/null",
            "-w",
            "%{http_version}",
            "--cacert",
            &certificate,
            "--resolve",
            &resolve,
            &url,
        ],
    );
    assert_eq!(version.stdout, b"2");
    // Two parts of the stream, over HTTP/2.
    let stream = format!(
        "curl -sN --http2 --cacert {certificate} --resolve {resolve} https://localhost:{port}/streams/x | \
         head -c 200000"
    );
    let parts = run("sh", &["-c", &stream]).stdout;
    assert_eq!(parts.len(), 200_000);
    assert!(String::from_utf8_lossy(&parts).matches("--boundarydonotcross").count() >= 2);
    framecast.end_cleanly();
}

#[tokio::test]
async fn plain_http_is_led_to_tls() {
    let cert = TestCert::make();
    let spare = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let redirecting = yaml(&cert, "1s").replace("{tls: {", &format!("{{tls: {{redirect_from: '{spare}', "));
    let secured = Secured { relay: TestRelay::start(&redirecting), cert };
    let port = secured.relay.address().port();
    for (host, to) in [("cameras.lan:81", "cameras.lan"), ("[::1]", "[::1]")] {
        let mut client = Client::connect(spare).await;
        client.send(format!("GET /streams/x?a=%20b HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await;
        let head = client.head().await;
        let location = format!("https://{to}:{port}/streams/x?a=%20b");
        assert_eq!((head.status, head.get("location")), (308, Some(location.as_str())), "{host}");
        assert_eq!(head.get("x-content-type-options"), Some("nosniff"), "{host}");
    }
    let mut client = Client::connect(spare).await;
    client.send(b"GET / HTTP/1.0\r\n\r\n").await;
    assert_eq!(client.head().await.status, 400, "it names no host");
}
