//! Limits how many HTTP/1 requests a client may send ahead of those that are served.
//!
//! actix-http decodes all requests that it has read (up to 128 KiB) as soon as fewer than 16 wait, and keeps
//! some 6 kB of each: 3000 short ones after an answer that is slow, or that the client does not read, hold 17
//! MB a connection. So they are counted before they are decoded. No parser is needed for that: the first line
//! of each request ends with ` HTTP/1.` and a digit. Another line that ends so is counted as well, which ends
//! only uploads that contain dozens of them; `Via: HTTP/1.1 proxy` continues after it, and is not counted.

use std::io;

use memchr::memmem;

use super::{interim::Interim, outbox::Outbox};

/// Requests that may wait while another one is served. Browsers and proxies send none ahead; benchmarks send
/// 16.
pub(in crate::web) const MAX_PIPELINED: u32 = 32;

const MARK: &[u8] = b" HTTP/1.";

/// A mark with its digit, and the first byte of the line's end.
const MARK_BYTES: usize = MARK.len() + 2;

/// A client sent more than [`MAX_PIPELINED`] requests ahead.
#[derive(Debug, thiserror::Error)]
#[error("the client sent more than {MAX_PIPELINED} requests ahead of their answers")]
pub(in crate::web) struct TooManyPipelined;

/// Finds the marks of requests in bytes that arrive in chunks.
#[derive(Debug, Default)]
pub(super) struct PipelineCounter {
    /// The last bytes, in which a mark may have begun.
    tail: Vec<u8>,
}

impl PipelineCounter {
    /// Returns how many marks end in these bytes.
    fn count(&mut self, bytes: &[u8]) -> u32 {
        const BEGUN: usize = MARK_BYTES - 1;
        let ends_line = |after: &[u8]| matches!(after, [b'0'..=b'9', b'\r' | b'\n', ..]);
        let marks = |bytes: &[u8]| {
            memmem::find_iter(bytes, MARK).filter(|at| ends_line(&bytes[at + MARK.len()..])).count()
        };
        // Marks across both chunks, then those in this one alone.
        self.tail.extend_from_slice(&bytes[..bytes.len().min(BEGUN)]);
        let found = marks(&self.tail) + marks(bytes);
        if bytes.len() >= BEGUN {
            self.tail.clear();
            self.tail.extend_from_slice(&bytes[bytes.len() - BEGUN..]);
        } else {
            let old = self.tail.len().saturating_sub(BEGUN);
            self.tail.drain(..old);
        }
        u32::try_from(found).unwrap_or(u32::MAX)
    }

    /// Counts the requests in `bytes`.
    ///
    /// # Errors
    /// [`TooManyPipelined`].
    pub(super) fn read(&mut self, bytes: &[u8], outbox: &Outbox) -> io::Result<()> {
        let found = self.count(bytes);
        if found == 0 {
            return Ok(());
        }
        let mut pending = outbox.lock();
        pending.pipelined = pending.pipelined.saturating_add(found);
        if pending.pipelined > MAX_PIPELINED + 1 { Err(io::Error::other(TooManyPipelined)) } else { Ok(()) }
    }
}

impl Outbox {
    /// Records that an HTTP/1 request is being served.
    pub(in crate::web) fn begin_request(&self) {
        let mut pending = self.lock();
        pending.pipelined = pending.pipelined.saturating_sub(1);
        // The request before was answered without reading its body.
        if pending.interim == Interim::Held {
            pending.interim = Interim::None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_wherever_they_are_cut() {
        let text = b"GET / HTTP/1.1\r\nVia: HTTP/1.1 a\r\n\r\n\
            POST /x HTTP/1.0\n\n HTTP/1 HTTP/2. HTTP/1.\r\n HTTP/1.1\r\n HTTP/1.1";
        for first in 0..=text.len() {
            for second in first..=text.len() {
                let mut requests = PipelineCounter::default();
                let pieces = [&text[..first], &text[first..second], &text[second..]];
                let found: u32 = pieces.iter().map(|piece| requests.count(piece)).sum();
                assert_eq!(found, 3, "cut at {first} and {second}");
            }
        }
        let mut requests = PipelineCounter::default();
        assert_eq!(text.iter().map(|byte| requests.count(&[*byte])).sum::<u32>(), 3);
    }

    #[test]
    fn requests_beyond_those_that_may_wait_are_an_error_until_some_are_served() {
        let outbox = Outbox::new(std::time::Duration::from_secs(1), None);
        let mut requests = PipelineCounter::default();
        let mut read = |count: u32| requests.read(&b"GET / HTTP/1.1\r\n\r\n".repeat(count as usize), &outbox);
        read(1).unwrap();
        read(32).unwrap();
        assert_too_far(read(1));
        read(0).unwrap();
        outbox.begin_request();
        outbox.begin_request();
        read(1).unwrap();
        assert_too_far(read(1));
    }

    fn assert_too_far(result: io::Result<()>) {
        let error = result.unwrap_err();
        assert!(error.get_ref().is_some_and(|error| error.is::<TooManyPipelined>()), "{error}");
    }
}
