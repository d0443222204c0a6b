//! A stream over HTTP/2, beside others on one connection: by actix's ordinary way, which copies, and waits for the room
//! that the client gives each stream.
//!
//! The outbox is a connection's, and so has no place here. The newest frame wins all the same: the next one is asked for
//! only when the one before has gone. A client that makes no room for a stream, while its connection is well, is
//! let go by the clock: the body is not asked for anything then.

use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
    rc::{Rc, Weak},
    time::Duration,
};

use actix_web::body::BodyStream;
use bytes::Bytes;
use futures_util::{Stream, stream};
use tokio::time::{Instant, sleep_until};

use super::ViewerFeed;
use crate::{
    auth::Lease,
    bus::Subscriber,
    telemetry::tasks,
    web::{
        seats::AddressSeat,
        transport::{BusyGuard, Feed, Filled, Pieces},
        viewers::Viewing,
    },
};

/// One viewer.
pub(super) struct Multiplexed {
    pub(super) feed: ViewerFeed,
    pub(super) showing: Subscriber,
    pub(super) lease: Lease,
    /// These are held for as long as the viewer is there.
    pub(super) _busy: BusyGuard,
    pub(super) _seat: AddressSeat,
    pub(super) _viewing: Viewing,
}

/// What one viewer gets, as an ordinary body; it is let go when nothing is taken for `timeout`.
pub(super) fn body(
    viewer: Multiplexed,
    timeout: Duration,
) -> BodyStream<impl Stream<Item = Result<Bytes, Infallible>> + use<>> {
    let viewer = RefCell::new(Some((viewer, Pieces::default())));
    let place = Rc::new(Place { viewer, given_at: Cell::new(Instant::now()) });
    tasks::spawn(let_go_when_stuck(Rc::downgrade(&place), timeout));
    let pieces = stream::unfold(place, async |place| {
        // Nobody is there any more when the clock was faster.
        let (mut viewer, mut pieces) = place.viewer.take()?;
        let piece = viewer.next(&mut pieces).await?;
        place.given_at.set(Instant::now());
        place.viewer.replace(Some((viewer, pieces)));
        Some((Ok(piece), place))
    });
    BodyStream::new(Box::pin(pieces))
}

/// Where a viewer is while its last piece is on its way.
struct Place {
    viewer: RefCell<Option<(Multiplexed, Pieces)>>,
    given_at: Cell<Instant>,
}

async fn let_go_when_stuck(place: Weak<Place>, timeout: Duration) {
    let mut look_at = Instant::now() + timeout;
    loop {
        sleep_until(look_at).await;
        let Some(place) = place.upgrade() else { return };
        let is_waiting = place.viewer.borrow().is_none();
        let since = if is_waiting { Instant::now() } else { place.given_at.get() };
        look_at = since + timeout;
        if look_at <= Instant::now() {
            // The viewer is counted no more, and its source may rest; the body ends when it is asked again.
            drop(place.viewer.take());
            return;
        }
    }
}

impl Multiplexed {
    /// The next bytes; none at the end.
    async fn next(&mut self, pieces: &mut Pieces) -> Option<Bytes> {
        loop {
            if let Some(piece) = pieces.pop() {
                return Some(piece);
            }
            if self.lease.is_over() {
                self.feed.end();
            }
            let showing = self.showing.borrow_and_update().clone();
            match self.feed.fill(&showing, pieces) {
                Filled::Some => {}
                Filled::Nothing => tokio::select! {
                    biased;
                    () = self.lease.over() => {}
                    changed = self.showing.changed() => changed.ok()?,
                },
                Filled::Ended => return None,
            }
        }
    }
}
