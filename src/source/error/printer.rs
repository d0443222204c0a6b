//! The errors of a printer's camera.

use std::{borrow::Cow, time::Duration};

/// The reason why a printer shows no pictures. `Display` continues a sentence that begins with the printer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrinterError {
    /// It does not take the connection.
    #[error(
        "cannot be reached ({0}): is it on, is this its address, and is \"LAN Only Liveview\" on in its \
         network settings?"
    )]
    Unreachable(String),
    /// The TLS handshake failed.
    #[error("does not answer as a printer of the P1 or A1 series ({0}): is this its address?")]
    Tls(String),
    /// It closed the connection after the hello.
    #[error(
        "closed the connection before the first picture: is the access code the one that it shows in its \
         network settings?"
    )]
    Rejected,
    /// It took the access code, or ignored it, and sent nothing.
    #[error(
        "sent nothing within {} s: it serves one or two viewers at a time; close its other viewers (Bambu \
         Studio, Bambu Handy, Home Assistant)",
        .0.as_secs_f64()
    )]
    Silent(Duration),
    /// The head of a picture declares a length that none can have.
    #[error("declared a picture of {length} bytes, which must be 1 to {limit} (max_frame_bytes)")]
    Length {
        /// The declared length.
        length: u32,
        /// The configured limit.
        limit: usize,
    },
    /// The bytes after a picture that was no JPEG are no head.
    #[error("sent a picture that is no JPEG, and no head of another after it")]
    OutOfStep,
}

impl PrinterError {
    /// Returns the text for everybody.
    pub(super) fn public(&self) -> Cow<'static, str> {
        match self {
            Self::Tls(_) => "does not answer as a printer of the P1 or A1 series".into(),
            other => other.to_string().into(),
        }
    }
}
