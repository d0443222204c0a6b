//! The properties that must hold for every input from outside: one function for each kind of input, which
//! takes bytes and panics when a property does not hold.
//!
//! The targets in `fuzz/` pass them the inputs of libFuzzer; the tests here pass them seeds, modified
//! seeds and noise, a bounded number of each, so that `cargo test` checks the same on stable Rust. Not compiled in
//! a normal build.

use bytes::Bytes;

use crate::{
    config::{self, Environment},
    imaging::convert::{PictureLimits, needs_conversion, to_frame},
    media::{
        jpeg::{Progress, Walk, completeness::with_missing_eoi, huffman::with_huffman_tables, inspect},
        multipart::{
            content_type::ContentKind,
            parser::{ParserLimits, Part, PartParser},
        },
    },
    source::{PrinterError, camera::bambu::PictureReader},
};
pub use crate::{
    source::{camera::rtsp::fuzzing::*, http_client::fuzzing::*},
    web::fuzzing::*,
};

/// Limits that are small, so that inputs reach them.
const LIMITS: ParserLimits = ParserLimits { max_frame_bytes: 16 * 1024, max_header_bytes: 512 };

/// Limits of pushed pictures.
const PICTURES: PictureLimits = PictureLimits { max_frame_bytes: 64 * 1024, max_frame_pixels: 100_000 };

/// Content types that cameras announce; the second byte of the input chooses.
pub(crate) const KINDS: [Option<&str>; 6] = [
    Some("multipart/x-mixed-replace;boundary=cam"),
    Some("multipart/x-mixed-replace;boundary=--cam"),
    Some("multipart/x-mixed-replace"),
    Some("image/jpeg"),
    Some("text/html"),
    None,
];

/// Returns the parts of a body, and whether the parser failed.
fn parts(kind: Option<&str>, body: &[u8], piece: usize) -> (Vec<Part>, bool) {
    let mut parser = PartParser::new(ContentKind::from_header(kind), LIMITS);
    let mut parts = Vec::new();
    for piece in body.chunks(piece) {
        parser.push(piece);
        loop {
            match parser.next_part() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(_) => return (parts, true),
            }
        }
        let held = parser.buffered();
        assert!(
            held <= LIMITS.max_frame_bytes + LIMITS.max_header_bytes + piece.len(),
            "it holds {held} bytes"
        );
    }
    while let Ok(Some(part)) = parser.finish() {
        parts.push(part);
    }
    (parts, false)
}

/// Checks a camera's or a publisher's body: cut anywhere it gives the same whole JPEGs, in bounded memory.
/// The first byte says how long pieces are, the second what was announced.
pub fn multipart(input: &[u8]) {
    let [piece, kind, body @ ..] = input else { return };
    let kind = KINDS[usize::from(*kind) % KINDS.len()];
    let (cut, cut_failed) = parts(kind, body, usize::from(*piece) + 1);
    for part in &cut {
        assert_eq!(inspect(&part.jpeg).as_ref(), Ok(&part.info));
        assert!(part.jpeg.len() <= LIMITS.max_frame_bytes);
    }
    let (whole, whole_failed) = parts(kind, body, body.len().max(1));
    // The place where parsing a body without frames fails depends on how much of it comes at once.
    if !cut_failed && !whole_failed {
        assert_eq!(cut, whole);
    } else {
        let common = cut.len().min(whole.len());
        assert_eq!(cut[..common], whole[..common]);
    }
}

/// Returns the pictures of a printer's connection, and the error that ended it.
fn printer_pictures(body: &[u8], piece: usize) -> (Vec<Bytes>, Option<PrinterError>) {
    let mut reader = PictureReader::new(LIMITS.max_frame_bytes);
    let mut pictures = Vec::new();
    for piece in body.chunks(piece) {
        let buffer = reader.buffer_mut();
        assert!(buffer.len() < LIMITS.max_frame_bytes, "it holds {} bytes", buffer.len());
        buffer.extend_from_slice(piece);
        loop {
            match reader.next_picture() {
                Ok(Some(picture)) => {
                    if inspect(&picture).is_err() {
                        reader.distrust();
                    }
                    pictures.push(picture);
                }
                Ok(None) => break,
                Err(error) => return (pictures, Some(error)),
            }
        }
    }
    (pictures, None)
}

/// Checks the bytes of a printer's camera: cut anywhere they give the same pictures and the same error, in
/// bounded memory. The first byte says how long pieces are.
pub fn printer(input: &[u8]) {
    let [piece, body @ ..] = input else { return };
    let (pictures, error) = printer_pictures(body, usize::from(*piece) + 1);
    assert_eq!(printer_pictures(body, body.len().max(1)), (pictures.clone(), error));
    assert!(pictures.iter().all(|picture| (1..=LIMITS.max_frame_bytes).contains(&picture.len())));
}

