use bytes::Bytes;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use proptest::prelude::*;
use zune_jpeg::{JpegDecoder, zune_core::bytestream::ZCursor};

use super::{completeness::with_missing_eoi, huffman::with_huffman_tables, *};

const WIDTH: u16 = 40;
const HEIGHT: u16 = 24;

fn encoded(color: ColorType, set: impl FnOnce(&mut Encoder<&mut Vec<u8>>)) -> Vec<u8> {
    let samples = if color == ColorType::Luma { 1 } else { 3 };
    let pixels: Vec<u8> = (0..u32::from(WIDTH) * u32::from(HEIGHT) * samples)
        .map(|n| (n.wrapping_mul(2_654_435_761) >> 27) as u8 * 8)
        .collect();
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 90);
    set(&mut encoder);
    encoder.encode(&pixels, WIDTH, HEIGHT, color).unwrap();
    jpeg
}

/// Returns a JPEG with a thumbnail as in EXIF: a whole JPEG with its EOI.
fn with_thumbnail() -> Vec<u8> {
    let thumbnail = encoded(ColorType::Luma, |_| {});
    encoded(ColorType::Rgb, |encoder| {
        encoder.add_app_segment(1, [b"Exif\0\0".as_slice(), &thumbnail].concat()).unwrap();
    })
}

/// Returns a JPEG with fill bytes before every marker, which T.81 B.1.1.2 allows.
fn with_fill_bytes() -> Vec<u8> {
    let jpeg = encoded(ColorType::Rgb, |_| {});
    let mut filled = vec![0xff, 0xd8];
    let mut at = 2;
    while jpeg[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        filled.extend_from_slice(&[0xff, 0xff]);
        filled.extend_from_slice(&jpeg[at..end]);
        at = end;
    }
    filled.extend_from_slice(&jpeg[at..jpeg.len() - 2]);
    filled.extend_from_slice(&[0xff, 0xff, 0xff, 0xd9]);
    filled
}

fn samples() -> Vec<(&'static str, Vec<u8>)> {
    let rgb = |set: fn(&mut Encoder<&mut Vec<u8>>)| encoded(ColorType::Rgb, set);
    vec![
        ("4:4:4", rgb(|encoder| encoder.set_sampling_factor(SamplingFactor::F_1_1))),
        ("4:2:0", rgb(|encoder| encoder.set_sampling_factor(SamplingFactor::F_2_2))),
        ("grey", encoded(ColorType::Luma, |_| {})),
        ("progressive", rgb(|encoder| encoder.set_progressive(true))),
        ("restart markers", rgb(|encoder| encoder.set_restart_interval(1))),
        ("thumbnail", with_thumbnail()),
        ("fill bytes", with_fill_bytes()),
    ]
}

/// Returns a JPEG without the segments that cameras omit. Only for JPEGs with the standard tables.
fn without_tables(jpeg: &[u8]) -> Vec<u8> {
    let mut stripped = jpeg[..2].to_vec();
    let mut at = 2;
    loop {
        let code = jpeg[at + 1];
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        match code {
            marker::SOS => break,
            marker::DHT => {}
            _ => stripped.extend_from_slice(&jpeg[at..end]),
        }
        at = end;
    }
    stripped.extend_from_slice(&jpeg[at..]);
    stripped
}

fn pixels(jpeg: &[u8]) -> Vec<u8> {
    JpegDecoder::new(ZCursor::new(jpeg)).decode().unwrap()
}

/// Returns the error of the JPEG after `change`, taken from the baseline sample.
fn error_after(change: impl FnOnce(&mut Vec<u8>)) -> JpegError {
    let mut jpeg = encoded(ColorType::Rgb, |_| {});
    change(&mut jpeg);
    inspect(&jpeg).unwrap_err()
}

fn position(jpeg: &[u8], code: u8) -> usize {
    jpeg.windows(2).position(|two| two == [0xff, code]).unwrap()
}

#[test]
fn whole_jpegs_tell_their_size_and_where_they_end() {
    for (name, jpeg) in samples() {
        let info = inspect(&[jpeg.as_slice(), b"\r\n--cam"].concat()).unwrap();
        let expected = JpegInfo {
            width: WIDTH,
            height: HEIGHT,
            components: if name == "grey" { 1 } else { 3 },
            has_huffman_tables: true,
            progressive: name == "progressive",
            len: jpeg.len(),
        };
        assert_eq!(info, expected, "{name}");
    }
}

