//! Publishers' requests, and their results at a viewer and in the API.

use std::{io::Cursor, net::SocketAddr};

use image::{DynamicImage, ImageFormat, Rgb, RgbImage};
use jpeg_encoder::{ColorType, Encoder};
use serde_json::Value;
use testkit::raw_client::{Answer, Body, Client, TIMEOUT};

use crate::TestRelay;

/// A relay with an open stream, a guarded one, and one that takes no pushes.
pub(crate) fn start() -> TestRelay {
    TestRelay::start(
        "
limits: {max_frame_bytes: 256KiB, max_frame_pixels: 100000}
streams:
  inbox: {source: {type: push, token: none}}
  guarded: {source: {type: push, token: kept-in-a-test}}
  steady: {source: {type: push, token: none, second_publisher: refused}}
  bars: {source: {type: pattern, size: 64x48, fps: 5}}
",
    )
}

pub(crate) const INBOX: &str = "/streams/inbox/frame";

/// A picture of its own for each `n`.
pub(crate) fn jpeg(n: u8) -> Vec<u8> {
    jpeg_of_size(n, 32, 16)
}

pub(crate) fn jpeg_of_size(n: u8, width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> =
        (0..u32::from(width) * u32::from(height)).map(|at| (at * 7) as u8 ^ n.wrapping_mul(37)).collect();
    Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
    jpeg
}

/// A red picture file.
pub(crate) fn file(format: ImageFormat, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image: DynamicImage = RgbImage::from_pixel(width, height, Rgb([200, 30, 40])).into();
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) async fn post(at: SocketAddr, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    Client::ask(at, "POST", target, headers, body).await
}

/// Pushes a picture to the open stream, which takes it.
#[track_caller]
pub(crate) fn pushed(answer: &Answer) {
    assert_eq!(answer.head.status, 204, "{}", String::from_utf8_lossy(&answer.body));
}

/// A refusal, as problem JSON; gives its text.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, status: u16) -> String {
    assert_eq!(answer.head.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.head.get("content-type"), Some("application/problem+json"));
    let problem = answer.json();
    assert_eq!(problem["status"], status);
    problem["detail"].as_str().expect("a reason").to_owned()
}

/// Returns the picture of a snapshot of the stream.
pub(crate) async fn shown(at: SocketAddr, stream: &str) -> Vec<u8> {
    let answer = Client::get(at, &format!("/streams/{stream}/snapshot")).await;
    assert_eq!(answer.head.status, 200);
    answer.body
}

/// Returns the report of the API about the stream.
pub(crate) async fn report(at: SocketAddr, stream: &str) -> Value {
    Client::get(at, &format!("/api/streams/{stream}")).await.json()
}

/// Asks until the API says of `field` (`dropped/invalid`) what is wanted.
pub(crate) async fn until(at: SocketAddr, stream: &str, field: &str, wanted: u64) {
    let pointer = format!("/{field}");
    let looking = async {
        // Each look is a request of its own: the loop cannot starve the relay.
        while report(at, stream).await.pointer(&pointer) != Some(&wanted.into()) {
            tokio::task::yield_now().await;
        }
    };
    let seen = tokio::time::timeout(TIMEOUT, looking).await;
    assert!(seen.is_ok(), "{field} of {stream} does not become {wanted}");
}

/// A publisher's connection with a body in chunks, sent piece by piece.
pub(crate) struct Feed(Client);

impl Feed {
    /// Begins a feed; `None` sends no content type, as ffmpeg does.
    pub(crate) async fn begin(at: SocketAddr, target: &str, content_type: Option<&str>) -> Self {
        let kind = content_type.map(|kind| format!("Content-Type: {kind}\r\n")).unwrap_or_default();
        let head = format!("POST {target} HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n{kind}\r\n");
        let mut client = Client::connect(at).await;
        client.send(head.as_bytes()).await;
        Self(client)
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        let size = format!("{:x}\r\n", bytes.len());
        self.0.send(&[size.as_bytes(), bytes, b"\r\n"].concat()).await;
    }

    /// Ends the body and gives the answer.
    pub(crate) async fn end(mut self) -> Answer {
        self.0.send(b"0\r\n\r\n").await;
        self.answer().await
    }

    pub(crate) async fn answer(&mut self) -> Answer {
        answer(&mut self.0).await
    }

    /// Waits until the relay closes.
    pub(crate) async fn closed(mut self) {
        self.0.rest().await;
    }
}

/// The next answer on a connection that may go on.
pub(crate) async fn answer(client: &mut Client) -> Answer {
    let head = client.head().await;
    let length = head.get("content-length").and_then(|length| length.parse().ok()).unwrap_or_default();
    let body = client.exactly(length).await;
    Answer { head, body }
}

/// A viewer of a stream.
pub(crate) struct Viewer(Body);

impl Viewer {
    pub(crate) async fn join(at: SocketAddr, stream: &str) -> Self {
        let mut client = Client::connect(at).await;
        client.send(format!("GET /streams/{stream} HTTP/1.1\r\nHost: t\r\n\r\n").as_bytes()).await;
        let head = client.head().await;
        assert_eq!(head.status, 200);
        let mut body = Body::after(&head, client);
        assert_eq!(body.text_until("\r\n").await, "--boundarydonotcross");
        Self(body)
    }

    /// The next picture on the wire.
    async fn picture(&mut self) -> Vec<u8> {
        let head = self.0.text_until("\r\n\r\n").await;
        let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
        let picture = self.0.exactly(length.expect("a part has its length").parse().unwrap()).await;
        assert_eq!(self.0.text_until("\r\n").await, "");
        assert_eq!(self.0.text_until("\r\n").await, "--boundarydonotcross");
        picture
    }

    /// Watches until this picture comes; before it, only `earlier` may.
    pub(crate) async fn sees(&mut self, picture: &[u8], earlier: &[u8]) {
        loop {
            let seen = self.picture().await;
            if seen == picture {
                return;
            }
            assert!(seen == earlier, "a picture that nobody pushed, of {} bytes", seen.len());
        }
    }
}
