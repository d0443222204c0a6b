//! The kind of a camera whose source is `type: auto`: an MJPEG stream, or polled snapshots.

use std::{
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::yield_now;

use crate::{bus::Ingest, source::error::SourceError};

/// A kind of camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CameraKind {
    /// One response with many pictures.
    Mjpeg,
    /// One picture in each response.
    Snapshot,
}

impl CameraKind {
    /// Returns the `type` of a source for this kind.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mjpeg => "mjpeg",
            Self::Snapshot => "snapshot",
        }
    }
}

/// The kind that was detected last. Clones share it: it outlasts the runs of a source.
#[derive(Debug, Clone, Default)]
pub struct Detection(Arc<Mutex<Option<CameraKind>>>);

impl Detection {
    /// Returns the kind; none before the first picture.
    pub fn kind(&self) -> Option<CameraKind> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set(&self, kind: CameraKind) {
        let before = self.0.lock().unwrap_or_else(PoisonError::into_inner).replace(kind);
        if before != Some(kind) {
            tracing::info!(kind = kind.as_str(), "the camera's kind was detected");
        }
    }

    /// Awaits the end of a multipart body, and notes what the camera is by the number of its pictures: one
    /// that sends one and ends is polled. Returns the kind.
    pub(super) async fn watch(
        &self,
        body: impl Future<Output = Result<(), SourceError>>,
        ingest: &Ingest,
    ) -> Result<CameraKind, SourceError> {
        let mut received = ingest.received();
        let before = *received.borrow_and_update();
        // The first picture tells nothing about a camera that ended after one before.
        let enough = if self.kind() == Some(CameraKind::Snapshot) { 2 } else { 1 };
        let mut body = pin!(body);
        // Without what it returns, which locks the counter.
        let pictures = async { _ = received.wait_for(|count| *count >= before + enough).await };
        tokio::select! {
            biased;
            result = &mut body => result?,
            () = pictures => {
                self.set(CameraKind::Mjpeg);
                // The body may have paused here for those who show its picture.
                yield_now().await;
                body.await?;
            }
        }
        let kind =
            if *ingest.received().borrow() == before + 1 { CameraKind::Snapshot } else { CameraKind::Mjpeg };
        self.set(kind);
        Ok(kind)
    }
}
