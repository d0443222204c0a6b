//! Prints the answers of commands to standard output.

use std::io::{self, Write};

/// Prints an answer to standard output. It is no error if the reader has left before the end, as `head` does.
pub(super) fn print(text: impl AsRef<[u8]>) {
    let _ = try_print(text);
}

/// Prints an answer to standard output.
///
/// # Errors
/// The system's, among them that the reader has left.
pub(super) fn try_print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_ref())?;
    out.flush()
}
