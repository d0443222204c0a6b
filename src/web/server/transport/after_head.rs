//! Discards what a client sends after the head of a request whose answer is a stream.
//!
//! mjpg-streamer's `input_http` sends the NUL byte that ends its C string, others a line end too many.
//! actix-http would take it for the next request, refuse that, and end the stream. So line ends and NUL bytes
//! after the head of a GET without a body are discarded; other bytes that come with the head are held back
//! until the request was handled, and discarded if its answer is a stream.

use memchr::memmem;

const HEAD_END: &[u8] = b"\r\n\r\n";

/// The state of the bytes between two requests.
#[derive(Debug, Default)]
pub(super) struct AfterHead {
    /// The head of a GET has begun and not ended.
    in_head: bool,
    /// The last request is a GET without a body, after which nothing else has come.
    is_bodiless: bool,
    /// Bytes that came with a head: at most one read.
    held: Vec<u8>,
}

impl AfterHead {
    /// Returns how many of the bytes that were read are passed on now. Of the others those that matter are
    /// held.
    pub(super) fn split(&mut self, read: &[u8]) -> usize {
        self.in_head |= read.starts_with(b"GET ");
        if self.in_head {
            self.in_head = false;
            let Some(at) = memmem::find(read, HEAD_END) else {
                self.in_head = !has_body(read);
                return read.len();
            };
            let (head, rest) = read.split_at(at + HEAD_END.len());
            self.is_bodiless = !has_body(head);
            if !self.is_bodiless {
                return read.len();
            }
            let filler = rest.iter().take_while(|byte| is_filler(**byte)).count();
            self.held.splice(..0, rest[filler..].iter().copied());
            return head.len();
        }
        if self.is_bodiless && read.iter().all(|byte| is_filler(*byte)) {
            return 0;
        }
        self.is_bodiless = false;
        read.len()
    }

    /// Returns whether bytes are held.
    pub(super) fn holds(&self) -> bool {
        !self.held.is_empty()
    }

    /// Returns the first held bytes, `most` at most.
    pub(super) fn take(&mut self, most: usize) -> Vec<u8> {
        let rest = self.held.split_off(most.min(self.held.len()));
        std::mem::replace(&mut self.held, rest)
    }
}

fn is_filler(byte: u8) -> bool {
    matches!(byte, 0 | b'\r' | b'\n')
}

/// Returns whether a head announces a body, wherever the words stand.
fn has_body(head: &[u8]) -> bool {
    let head = head.to_ascii_lowercase();
    [&b"content-length"[..], b"transfer-encoding"].iter().any(|name| memmem::find(&head, name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what is passed on at once, and what is held.
    fn split(reads: &[&[u8]]) -> (Vec<u8>, Vec<u8>) {
        let mut after = AfterHead::default();
        let mut passed = Vec::new();
        for read in reads {
            passed.extend_from_slice(&read[..after.split(read)]);
        }
        (passed, after.take(usize::MAX))
    }

    #[test]
    fn filler_after_the_head_of_a_get_is_discarded_and_other_bytes_are_held() {
        const GET: &[u8] = b"GET / HTTP/1.0\r\n\r\n";
        for reads in [
            &[&b"GET / HTTP/1.0\r\n\r\n\0"[..]][..],
            &[GET, b"\0"],
            &[GET, b"\r\n", b"\r\n\0\0"],
            &[b"GET / HT", b"TP/1.0\r\n\r\n\0\r\n"],
        ] {
            assert_eq!(split(reads), (GET.to_vec(), Vec::new()), "{reads:?}");
        }
        assert_eq!(split(&[b"GET / HTTP/1.0\r\n\r\n\0abc\0"]), (GET.to_vec(), b"abc\0".to_vec()));
        let two = [GET, GET].concat();
        assert_eq!(split(&[&two]), (GET.to_vec(), GET.to_vec()));
    }

    #[test]
    fn bodies_pass_as_they_come() {
        for reads in [
            &[&b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n\0\0\0"[..]][..],
            &[b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n\r\n", b"\0\0\0"],
            &[b"GET / HTTP/1.1\r\ncontent-length: 3\r\n\r\n\0\0\0"],
            &[b"GET / HTTP/1.1\r\nTransfer-Encoding", b": chunked\r\n\r\n\r\n\0"],
            &[b"GET / HTTP/1.1\r\n\r\n", b"\x81\0", b"\0\0\r"],
        ] {
            assert_eq!(split(reads), (reads.concat(), Vec::new()), "{reads:?}");
        }
    }
}
