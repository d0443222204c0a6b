use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::*;

const LIMIT: usize = 1024;

/// Returns the repaired head and body, after checking that it does not depend on how the input is split.
fn repaired(raw: &[u8]) -> String {
    let whole = HeadReader::new(LIMIT).push(raw).unwrap().expect("the head is whole").answer;
    for cut in 0..raw.len() {
        let mut reader = HeadReader::new(LIMIT);
        let mut out = BytesMut::new();
        for piece in [&raw[..cut], &raw[cut..]] {
            match out.is_empty().then(|| reader.push(piece).unwrap()).flatten() {
                Some(head) => out.extend_from_slice(&head.answer),
                None if !out.is_empty() => out.extend_from_slice(piece),
                None => {}
            }
        }
        assert_eq!(out, whole, "cut at {cut}");
    }
    let mut reader = HeadReader::new(LIMIT);
    let mut out = BytesMut::new();
    for byte in raw {
        if !out.is_empty() {
            out.put_u8(*byte);
        } else if let Some(head) = reader.push(&[*byte]).unwrap() {
            out.extend_from_slice(&head.answer);
        }
    }
    assert_eq!(out, whole, "byte by byte");
    String::from_utf8_lossy(&whole).into_owned()
}

#[test]
fn an_answer_delimited_by_close_becomes_http_1_0() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=x\r\n\r\n--x\r\n";
    assert_eq!(
        repaired(raw),
        "HTTP/1.0 200 \r\ncontent-type: multipart/x-mixed-replace;boundary=x\r\nconnection: \
         close\r\n\r\n--x\r\n"
    );
}

