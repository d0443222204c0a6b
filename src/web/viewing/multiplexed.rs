//! A stream over HTTP/2, beside others on one connection: by actix's ordinary way, which copies, and waits for the room
//! that the client gives each stream.
//!
//! The outbox is a connection's, and so has no place here. The newest frame wins all the same: the next one is asked for
//! only when the one before has gone.

use std::{convert::Infallible, sync::Arc};

use actix_web::body::BodyStream;
use bytes::Bytes;
use futures_util::{Stream, stream};

use super::ViewerFeed;
use crate::{
    bus::{Bus, Subscriber},
    web::{
        seats::AddressSeat,
        transport::{BusyGuard, Feed, Filled, Pieces},
    },
};

struct Multiplexed {
    feed: ViewerFeed,
    pieces: Pieces,
    showing: Subscriber,
    _busy: BusyGuard,
    _seat: Option<AddressSeat>,
}

/// What one viewer gets, as an ordinary body.
pub(super) fn body(
    feed: ViewerFeed,
    bus: &Arc<Bus>,
    busy: BusyGuard,
    seat: Option<AddressSeat>,
) -> BodyStream<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let showing = bus.subscribe();
    let viewer = Multiplexed { feed, pieces: Pieces::default(), showing, _busy: busy, _seat: seat };
    let pieces = stream::unfold(viewer, async |mut viewer| {
        let piece = viewer.next().await?;
        Some((Ok(piece), viewer))
    });
    BodyStream::new(Box::pin(pieces))
}

impl Multiplexed {
    /// The next bytes; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(piece) = self.pieces.pop() {
                return Some(piece);
            }
            let showing = self.showing.borrow_and_update().clone();
            match self.feed.fill(&showing, &mut self.pieces) {
                Filled::Some => {}
                Filled::Nothing => self.showing.changed().await.ok()?,
                Filled::Ended => return None,
            }
        }
    }
}