#[test]
fn a_walk_may_stop_at_every_byte() {
    for (name, jpeg) in samples() {
        let whole = inspect(&jpeg).unwrap();
        let mut walk = Walk::default();
        for end in 0..jpeg.len() {
            assert_eq!(walk.advance(&jpeg[..end]), Ok(Progress::NeedMore), "{name}, {end} bytes");
            let mut once = Walk::default();
            assert_eq!(once.advance(&jpeg[..end]), Ok(Progress::NeedMore), "{name}, {end} bytes");
            assert_eq!(once.advance(&jpeg), Ok(Progress::Done(whole)), "{name}, cut at {end}");
            assert_eq!(inspect(&jpeg[..end]), Err(JpegError::Truncated { len: end }), "{name}");
        }
        assert_eq!(walk.advance(&jpeg), Ok(Progress::Done(whole)), "{name}");
    }
}

#[test]
fn missing_tables_are_seen_and_put_back() {
    for color in [ColorType::Luma, ColorType::Rgb] {
        let jpeg = encoded(color, |_| {});
        let stripped = without_tables(&jpeg);
        assert!(!inspect(&stripped).unwrap().has_huffman_tables);
        let repaired = with_huffman_tables(&Bytes::from(stripped.clone()));
        assert_eq!(repaired.len(), stripped.len() + 420);
        assert!(inspect(&repaired).unwrap().has_huffman_tables);
        assert_eq!(pixels(&repaired), pixels(&jpeg));
    }
}

#[test]
fn bytes_without_a_scan_get_no_tables() {
    for bytes in [&b""[..], b"\xff", b"no jpeg", b"\xff\xd8\xff\xd9", b"\xff\xd8\xff\xdb\x00"] {
        assert_eq!(with_huffman_tables(&Bytes::from_static(bytes)), bytes);
    }
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let jpeg = encoded(ColorType::Rgb, |_| {});
    let (sof, sos, dht) = (position(&jpeg, 0xc0), position(&jpeg, 0xda), position(&jpeg, 0xc4));
    assert_eq!(inspect(b"<html>"), Err(JpegError::NoSoi));
    assert_eq!(inspect(b"\xff\xd9"), Err(JpegError::NoSoi));
    assert_eq!(error_after(|j| j[2] = 7), JpegError::NoMarker { offset: 2, found: 7 });
    assert_eq!(error_after(|j| j[3] = 7), JpegError::Marker { offset: 2, code: 7 });
    assert_eq!(
        error_after(|j| j[dht + 2..dht + 4].fill(0)),
        JpegError::SegmentLength { offset: dht, code: 0xc4, length: 0 }
    );
    assert!(matches!(error_after(|j| j[sof + 1] = 0xc9), JpegError::Unsupported { .. }));
    assert!(matches!(error_after(|j| j[sof + 4] = 12), JpegError::Unsupported { .. }));
    let flat = error_after(|j| j[sof + 5..sof + 7].fill(0));
    assert_eq!(flat, JpegError::NoPixels { width: WIDTH, height: 0 });
    assert!(flat.to_string().contains("DNL"));
    assert_eq!(error_after(|j| j[sof + 9] = 5), JpegError::Components { components: 5 });
    assert!(matches!(error_after(|j| j[sof + 9] = 1), JpegError::SegmentLength { .. }));
    assert!(matches!(error_after(|j| j[sos + 4] = 9), JpegError::SegmentLength { code: 0xda, .. }));
    assert_eq!(error_after(|j| j[sof + 1] = 0xfe), JpegError::NoFrameHeader { offset: sos });
    assert_eq!(error_after(|j| j.truncate(2)), JpegError::Truncated { len: 2 });
    assert_eq!(inspect(b"\xff\xd8\xff\xd9"), Err(JpegError::NoFrameHeader { offset: 2 }));
    let scanless = [&jpeg[..sos], b"\xff\xd9"].concat();
    assert_eq!(inspect(&scanless), Err(JpegError::NoScan { offset: sos }));
    let twice = [&jpeg[..sos], &jpeg[sof..]].concat();
    assert!(matches!(inspect(&twice), Err(JpegError::Marker { code: 0xc0, .. })));
}

