//! Sends a response over HTTP/2, within bounds on its unread bytes and on time.

use std::{pin::pin, sync::Arc, time::Duration};

use actix_http::Response;
use actix_web::body::MessageBody;
use bytes::Bytes;
use convert::ConvertError;
use futures_util::future::poll_fn;
use h2::{Reason, SendStream, server::SendResponse};
use tokio::time::timeout;

use super::convert;
use crate::{
    limits::BudgetError,
    web::server::response_budget::{SLOW_PART, SlowPart, UnsentAnswers},
};

/// The size of the pieces of a response: the largest frame, unless a client allows more.
const PIECE: usize = 16 * 1024;

/// The time for which a client may read nothing of an answer, if it differs from the server's setting.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct AnswerTimeout(pub(in crate::web) Duration);

/// The reason for which a response was not sent to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum SendError {
    #[error(transparent)]
    Http2(#[from] h2::Error),
    #[error("its head cannot be written: {0}")]
    Head(#[from] ConvertError),
    #[error("the client stopped reading")]
    ClientGone,
    #[error("the client read nothing for {} s", .0.as_secs_f32())]
    Stalled(Duration),
    #[error("the client does not keep up: {0}")]
    Slow(#[from] BudgetError),
    #[error("its body failed: {0}")]
    Body(String),
}

/// Sends a response. Fails for a client that reads nothing of it for `stall`, or for the time in its
/// [`AnswerTimeout`].
pub(super) async fn send<B: MessageBody>(
    response: Response<B>,
    mut respond: SendResponse<Bytes>,
    is_head: bool,
    stall: Duration,
) -> Result<(), SendError> {
    let size = response.body().size();
    let stall_timeout = response.extensions().get::<AnswerTimeout>().map_or(stall, |timeout| timeout.0);
    let is_whole = is_head || size.is_eof();
    let head = convert::response_head(&response, size).inspect_err(|_| {
        respond.send_reset(Reason::INTERNAL_ERROR);
    })?;
    let mut sending = respond.send_response(head, is_whole)?;
    if is_whole {
        return Ok(());
    }
    let slow = response.extensions().get::<Arc<UnsentAnswers>>().cloned().map(SlowPart::new);
    let sent = send_body(response.into_body(), &mut sending, stall_timeout, slow).await;
    if sent.is_err() {
        sending.send_reset(Reason::CANCEL);
    }
    sent
}

/// Polls the body for a piece only when some of it can be sent: an answer that waits for its client does not
/// hold a picture that is no longer the newest.
async fn send_body<B: MessageBody>(
    body: B,
    sending: &mut SendStream<Bytes>,
    stall_timeout: Duration,
    mut slow: Option<SlowPart>,
) -> Result<(), SendError> {
    let mut parts = 0;
    let mut body = pin!(body);
    loop {
        wait_capacity(sending, 1, stall_timeout).await?;
        let piece = tokio::select! {
            _ = poll_fn(|cx| sending.poll_reset(cx)) => return Err(SendError::ClientGone),
            piece = poll_fn(|cx| body.as_mut().poll_next(cx)) => piece,
        };
        let Some(piece) = piece else { break };
        let mut piece = piece.map_err(|error| SendError::Body(error.into().to_string()))?;
        let length = piece.len();
        parts += 1;
        while !piece.is_empty() {
            let wanted = piece.len().min(PIECE);
            let room = match &mut slow {
                Some(slow) if !slow.is_charged() => {
                    slow.waits(parts, Some(&piece), length)?;
                    match timeout(SLOW_PART, wait_capacity(sending, wanted, stall_timeout)).await {
                        Ok(room) => room?,
                        Err(_) => {
                            slow.waits(parts, Some(&piece), length)?;
                            wait_capacity(sending, wanted, stall_timeout.saturating_sub(SLOW_PART)).await?
                        }
                    }
                }
                _ => wait_capacity(sending, wanted, stall_timeout).await?,
            };
            sending.send_data(piece.split_to(room.min(piece.len())), false)?;
        }
        if let Some(slow) = &mut slow {
            slow.waits(parts, None, 0)?;
        }
    }
    Ok(sending.send_data(Bytes::new(), true)?)
}

/// Waits until the client takes some bytes, of `wanted` at most. Returns how many.
async fn wait_capacity(
    sending: &mut SendStream<Bytes>,
    wanted: usize,
    stall_timeout: Duration,
) -> Result<usize, SendError> {
    sending.reserve_capacity(wanted);
    if sending.capacity() > 0 {
        return Ok(sending.capacity());
    }
    let room = timeout(stall_timeout, poll_fn(|cx| sending.poll_capacity(cx))).await;
    Ok(room.map_err(|_| SendError::Stalled(stall_timeout))?.ok_or(SendError::ClientGone)??)
}
