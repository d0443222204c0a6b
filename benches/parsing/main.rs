//! Measures the cost of a byte between the socket's buffer and a viewer's part: the multipart parser in each
//! dialect, the walk over a JPEG's segments, and the rendering of parts.
//!
//! `cargo bench --bench parsing` runs all; `-- inspect` only what has that in its name. Bytes are those of
//! the whole body, in GB of 10⁹. The reading itself is a copy: `reading` measures it alone, `parsing_alone`
//! leaves it out.

mod camera;

use std::{io::Write, sync::LazyLock, time::SystemTime};

use bytes::{Bytes, BytesMut};
use camera::{Kind, frame};
use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use framecast::media::{
    jpeg::{Progress, Walk, inspect},
    multipart::{
        content_type::ContentKind,
        parser::{ParserLimits, Part, PartParser},
        writer::{Framing, PreparedPart},
    },
};
use testkit::dialects::{DIALECTS, Dialect};

/// As the configuration has them unless told otherwise.
const LIMITS: ParserLimits = ParserLimits { max_frame_bytes: 16 * 1024 * 1024, max_header_bytes: 32 * 1024 };

/// Frames in a body, each another one: with few of them a processor learns by heart where each FF stands, and
/// every figure comes out three times too good.
const FRAMES: u32 = 64;

/// Bytes that a read gives: one TCP segment, a TLS record, and more than a frame (then the parser's room
/// decides).
const READS: [usize; 3] = [1460, 16 * 1024, 1024 * 1024];

const WITH_LENGTH: &str = "as RFC 2046 has it";
const WITHOUT_LENGTH: &str = "no Content-Length";
const BARE: &str = "JPEGs end to end as image/jpeg";

static CAMERA: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| frames(Kind::Camera));

fn frames(kind: Kind) -> Vec<Vec<u8>> {
    (0..FRAMES).map(|time| frame(kind, time)).collect()
}

fn main() {
    let jpeg = &CAMERA[0];
    let escapes = jpeg.windows(2).filter(|two| two[0] == 0xff && two[1] == 0).count();
    let restarts = jpeg.windows(2).filter(|two| two[0] == 0xff && (0xd0..=0xd7).contains(&two[1])).count();
    // Without standard error the figures are still good.
    let _ = writeln!(
        std::io::stderr(),
        "{FRAMES} frames; the first has {} bytes with {escapes} FF 00 and {restarts} restart markers",
        jpeg.len()
    );
    divan::main();
}

fn dialect(name: &str) -> &'static Dialect {
    DIALECTS.iter().find(|dialect| dialect.name == name).expect("a dialect of that name")
}

fn parser(dialect: &Dialect) -> PartParser {
    PartParser::new(ContentKind::from_header(dialect.content_type), LIMITS)
}

/// A read of a socket that has `read` bytes ready.
fn read(space: &mut BytesMut, body: &mut &[u8], read: usize) {
    let room = space.capacity() - space.len();
    let (now, later) = body.split_at(room.min(read).min(body.len()));
    space.extend_from_slice(now);
    *body = later;
}

/// As a stream's source does it: each read goes into the parser's room, and the newest frame is held.
fn live(parser: &mut PartParser, mut body: &[u8], read_len: usize, newest: &mut Option<Part>) {
    while !body.is_empty() {
        read(parser.buffer_mut(), &mut body, read_len);
        take_parts(parser, newest);
    }
}

fn take_parts(parser: &mut PartParser, newest: &mut Option<Part>) {
    while let Some(part) = parser.next_part().expect("a body of frames is never given up") {
        *newest = Some(black_box(part));
    }
}

fn bench_live(bencher: Bencher<'_, '_>, dialect: &Dialect, read_len: usize) {
    let body = (dialect.render)(&CAMERA);
    let (mut parser, mut newest) = (parser(dialect), None);
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| {
        live(&mut parser, black_box(&body), read_len, &mut newest);
    });
    assert!(newest.is_some(), "{}: no frame came out", dialect.name);
    let events = parser.take_events();
    let met = |name| events.quirks().any(|(quirk, _)| quirk.as_str() == name);
    assert!(dialect.quirk.is_none_or(met), "{}: not read as what it is", dialect.name);
}

fn bytes_of(frames: &[Vec<u8>]) -> BytesCount {
    BytesCount::new(frames.iter().map(Vec::len).sum::<usize>())
}

#[divan::bench(args = READS)]
fn with_length(bencher: Bencher<'_, '_>, read_len: usize) {
    bench_live(bencher, dialect(WITH_LENGTH), read_len);
}

#[divan::bench(args = READS)]
fn without_length(bencher: Bencher<'_, '_>, read_len: usize) {
    bench_live(bencher, dialect(WITHOUT_LENGTH), read_len);
}

