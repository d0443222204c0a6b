//! Tests of bodies over a transport that counts its reads.

use std::{
    collections::VecDeque,
    pin::Pin,
    task::{Context, Poll},
};

use jpeg_encoder::{ColorType, Encoder};
use tokio::io::ReadBuf;

use super::*;
use crate::media::multipart::{
    content_type::ContentKind,
    parser::{ParserLimits, PartParser},
};

/// A transport that returns each piece as a socket would that had received all of it at once, and then ends.
struct Scripted {
    pieces: VecDeque<Bytes>,
    reads: usize,
}

impl AsyncRead for Scripted {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.reads += 1;
        if let Some(mut piece) = self.pieces.pop_front() {
            buf.put_slice(&piece.split_to(piece.len().min(buf.remaining())));
            if !piece.is_empty() {
                self.pieces.push_front(piece);
            }
        }
        Poll::Ready(Ok(()))
    }
}

fn body(leftover: &'static str, pieces: Vec<Vec<u8>>, framing: BodyFraming) -> Body<Scripted> {
    let pieces = pieces.into_iter().map(Bytes::from).collect();
    Body { transport: Some(Scripted { pieces, reads: 0 }), leftover: leftover.into(), framing }
}

/// Returns everything up to the end or an error, read with the capacity that a `BytesMut` makes for itself.
async fn whole(mut body: Body<Scripted>) -> (String, Option<String>) {
    let mut buffer = BytesMut::new();
    let error = loop {
        match body.read(&mut buffer).await {
            Ok(0) => break None,
            Ok(_) => {}
            Err(error) => break Some(error.to_string()),
        }
    };
    assert!(
        error.is_some() || body.read(&mut buffer).await.is_ok_and(|count| count == 0),
        "an end stays one"
    );
    (String::from_utf8(buffer.to_vec()).unwrap(), error)
}

#[actix_web::test]
async fn each_framing_ends_where_it_should() {
    let pieces = || vec![b"4\r\nab".to_vec(), b"cd\r\n0\r".to_vec(), b"\n\r\nrest".to_vec()];
    let all = "4\r\nabcd\r\n0\r\n\r\nrest";
    assert_eq!(whole(body("", pieces(), BodyFraming::Close)).await, (all.into(), None));
    for length in 0..all.len() as u64 {
        let expected = all[..length as usize].to_owned();
        assert_eq!(whole(body("", pieces(), BodyFraming::Length(length))).await, (expected, None));
    }
    assert_eq!(whole(body("", pieces(), BodyFraming::Length(99))).await, (all.into(), None));
    assert_eq!(whole(body("", pieces(), BodyFraming::chunked())).await, ("abcd".into(), None));
}

#[actix_web::test]
async fn what_came_with_the_head_comes_first() {
    let pieces = || vec![b"cd\r\n0\r\n".to_vec()];
    assert_eq!(whole(body("4\r\nab", pieces(), BodyFraming::Close)).await.0, "4\r\nabcd\r\n0\r\n");
    assert_eq!(whole(body("4\r\nab", pieces(), BodyFraming::Length(6))).await.0, "4\r\nabc");
    assert_eq!(whole(body("4\r\nab", pieces(), BodyFraming::Length(2))).await.0, "4\r");
    assert_eq!(whole(body("4\r\nab", pieces(), BodyFraming::chunked())).await.0, "abcd");
    assert_eq!(whole(body("2\r\n", pieces(), BodyFraming::chunked())).await, ("cd".into(), None));
}

#[actix_web::test]
async fn an_answer_without_its_chunks_is_broken_behind_the_last_good_one() {
    let (read, error) = whole(body("", vec![b"2\r\nabJUNK".to_vec()], BodyFraming::chunked())).await;
    assert_eq!(read, "ab");
    assert_eq!(error.as_deref(), Some("its answer is chunked, but a chunk does not end where its size says"));
}

/// Returns a JPEG of about 100 kB, slightly different for each `n`.
fn large_jpeg(n: u32) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> =
        (0..320 * (440 + n % 3)).map(|at| ((at + n).wrapping_mul(2_654_435_761) >> 21) as u8).collect();
    let encoder = Encoder::new(&mut jpeg, 90);
    encoder.encode(&pixels, 320, (440 + n % 3) as u16, ColorType::Luma).unwrap();
    assert!((80_000..160_000).contains(&jpeg.len()), "{} bytes", jpeg.len());
    jpeg
}

