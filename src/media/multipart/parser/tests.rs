use jpeg_encoder::{ColorType, Encoder};
use memchr::memmem;
use proptest::prelude::*;
pub(crate) use testkit::dialects;
use testkit::dialects::{DIALECTS, Dialect};

use super::{buffer::READ_BYTES, *};

const LIMITS: ParserLimits = ParserLimits { max_frame_bytes: 20_000, max_header_bytes: 4_000 };

/// Returns JPEGs of different sizes with data that mislead parsers: a thumbnail with EOI, newlines, dashes.
fn jpegs() -> Vec<Vec<u8>> {
    let jpeg = |size: u16, app: &[u8]| {
        let mut jpeg = Vec::new();
        let mut encoder = Encoder::new(&mut jpeg, 40);
        if !app.is_empty() {
            encoder.add_app_segment(1, app.to_vec()).unwrap();
        }
        let pixels: Vec<u8> =
            (0..u32::from(size) * u32::from(size)).map(|n| (n.wrapping_mul(40_503) >> 9) as u8).collect();
        encoder.encode(&pixels, size, size, ColorType::Luma).unwrap();
        jpeg
    };
    let thumbnail = jpeg(8, b"");
    let exif = [b"Exif\0\0".as_slice(), &thumbnail, b"\r\n--ca\r\n\r\n"].concat();
    vec![jpeg(16, &exif), jpeg(24, b""), jpeg(8, b"\n\n--\n")]
}

fn parser(dialect: &Dialect) -> PartParser {
    PartParser::new(ContentKind::from_header(dialect.content_type), LIMITS)
}

/// Pushes the chunks, taking every part as soon as it is there.
fn parse<'a>(
    mut parser: PartParser,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Vec<u8>>, ParserEvents) {
    let mut found = Vec::new();
    for chunk in chunks {
        parser.push(chunk);
        while let Some(part) = parser.next_part().unwrap() {
            found.push(part);
        }
        let most = LIMITS.max_frame_bytes + LIMITS.max_header_bytes + chunk.len();
        assert!(parser.buffered() <= most, "{} bytes buffered", parser.buffered());
    }
    while let Ok(Some(part)) = parser.finish() {
        found.push(part);
    }
    for part in &found {
        assert_eq!(crate::media::jpeg::inspect(&part.jpeg).as_ref(), Ok(&part.info));
    }
    (found.into_iter().map(|part| part.jpeg.to_vec()).collect(), parser.take_events())
}

fn quirks(events: &ParserEvents) -> Vec<&'static str> {
    events.quirks().map(|(quirk, _)| quirk.as_str()).collect()
}

fn discarded(events: &ParserEvents, why: DiscardReason) -> u64 {
    events.discards().find(|&(reason, _)| reason == why).map_or(0, |(_, times)| times)
}

#[test]
fn every_dialect_is_understood_and_its_quirk_named() {
    for dialect in DIALECTS {
        let jpegs = jpegs();
        let body = (dialect.render)(&jpegs);
        let (found, events) = parse(parser(dialect), [body.as_slice()]);
        assert_eq!(found.len(), jpegs.len(), "{}: {events:?}", dialect.name);
        assert!(found == jpegs, "{}: other bytes came out", dialect.name);
        match dialect.quirk {
            Some(quirk) => {
                assert!(quirks(&events).contains(&quirk), "{}: {:?}", dialect.name, quirks(&events))
            }
            None => assert!(quirks(&events).is_empty(), "{}: {:?}", dialect.name, quirks(&events)),
        }
    }
}

#[test]
fn every_dialect_is_understood_cut_anywhere() {
    for dialect in DIALECTS {
        let jpegs = jpegs();
        let body = (dialect.render)(&jpegs);
        let whole = parse(parser(dialect), [body.as_slice()]);
        for cut in 0..=body.len() {
            let (left, right) = body.split_at(cut);
            let (found, events) = parse(parser(dialect), [left, right]);
            assert!(found == jpegs, "{} cut at {cut}", dialect.name);
            assert_eq!(events, whole.1, "{} cut at {cut}", dialect.name);
        }
        let (found, events) = parse(parser(dialect), body.chunks(1));
        assert!(found == jpegs, "{} byte by byte", dialect.name);
        assert_eq!(events, whole.1, "{} byte by byte", dialect.name);
    }
}

