//! The body of a request: read once and within bounds, and drained if the request is refused.
//!
//! This is the only way to read one (clippy.toml forbids actix-web's extractors): all buffered bytes are
//! charged to an [`Upload`].

use std::{
    future::poll_fn,
    ops::Deref,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    body::{BodySize, BoxBody, MessageBody},
    http::{StatusCode, header},
    web,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use tokio::time::{Instant, Sleep, sleep_until, timeout, timeout_at};

use super::{Upload, UploadError};
use crate::web::{
    middleware::problem::Problem,
    server::transport::{Busy, BusyGuard, Outbox},
};

/// Time after which a publisher that sends nothing of a picture is disconnected: its connection is dead, or
/// open for nothing.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(60);

/// The time after which a body that is whole, and does not end, is read otherwise.
const WHOLE_TIMEOUT: Duration = Duration::from_secs(1);

/// The time limit for a whole picture: a publisher that sends one byte a minute would hold a connection, and
/// memory, for ever.
const PICTURE_TIMEOUT: Duration = Duration::from_secs(300);

/// Initial capacity for a body whose `Content-Length` is not smaller; it doubles as bytes arrive, up to the
/// declared length. So at most twice the received bytes, plus this, are charged to the uploads' budget.
const INITIAL_CAPACITY: usize = 8 * 1024;

/// The buffer of a body of unknown length is shrunk if its spare capacity exceeds this fraction of its
/// length.
const MUCH_LONGER: usize = 8;

/// A refused body of this length is read before the answer, so that its connection stays usable: pictures of
/// this size cost less than a new connection.
const READ_BEFORE_ANSWER: u64 = 1024 * 1024;

/// The time limit for reading it; most such bodies arrive with the head.
const READ_BEFORE_ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// The time for which the rest of a longer one is read and discarded after the answer. A socket that is
/// closed while bytes arrive resets the connection, and clients that read only after they have sent
/// everything do not get the answer (curl does not wait, Python's requests does).
const READ_AFTER_ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// A received body, which stays charged for as long as it exists.
#[derive(Debug)]
pub(in crate::web) struct ReceivedBody {
    bytes: Bytes,
    upload: Upload,
}

impl ReceivedBody {
    pub(in crate::web) fn new(bytes: Bytes, upload: Upload) -> Self {
        Self { bytes, upload }
    }

    /// Returns the bytes and their charge.
    pub(in crate::web) fn into_parts(self) -> (Bytes, Upload) {
        (self.bytes, self.upload)
    }
}

impl Deref for ReceivedBody {
    type Target = Bytes;

    fn deref(&self) -> &Bytes {
        &self.bytes
    }
}

/// The body of a publisher's request.
pub(in crate::web) struct RequestBody {
    payload: web::Payload,
    declared: Option<u64>,
    /// Bytes that were read and given back.
    unread: Bytes,
    ended: bool,
    /// The time limit for the whole body.
    timeout: Duration,
    outbox: Outbox,
    _busy: BusyGuard,
}

/// What is known of a body of which a part has arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Verdict {
    /// The rest is needed.
    ReadOn,
    /// It is whole unless more comes soon; then it is read otherwise.
    Whole,
    /// It is read otherwise.
    Stop,
    /// The rest is not needed.
    Enough,
}

impl RequestBody {
    pub(in crate::web) fn new(request: &HttpRequest, payload: web::Payload) -> Self {
        let declared = request.headers().get(header::CONTENT_LENGTH);
        let declared = declared.and_then(|value| value.to_str().ok()?.parse().ok());
        let outbox = Outbox::of(request);
        let busy = outbox.busy(Busy::Receiving);
        let unread = Bytes::new();
        Self { payload, declared, unread, ended: false, timeout: PICTURE_TIMEOUT, outbox, _busy: busy }
    }

    /// Returns the length that its `Content-Length` announces; `None` for chunks.
    pub(in crate::web) fn declared(&self) -> Option<u64> {
        self.declared
    }

