//! WebSockets (RFC 6455), with little memory for incoming data.

pub(crate) mod backpressure;

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use actix_http::BoxedPayloadStream;
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev, error::PayloadError, web};
use actix_ws::{MessageStream, Session};
use bytes::Bytes;
use futures_util::{FutureExt, Stream};

use super::middleware::problem::Problem;

/// The number of bytes that are processed at a time. actix-ws reads all there is and keeps each message in it
/// before it returns the first: 64 KiB of empty pings became 1.6 MB, for as long as the connection lasted.
const PIECE_BYTES: usize = 2 * 1024;

/// The maximum length of a message: those of pages and clients are short, and pings may carry 125 bytes.
const MAX_MESSAGE_BYTES: usize = 4096;

/// Answers the handshake.
///
/// # Errors
/// 426 if it is not a handshake.
pub(super) fn accept(
    request: &HttpRequest,
    body: web::Payload,
) -> Result<(HttpResponse, Session, MessageStream), Problem> {
    let pieces: BoxedPayloadStream = Box::pin(SmallChunks { body, rest: Bytes::new(), pause: false });
    let body =
        web::Payload::from_request(request, &mut dev::Payload::Stream { payload: pieces }).now_or_never();
    let body = body.and_then(Result::ok).ok_or_else(Problem::not_a_web_socket)?;
    let (response, session, messages) =
        actix_ws::handle(request, body).map_err(|_| Problem::not_a_web_socket())?;
    Ok((response, session, messages.max_frame_size(MAX_MESSAGE_BYTES)))
}

/// A body in small chunks, between which its reader has to poll again.
struct SmallChunks {
    body: web::Payload,
    rest: Bytes,
    pause: bool,
}

impl Stream for SmallChunks {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if std::mem::take(&mut this.pause) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if this.rest.is_empty() {
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(bytes)) => this.rest = bytes,
                end => return Poll::Ready(end),
            }
        }
        this.pause = true;
        let piece = this.rest.split_to(this.rest.len().min(PIECE_BYTES));
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;
    use futures_util::{StreamExt, stream};

    use super::*;

    #[tokio::test]
    async fn a_body_comes_whole_in_small_pieces_with_pauses() {
        let request = TestRequest::get().to_http_request();
        let sent: Vec<u8> = (0..=u8::MAX).cycle().take(3 * PIECE_BYTES + 1).collect();
        let chunks = [Bytes::new(), sent[..5].to_vec().into(), sent[5..].to_vec().into()];
        let all = stream::iter(chunks.map(Ok));
        let all: BoxedPayloadStream = Box::pin(all);
        let mut payload = dev::Payload::Stream { payload: all };
        let body = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let mut pieces = SmallChunks { body, rest: Bytes::new(), pause: false };
        let mut got = Vec::new();
        let mut pauses = 0;
        loop {
            match futures_util::poll!(pieces.next()) {
                Poll::Pending => pauses += 1,
                Poll::Ready(None) => break,
                Poll::Ready(Some(piece)) => {
                    let piece = piece.unwrap();
                    assert!(piece.len() <= PIECE_BYTES);
                    got.extend_from_slice(&piece);
                }
            }
        }
        assert!(got == sent && pauses >= 5, "{pauses}");
    }
}
