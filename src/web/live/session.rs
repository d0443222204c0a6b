//! The connection of a page, which its subscriptions share.

use std::{cell::RefCell, time::Instant};

use actix_ws::{Closed, Session};
use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::congestion_window::{self, CongestionWindow};
use crate::web::websocket::backpressure::Backpressure;

/// The connection to one page. A subscription acquires a place to send a picture, and returns it when the
/// picture is drawn; the one that has waited longest is served first, so that no tile starves.
pub(super) struct LiveSession {
    session: Session,
    permits: Semaphore,
    window: RefCell<CongestionWindow>,
    backpressure: Backpressure,
    /// Number, times and JSON of each picture are sent before it.
    pub(super) meta: bool,
}

impl LiveSession {
    pub(super) fn new(session: Session, backpressure: Backpressure, meta: bool) -> Self {
        Self {
            session,
            permits: Semaphore::new(congestion_window::INITIAL_WINDOW),
            window: RefCell::default(),
            backpressure,
            meta,
        }
    }

    /// Waits for a place.
    pub(super) async fn acquire(&self) -> SemaphorePermit<'_> {
        let place = self.permits.acquire().await.expect("it is never closed");
        self.backpressure.wait_writable().await;
        place
    }

    /// A picture that was sent at `sent` is drawn.
    pub(super) fn drawn(&self, sent: Instant) {
        let full = self.permits.available_permits() == 0;
        let free = self.window.borrow_mut().on_drawn(sent, Instant::now(), full);
        self.permits.add_permits(free);
    }

    /// Returns the permits of frames whose subscription has ended.
    pub(super) fn release(&self, pictures: usize) {
        let free = self.window.borrow_mut().on_freed(pictures);
        self.permits.add_permits(free);
    }

    /// Sends a picture.
    ///
    /// # Errors
    /// [`Closed`] when the connection has ended.
    pub(super) async fn send_picture(&self, message: Bytes) -> Result<(), Closed> {
        self.backpressure.sent(message.len());
        self.session.clone().binary(message).await
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// As [`LiveSession::send_picture`].
    pub(super) async fn send_text(&self, message: String) -> Result<(), Closed> {
        self.session.clone().text(message).await
    }

    /// The connection itself.
    pub(super) fn session(&self) -> Session {
        self.session.clone()
    }
}
