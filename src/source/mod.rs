//! Sources of frames: cameras, programs, generated pictures, files, other streams.
//!
//! A [`Source`] runs until it fails or ends, and gives frames to its [`Ingest`](crate::bus::Ingest). It does
//! not retry: the stream's actor decides when it runs again. Dropping the future of a run releases every
//! socket and file at once.
//!
//! Each kind of source is one module; [`build_source`] makes the one that the configuration describes.

pub mod camera;
mod context;
mod error;
mod factory;
pub mod generated;
pub mod http_client;
pub mod images;
pub mod mosaic;
pub mod offline_image;
pub mod process;
pub mod push;
pub mod rendition;
mod traits;

pub use context::SourceContext;
pub use error::{Deadline, PrinterError, Reason, SourceError};
pub use factory::build_source;
pub use traits::{JoinedStream, NoStreams, Source, StreamHealth, StreamLookup};
