//! Where frames come from. Each kind of source is one file; all are run the same way.
//!
//! A [`Source`] runs until it fails or ends, giving frames to its [`Sink`](crate::bus::Sink). It does not retry: the stream's actor decides
//! when it runs again. A source that is dropped (its future is) lets go of every socket and file at once.

pub mod images;
pub mod render;

use futures_util::future::LocalBoxFuture;

use crate::bus::Sink;

/// Gives frames until it ends.
pub trait Source {
    /// Runs once: one connection of a camera, one life of a renderer. Returns when the source ended (`Ok` for an
    /// upstream that closed in an orderly way) or failed. Cancelled by dropping the future.
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>>;
}

/// Why a source ended. Texts name what, where, and what would be right; never a credential.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The camera could not be reached.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// A renderer failed.
    #[error(transparent)]
    Render(#[from] render::RenderError),
    /// A picture sequence has no picture.
    #[error(transparent)]
    Images(#[from] images::ImagesError),
}