    /// Sets the time limit for the whole body, where that of a picture is too long.
    pub(in crate::web) fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Returns the next chunk, which is to be buffered for `upload`; `None` at the end.
    ///
    /// # Errors
    /// 400 when the body is incomplete, 503 when the upload was ended to make room for others.
    pub(in crate::web) async fn chunk(&mut self, upload: &Upload) -> Result<Option<Bytes>, Problem> {
        tokio::select! {
            biased;
            () = upload.ended() => Err(UploadError::Ended.into()),
            chunk = self.next() => chunk,
        }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if !self.unread.is_empty() {
            return Ok(Some(std::mem::take(&mut self.unread)));
        }
        let next = poll_fn(|cx| {
            let next = self.payload.poll_next_unpin(cx);
            if next.is_pending() {
                self.outbox.send_continue();
            }
            next
        });
        match next.await {
            Some(Ok(chunk)) => Ok(Some(chunk)),
            None => {
                self.ended = true;
                Ok(None)
            }
            Some(Err(error)) => {
                self.ended = true;
                Err(Problem::new(StatusCode::BAD_REQUEST, format!("the body was cut off: {error}")))
            }
        }
    }

    /// Reads the whole body, charged to `upload` as it arrives. Fails with `too_large` as soon as it is known
    /// to exceed `max`.
    ///
    /// # Errors
    /// As [`RequestBody::chunk`], 408 when it is too slow, and 503 when there is no memory for it.
    pub(in crate::web) async fn whole(
        &mut self,
        upload: Upload,
        max: usize,
        too_large: impl Fn() -> Problem,
    ) -> Result<ReceivedBody, Problem> {
        let whole = self.whole_unless(upload, max, too_large, |_| Verdict::ReadOn).await?;
        Ok(whole.expect("only a verdict stops the reading"))
    }

    /// Reads the whole body as [`RequestBody::whole`], unless `judge` says of the bytes so far that it is
    /// read otherwise: then they are given back, and it returns `None`.
    ///
    /// # Errors
    /// As [`RequestBody::whole`].
    pub(in crate::web) async fn whole_unless(
        &mut self,
        mut upload: Upload,
        max: usize,
        too_large: impl Fn() -> Problem,
        mut judge: impl FnMut(&[u8]) -> Verdict,
    ) -> Result<Option<ReceivedBody>, Problem> {
        if self.declared.is_some_and(|declared| declared > max as u64) {
            return Err(too_large());
        }
        let promised = self.declared.and_then(|declared| usize::try_from(declared).ok()).unwrap_or(max);
        let mut whole = Vec::new();
        let end = Instant::now() + self.timeout;
        let mut verdict = Verdict::ReadOn;
        loop {
            let silence = if verdict == Verdict::Whole { WHOLE_TIMEOUT } else { SILENCE_TIMEOUT };
            let next = timeout_at(end.min(Instant::now() + silence), self.chunk(&upload)).await;
            if next.is_err() && verdict == Verdict::Whole {
                self.unread = whole.into();
                return Ok(None);
            }
            let Some(chunk) = next.map_err(|_| late(self.timeout))?? else { break };
            let needed = whole.len() + chunk.len();
            if needed > max {
                return Err(too_large());
            }
            if needed > whole.capacity() {
                let room = (2 * whole.capacity()).max(INITIAL_CAPACITY).min(promised).max(needed);
                upload.reserve(room)?;
                whole.reserve_exact(room - whole.len());
            }
            whole.extend_from_slice(&chunk);
            verdict = judge(&whole);
            if verdict == Verdict::Stop {
                self.unread = whole.into();
                return Ok(None);
            }
            if verdict == Verdict::Enough {
                break;
            }
        }
        if whole.capacity() - whole.len() > whole.len() / MUCH_LONGER {
            whole.shrink_to_fit();
            upload.set(whole.len())?;
        }
        upload.complete();
        Ok(Some(ReceivedBody::new(whole.into(), upload)))
    }