#[test]
fn a_frame_comes_out_with_its_last_byte() {
    for dialect in DIALECTS {
        let jpegs = jpegs();
        let body = (dialect.render)(&jpegs);
        for (n, jpeg) in jpegs.iter().enumerate() {
            let end = memmem::find_iter(&body, jpeg).next().unwrap() + jpeg.len();
            let mut parser = parser(dialect);
            parser.push(&body[..end - 1]);
            let count = |parser: &mut PartParser| std::iter::from_fn(|| parser.next_part().unwrap()).count();
            assert_eq!(count(&mut parser), n, "{} before the end of frame {n}", dialect.name);
            parser.push(&body[end - 1..end]);
            assert_eq!(count(&mut parser), 1, "{} at the end of frame {n}", dialect.name);
        }
    }
}

#[test]
fn what_stands_between_frames_is_dropped_and_counted() {
    let jpegs = jpegs();
    let n = jpegs.len() as u64;
    for (start, why, wanted) in [
        ("cut JPEGs between, with their true", DiscardReason::Invalid, n),
        ("cut JPEGs between, with their meant", DiscardReason::Invalid, n),
        ("cut JPEGs between, without", DiscardReason::Invalid, n),
        ("JPEGs cut in their headers", DiscardReason::Invalid, n),
        ("garbage parts", DiscardReason::NotJpeg, n),
        ("PNG parts", DiscardReason::NotJpeg, n),
        ("text parts", DiscardReason::NotJpeg, n),
        ("as RFC 2046", DiscardReason::Invalid, 0),
        ("old memory", DiscardReason::Invalid, 0),
    ] {
        let dialect = DIALECTS.iter().find(|dialect| dialect.name.starts_with(start)).unwrap();
        let (_, events) = parse(parser(dialect), [(dialect.render)(&jpegs).as_slice()]);
        assert_eq!(discarded(&events, why), wanted, "{start}: {events:?}");
        assert_eq!(events.discards().map(|(_, times)| times).sum::<u64>(), wanted, "{start}: {events:?}");
    }
}

#[test]
fn frames_share_the_buffer_they_arrived_in() {
    let jpegs = jpegs();
    let mut parser = parser(&DIALECTS[0]);
    let body = (DIALECTS[0].render)(&jpegs);
    parser.buffer_mut().extend_from_slice(&body);
    let memory = parser.buffer.as_ptr_range();
    while let Some(part) = parser.next_part().unwrap() {
        assert!(memory.contains(&part.jpeg.as_ptr()), "the frame was copied");
    }
}

#[test]
fn missing_tables_are_noticed() {
    let mut jpeg = jpegs().swap_remove(1);
    while let Some(at) = memmem::find(&jpeg, b"\xff\xc4") {
        let len = usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        jpeg.drain(at..at + 2 + len);
    }
    let (found, events) = parse(parser(&DIALECTS[0]), [(DIALECTS[0].render)(&[jpeg.clone()]).as_slice()]);
    assert_eq!(found, [jpeg]);
    assert_eq!(quirks(&events), ["no-huffman-tables"]);
}

/// Repeats `junk` after `lead` until the parser gives up; returns the number of bytes.
fn until_error(lead: &[u8], junk: &[u8]) -> (usize, ParseError) {
    let mut parser = parser(&DIALECTS[0]);
    parser.push(lead);
    let mut pushed = lead.len();
    loop {
        match parser.next_part() {
            Ok(part) => assert_eq!(part, None),
            Err(error) => return (pushed, error),
        }
        assert!(parser.buffered() <= LIMITS.max_frame_bytes + LIMITS.max_header_bytes + junk.len());
        assert!(pushed < 10 * LIMITS.max_frame_bytes, "no error after {pushed} bytes");
        parser.push(junk);
        pushed += junk.len();
    }
}

