//! A good camera and its good viewer, beside whatever else happens: each frame the camera sends is seen by
//! the viewer before the next one is sent, so that a lost, doubled or foreign frame is seen at once, however
//! busy the machine is.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use crate::{
    numbered_pictures::{number_of, numbered, numbered_long},
    raw_client::{Body, Client, Io, TIMEOUT},
};

/// Name of the stream.
pub const CONTROL_STREAM: &str = "control";

/// The camera's rhythm.
const BETWEEN_FRAMES: Duration = Duration::from_millis(5);

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";

/// Both ends of the stream.
pub struct ControlStream {
    camera: Box<dyn Io>,
    viewer: Body,
    sent: u64,
    /// Pictures are made longer than this.
    bytes: usize,
}

impl ControlStream {
    /// Watches the relay's stream over this connection and serves its source, which the relay will ask at
    /// `listener`.
    pub async fn begin(client: Client, listener: TcpListener) -> Self {
        let camera = async move { Box::new(listener.accept().await.unwrap().0) as Box<dyn Io> };
        Self::begin_as(CONTROL_STREAM, client, camera, 0).await
    }

    /// Begins with any stream, whose camera will be asked over this connection, with pictures longer than
    /// `bytes`.
    pub async fn begin_as(
        stream: &str,
        mut client: Client,
        camera: impl Future<Output = Box<dyn Io>>,
        bytes: usize,
    ) -> Self {
        client.send(format!("GET /streams/{stream} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes()).await;
        let mut camera = timeout(TIMEOUT, camera).await.expect("the relay asks");
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(camera.read_buf(&mut request).await.unwrap(), 0, "the relay left");
        }
        camera.write_all(HEAD.as_bytes()).await.unwrap();
        let head = client.head().await;
        assert_eq!(head.status, 200);
        let mut viewer = Body::after(&head, client);
        assert_eq!(viewer.text_until("\r\n").await, "--boundarydonotcross");
        let mut control = Self { camera, viewer, sent: 0, bytes };
        control.exchange().await;
        control
    }

    /// Frames sent, each of which was seen.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// One frame more.
    pub async fn exchange(&mut self) {
        self.sent += 1;
        let jpeg = if self.bytes == 0 { numbered(self.sent) } else { numbered_long(self.sent, self.bytes) };
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        let part = [head.as_bytes(), &jpeg, b"\r\n--cam\r\n"].concat();
        self.camera.write_all(&part).await.expect("the relay takes the control's frames");
        loop {
            let seen = number_of(&next_picture(&mut self.viewer).await).expect("a picture of the control");
            if seen == self.sent {
                return;
            }
            assert_eq!(seen, self.sent - 1, "only the frame before may be shown once more");
        }
    }

    /// Frame after frame, for as long as `is_on`.
    pub async fn run_while(&mut self, is_on: impl Fn() -> bool) {
        while is_on() {
            self.exchange().await;
            tokio::time::sleep(BETWEEN_FRAMES).await;
        }
    }
}

/// The picture of the next part.
pub async fn next_picture(viewer: &mut Body) -> Vec<u8> {
    let head = viewer.text_until("\r\n\r\n").await;
    let length = head.split("\r\n").find_map(|line| line.strip_prefix("Content-Length: "));
    let jpeg = viewer.exactly(length.expect("a part has its length").parse().unwrap()).await;
    assert_eq!(viewer.text_until("\r\n").await, "");
    assert_eq!(viewer.text_until("\r\n").await, "--boundarydonotcross");
    jpeg
}
