//! The interface between a source and the rest: [`Source`] itself, and [`Upstreams`], through which a source
//! reaches other streams.

use std::{any::Any, fmt};

use futures_util::future::LocalBoxFuture;

use super::error::{Reason, SourceError};
use crate::{
    bus::{Sink, Subscriber},
    media::stream_name::StreamName,
};

/// Gives frames until it ends.
pub trait Source {
    /// Runs once: one connection of a camera, one life of a renderer. Returns when the source ended (`Ok` for
    /// an upstream that closed in an orderly way) or failed. Cancelled by dropping the future.
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>>;
}

/// The other streams, for sources that show what these show.
pub trait Upstreams: Send + Sync + fmt::Debug {
    /// Joins the stream of this name; none when there is none.
    fn join(&self, name: &StreamName) -> Option<Upstream>;
}

/// No other streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUpstreams;

impl Upstreams for NoUpstreams {
    fn join(&self, _: &StreamName) -> Option<Upstream> {
        None
    }
}

/// The state of another stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Frames come.
    Live,
    /// Its source runs and has not given a frame yet.
    Starting,
    /// Its source is away, for this reason.
    Away(Reason),
}

/// Another stream, which is wanted to run for as long as this lives.
pub struct Upstream {
    /// Title of the stream, for people.
    pub title: String,
    /// Tells how it is now.
    pub health: Box<dyn Fn() -> Health + Send>,
    /// Subscriber to the frames of the stream.
    pub shows: Subscriber,
    /// Guard that keeps the stream running; it is only dropped.
    pub wanted: Box<dyn Any + Send>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}