#[test]
fn a_body_without_frames_is_given_up_with_what_was_seen() {
    let (_, error) = until_error(b"<!DOCTYPE html>\r\n", b"<p>Please log in\r\n");
    assert!(matches!(error, ParseError::NoFrame { .. }));
    assert!(error.to_string().contains(" bytes (text/html);"), "{error}");
    let (_, error) = until_error(b"<html><title>Log\x1bin</title>s3cret", b"s3cret\r\n");
    assert!(error.to_string().contains(" bytes (text/html, \"Log in\");"), "{error}");
    assert_eq!(error.media().map(|media| media.as_str()), Some("text/html"));
    assert!(!error.to_string().contains("s3cret"), "{error}");
    for (lead, junk) in [
        (&b"--cam\r\n"[..], &b"X-Header: without end\r\n"[..]),
        (b"--cam\r\n", b"x"),
        (b"--cam\r\nContent-Length: 4294967295\r\n\r\n", b"no picture "),
        (b"", b"--cam"),
        (b"", b"--cam\r\n\r\n"),
        (b"", b"\xff\xd8"),
        (b"", b"\xff\xd8\xff\xe1\x0f\xff\xff\xd8\xff"),
        (b"", b"\0\r\n\xff"),
    ] {
        let (_, error) = until_error(lead, junk);
        assert!(matches!(error, ParseError::NoFrame { .. }), "{error}");
    }
}

#[test]
fn frames_above_the_limit_are_dropped_and_then_named_as_the_cause() {
    let jpegs = jpegs();
    let huge = [&jpegs[1][..jpegs[1].len() - 2], &[0x55; 25_000], b"\xff\xd9"].concat();
    let dialect = &DIALECTS[0];
    let body = (dialect.render)(&[jpegs[0].clone(), huge.clone(), jpegs[1].clone()]);
    for chunk in [1, 1000, body.len()] {
        let (found, events) = parse(parser(dialect), body.chunks(chunk));
        assert!(found == [jpegs[0].clone(), jpegs[1].clone()], "in chunks of {chunk}");
        assert_eq!(discarded(&events, DiscardReason::TooLarge), 1);
    }
    let (_, error) = until_error(b"", &(dialect.render)(&[huge]));
    assert_eq!(error, ParseError::TooLarge { limit: LIMITS.max_frame_bytes });
}

#[test]
fn a_jpeg_without_end_is_dropped_and_the_next_frame_found() {
    let jpegs = jpegs();
    let endless = [&jpegs[1][..jpegs[1].len() - 2], &[0x55; 30_000]].concat();
    let body = [endless, b"\r\n".to_vec(), (DIALECTS[0].render)(&jpegs)].concat();
    let (found, events) = parse(parser(&DIALECTS[0]), body.chunks(700));
    assert!(found == jpegs);
    assert_eq!(discarded(&events, DiscardReason::TooLarge), 1);
}

#[test]
fn a_part_whose_headers_are_too_long_is_dropped_and_the_next_frame_found() {
    let jpegs = jpegs();
    let headers = "X-Header: with an end, but too late\r\n".repeat(200);
    let part = [b"--cam\r\n", headers.as_bytes(), b"\r\n"].concat();
    let body = [(DIALECTS[0].render)(&jpegs[..1]), part, (DIALECTS[0].render)(&jpegs[1..])].concat();
    let (found, events) = parse(parser(&DIALECTS[0]), body.chunks(100));
    assert!(found == jpegs);
    assert_eq!(discarded(&events, DiscardReason::LongHeaders), 1);
}

#[test]
fn a_body_that_ends_gives_its_last_whole_frame_and_counts_the_rest() {
    let jpegs = jpegs();
    let body = (DIALECTS[0].render)(&jpegs);
    let (found, events) = parse(parser(&DIALECTS[0]), [&body[..body.len() - 9]]);
    assert!(found == jpegs[..2]);
    assert_eq!(discarded(&events, DiscardReason::Invalid), 1);
    assert!(matches!(events.last_error, Some(JpegError::Truncated { .. })));
    // A segment length that reaches beyond everything hides no frames.
    let trap = [b"--cam\r\n\r\n\xff\xd8\xff\xe1\xff\xff".to_vec(), body].concat();
    assert!(parse(parser(&DIALECTS[0]), [trap.as_slice()]).0 == jpegs);
}

#[test]
fn a_body_that_ends_without_a_frame_says_what_it_held() {
    let mut parser = parser(&DIALECTS[0]);
    parser.push(b"--cam\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xdb");
    let error = parser.finish().unwrap_err();
    assert!(matches!(error, ParseError::Ended { cause: Some(JpegError::Truncated { .. }), .. }));
    assert!(error.to_string().contains("without a whole JPEG; "), "{error}");
    assert_eq!(error.public(), "its answer ended without a whole JPEG");
}