    /// Returns the answer to a refused request, in a way that lets it reach the publisher.
    pub(in crate::web) async fn refuse(mut self, problem: Problem) -> HttpResponse {
        let answer = problem.error_response();
        // A client that was not told to continue sends nothing before it has the answer.
        let is_held = self.outbox.awaits_continue();
        if !is_held && self.declared.is_some_and(|declared| declared <= READ_BEFORE_ANSWER) {
            let rest = async { while let Ok(Some(_)) = self.next().await {} };
            // If it is late, the connection is closed after the answer.
            let _ = timeout(READ_BEFORE_ANSWER_TIMEOUT, rest).await;
        }
        if self.ended {
            return answer;
        }
        // A feed has no end to wait for; the server's own short linger is enough for its head start.
        let read_for =
            if self.declared.is_some() && !is_held { READ_AFTER_ANSWER_TIMEOUT } else { Duration::ZERO };
        answer.map_body(|_, body| {
            BoxBody::new(EarlyAnswer {
                answer: body,
                rest: self.payload,
                until: Box::pin(sleep_until(Instant::now() + read_for)),
            })
        })
    }
}

fn late(limit: Duration) -> Problem {
    let (silence, whole) = (SILENCE_TIMEOUT.min(limit).as_secs(), limit.as_secs());
    let detail = format!("nothing of the body came for {silence} s, or not all of it within {whole} s");
    Problem::new(StatusCode::REQUEST_TIMEOUT, detail)
}

/// An answer's body that ends only when the rest of the request was read, or its time limit has passed.
///
/// It also keeps the request's payload alive: one that is dropped while chunks still come is read on by
/// actix-http for ever, and a refused `ffmpeg`, which reads no answers, would never learn of it.
struct EarlyAnswer {
    answer: BoxBody,
    rest: web::Payload,
    until: Pin<Box<Sleep>>,
}

impl MessageBody for EarlyAnswer {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        if let Some(piece) = ready!(Pin::new(&mut this.answer).poll_next(cx)) {
            return Poll::Ready(Some(piece));
        }
        while this.until.as_mut().poll(cx).is_pending() {
            match ready!(Pin::new(&mut this.rest).poll_next(cx)) {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use actix_http::BoxedPayloadStream;
    use actix_web::{FromRequest, HttpMessage, dev::Payload, error::PayloadError, test::TestRequest};
    use futures_util::stream;

    use super::*;
    use crate::web::middleware::uploads::tests::upload;

    /// A picture of which a byte comes each time `between` is over, and never the last one.
    async fn dripping(between: Duration) -> RequestBody {
        let request = TestRequest::post().insert_header(("Content-Length", "1000000")).to_http_request();
        request.extensions_mut().insert(Outbox::new(Duration::from_secs(10), None));
        let bytes = stream::unfold((), move |()| async move {
            tokio::time::sleep(between).await;
            Some((Ok::<_, PayloadError>(Bytes::from_static(b"\xff")), ()))
        });
        let bytes: BoxedPayloadStream = Box::pin(bytes);
        let mut payload = Payload::Stream { payload: bytes };
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        RequestBody::new(&request, payload)
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_that_comes_byte_by_byte_is_waited_for_for_so_long_and_no_longer() {
        let cases = [
            (Duration::from_secs(1), PICTURE_TIMEOUT),
            (SILENCE_TIMEOUT - Duration::from_secs(1), PICTURE_TIMEOUT),
            (SILENCE_TIMEOUT + Duration::from_secs(1), SILENCE_TIMEOUT),
        ];
        let cases = cases.map(|(between, until)| (PICTURE_TIMEOUT, between, until));
        let form = Duration::from_secs(10);
        let forms = [1, 20].map(|seconds| (form, Duration::from_secs(seconds), form));
        for (limit, between, until) in cases.into_iter().chain(forms) {
            let mut body = dripping(between).await.with_timeout(limit);
            let begun = Instant::now();
            let late = body.whole(upload(1 << 24), 2_000_000, || unreachable!("it is small"));
            let late = late.await.unwrap_err();
            assert_eq!(late.status(), StatusCode::REQUEST_TIMEOUT, "{late}");
            assert!(late.to_string().contains(&format!("within {} s", limit.as_secs())), "{late}");
            let waited = begun.elapsed();
            assert!(waited >= until && waited < until + Duration::from_secs(1), "{between:?}: {waited:?}");
        }
    }
}