#[divan::bench(args = READS)]
fn bare_jpegs(bencher: Bencher<'_, '_>, read_len: usize) {
    bench_live(bencher, dialect(BARE), read_len);
}

/// Every way in which cameras write: none may be much slower than the others.
#[divan::bench(args = DIALECTS.iter().map(|dialect| dialect.name), sample_count = 20)]
fn every_dialect(bencher: Bencher<'_, '_>, name: &str) {
    bench_live(bencher, dialect(name), 16 * 1024);
}

/// Pushed, as what comes with the head of an answer and the body of a push are.
#[divan::bench(args = [WITH_LENGTH, WITHOUT_LENGTH, BARE])]
fn pushed_16_kib(bencher: Bencher<'_, '_>, name: &str) {
    let dialect = dialect(name);
    let body = (dialect.render)(&CAMERA);
    let (mut parser, mut newest) = (parser(dialect), None);
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| {
        for chunk in black_box(&body).chunks(16 * 1024) {
            parser.push(chunk);
            take_parts(&mut parser, &mut newest);
        }
    });
}

/// The whole body is in the parser before the clock runs: nothing is copied.
#[divan::bench(args = [WITH_LENGTH, WITHOUT_LENGTH, BARE])]
fn parsing_alone(bencher: Bencher<'_, '_>, name: &str) {
    let dialect = dialect(name);
    let body = (dialect.render)(&CAMERA);
    let full = || {
        let mut parser = parser(dialect);
        parser.push(&body);
        (parser, None)
    };
    bencher
        .counter(BytesCount::of_slice(&body))
        .with_inputs(full)
        .bench_local_refs(|(parser, newest)| take_parts(parser, newest));
}

/// The reads of [`live`] without a parser: the copying into two buffers that take turns.
#[divan::bench(args = READS)]
fn reading(bencher: Bencher<'_, '_>, read_len: usize) {
    let body = (dialect(WITH_LENGTH).render)(&CAMERA);
    let frame_len = body.len() / CAMERA.len();
    let mut buffers = [BytesMut::with_capacity(2 * frame_len), BytesMut::with_capacity(2 * frame_len)];
    bencher.counter(BytesCount::of_slice(&body)).bench_local(|| {
        let mut body = black_box(body.as_slice());
        while !body.is_empty() {
            buffers.swap(0, 1);
            let buffer = black_box(&mut buffers[0]);
            buffer.clear();
            while buffer.len() < frame_len && !body.is_empty() {
                read(buffer, &mut body, read_len.min(frame_len));
            }
        }
    });
}

/// Measures the search for every FF: no exact walk can be faster.
#[divan::bench]
fn bare_search(bencher: Bencher<'_, '_>) {
    let frames = &*CAMERA;
    bencher.counter(bytes_of(frames)).bench_local(|| {
        for jpeg in frames {
            black_box(memchr::memchr_iter(0xff, jpeg).map(black_box).count());
        }
    });
}

#[divan::bench(args = [Kind::Camera, Kind::Plain, Kind::Progressive])]
fn walk_whole(bencher: Bencher<'_, '_>, kind: Kind) {
    let frames = frames(kind);
    bencher.counter(bytes_of(&frames)).bench_local(|| {
        for jpeg in &frames {
            assert!(inspect(black_box(jpeg)).is_ok(), "the frame is whole");
        }
    });
}

#[divan::bench(args = [Kind::Camera, Kind::Plain, Kind::Progressive])]
fn walk_in_segments(bencher: Bencher<'_, '_>, kind: Kind) {
    let frames = frames(kind);
    bencher.counter(bytes_of(&frames)).bench_local(|| {
        for jpeg in &frames {
            let mut walk = Walk::default();
            let ends = (0..jpeg.len()).step_by(1460).chain([jpeg.len()]);
            let last = ends.map(|end| walk.advance(black_box(&jpeg[..end]))).last();
            assert!(matches!(last, Some(Ok(Progress::Done(_)))), "the frame is whole");
        }
    });
}

#[divan::bench]
fn part_rendered(bencher: Bencher<'_, '_>) {
    let jpeg = Bytes::from(CAMERA[0].clone());
    let taken = SystemTime::now();
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| PreparedPart::new(jpeg.clone(), taken));
}

/// Measures the work for each viewer.
#[divan::bench]
fn part_taken_apart(bencher: Bencher<'_, '_>) {
    let part = PreparedPart::new(Bytes::from(CAMERA[0].clone()), SystemTime::now());
    bencher.counter(ItemsCount::new(1_usize)).bench_local(|| black_box(&part).pieces(Framing::Chunked));
}