#[test]
fn a_cut_bare_jpeg_costs_no_other_frame() {
    let jpegs = jpegs();
    let kind = || ContentKind::from_header(Some("image/jpeg"));
    for cut in [3, jpegs[0].len() - 30, jpegs[0].len() - 4] {
        let body = [&jpegs[0][..cut], &jpegs.concat()].concat();
        let (found, events) = parse(PartParser::new(kind(), LIMITS), body.chunks(50));
        assert!(found == jpegs, "cut at {cut}: {}", found.len());
        assert_eq!(discarded(&events, DiscardReason::Invalid), 1, "cut at {cut}");
    }
    // Only the end marker is missing.
    let body = [&jpegs[0][..jpegs[0].len() - 1], &jpegs.concat()].concat();
    let (found, events) = parse(PartParser::new(kind(), LIMITS), body.chunks(50));
    assert!(found[..2] == [jpegs[0].clone(), jpegs[0].clone()] && found.len() == 4);
    assert!(events.discards().next().is_none());
    // Cut inside a segment, whose length then reaches into the next frame: that one is lost with it.
    let tables = memmem::find(&jpegs[1], b"\xff\xdb").unwrap();
    let body = [&jpegs[1][..tables + 9], &jpegs.concat()].concat();
    let (found, _) = parse(PartParser::new(kind(), LIMITS), body.chunks(50));
    assert!(found == jpegs[1..]);
}

#[test]
fn a_cut_frame_is_never_glued_to_what_follows() {
    let jpegs = jpegs();
    let head = |len| format!("--cam\r\nContent-Length: {len}\r\n\r\n").into_bytes();
    let cut = &jpegs[0][..jpegs[0].len() - 40];
    // The next part starts in the middle of a picture, so that no SOI betrays the cut.
    let tail = &jpegs[1][jpegs[1].len() - 60..];
    let body =
        [&head(cut.len()), cut, b"\r\n", &head(60), tail, b"\r\n", &head(jpegs[2].len()), &jpegs[2]].concat();
    for chunk in [1, 100, body.len()] {
        let (found, events) = parse(parser(&DIALECTS[0]), body.chunks(chunk));
        assert!(found == jpegs[2..], "in chunks of {chunk}");
        assert_eq!(
            events.discards().collect::<Vec<_>>(),
            [(DiscardReason::Invalid, 1), (DiscardReason::NotJpeg, 1)]
        );
    }
}

/// Returns a frame of some kilobytes of picture data, with restart markers or in several scans.
fn detailed(seed: u32, progressive: bool) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 70);
    encoder.set_restart_interval(9);
    encoder.set_progressive(progressive);
    let pixels: Vec<u8> =
        (seed..seed + 96 * 64).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    encoder.encode(&pixels, 96, 64, ColorType::Luma).unwrap();
    jpeg
}

#[test]
fn picture_data_are_followed_to_their_end_cut_anywhere() {
    let frames = [detailed(1, false), detailed(2, true)];
    assert!(frames.iter().all(|frame| frame.len() > 3000), "too short to say anything");
    for name in ["as RFC 2046 has it", "no Content-Length", "JPEGs end to end as image/jpeg"] {
        let dialect = DIALECTS.iter().find(|dialect| dialect.name == name).unwrap();
        let body = (dialect.render)(&frames);
        for cut in 0..=body.len() {
            let (left, right) = body.split_at(cut);
            assert!(parse(parser(dialect), [left, right]).0 == frames, "{name} cut at {cut}");
        }
    }
}

/// Generates the length that a part declares, from the true one on.
fn declared_length() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), Just(Some(0)), (-3000_i64..3000).prop_map(Some), (0..20_000_i64).prop_map(Some)]
}

/// Bytes as a broken camera sends them: shreds of real bodies and noise.
fn shreds() -> impl Strategy<Value = Vec<u8>> {
    let body = (0..DIALECTS.len()).prop_map(|at| (DIALECTS[at].render)(&jpegs()));
    let shred = (body, any::<prop::sample::Index>(), 0usize..1500).prop_map(|(body, start, len)| {
        let start = start.index(body.len());
        body[start..(start + len).min(body.len())].to_vec()
    });
    let noise = prop::collection::vec(any::<u8>(), 0..40);
    prop::collection::vec(prop_oneof![3 => shred, 1 => noise], 1..8).prop_map(|shreds| shreds.concat())
}