/// Returns the number of reads for each frame, each written at once.
async fn reads_per_frame(framing: BodyFraming, with_length: bool) -> Vec<usize> {
    let chunked = matches!(framing, BodyFraming::Chunked(_));
    let jpegs: Vec<_> = (0..6).map(large_jpeg).collect();
    let mut pieces = Vec::new();
    for jpeg in &jpegs {
        let length = if with_length { format!("Content-Length: {}\r\n", jpeg.len()) } else { String::new() };
        let head = format!("--cam\r\nContent-Type: image/jpeg\r\n{length}\r\n");
        let part = [head.as_bytes(), jpeg, b"\r\n"].concat();
        let size = format!("{:x}\r\n", part.len());
        pieces.push(if chunked { [size.as_bytes(), &part, b"\r\n"].concat() } else { part });
    }
    let mut body = body("", pieces, framing);
    let limits = ParserLimits { max_frame_bytes: 1_000_000, max_header_bytes: 16_384 };
    let kind = ContentKind::from_header(Some("multipart/x-mixed-replace;boundary=cam"));
    let mut parser = PartParser::new(kind, limits);
    let mut reads = Vec::new();
    // Viewers hold the newest frame.
    let mut newest = Bytes::new();
    for jpeg in &jpegs {
        let before = body.transport.as_ref().unwrap().reads;
        newest = loop {
            if let Some(part) = parser.next_part().unwrap() {
                break part.jpeg;
            }
            assert!(body.read(parser.buffer_mut()).await.unwrap() > 0);
        };
        assert!(newest == jpeg, "a frame differs");
        reads.push(body.transport.as_ref().unwrap().reads - before);
    }
    drop(newest);
    reads
}

#[actix_web::test]
async fn a_large_frame_takes_few_reads() {
    for framing in [|| BodyFraming::Close, || BodyFraming::Length(u64::MAX), BodyFraming::chunked] {
        let reads = reads_per_frame(framing(), true).await;
        assert!(reads[0] <= 2, "the first by its length: {reads:?}");
        assert!(reads[1..].iter().all(|&count| count == 1), "the others by the last one's: {reads:?}");
        let reads = reads_per_frame(framing(), false).await;
        assert!(reads[1..].iter().all(|&count| count == 1), "lengths are not needed: {reads:?}");
    }
}

/// Reads a body to its end, and returns whether its connection can be used again.
async fn is_kept(leftover: &'static str, pieces: &[&str], framing: BodyFraming) -> bool {
    let pieces = pieces.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    let mut body = body(leftover, pieces, framing);
    assert!(!body.is_at_clean_end(), "before it was read");
    while body.read(&mut BytesMut::new()).await.unwrap() > 0 {}
    body.is_at_clean_end()
}

#[actix_web::test]
async fn a_connection_is_kept_after_a_whole_body_with_nothing_but_line_ends_after_it() {
    assert!(is_kept("", &["ab", "cd"], BodyFraming::Length(4)).await);
    assert!(is_kept("ab", &["cd"], BodyFraming::Length(4)).await);
    assert!(is_kept("abcd\r\n", &[], BodyFraming::Length(4)).await);
    assert!(!is_kept("abcdHTTP", &[], BodyFraming::Length(4)).await, "an answer that nobody asked for");
    assert!(!is_kept("", &["ab"], BodyFraming::Length(4)).await, "it was cut off");
    assert!(!is_kept("", &["ab"], BodyFraming::Close).await);
    assert!(is_kept("", &["2\r\nab\r\n0\r\n\r\n"], BodyFraming::chunked()).await);
    assert!(
        is_kept("", &["2\r\nab\r\n0\r\n"], BodyFraming::chunked()).await,
        "the empty line may come later"
    );
    assert!(!is_kept("", &["2\r\nab\r\n0\r\nX-Sum: 1\r\n\r\n"], BodyFraming::chunked()).await, "a trailer");
    assert!(!is_kept("", &["2\r\nab"], BodyFraming::chunked()).await, "it was cut off");
    assert!(!is_kept("2\r\nab\r\n0\r\n\r\nHTTP", &[], BodyFraming::chunked()).await);
}
