//! Any bytes, cut anywhere, give the same whole JPEGs in bounded memory.

#![no_main]

use framecast::{
    frame::inspect,
    multipart::{
        boundary::ContentKind,
        parser::{ParserLimits, Part, PartParser},
    },
};
use libfuzzer_sys::fuzz_target;

const LIMITS: ParserLimits = ParserLimits { max_frame_bytes: 4096, max_header_bytes: 512 };

/// The parts, and whether the parser gave up on the way.
fn parse(content_type: &str, body: &[u8], chunk: usize) -> (Vec<Part>, bool) {
    let mut parser = PartParser::new(ContentKind::from_header(Some(content_type)), LIMITS);
    let mut parts = Vec::new();
    for chunk in body.chunks(chunk) {
        parser.push(chunk);
        loop {
            match parser.next_part() {
                Ok(Some(part)) => parts.push(part),
                Ok(None) => break,
                Err(_) => return (parts, true),
            }
        }
        assert!(parser.buffered() <= LIMITS.max_frame_bytes + LIMITS.max_header_bytes + chunk.len());
    }
    while let Ok(Some(part)) = parser.finish() {
        parts.push(part);
    }
    (parts, false)
}

fuzz_target!(|input: (u8, &str, &[u8])| {
    let (chunk, content_type, body) = input;
    let (parts, failed) = parse(content_type, body, usize::from(chunk) + 1);
    for part in &parts {
        assert_eq!(inspect(&part.jpeg).as_ref(), Ok(&part.info));
        assert!(part.jpeg.len() <= LIMITS.max_frame_bytes);
    }
    let (whole, whole_failed) = parse(content_type, body, body.len().max(1));
    if !failed && !whole_failed {
        assert_eq!(parts, whole);
    }
});