#[test]
fn lengths_and_chunking_stay() {
    assert_eq!(
        repaired(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
        "HTTP/1.1 200 \r\ncontent-length: 3\r\n\r\nabc"
    );
    assert_eq!(
        repaired(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\nContent-Length: 3\r\n\r\n0\r\n"),
        "HTTP/1.1 200 \r\ntransfer-encoding: chunked\r\n\r\n0\r\n"
    );
}

#[test]
fn lines_without_a_colon_and_bare_newlines_are_no_obstacle() {
    assert_eq!(
        repaired(b"HTTP/1.1 200 OK\nno colon here\nContent-Type : image/jpeg\nContent-Length: 2\n\nab"),
        "HTTP/1.1 200 \r\ncontent-type: image/jpeg\r\ncontent-length: 2\r\n\r\nab"
    );
    assert_eq!(
        repaired(b"\r\nHTTP/1.0 200 OK\r\nContent-Length: 2\n\r\nab"),
        "HTTP/1.1 200 \r\ncontent-length: 2\r\nconnection: close\r\n\r\nab"
    );
}

#[test]
fn odd_status_lines_are_read() {
    for odd in ["ICY 200 OK", "HTTP/1.0 200", "HTTP/1.1  200  Fine", "HTTP 200 OK", "http/1.0 200 \u{fc}"] {
        let raw = format!("{odd}\r\n\r\nbody");
        assert_eq!(repaired(raw.as_bytes()), "HTTP/1.0 200 \r\nconnection: close\r\n\r\nbody", "{odd}");
    }
}

#[test]
fn content_lengths_are_the_last_valid_one() {
    for (lines, length) in [
        ("Content-Length: 7\r\nContent-Length: 9\r\n", 9),
        ("Content-Length:   0012\r\n", 12),
        ("Content-Length: 5, 5\r\n", 5),
        ("Content-Length: 4\r\nContent-Length: many\r\n", 4),
        ("Content-Length: 4294967296\r\n", 4_294_967_296_u64),
    ] {
        let out = repaired(format!("HTTP/1.1 200 OK\r\n{lines}\r\n").as_bytes());
        assert_eq!(out, format!("HTTP/1.1 200 \r\ncontent-length: {length}\r\n\r\n"));
    }
    let nonsense = repaired(b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n");
    assert_eq!(nonsense, "HTTP/1.0 200 \r\nconnection: close\r\n\r\n");
}

#[test]
fn a_stream_of_length_zero_runs_to_the_end_of_the_connection() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Type: Multipart/x-mixed-replace\r\nContent-Length: 0\r\n\r\n--";
    assert!(repaired(raw).starts_with("HTTP/1.0 200 \r\n"));
    let empty = repaired(b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: 0\r\n\r\n");
    assert!(empty.contains("content-length: 0\r\n"));
}

#[test]
fn answers_without_a_body_never_wait_for_one() {
    let raw = b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\nETag: \"a\"\r\n\r\n";
    assert_eq!(repaired(raw), "HTTP/1.1 304 \r\netag: \"a\"\r\n\r\n");
}

#[test]
fn interim_answers_are_skipped_and_folded_lines_joined() {
    let raw = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: \
        multipart/mixed;\r\n\tboundary=x\r\nContent-Length: 0\r\n\r\n";
    assert!(repaired(raw).contains("content-type: multipart/mixed; boundary=x\r\n"));
}

#[test]
fn a_missing_blank_line_is_found_at_the_delimiter_or_the_picture() {
    let raw = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\n--x\r\nContent-Length: 2\r\n";
    assert!(repaired(raw).ends_with("\r\n\r\n--x\r\nContent-Length: 2\r\n"));
    let raw = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\xff\xd8\xff";
    let out = HeadReader::new(LIMIT).push(raw).unwrap().unwrap().answer;
    assert!(out.ends_with(b"\r\n\r\n\xff\xd8\xff"));
    let with_newline = [&raw[..], b"\xe0 \n and more"].concat();
    let out = HeadReader::new(LIMIT).push(&with_newline).unwrap().unwrap().answer;
    assert!(out.ends_with(b"\r\n\r\n\xff\xd8\xff\xe0 \n and more"));
}

#[test]
fn heads_are_bounded_however_they_come() {
    let mut line_without_end = HeadReader::new(LIMIT);
    assert!(line_without_end.push(b"HTTP/1.1 200 ").unwrap().is_none());
    let too_long = Err(HeadError::TooLong { limit: LIMIT });
    assert_eq!(line_without_end.push(&[b'x'; LIMIT]), too_long);
    let many_lines = format!("HTTP/1.1 200 OK\r\n{}", "X-A: b\r\n".repeat(LIMIT));
    assert_eq!(HeadReader::new(LIMIT).push(many_lines.as_bytes()), too_long);
}

#[test]
fn other_protocols_are_told_apart_at_once() {
    for other in [&b"RTSP/1.0 200 OK\r\n"[..], b"SSH-2.0-OpenSSH", b"\x15\x03\x01\x00\x02", b"<html>"] {
        assert_eq!(HeadReader::new(LIMIT).push(other), Err(HeadError::NotHttp));
    }
    assert_eq!(HeadReader::new(LIMIT).finish(), HeadError::NoAnswer);
    let mut reader = HeadReader::new(LIMIT);
    assert_eq!(reader.push(b"HTTP/1.1 200 OK\r\nContent-"), Ok(None));
    assert_eq!(reader.finish(), HeadError::Truncated);
}

fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 100 ",
        b"ICY 200",
        b"\r\n",
        b"\n",
        b"\r",
        b"\r\n\r\n",
        b"Content-Type: multipart/x-mixed-replace",
        b"content-length: 12",
        b"Location",
        b": ",
        b"--x",
        b"\xff\xd8",
        b" ",
        b"\0",
        b"www-authenticate: Basic",
    ];
    prop_oneof![
        8 => prop::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ]
}

/// Returns the result of these pieces: the head with all bytes after it, nothing yet, or the first error.
fn outcome<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Result<Option<Vec<u8>>, HeadError> {
    let mut reader = HeadReader::new(100);
    let mut out: Option<Vec<u8>> = None;
    for piece in pieces {
        match &mut out {
            Some(out) => out.extend_from_slice(piece),
            None => out = reader.push(piece)?.map(|head| head.answer.to_vec()),
        }
    }
    Ok(out)
}

proptest! {
    #[test]
    fn whatever_comes_gives_the_same_however_it_is_cut(
        fragments in prop::collection::vec(fragment(), 0..24),
        size in 1_usize..30,
    ) {
        let raw = fragments.concat();
        let whole = outcome(std::iter::once(&raw[..]));
        prop_assert_eq!(&outcome(raw.chunks(1)), &whole);
        prop_assert_eq!(&outcome(raw.chunks(size)), &whole);
        if let Ok(Some(answer)) = whole {
            // What we write is what actix-http's parser takes.
            let mut headers = [httparse::EMPTY_HEADER; 96];
            let parsed = httparse::Response::new(&mut headers).parse(&answer);
            prop_assert!(matches!(parsed, Ok(httparse::Status::Complete(_))), "{:?}", parsed);
        }
    }
}
