//! The interface between a source and the rest: [`Source`] itself, and [`StreamLookup`], through which a
//! source reaches other streams.

use std::{any::Any, fmt, time::Duration};

use futures_util::future::LocalBoxFuture;

use super::error::{Reason, SourceError};
use crate::{
    bus::{BusReader, Ingest},
    media::stream_name::StreamName,
};

/// A producer of frames.
pub trait Source {
    /// Runs once: one connection to a camera, or one run of a renderer. Returns when the source ended (`Ok`
    /// when the camera closed in an orderly way) or failed. Cancelled by dropping the future.
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>>;
}

/// Access to the other streams, for sources that show their frames.
pub trait StreamLookup: Send + Sync + fmt::Debug {
    /// Joins the stream `name`; none if there is no such stream.
    fn join(&self, name: &StreamName) -> Option<JoinedStream>;
}

/// A lookup without any streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoStreams;

impl StreamLookup for NoStreams {
    fn join(&self, _: &StreamName) -> Option<JoinedStream> {
        None
    }
}

/// The state of another stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamHealth {
    /// Frames are arriving.
    Live,
    /// The source runs and has not produced a frame yet.
    Starting,
    /// The source is away, for this reason.
    Away(Reason),
}

/// Another stream, which has demand for as long as this value lives.
pub struct JoinedStream {
    /// Title of the stream, as viewers see it.
    pub title: String,
    /// Time without a picture from which on it is offline (`placeholder.after`): a camera that closes after
    /// each picture is away most of the time, and so is a stream that has just been started.
    pub offline_after: Duration,
    /// Returns its current state.
    pub health: Box<dyn Fn() -> StreamHealth + Send>,
    /// Subscriber to the frames of the stream.
    pub frames: BusReader,
    /// Guard that keeps the stream running; it is only dropped.
    pub demand: Box<dyn Any + Send>,
}

impl fmt::Debug for JoinedStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinedStream").finish_non_exhaustive()
    }
}
