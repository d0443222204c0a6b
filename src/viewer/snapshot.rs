//! Waits for a single picture of a stream.

use std::{sync::Arc, time::Duration};

use tokio::time::timeout;

use crate::{
    bus::{Current, PublishedFrame},
    media::frame::FrameKind,
    stream::{StreamHandle, state::State},
};

/// Longest wait for a picture: OctoPrint gives up after 5 s and must hear our reason before.
pub const SNAPSHOT_WAIT: Duration = Duration::from_secs(4);

/// The reason for which there is no picture.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    /// The source is away.
    #[error("stream {stream} has no picture: {reason}")]
    Away {
        /// Name of the stream.
        stream: String,
        /// Reason for which its source gives none.
        reason: String,
    },
    /// The source runs and gave nothing in time.
    #[error("stream {stream} received no frame within {} s", SNAPSHOT_WAIT.as_secs())]
    TooLate {
        /// Name of the stream.
        stream: String,
    },
}

/// Returns the newest picture; waits for one, bounded, if the stream is just starting.
///
/// # Errors
/// [`SnapshotError`] when the source is away or gave nothing in time.
pub async fn newest_picture(stream: &StreamHandle) -> Result<Arc<PublishedFrame>, SnapshotError> {
    next_after(stream, 0).await
}

/// Returns the first picture numbered above `seq`, waiting up to [`SNAPSHOT_WAIT`].
///
/// # Errors
/// As [`newest_picture`].
pub async fn next_after(stream: &StreamHandle, seq: u64) -> Result<Arc<PublishedFrame>, SnapshotError> {
    let _running = stream.demand();
    let mut frames = stream.bus().subscribe();
    let mut status = stream.status_changes();
    let stale_after = stream.config().placeholder.after;
    let found = timeout(SNAPSHOT_WAIT, async {
        loop {
            let current = frames.borrow_and_update().clone();
            let state = status.borrow_and_update().state.clone();
            if let Some(picture) = picture_above(current, seq, (&state, stale_after)) {
                return Ok(picture);
            }
            if let Some(reason) = offline_reason(&state) {
                return Err(SnapshotError::Away { stream: stream.name().to_string(), reason });
            }
            tokio::select! {
                Ok(()) = frames.changed() => {}
                Ok(()) = status.changed() => {}
                else => return Err(SnapshotError::TooLate { stream: stream.name().to_string() }),
            }
        }
    });
    found.await.unwrap_or_else(|_| Err(SnapshotError::TooLate { stream: stream.name().to_string() }))
}

/// Returns the newest picture, if it is above `seq`. While the source is away it is given for `stale_after`:
/// cameras that close after each picture are mostly away.
fn picture_above(
    current: Current,
    seq: u64,
    (state, stale_after): (&State, Duration),
) -> Option<Arc<PublishedFrame>> {
    let newest =
        current.frame.filter(|newest| newest.seq > seq && newest.frame.kind() == FrameKind::Picture)?;
    let fresh = *state == State::Live || newest.frame.arrived_at().elapsed() < stale_after;
    fresh.then_some(newest)
}

fn offline_reason(state: &State) -> Option<String> {
    match state {
        // The answer is for all clients that may request pictures.
        State::Waiting { reason, .. } => Some(reason.public().to_owned()),
        State::Paused => Some("it is paused".to_owned()),
        State::Stopped => Some("it was stopped".to_owned()),
        State::Idle | State::Connecting | State::Live => None,
    }
}
