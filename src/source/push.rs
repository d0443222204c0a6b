//! Pictures that others push: `type: push`.
//!
//! They come over HTTP, straight to the stream's [`Sink`]; this source only keeps the stream running until it
//! is halted.

use futures_util::future::LocalBoxFuture;

use super::{Source, SourceError};
use crate::bus::Sink;

/// Waits, for ever.
#[derive(Debug)]
pub struct PushSource;

impl Source for PushSource {
    fn run<'a>(&'a mut self, _: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(std::future::pending())
    }
}