#[test]
fn a_new_picture_inside_an_unfinished_one_is_found() {
    let jpeg = encoded(ColorType::Rgb, |_| {});
    for cut in [2, position(&jpeg, 0xc0), jpeg.len() - 9, jpeg.len() - 2] {
        let torn = [&jpeg[..cut], b"", &jpeg].concat();
        assert_eq!(inspect(&torn), Err(JpegError::NewSoi { offset: cut }));
    }
}

proptest! {
    #[test]
    fn damaged_jpegs_never_panic_and_never_end_beyond_their_bytes(
        sample in 0usize..7,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..20),
        end in any::<prop::sample::Index>(),
    ) {
        let mut jpeg = samples().swap_remove(sample).1;
        for (at, byte) in damage {
            let at = at.index(jpeg.len());
            jpeg[at] = byte;
        }
        jpeg.truncate(end.index(jpeg.len()) + 1);
        if let Ok(info) = inspect(&jpeg) {
            prop_assert!(info.len <= jpeg.len());
            prop_assert_eq!(&jpeg[info.len - 2..info.len], &[0xff, 0xd9]);
        }
        let _ = with_huffman_tables(&jpeg.into());
    }

    #[test]
    fn any_way_of_arriving_gives_the_same_verdict(
        sample in 0usize..7,
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        mut cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mut jpeg = samples().swap_remove(sample).1;
        for (at, byte) in damage {
            let at = at.index(jpeg.len());
            jpeg[at] = byte;
        }
        cuts.sort_by_key(|cut| cut.index(jpeg.len()));
        let mut walk = Walk::default();
        let mut verdict = Ok(Progress::NeedMore);
        for end in cuts.iter().map(|cut| cut.index(jpeg.len())).chain([jpeg.len()]) {
            if verdict == Ok(Progress::NeedMore) {
                verdict = walk.advance(&jpeg[..end]);
            }
        }
        prop_assert_eq!(verdict, Walk::default().advance(&jpeg));
    }
}

#[test]
fn a_picture_starts_at_the_last_soi_before_its_first_segment() {
    let jpeg = b"\xff\xd8\xff\xe0";
    for (before, start_at) in [
        (&b""[..], Some(0)),
        (b"\xff\xd8", Some(2)),
        (b"\xff\xd8\xff\xd8\xff\xd8", Some(6)),
        (b"\r\n", Some(2)),
        (b"\0\0\x12\x34", Some(4)),
        (&[b'x'; 16], Some(16)),
        (&[b'x'; 17], None),
    ] {
        assert_eq!(start(&[before, jpeg].concat()), start_at, "{before:?}");
    }
    assert_eq!(start(b""), None);
    assert_eq!(start(b"\xff"), None);
}

/// Baseline JPEGs of many kinds, without their EOI.
fn without_eoi() -> Vec<(&'static str, Vec<u8>)> {
    let baseline = samples().into_iter().filter(|(name, _)| *name != "progressive" && *name != "fill bytes");
    let files: [(&str, &[u8]); 7] = [
        ("no tables", include_bytes!("../../../tests/fixtures/jpeg/lossless-422-no-tables.jpg")),
        ("three scans", include_bytes!("../../../tests/fixtures/jpeg/lossless-420-three-scans.jpg")),
        ("4:4:0", include_bytes!("../../../tests/fixtures/jpeg/lossless-440-odd.jpg")),
        ("optimised", include_bytes!("../../../tests/fixtures/jpeg/lossless-422-optimized.jpg")),
        ("4:1:1", include_bytes!("../../../tests/fixtures/jpeg/lossless-411.jpg")),
        ("restarts", include_bytes!("../../../tests/fixtures/jpeg/lossless-420-restart.jpg")),
        ("photograph", include_bytes!("../../../tests/fixtures/photographs/420-odd.jpg")),
    ];
    let files = files.into_iter().map(|(name, jpeg)| (name, jpeg.to_vec()));
    let all = baseline.chain(files);
    all.map(|(name, jpeg)| (name, jpeg[..inspect(&jpeg).unwrap().len - 2].to_vec())).collect()
}

#[test]
fn an_eoi_is_added_where_nothing_else_is_missing() {
    for (name, jpeg) in without_eoi() {
        for tail in [&b""[..], b"\xff", b"\r\n", b"\0\0\0\0"] {
            let (whole, info) = with_missing_eoi(&[&jpeg, tail].concat()).expect(name);
            assert_eq!(whole[..], [&jpeg[..], b"\xff\xd9"].concat(), "{name}");
            assert_eq!(inspect(&whole), Ok(info), "{name}");
            assert!(lacks_eoi(&jpeg) && !lacks_eoi(&whole), "{name}");
        }
    }
}

