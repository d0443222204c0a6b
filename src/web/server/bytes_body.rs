//! A response body of bytes that are already in memory.

use std::{
    collections::VecDeque,
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use actix_web::body::{BodySize, MessageBody};
use bytes::Bytes;

/// An answer is handed on in slices of this length: of an answer over HTTP/1.1, which actix-http copies, its
/// buffer holds two.
const SLICE: usize = 16 * 1024;

/// A body of bytes in memory, sent in slices, so that copies of them are as short.
#[derive(Debug)]
pub(in crate::web) struct Slices {
    rest: VecDeque<Bytes>,
    length: u64,
}

impl Slices {
    pub(in crate::web) fn new(pieces: impl IntoIterator<Item = Bytes>) -> Self {
        let rest: VecDeque<_> = pieces.into_iter().filter(|piece| !piece.is_empty()).collect();
        let length = rest.iter().map(|piece| piece.len() as u64).sum();
        Self { rest, length }
    }
}

impl MessageBody for Slices {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Sized(self.length)
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        let Some(mut piece) = self.rest.pop_front() else { return Poll::Ready(None) };
        if piece.len() > SLICE {
            self.rest.push_front(piece.split_off(SLICE));
        }
        Poll::Ready(Some(Ok(piece)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body::to_bytes;
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn slices_are_the_whole_and_none_is_long() {
        let pieces = [vec![1; 3 * SLICE + 1], vec![], vec![2; 5]].map(Bytes::from);
        let whole = pieces.concat();
        let mut slices = Slices::new(pieces.clone());
        assert_eq!(slices.size(), BodySize::Sized(whole.len() as u64));
        let mut cx = Context::from_waker(std::task::Waker::noop());
        while let Poll::Ready(Some(Ok(slice))) = Pin::new(&mut slices).poll_next(&mut cx) {
            assert!((1..=SLICE).contains(&slice.len()));
        }
        let read = to_bytes(Slices::new(pieces)).now_or_never().unwrap().unwrap();
        assert_eq!(read, whole);
    }
}
