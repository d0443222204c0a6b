//! A camera whose every move the test makes: it accepts, shows a picture, or goes away exactly when told.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

use crate::raw_client::TIMEOUT;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";

/// Waits for connections only while the test does.
pub struct Camera {
    listener: TcpListener,
}

impl Camera {
    pub async fn start() -> Self {
        Self { listener: TcpListener::bind("127.0.0.1:0").await.unwrap() }
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// A stream's `source:` in YAML.
    pub fn source(&self) -> String {
        format!("{{type: mjpeg, url: \"http://{}/video\"}}", self.address())
    }

    /// The next connection, its request read.
    pub async fn accept(&self) -> CameraConnection {
        let accepted = timeout(TIMEOUT, self.listener.accept()).await.expect("the relay connects");
        let mut line = CameraConnection { io: accepted.unwrap().0, answered: false };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            assert_ne!(line.io.read_buf(&mut request).await.unwrap(), 0, "the relay left: {request:?}");
        }
        line
    }

    /// Nobody connects who was not accepted yet: looked at now, since a connection comes before what it
    /// causes.
    pub async fn assert_nobody_waits(&self) {
        assert!(timeout(Duration::ZERO, self.listener.accept()).await.is_err(), "one connection too many");
    }
}

/// One connection to the camera; closed when dropped.
pub struct CameraConnection {
    io: TcpStream,
    answered: bool,
}

impl CameraConnection {
    /// Shows a picture, the response's head before the first one.
    pub async fn show(&mut self, jpeg: &[u8]) {
        assert!(self.try_to_show(jpeg).await, "the relay takes the picture");
    }

    /// Sends a picture; returns false when the relay has closed the connection.
    pub async fn try_to_show(&mut self, jpeg: &[u8]) -> bool {
        let head = if std::mem::replace(&mut self.answered, true) { "" } else { HEAD };
        let part = format!("{head}Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        let bytes = [part.as_bytes(), jpeg, b"\r\n--cam\r\n"].concat();
        self.io.write_all(&bytes).await.is_ok()
    }

    /// Waits until the relay lets go.
    pub async fn closed(mut self) {
        let mut more = [0];
        match timeout(TIMEOUT, self.io.read(&mut more)).await.expect("the relay lets go") {
            Ok(0) | Err(_) => {}
            Ok(_) => panic!("the relay asks again over a stream"),
        }
    }
}