proptest! {
    #[test]
    fn any_split_of_the_same_bytes_gives_the_same_parts(
        body in shreds(),
        kind in 0..DIALECTS.len(),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let parser = || parser(&DIALECTS[kind]);
        cuts.sort_by_key(|cut| cut.index(body.len() + 1));
        let mut chunks = Vec::new();
        let mut start = 0;
        for end in cuts.iter().map(|cut| cut.index(body.len() + 1)).chain([body.len()]) {
            chunks.push(&body[start..end]);
            start = end;
        }
        let whole = parse(parser(), [body.as_slice()]);
        prop_assert_eq!(&parse(parser(), chunks), &whole);
        prop_assert_eq!(&parse(parser(), body.chunks(1)), &whole);
    }

    #[test]
    fn no_length_changes_which_frames_come_out(
        declared in prop::collection::vec(declared_length(), 4),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let frames = [detailed(3, false), jpegs().swap_remove(0), detailed(4, true), detailed(5, false)];
        let mut body = Vec::new();
        for (frame, declared) in frames.iter().zip(declared) {
            body.extend_from_slice(b"--cam\r\nContent-Type: image/jpeg\r\n");
            if let Some(more) = declared {
                let length = (frame.len() as i64 + more).max(0);
                body.extend_from_slice(format!("Content-Length: {length}\r\n").as_bytes());
            }
            body.extend_from_slice(&[b"\r\n", frame.as_slice(), b"\r\n"].concat());
        }
        cuts.sort_by_key(|cut| cut.index(body.len() + 1));
        let ends: Vec<_> = cuts.iter().map(|cut| cut.index(body.len() + 1)).chain([body.len()]).collect();
        let starts = [0].into_iter().chain(ends.iter().copied());
        let chunks = starts.zip(&ends).map(|(start, &end)| &body[start..end]);
        prop_assert!(parse(parser(&DIALECTS[0]), chunks).0 == frames);
        prop_assert!(parse(parser(&DIALECTS[0]), body.chunks(1)).0 == frames);
    }

    #[test]
    fn good_frames_behind_any_garbage_are_found(
        garbage in shreds(),
        chunk in 1usize..3000,
    ) {
        // The frame right behind the garbage may be taken for a part of it, those after that may not.
        let jpegs = jpegs();
        let body = [garbage, (DIALECTS[0].render)(&jpegs), (DIALECTS[0].render)(&jpegs)].concat();
        let (found, _) = parse(parser(&DIALECTS[0]), body.chunks(chunk));
        prop_assert!(found.ends_with(&jpegs));
    }

    #[test]
    fn noise_never_panics(body in prop::collection::vec(any::<u8>(), 0..3000), chunk in 1usize..500) {
        parse(parser(&DIALECTS[0]), body.chunks(chunk));
    }
}

#[test]
fn room_follows_the_frames_and_not_the_largest_of_them() {
    let jpegs = jpegs();
    let limits = ParserLimits { max_frame_bytes: 4_000_000, max_header_bytes: 4_000 };
    let mut parser = PartParser::new(ContentKind::Missing, limits);
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    let large = [&jpegs[0][..2], &comment.repeat(30), &jpegs[0][2..]].concat();
    let mut feed = |jpeg: &[u8]| {
        for piece in jpeg.chunks(50_000) {
            parser.buffer_mut().extend_from_slice(piece);
        }
        assert_eq!(parser.next_part().unwrap().unwrap().jpeg, jpeg);
        parser.buffer_mut().capacity()
    };
    assert!(feed(&jpegs[1]) < 4 * READ_BYTES);
    assert!((large.len()..large.len() * 2).contains(&feed(&large)), "room for another one");
    assert!(feed(&jpegs[1]) < 4 * READ_BYTES, "the large one's room is given back");
}

