//! A WebSocket client (RFC 6455) that forgives nothing: no masked frames from a server, no fragments, no
//! reserved bits.

use std::net::SocketAddr;

use serde_json::Value;

use crate::raw_client::{Client, Head};

/// The key and the answer of RFC 6455, section 1.3.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// One message of the server.
#[derive(Debug, PartialEq)]
pub enum ServerMessage {
    Json(Value),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    /// With its code, 1005 if it has none.
    Close(u16),
    /// Nothing more comes.
    End,
}

/// An open connection.
pub struct WebSocket(Client);

impl WebSocket {
    pub async fn open(address: SocketAddr, target: &str) -> Self {
        Self::over(Client::connect(address).await, target).await
    }

    pub async fn over(client: Client, target: &str) -> Self {
        Self::over_with(client, target, "").await
    }

    /// Opens a WebSocket with other lines in the head of its request.
    pub async fn over_with(client: Client, target: &str, lines: &str) -> Self {
        let (head, client) = ask(client, target, lines).await;
        assert_eq!(head.status, 101, "{head:?}");
        assert_eq!(head.get("sec-websocket-accept"), Some(ACCEPT));
        Self(client)
    }

    pub async fn say(&mut self, message: Value) {
        self.send(TEXT, message.to_string().as_bytes()).await;
    }

    /// Answers a ping.
    pub async fn pong(&mut self, payload: &[u8]) {
        self.send(PONG, payload).await;
    }

    /// Sends a text as it is.
    pub async fn text(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes()).await;
    }

    async fn send(&mut self, opcode: u8, payload: &[u8]) {
        const MASKED: u8 = 0x80;
        let mut frame = vec![0x80 | opcode];
        match u16::try_from(payload.len()).unwrap() {
            length @ 0..126 => frame.push(MASKED | length as u8),
            length => {
                frame.push(MASKED | 126);
                frame.extend(length.to_be_bytes());
            }
        }
        // The mask of zeros leaves everything as it is.
        frame.extend([0; 4]);
        frame.extend(payload);
        self.0.send(&frame).await;
    }

    pub async fn next(&mut self) -> ServerMessage {
        let Some(head) = self.0.exactly_or_end(2).await else { return ServerMessage::End };
        assert_eq!(head[0] & 0xf0, 0x80, "whole messages, without reserved bits");
        let length = match head[1] {
            length @ 0..126 => u64::from(length),
            126 => u64::from(u16::from_be_bytes(self.0.exactly(2).await.try_into().unwrap())),
            127 => u64::from_be_bytes(self.0.exactly(8).await.try_into().unwrap()),
            _ => panic!("a server masks nothing"),
        };
        assert!(head[0] & 0x08 == 0 || length <= 125, "control frames are short");
        let payload = self.0.exactly(usize::try_from(length).unwrap()).await;
        match head[0] & 0x0f {
            TEXT => ServerMessage::Json(serde_json::from_slice(&payload).expect("texts are JSON")),
            BINARY => ServerMessage::Binary(payload),
            PING => ServerMessage::Ping(payload),
            CLOSE => ServerMessage::Close(
                payload.get(..2).map_or(1005, |code| u16::from_be_bytes([code[0], code[1]])),
            ),
            other => panic!("opcode {other}"),
        }
    }

    /// The next message of which `wanted` makes something; others may come before.
    pub async fn until<T>(&mut self, mut wanted: impl FnMut(&ServerMessage) -> Option<T>) -> T {
        loop {
            let got = self.next().await;
            if let Some(found) = wanted(&got) {
                return found;
            }
            assert_ne!(got, ServerMessage::End, "the connection ended before");
        }
    }

    /// The code of the close, and nothing behind it once it is answered.
    pub async fn closed(&mut self) -> u16 {
        let code =
            self.until(|got| if let ServerMessage::Close(code) = got { Some(*code) } else { None }).await;
        self.send(CLOSE, &[]).await;
        assert_eq!(self.next().await, ServerMessage::End);
        code
    }
}

/// Asks for a WebSocket, with further header lines.
pub async fn ask(mut client: Client, target: &str, lines: &str) -> (Head, Client) {
    let upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13";
    let request = format!(
        "GET {target} HTTP/1.1\r\nHost: test\r\n{upgrade}\r\nSec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    );
    client.send(request.as_bytes()).await;
    (client.head().await, client)
}
