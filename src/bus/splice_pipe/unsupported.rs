//! Replacement for systems without `splice`: every part is written.

use std::{io, sync::Arc};

use crate::{bus::current::PublishedFrame, media::multipart::writer::Framing};

/// A type without values.
#[derive(Debug)]
pub enum SplicePipe {}

impl SplicePipe {
    /// Returns an error.
    ///
    /// # Errors
    /// This system has no way to hand pages to sockets.
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Cannot be called.
    pub fn offer(&mut self, _: &Arc<PublishedFrame>) {
        match *self {}
    }

    /// Cannot be called.
    pub fn holds(&mut self, _: u64, _: Framing) -> bool {
        match *self {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn send_to<S>(&mut self, _: &S) -> io::Result<usize> {
        match *self {}
    }

    /// Cannot be called.
    ///
    /// # Errors
    /// None.
    pub fn clear(&mut self) -> io::Result<()> {
        match *self {}
    }
}