#[test]
fn memory_is_used_again_once_nobody_holds_its_frame() {
    let jpeg = &jpegs()[0];
    let comment = [&[0xff, 0xfe, 0xff, 0xff][..], &[0; 0xfffd]].concat();
    let jpeg = [&jpeg[..2], &comment.repeat(2), &jpeg[2..]].concat();
    let limits = ParserLimits { max_frame_bytes: 1_000_000, max_header_bytes: 4_000 };
    let mut parser = PartParser::new(ContentKind::Missing, limits);
    let mut next = || {
        parser.buffer_mut().extend_from_slice(&jpeg);
        parser.next_part().unwrap().unwrap().jpeg
    };
    // As the bus does it: the newest frame is held until the next is there.
    let mut newest = next();
    let mut places = std::collections::BTreeSet::new();
    for _ in 0..20 {
        newest = next();
        places.insert(newest.as_ptr());
    }
    assert!(places.len() <= 3, "{places:?}");
    // A frame that is held is never written over.
    let held: Vec<_> = (0..4).map(|_| next()).collect();
    assert!(held.iter().all(|frame| *frame == jpeg) && newest == jpeg);
}

/// A PNG of this size whose data look like a JPEG and, nearly, a delimiter.
fn png(bytes: u32) -> Vec<u8> {
    let chunk = |kind: &[u8], data: &[u8]| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length, kind, data, b"sums"].concat()
    };
    let data: Vec<u8> =
        b"\xff\xd8\xff\xe0\r\n--ca\r\n\r\n".iter().copied().cycle().take(bytes as usize).collect();
    [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &[1; 13]), chunk(b"IDAT", &data), chunk(b"IEND", b"")]
        .concat()
}

fn part_of(kind: &str, data: &[u8], with_length: bool) -> Vec<u8> {
    let length = if with_length { format!("Content-Length: {}\r\n", data.len()) } else { String::new() };
    [format!("--cam\r\nContent-Type: {kind}\r\n{length}\r\n").as_bytes(), data, b"\r\n"].concat()
}

#[test]
fn png_parts_come_out_whole_however_they_are_cut_and_only_where_they_are_wanted() {
    let (jpegs, png) = (jpegs(), png(3000));
    // A chunk without a name after the first.
    let broken = [&png[..33], &[0; 60]].concat();
    for with_length in [true, false] {
        let jpeg = |n: usize| part_of("image/jpeg", &jpegs[n], with_length);
        let body = [
            jpeg(0),
            part_of("image/png", &png, with_length),
            part_of("image/jpeg", &png, with_length),
            jpeg(1),
            part_of("image/png", &broken, true),
            jpeg(2),
        ]
        .concat();
        let steps = [1, 7, 100, body.len()];
        for step in steps {
            let mut parser = parser(&DIALECTS[0]).with_png();
            let mut found = Vec::new();
            let mut take = |parser: &mut PartParser| loop {
                while let Some(part) = parser.next_part().unwrap() {
                    found.push(part.jpeg.to_vec());
                }
                let Some(png) = parser.take_png() else { break };
                found.push(png.to_vec());
            };
            for piece in body.chunks(step) {
                parser.push(piece);
                take(&mut parser);
            }
            assert!(parser.finish().unwrap().is_none());
            let expected = [&jpegs[0], &png, &png, &jpegs[1], &jpegs[2]];
            assert!(
                found.iter().eq(expected),
                "{with_length} {step}: {:?}",
                found.iter().map(Vec::len).collect::<Vec<_>>()
            );
            let events = parser.take_events();
            let counted =
                |name| events.quirks().find(|(quirk, _)| quirk.as_str() == name).map(|(_, times)| times);
            assert_eq!((counted("png-part"), counted("other-part")), (Some(2), Some(1)), "{events:?}");
        }
        let (found, events) = parse(parser(&DIALECTS[0]), [body.as_slice()]);
        assert!(!with_length || found == jpegs, "elsewhere they are other parts");
        assert!(quirks(&events).contains(&"other-part") && !quirks(&events).contains(&"png-part"));
    }
}

#[test]
fn audio_parts_are_skipped_and_are_neither_invalid_nor_an_error() {
    let jpegs = jpegs();
    let audio = part_of("audio/basic", &[0x55; 320], true);
    let body: Vec<u8> = jpegs
        .iter()
        .flat_map(|jpeg| [audio.repeat(20), part_of("image/jpeg", jpeg, true)].concat())
        .collect();
    let (found, events) = parse(parser(&DIALECTS[0]), body.chunks(99));
    assert!(found == jpegs);
    assert_eq!(events.discards().count(), 0, "{events:?}");
    assert!(
        events.quirks().any(|(quirk, times)| (quirk.as_str(), times) == ("audio-part", 60)),
        "{events:?}"
    );
}

