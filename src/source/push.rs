//! Frames that publishers push: `type: push`.
//!
//! They come over HTTP, straight to the stream's [`Ingest`]; this source only keeps the stream running until
//! it is stopped.

use futures_util::future::LocalBoxFuture;

use super::{error::SourceError, traits::Source};
use crate::bus::Ingest;

/// A source that waits until it is dropped.
#[derive(Debug)]
pub struct PushSource;

impl Source for PushSource {
    fn run<'a>(&'a mut self, _: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(std::future::pending())
    }
}
