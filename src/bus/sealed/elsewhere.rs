//! No sealed files: every part is written.

use std::{io, ops::Range};

use crate::multipart::writer::{Framing, PreparedPart};

/// Never made.
#[derive(Debug)]
pub enum SealedPart {}

impl SealedPart {
    /// Always an error.
    ///
    /// # Errors
    /// This system has no sealed files.
    pub fn new(_: &PreparedPart) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn send_to<S>(&self, _: &S, _: Range<u64>) -> io::Result<usize> {
        match *self {}
    }

    /// Never called.
    pub fn range(&self, _: Framing) -> Range<u64> {
        match *self {}
    }
}