#[test]
fn parts_of_another_type_are_named_and_video_ends_the_wait_for_a_picture() {
    let h264 =
        |length| part_of("video/h264; profile=1", &[0, 0, 0, 1, 0x67, 0x42, 0xff, 0xd8, 0xff, 9], length);
    for length in [true, false] {
        let mut video = parser(&DIALECTS[0]);
        video.push(&part_of("audio/basic", &[1; 50], true));
        let error = (0..20)
            .find_map(|_| {
                video.push(&h264(length));
                video.next_part().err()
            })
            .expect("no picture will come");
        let text = error.to_string();
        assert!(text.contains("parts are video/h264; framecast takes JPEG: choose MJPEG"), "{text}");
        assert_eq!(video.next_part(), Err(error), "on every later call");
    }
    for (kind, data, media) in [
        ("audio/basic", &[1; 50][..], "audio/basic"),
        ("image/jpeg", b"{\"error\": 1}", "application/json"),
        ("image/x-s3cret", b"GIF89a....", "image/gif"),
        ("video/h264", &[7; 50], "video/h264"),
    ] {
        let mut parser = parser(&DIALECTS[0]);
        parser.push(&part_of(kind, data, true));
        assert_eq!(parser.next_part(), Ok(None), "{kind}: too few to be sure");
        let media_of = |error: ParseError| error.media().map(MediaType::as_str);
        assert_eq!(parser.finish().map_err(media_of), Err(Some(media)), "{kind}");
    }
    let mut after_a_picture = parser(&DIALECTS[0]);
    after_a_picture.push(&part_of("image/jpeg", &jpegs()[0], true));
    after_a_picture.push(&h264(true).repeat(50));
    assert!(after_a_picture.next_part().unwrap().is_some());
    assert_eq!((after_a_picture.next_part(), after_a_picture.other_media()), (Ok(None), None));
}

const MULTIPART: &str = "multipart/x-mixed-replace;boundary=cam";

fn multipart_parser() -> PartParser {
    PartParser::new(ContentKind::from_header(Some(MULTIPART)), LIMITS)
}