#[test]
fn a_cut_picture_is_cut_wherever_it_was_cut() {
    for (name, jpeg) in without_eoi() {
        let step = if jpeg.len() > 3000 { 97 } else { 1 };
        for len in (0..jpeg.len()).step_by(step).chain(jpeg.len().saturating_sub(40)..jpeg.len()) {
            assert!(with_missing_eoi(&jpeg[..len]).is_none(), "{name} cut at {len} of {}", jpeg.len());
        }
    }
    let (_, jpeg) = without_eoi().swap_remove(0);
    let error = crate::media::frame::Frame::from_jpeg(jpeg[..jpeg.len() - 9].to_vec().into()).unwrap_err();
    assert!(error.to_string().contains("without the rest of its data"), "{error}");
}

proptest! {
    #[test]
    fn no_bytes_make_the_search_for_the_end_panic(
        which in 0..12_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)
    ) {
        let mut all = without_eoi();
        let (_, mut jpeg) = all.swap_remove(which % all.len());
        jpeg.truncate(2000);
        for (at, byte) in changes {
            let at = at.index(jpeg.len());
            jpeg[at] = byte;
        }
        if let Some((whole, info)) = with_missing_eoi(&jpeg) {
            prop_assert_eq!(inspect(&whole), Ok(info));
        }
        let _ = multi_picture::indexed(&jpeg, 2);
    }
}

/// A picture with an MPF index of pictures behind it, as phones and cameras write it.
pub(crate) fn multi_picture(behind: &[&[u8]]) -> Vec<u8> {
    let plain = encoded(ColorType::Rgb, |_| {});
    // Signature, TIFF header, one field of the IFD, the entries.
    let segment_len = 2 + 4 + 8 + 2 + 12 + 4 + 16 * (behind.len() + 1);
    let first_len = plain.len() + 2 + segment_len;
    let mut segment = Vec::from(&b"\xff\xe2"[..]);
    segment.extend((segment_len as u16).to_be_bytes());
    segment.extend(b"MPF\0MM\0*\0\0\0\x08\0\x01\xb0\x02\0\x07");
    segment.extend((16 * (behind.len() as u32 + 1)).to_be_bytes());
    segment.extend(26_u32.to_be_bytes());
    segment.extend([0; 4]);
    // Offsets count from the TIFF header, 8 bytes after the segment's marker at 2.
    let mut offset = (first_len - 10) as u32;
    for (n, len) in std::iter::once(first_len).chain(behind.iter().map(|one| one.len())).enumerate() {
        segment.extend(0_u32.to_be_bytes());
        segment.extend((len as u32).to_be_bytes());
        segment.extend(if n == 0 { 0 } else { offset }.to_be_bytes());
        segment.extend([0; 4]);
        offset += if n == 0 { 0 } else { len as u32 };
    }
    assert_eq!(segment.len(), 2 + segment_len);
    let first = [&plain[..2], &segment, &plain[2..]].concat();
    [&first[..], &behind.concat()].concat()
}

#[test]
fn the_pictures_of_an_index_and_smaller_ones_belong_to_the_first() {
    let same = encoded(ColorType::Rgb, |_| {});
    let mut small = Vec::new();
    Encoder::new(&mut small, 50).encode(&[7; 64], 8, 8, ColorType::Luma).unwrap();
    let frame = |jpeg: Vec<u8>| crate::media::frame::Frame::from_jpeg(jpeg.into()).unwrap();
    for behind in [&[&same[..]][..], &[&small], &[&same, &small]] {
        let whole = multi_picture(behind);
        let shown = frame([&whole[..], b"\r\n"].concat());
        assert_eq!(shown.jpeg()[..], whole);
        assert_eq!((shown.width(), shown.height()), (WIDTH, HEIGHT));
        assert!(shown.info().len < whole.len());
        // An index that names more than there is.
        let cut = frame(whole[..whole.len() - 1].to_vec());
        assert_eq!(cut.jpeg().len(), cut.info().len);
    }
    assert_eq!(frame([&same[..], &small].concat()).jpeg()[..], [&same[..], &small].concat());
    assert_eq!(frame([&same[..], &same].concat()).jpeg()[..], same);
    assert_eq!(frame([&same[..], b"padding"].concat()).jpeg()[..], same);
}
