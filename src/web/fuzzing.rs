//! See `crate::fuzzing`: what viewers and publishers send.

use actix_http::ws::{OpCode, Parser};
use actix_web::test::TestRequest;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;

use super::streams::push;
pub use super::{live::fuzzing::client_message, server::http2::fuzzing::http2};

/// The maximum length of a message, as `/api/live` has it.
const MAX_MESSAGE_BYTES: usize = 4096;

/// A form with a file. The first byte chooses how its boundary is announced.
pub fn form(input: &[u8]) {
    let [kind, body @ ..] = input else { return };
    let kinds =
        ["multipart/form-data; boundary=x", "multipart/form-data; boundary=\"x\"", "multipart/form-data"];
    let kind = kinds[usize::from(*kind) % kinds.len()];
    let request = TestRequest::post().insert_header(("content-type", kind)).to_http_request();
    let file = push::file_of_form(&request, Bytes::copy_from_slice(body)).now_or_never();
    // All of the body is there: there is nothing to wait for.
    if let Some(Ok(file)) = file {
        assert!(file.len() <= body.len());
    }
}

/// Input of a WebSocket after the handshake: frames, and what a page says in them.
pub fn web_socket(input: &[u8]) {
    let mut bytes = BytesMut::from(input);
    loop {
        let before = bytes.len();
        match Parser::parse(&mut bytes, true, MAX_MESSAGE_BYTES) {
            Ok(Some((_, OpCode::Text, Some(payload)))) => {
                assert!(payload.len() <= MAX_MESSAGE_BYTES);
                if let Ok(text) = std::str::from_utf8(&payload) {
                    client_message(text);
                }
            }
            Ok(Some(_)) => {}
            Ok(None) | Err(_) => break,
        }
        assert!(bytes.len() < before, "a frame has bytes");
    }
    // Also without a frame around it.
    if let Ok(text) = std::str::from_utf8(input) {
        client_message(text);
    }
}
