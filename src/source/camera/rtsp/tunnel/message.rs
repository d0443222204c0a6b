//! RTSP messages (RFC 2326) of a camera and of the client library, with bounds. Pure: bytes in, messages out.

use bytes::{Buf, Bytes, BytesMut};
use memchr::memmem;

/// Maximum length of a response's body: descriptions of sessions have 1 to 3 KiB.
pub(crate) const MAX_BODY_BYTES: usize = 64 * 1024;

/// Bytes before the content of an interleaved packet: `$`, the channel and the length.
pub(crate) const PACKET_HEAD: usize = 4;

/// An error in the bytes of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// Another protocol.
    #[error("does not answer in RTSP: is this the port of its rtsp:// address (usually 554)?")]
    NotRtsp,
    /// The head has no end.
    #[error("sends a head of more than {0} bytes (max_header_bytes)")]
    HeadTooLarge(usize),
    /// The body would be larger than allowed.
    #[error("announces a description of more than {MAX_BODY_BYTES} bytes")]
    BodyTooLarge,
}

/// A request or a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    /// Request or status line.
    pub(crate) first: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
}

impl Message {
    /// Takes the next message out of `buffer`, from which [`take_packets`] has taken what is before it; none
    /// while its end has not come.
    pub(crate) fn take(buffer: &mut BytesMut, max_header_bytes: usize) -> Result<Option<Self>, MessageError> {
        let start = &buffer[..buffer.len().min(5)];
        if !start.iter().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b'_' | b'/' | b' ')) {
            return Err(MessageError::NotRtsp);
        }
        let searched = &buffer[..buffer.len().min(max_header_bytes)];
        if let Some(line) = memchr::memchr(b'\n', searched)
            && memmem::find(&searched[..line], b"RTSP/").is_none()
        {
            return Err(MessageError::NotRtsp);
        }
        let ends = [
            memmem::find(searched, b"\r\n\r\n").map(|at| at + 4),
            memmem::find(searched, b"\n\n").map(|at| at + 2),
        ];
        let Some(end) = ends.into_iter().flatten().min() else {
            let is_long = searched.len() == max_header_bytes;
            return if is_long { Err(MessageError::HeadTooLarge(max_header_bytes)) } else { Ok(None) };
        };
        let mut message = Self::parse(&buffer[..end]);
        let length = message.header("content-length").map_or(Some(0), |length| length.parse::<u64>().ok());
        let length = length.and_then(|length| usize::try_from(length).ok()).unwrap_or(usize::MAX);
        if length > MAX_BODY_BYTES {
            return Err(MessageError::BodyTooLarge);
        }
        if buffer.len() < end + length {
            return Ok(None);
        }
        buffer.advance(end);
        message.body = buffer.split_to(length).freeze();
        Ok(Some(message))
    }

    fn parse(head: &[u8]) -> Self {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.lines();
        let first = lines.next().unwrap_or_default().trim_end().to_owned();
        let is_name = |name: &str| {
            !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        };
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        Self { first, headers: headers.filter(|(name, _)| is_name(name)).collect(), body: Bytes::new() }
    }

    /// Returns the status of a response; none for a request.
    pub(crate) fn status(&self) -> Option<u16> {
        let (version, rest) = self.first.split_once(' ')?;
        version.starts_with("RTSP/").then(|| rest.trim_start().get(..3)?.parse().ok()).flatten()
    }

    /// Returns method and URI of a request.
    pub(crate) fn target(&self) -> (&str, &str) {
        let mut words = self.first.split(' ');
        (words.next().unwrap_or_default(), words.next().unwrap_or_default())
    }

    /// Returns the first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Returns all headers of this name.
    pub(crate) fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let of_name = move |(other, _): &&(String, String)| other.eq_ignore_ascii_case(name);
        self.headers.iter().filter(of_name).map(|(_, value)| value.as_str())
    }

    /// Replaces a header.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<String>) {
        self.headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.into()));
    }

    /// Appends its bytes to `out`.
    pub(crate) fn write(&self, out: &mut BytesMut) {
        out.extend_from_slice(format!("{}\r\n", self.first).as_bytes());
        for (name, value) in &self.headers {
            out.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        out.extend_from_slice(&self.body);
    }
}

/// Moves whole interleaved packets from the front of `buffer` to `out`, without line ends between them.
pub(crate) fn take_packets(buffer: &mut BytesMut, out: &mut BytesMut) {
    loop {
        let blank = buffer.iter().take_while(|byte| matches!(byte, b'\r' | b'\n')).count();
        buffer.advance(blank);
        let end = whole_packets(buffer);
        if end == 0 {
            return;
        }
        out.extend_from_slice(&buffer[..end]);
        buffer.advance(end);
    }
}

/// Returns the number of bytes of whole interleaved packets at the front of `buffer`.
fn whole_packets(buffer: &[u8]) -> usize {
    let mut end = 0;
    while let [b'$', _, high, low, ..] = buffer[end..] {
        let next = end + PACKET_HEAD + usize::from(u16::from_be_bytes([high, low]));
        if next > buffer.len() {
            break;
        }
        end = next;
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] =
        b"\r\nRTSP/1.0 200 OK\r\nCSeq: 2\r\nx y: no name\r\nContent-length: 5\r\n\r\nv=0\r\n$\0\0\x01x";

    #[test]
    fn a_response_is_taken_whole_wherever_its_bytes_are_split() {
        for split in 0..ANSWER.len() {
            let (mut buffer, mut out) = (BytesMut::from(&ANSWER[..split]), BytesMut::new());
            take_packets(&mut buffer, &mut out);
            let mut taken = Message::take(&mut buffer, 1000).unwrap();
            buffer.extend_from_slice(&ANSWER[split..]);
            if taken.is_none() {
                take_packets(&mut buffer, &mut out);
                taken = Message::take(&mut buffer, 1000).unwrap();
            }
            let message = taken.unwrap();
            assert!(out.is_empty());
            assert_eq!((message.status(), &message.body[..]), (Some(200), &b"v=0\r\n"[..]), "{split}");
            assert_eq!((message.header("cseq"), message.headers.len()), (Some("2"), 2));
            assert_eq!(whole_packets(&buffer), 5);
        }
    }

    #[test]
    fn what_is_too_large_or_another_protocol_is_refused_before_it_is_kept() {
        let refused = |bytes: &[u8]| Message::take(&mut BytesMut::from(bytes), 100).unwrap_err();
        let endless = [&b"RTSP/1.0 200 OK\r\n"[..], &[b'a'; 100]].concat();
        assert_eq!(refused(&endless), MessageError::HeadTooLarge(100));
        for length in ["70000", "18446744073709551616", "-1", "x"] {
            let head = format!("RTSP/1.0 200 OK\r\nContent-Length: {length}\r\n\r\n");
            assert_eq!(refused(head.as_bytes()), MessageError::BodyTooLarge, "{length}");
        }
        for other in [&b"HTTP/1.1 400 Bad Request\r\n"[..], b"\0\0\0\x01", b"SSH-2.0-x\r\n", b"<html>"] {
            assert_eq!(refused(other), MessageError::NotRtsp);
        }
    }

    #[test]
    fn packets_are_counted_to_the_last_whole_one() {
        let packets = b"$\0\0\x02ab$\x01\0\0$\0\0\x03ab";
        for end in 0..packets.len() {
            let whole = if end < 6 {
                0
            } else if end < 10 {
                6
            } else {
                10
            };
            assert_eq!(whole_packets(&packets[..end]), whole, "{end}");
        }
    }
}
