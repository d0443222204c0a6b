//! The messages of `/api/live`. Pure.

use std::time::UNIX_EPOCH;

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::media::frame::Frame;

/// The header before a frame's bytes: the subscription, the frame's number, its time.
pub(super) const HEADER_BYTES: usize = 4 + 4 + 8;

/// A message of a page.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
pub(super) enum ClientMessage {
    /// Show a stream's pictures. A subscription of the same `id` is replaced.
    Subscribe(Subscribe),
    /// Show it no more.
    Unsubscribe {
        /// The number of the subscription.
        id: u32,
    },
    /// The picture `seq`, and those sent before it, are drawn.
    Ack {
        /// The number of the subscription.
        id: u32,
        /// The frame's number, as in its header.
        seq: u32,
    },
}

/// A subscription to one stream, with the size and rate to show it in.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Subscribe {
    /// The number of the subscription, chosen by the page.
    pub id: u32,
    /// The stream's name.
    pub stream: String,
    /// The place it is shown in, in pixels of the screen; the stream's own size if not said.
    #[serde(default)]
    pub width: Option<u16>,
    /// The height, as `width`.
    #[serde(default)]
    pub height: Option<u16>,
    /// The maximum frame rate; every frame if absent.
    #[serde(default)]
    pub fps: Option<f64>,
}

/// A message to a page, besides pictures and reports.
#[derive(Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum ServerMessage {
    /// A subscription cannot be had.
    Error {
        /// Which.
        id: u32,
        /// The reason, as text.
        detail: String,
    },
    /// The stream of a subscription is gone, or is another one now: the page may ask again.
    Ended {
        /// Which.
        id: u32,
    },
}

impl ServerMessage {
    pub(super) fn text(&self) -> String {
        serde_json::to_string(self).expect("strings and numbers are always JSON")
    }
}

/// A picture as one binary message: subscription (u32), the lower half of the frame's number (u32), when it
/// came in Unix seconds (f64), all in network order, and the JPEG.
pub(super) fn picture(id: u32, seq: u64, frame: &Frame) -> Bytes {
    let mut message = BytesMut::with_capacity(HEADER_BYTES + frame.jpeg().len());
    message.put_u32(id);
    message.put_u32(short(seq));
    message.put_f64(frame.captured_at().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
    message.put_slice(frame.jpeg());
    message.freeze()
}

/// Number, times and JSON of a picture, which follows: the members of a line of `/streams/NAME/meta`, and the
/// number in the picture's own header.
pub(super) fn facts(id: u32, seq: u64, frame: &Frame) -> String {
    frame.facts().json(&format!(r#","type":"frame","id":{id},"number":{}"#, short(seq)))
}

/// A frame's number as pages see it.
pub(super) fn short(seq: u64) -> u32 {
    (seq & u64::from(u32::MAX)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::tests::tiny_frame;

    #[test]
    fn what_a_page_says_is_understood_and_nothing_else() {
        let client_message = |text| serde_json::from_str::<ClientMessage>(text);
        assert_eq!(
            client_message(r#"{"type":"ack","id":1,"seq":7}"#).unwrap(),
            ClientMessage::Ack { id: 1, seq: 7 }
        );
        let all = r#"{"type":"subscribe","id":1,"stream":"door","width":320,"height":180,"fps":5}"#;
        let ClientMessage::Subscribe(subscribe) = client_message(all).unwrap() else {
            panic!("not a subscription")
        };
        assert_eq!((subscribe.width, subscribe.fps), (Some(320), Some(5.0)));
        assert!(client_message(r#"{"type":"subscribe","id":1,"stream":"door"}"#).is_ok());
        for wrong in [
            "",
            "[]",
            r#"{"type":"dance"}"#,
            r#"{"type":"subscribe","id":-1,"stream":"door"}"#,
            r#"{"type":"subscribe","id":1}"#,
            r#"{"type":"subscribe","id":1,"stream":"door","width":70000}"#,
            r#"{"type":"ack","id":1}"#,
        ] {
            assert!(client_message(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_picture_has_its_header_and_its_very_bytes() {
        let frame = tiny_frame();
        let message = picture(7, (1 << 32) + 5, &frame);
        assert_eq!(message[..8], [0, 0, 0, 7, 0, 0, 0, 5]);
        let time = f64::from_be_bytes(message[8..16].try_into().unwrap());
        assert_eq!(time, frame.captured_at().duration_since(UNIX_EPOCH).unwrap().as_secs_f64());
        assert_eq!(message[HEADER_BYTES..], frame.jpeg()[..]);
    }
}
