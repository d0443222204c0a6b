//! Decodes chunked bodies (RFC 9112, section 7.1) in place, in pieces of any size. Pure.
//!
//! Lenient in what cameras get wrong: line ends without CR, spaces, extensions of any kind. Trailers are not
//! read: a connection with one is closed after the last chunk.

/// Maximum length of a chunk's size line with its extensions.
const MAX_LINE_BYTES: usize = 4096;

/// An error in the framing of a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChunkError {
    #[error("its answer is chunked, but a chunk's size is no hexadecimal number of at most 64 bits")]
    Size,
    #[error("its answer is chunked, but a chunk's size stands in a line of more than {MAX_LINE_BYTES} bytes")]
    LongLine,
    #[error("its answer is chunked, but a chunk does not end where its size says")]
    End,
}

/// A decoder of the chunked framing.
#[derive(Debug, Default)]
pub(in crate::source::http_client) struct ChunkDecoder {
    state: State,
    /// Something else than the empty line came after the last chunk.
    trailer: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// In the digits of a size.
    Size { value: u64, line_len: usize },
    /// In the rest of a size line.
    Extension { value: u64, line_len: usize },
    /// In a chunk, of which so many bytes are missing.
    Data(u64),
    /// In the line end after a chunk.
    DataEnd { cr: bool },
    /// After the last chunk, which has size 0.
    End,
    /// After an error.
    Broken(ChunkError),
}

impl Default for State {
    fn default() -> Self {
        Self::Size { value: 0, line_len: 0 }
    }
}

impl ChunkDecoder {
    /// Returns whether there may be more data: false after the last chunk.
    ///
    /// # Errors
    /// The body is not chunked from here on.
    pub(super) fn has_more(&self) -> Result<bool, ChunkError> {
        match self.state {
            State::End => Ok(false),
            State::Broken(error) => Err(error),
            _ => Ok(true),
        }
    }

    /// Returns whether the last chunk was read, and nothing after it but line ends.
    pub(super) fn is_at_clean_end(&self) -> bool {
        matches!(self.state, State::End) && !self.trailer
    }

    /// Removes the framing from `piece`, the next bytes of the body, by moving the data to its front. Returns
    /// the length of the data.
    pub(super) fn decode(&mut self, piece: &mut [u8]) -> usize {
        let (mut from, mut to) = (0, 0);
        while from < piece.len() {
            match &mut self.state {
                State::Data(left) => {
                    let count = usize::try_from(*left).unwrap_or(usize::MAX).min(piece.len() - from);
                    if from > to {
                        piece.copy_within(from..from + count, to);
                    }
                    from += count;
                    to += count;
                    *left -= count as u64;
                    if *left == 0 {
                        self.state = State::DataEnd { cr: false };
                    }
                }
                State::End => {
                    self.trailer |= !is_line_end(&piece[from..]);
                    break;
                }
                State::Broken(_) => break,
                framing => {
                    *framing = framing.after(piece[from]).unwrap_or_else(State::Broken);
                    from += 1;
                }
            }
        }
        to
    }
}

/// Returns whether `bytes` contains nothing but line ends.
pub(super) fn is_line_end(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
}