/// Checks a `Content-Type`: a boundary that is found can be searched for.
pub fn boundary(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let kind = ContentKind::from_header(Some(&text));
    if let Some(boundary) = kind.boundary() {
        assert!((1..=200).contains(&boundary.len()), "a boundary of {} bytes", boundary.len());
        let again = format!("multipart/x-mixed-replace; boundary=\"{}\"", boundary.replace(['\\', '"'], ""));
        assert!(matches!(ContentKind::from_header(Some(&again)), ContentKind::Multipart { .. }));
    }
}

/// Checks a JPEG: the walk gives the same result however the bytes arrive, and one that gets tables stays
/// whole. The first byte says how long pieces are.
pub fn jpeg(input: &[u8]) {
    let [piece, bytes @ ..] = input else { return };
    let mut walk = Walk::default();
    let mut verdict = Ok(Progress::NeedMore);
    for end in (0..bytes.len()).step_by(usize::from(*piece) + 1).chain([bytes.len()]) {
        if verdict == Ok(Progress::NeedMore) {
            verdict = walk.advance(&bytes[..end]);
        }
    }
    assert_eq!(verdict, Walk::default().advance(bytes));
    let Ok(info) = inspect(bytes) else {
        // Whatever it is, it stays what it is or grows by the tables.
        let _ = with_huffman_tables(&Bytes::copy_from_slice(bytes));
        return;
    };
    assert!(bytes[..info.len].ends_with(&[0xff, 0xd9]));
    // Without its end marker it is refused, or gets it back.
    if let Some((again, found)) = with_missing_eoi(&bytes[..info.len - 2]) {
        assert!(inspect(&again) == Ok(found) && again.len() <= info.len);
    }
    let whole = with_huffman_tables(&Bytes::copy_from_slice(&bytes[..info.len]));
    let with_tables = inspect(&whole).expect("added tables leave a JPEG whole");
    assert!(with_tables.has_huffman_tables && with_tables.len == whole.len());
    assert_eq!((with_tables.width, with_tables.height), (info.width, info.height));
}

/// Checks video: whatever the access units hold, pictures have the size of a parameter set and no damage is a
/// panic. The first byte chooses the framing; access units begin with a delimiter.
pub fn h264(input: &[u8]) {
    #[cfg(feature = "h264")]
    {
        use crate::{
            imaging::{
                codec::h264::{Framing, H264Decoder},
                ycbcr::Planes,
            },
            limits::ByteBudget,
        };
        let [framing, stream @ ..] = input else { return };
        let framing = if framing & 1 == 0 { Framing::StartCodes } else { Framing::Lengths };
        let budget = std::sync::Arc::new(ByteBudget::new(32 * 1024 * 1024));
        let reserve = budget.clone();
        let mut decoder =
            H264Decoder::new(PICTURES.max_frame_pixels, Box::new(move |bytes| reserve.try_acquire(bytes)));
        let mut starts: Vec<_> = memchr::memmem::find_iter(stream, &[0, 0, 0, 1, 9]).collect();
        starts.extend([0, stream.len()]);
        starts.sort_unstable();
        let mut picture = Planes::default();
        for (time, pair) in starts.windows(2).enumerate() {
            let unit = (&stream[pair[0]..pair[1]], framing);
            if let Ok(Some(_)) = decoder.decode(unit, time as i64, Some(&mut picture)) {
                assert!((picture.width() * picture.height()) as u64 <= PICTURES.max_frame_pixels);
            }
        }
        drop(decoder);
        assert_eq!(budget.in_use(), 0);
    }
    #[cfg(not(feature = "h264"))]
    let _ = input;
}

/// Checks a configuration: each mistake has a place.
pub fn yaml(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match config::parse(text, "fuzzed", &Environment::default()) {
        Ok(config) => assert!(!config.streams.is_empty(), "a configuration has streams"),
        Err(errors) => {
            assert!(!errors.mistakes().is_empty());
            assert!(errors.to_string().lines().next().is_some_and(|line| line.starts_with("fuzzed")));
        }
    }
}

/// Checks a pushed picture: the result is a whole JPEG of allowed size, or an error.
pub fn picture(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    let converted = needs_conversion(&bytes);
    if let Ok(frame) = to_frame(bytes.clone(), PICTURES) {
        let info = frame.info();
        assert!(u64::from(info.width) * u64::from(info.height) <= PICTURES.max_frame_pixels);
        let whole = inspect(frame.jpeg()).expect("a frame is a whole JPEG");
        assert_eq!((whole.width, whole.height), (info.width, info.height));
        assert!(converted || info.has_huffman_tables == whole.has_huffman_tables || !info.has_huffman_tables);
    }
}

#[cfg(test)]
mod tests;
