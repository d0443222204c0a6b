//! A stream over HTTP/2, which may share its connection with others: an ordinary body of actix, which waits
//! for the flow-control window of its HTTP/2 stream.
//!
//! An outbox belongs to a whole connection, so it is not used here. The viewer still gets the newest frame:
//! the next one is chosen only when the previous one is sent. [`crate::web::server::http2`] ends a stream
//! whose window stays closed.

use std::convert::Infallible;

use actix_web::body::BodyStream;
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::viewer_feed::ViewerProducer;
use super::viewer_list::ViewerListGuard;
use crate::{
    auth::ActiveGrant,
    bus::BusReader,
    web::{
        middleware::viewers_per_address::AddressPermit,
        server::transport::{BusyGuard, Fill, PartProducer, WriteQueue},
    },
};

/// One viewer.
pub(super) struct Http2Viewer {
    pub(super) producer: ViewerProducer,
    pub(super) current: BusReader,
    pub(super) grant: ActiveGrant,
    /// Permits that are held for as long as the viewer is connected.
    pub(super) _busy: BusyGuard,
    pub(super) _permit: AddressPermit,
    pub(super) _listed: ViewerListGuard,
}

/// The answer of one viewer, as an ordinary body.
pub(super) fn body(viewer: Http2Viewer) -> BodyStream<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let pieces = stream::unfold((viewer, WriteQueue::default()), async |(mut viewer, mut pieces)| {
        let piece = viewer.next(&mut pieces).await?;
        Some((Ok(piece), (viewer, pieces)))
    });
    BodyStream::new(Box::pin(pieces))
}

impl Http2Viewer {
    /// The next bytes; none at the end.
    async fn next(&mut self, pieces: &mut WriteQueue) -> Option<Bytes> {
        loop {
            if let Some(piece) = pieces.pop() {
                return Some(piece);
            }
            if self.grant.is_ended() {
                self.producer.end();
            }
            let current = self.current.borrow_and_update().clone();
            match self.producer.fill(&current, pieces) {
                Fill::Data => {}
                Fill::Pending => tokio::select! {
                    biased;
                    () = self.grant.ended() => {}
                    changed = self.current.changed() => changed.ok()?,
                },
                Fill::Done => return None,
            }
        }
    }
}