fn jpeg_part(body: &[u8], with_length: bool) -> Vec<u8> {
    let length = if with_length { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
    [format!("--cam\r\nContent-Type: image/jpeg\r\n{length}\r\n").as_bytes(), body, b"\r\n"].concat()
}

/// Parses a body cut at every byte, and byte by byte; asserts that frames and quirks stay the same.
fn parse_cut_anywhere(body: &[u8], kind: Option<&str>) -> (Vec<Vec<u8>>, ParserEvents) {
    let parser = || PartParser::new(ContentKind::from_header(kind), LIMITS);
    let whole = parse(parser(), [body]);
    for cut in 0..=body.len() {
        let (left, right) = body.split_at(cut);
        assert!(parse(parser(), [left, right]) == whole, "cut at {cut}");
    }
    assert!(parse(parser(), body.chunks(1)) == whole, "byte by byte");
    whole
}

#[test]
fn a_missing_eoi_is_added_with_a_length_before_a_delimiter_and_at_the_end() {
    let jpegs = jpegs();
    let bare: Vec<&[u8]> = jpegs.iter().map(|jpeg| &jpeg[..jpeg.len() - 2]).collect();
    for with_length in [true, false] {
        let body: Vec<u8> = bare.iter().flat_map(|jpeg| jpeg_part(jpeg, with_length)).collect();
        let (found, events) = parse_cut_anywhere(&body, Some(MULTIPART));
        assert!(found == jpegs, "with length: {with_length}, {events:?}");
        let named = if with_length { vec!["missing-eoi"] } else { vec!["no-content-length", "missing-eoi"] };
        assert_eq!(quirks(&events), named);
        assert!(events.discards().next().is_none() && events.last_error.is_none(), "{events:?}");
    }
    // One behind the other, and one alone, as a snapshot.
    let (found, _) = parse_cut_anywhere(&bare.concat(), Some("image/jpeg"));
    assert!(found == jpegs);
    let (found, _) = parse_cut_anywhere(bare[1], Some("image/jpeg"));
    assert!(found == jpegs[1..2]);
}

#[test]
fn a_missing_eoi_is_added_with_the_last_byte_of_a_declared_length() {
    let jpeg = &jpegs()[1];
    let body = jpeg_part(&jpeg[..jpeg.len() - 2], true);
    let mut parser = multipart_parser();
    parser.push(&body[..body.len() - 3]);
    assert_eq!(parser.next_part().unwrap(), None);
    parser.push(&body[body.len() - 3..body.len() - 2]);
    assert_eq!(parser.next_part().unwrap().unwrap().jpeg[..], jpeg[..]);
}

#[test]
fn of_a_source_that_leaves_out_eoi_a_delimiter_ends_a_picture() {
    let jpeg = &jpegs()[1];
    let body = jpeg_part(&jpeg[..jpeg.len() - 2], false);
    let mut parser = multipart_parser();
    parser.push(&[&body[..], &body].concat());
    assert!(parser.next_part().unwrap().is_some(), "found by the next picture");
    assert_eq!(parser.next_part().unwrap(), None);
    parser.push(b"--cam\r\n");
    assert!(parser.next_part().unwrap().is_some(), "found by the delimiter");
}

#[test]
fn pictures_that_are_cut_stay_invalid_and_do_not_get_an_eoi() {
    let jpegs = jpegs();
    let cut = &jpegs[1][..jpegs[1].len() - 6];
    for with_length in [true, false] {
        let body = [jpeg_part(cut, with_length), jpeg_part(&jpegs[2], with_length)].concat();
        let (found, events) = parse_cut_anywhere(&body, Some(MULTIPART));
        assert!(found == jpegs[2..], "{events:?}");
        assert_eq!(discarded(&events, DiscardReason::Invalid), 1);
        assert!(events.last_error.unwrap().to_string().contains("without the rest of its data"));
    }
}

#[test]
fn further_pictures_belong_to_the_first_in_any_framing() {
    use crate::media::jpeg::tests::multi_picture;
    let jpegs = jpegs();
    let indexed = multi_picture(&[&jpegs[0], &jpegs[1]]);
    for with_length in [true, false] {
        let body = [jpeg_part(&indexed, with_length), jpeg_part(&jpegs[1], with_length)].concat();
        let (found, events) = parse_cut_anywhere(&body, Some(MULTIPART));
        assert!(found == [indexed.clone(), jpegs[1].clone()], "{}", found.len());
        assert!(quirks(&events).contains(&"further-pictures"), "{events:?}");
    }
    let (found, _) = parse_cut_anywhere(&[&indexed[..], &jpegs[1], &indexed].concat(), Some("image/jpeg"));
    assert!(found == [indexed.clone(), jpegs[1].clone(), indexed.clone()], "{}", found.len());
    // An index whose pictures were left out, at the end too.
    let first = &indexed[..crate::media::jpeg::inspect(&indexed).unwrap().len];
    let body = [jpeg_part(first, false), jpeg_part(&jpegs[1], false), jpeg_part(first, false)].concat();
    let (found, _) = parse_cut_anywhere(&body, Some(MULTIPART));
    assert!(found == [first.to_vec(), jpegs[1].clone(), first.to_vec()], "{}", found.len());
}

#[test]
fn a_thumbnail_behind_a_picture_is_no_frame_and_pictures_of_its_size_are() {
    let jpegs = jpegs();
    let with_thumbnail = [&jpegs[1][..], &jpegs[2]].concat();
    let twice = [&jpegs[1][..], &jpegs[1]].concat();
    for with_length in [true, false] {
        let body = [&with_thumbnail, &twice, &jpegs[0]].map(|body| jpeg_part(body, with_length)).concat();
        let (found, events) = parse_cut_anywhere(&body, Some(MULTIPART));
        let expected = [&jpegs[1], &jpegs[1], &jpegs[1], &jpegs[0]].map(Clone::clone);
        assert!(found == expected, "{} {events:?}", found.len());
        assert!(quirks(&events).contains(&"further-pictures"), "{events:?}");
    }
    // A stream without any framing whose pictures become smaller.
    let (found, _) = parse_cut_anywhere(&with_thumbnail, Some("image/jpeg"));
    assert_eq!(found.len(), 2);
}