impl State {
    /// Returns the state after one byte of framing.
    fn after(self, byte: u8) -> Result<Self, ChunkError> {
        match (self, byte) {
            (Self::Size { line_len: 0, .. }, byte) if !byte.is_ascii_hexdigit() => Err(ChunkError::Size),
            (Self::Size { line_len, .. } | Self::Extension { line_len, .. }, _)
                if line_len >= MAX_LINE_BYTES =>
            {
                Err(ChunkError::LongLine)
            }
            (Self::Size { value, .. } | Self::Extension { value, .. }, b'\n') => {
                Ok(if value == 0 { Self::End } else { Self::Data(value) })
            }
            (Self::Size { value, line_len }, b';' | b' ' | b'\t' | b'\r') => {
                Ok(Self::Extension { value, line_len: line_len + 1 })
            }
            (Self::Size { value, line_len }, byte) => {
                let digit = char::from(byte).to_digit(16).ok_or(ChunkError::Size)?;
                let value = value.checked_mul(16).ok_or(ChunkError::Size)? + u64::from(digit);
                Ok(Self::Size { value, line_len: line_len + 1 })
            }
            (Self::Extension { value, line_len }, _) => Ok(Self::Extension { value, line_len: line_len + 1 }),
            (Self::DataEnd { cr: false }, b'\r') => Ok(Self::DataEnd { cr: true }),
            (Self::DataEnd { .. }, b'\n') => Ok(Self::default()),
            (Self::DataEnd { .. }, _) => Err(ChunkError::End),
            (state @ (Self::Data(_) | Self::End | Self::Broken(_)), _) => Ok(state),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Returns the data of the pieces without their framing, and whether the end was reached.
    fn strip<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<(Vec<u8>, bool), ChunkError> {
        let (mut chunks, mut body) = (ChunkDecoder::default(), Vec::new());
        for piece in pieces {
            let mut piece = piece.to_vec();
            let count = chunks.decode(&mut piece);
            body.extend_from_slice(&piece[..count]);
        }
        Ok((body, !chunks.has_more()?))
    }

    /// Returns the data of `wire`, after checking that the result does not depend on how it is split.
    fn stripped(wire: &[u8]) -> Result<(Vec<u8>, bool), ChunkError> {
        let whole = strip([wire]);
        for cut in 0..wire.len() {
            assert_eq!(strip([&wire[..cut], &wire[cut..]]), whole, "cut at {cut}");
        }
        assert_eq!(strip(wire.chunks(1)), whole, "byte by byte");
        whole
    }

    #[test]
    fn chunks_become_the_body_they_carry() {
        let wire = b"4\r\nWiki\r\n6\r\npedia \r\nE\r\nin \r\n\r\nchunks.\r\n0\r\n\r\n";
        assert_eq!(stripped(wire), Ok((b"Wikipedia in \r\n\r\nchunks.".to_vec(), true)));
    }

    #[test]
    fn what_cameras_write_around_sizes_is_no_obstacle() {
        for wire in [
            "5\nhello\n0\n",
            "5\nhello\r\n0\r\n",
            "0005 \r\nhello\r\n0\r\n\r\n",
            "5;name=\"a;b\"\r\nhello\r\n0;last\r\n\r\n",
            "5\t; x\r\nhello\r\n000\r\n\r\n",
            "2\r\nhe\r\n3\r\nllo\r\n0\r\nX-Trailer: 1\r\n\r\nand what follows",
        ] {
            assert_eq!(stripped(wire.as_bytes()), Ok((b"hello".to_vec(), true)), "{wire:?}");
        }
        assert_eq!(stripped(b"a\r\n0123456789\r\nA\r\n01"), Ok((b"012345678901".to_vec(), false)));
    }

    #[test]
    fn what_is_not_chunked_is_told() {
        for (wire, error) in [
            ("--cam\r\n", ChunkError::Size),
            ("\r\n", ChunkError::Size),
            ("5g\r\nhello", ChunkError::Size),
            ("10000000000000000\r\n", ChunkError::Size),
            ("5\r\nhello!", ChunkError::End),
            ("5\r\nhello\r\r\n", ChunkError::End),
            (";\r\n", ChunkError::Size),
        ] {
            assert_eq!(stripped(wire.as_bytes()), Err(error), "{wire:?}");
        }
        assert_eq!(stripped(b"ffffffffffffffff\r\nx"), Ok((b"x".to_vec(), false)));
    }

    #[test]
    fn what_came_before_an_error_is_given_out() {
        let mut chunks = ChunkDecoder::default();
        let mut wire = *b"3\r\nabc\r\n2\r\ndef";
        assert_eq!(chunks.decode(&mut wire), 5);
        assert_eq!(&wire[..5], b"abcde");
        assert_eq!(chunks.has_more(), Err(ChunkError::End));
        assert_eq!(chunks.decode(&mut wire), 0);
    }

    #[test]
    fn lines_are_bounded_however_they_come() {
        let digits = "0".repeat(MAX_LINE_BYTES + 1);
        assert_eq!(strip([digits.as_bytes()]), Err(ChunkError::LongLine));
        let extension = format!("5;{}", "x".repeat(MAX_LINE_BYTES));
        assert_eq!(strip(extension.as_bytes().chunks(1)), Err(ChunkError::LongLine));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_come_out_as_they_were(
            body in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..40), 0..8),
            cut in 1_usize..50,
        ) {
            let mut wire = Vec::new();
            for chunk in &body {
                wire.extend(format!("{:x}\r\n", chunk.len()).bytes());
                wire.extend(chunk);
                wire.extend(b"\r\n");
            }
            wire.extend(b"0\r\n\r\n");
            prop_assert_eq!(strip(wire.chunks(cut)), Ok((body.concat(), true)));
        }
    }
}
