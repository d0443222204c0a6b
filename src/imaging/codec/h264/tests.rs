//! Streams that ffmpeg's x264 encodes, compared with what ffmpeg decodes.

use std::{
    io::Write,
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use super::*;
use crate::limits::ByteBudget;

const MIB: usize = 1024 * 1024;

/// The bytes that ffmpeg writes for these arguments.
fn ffmpeg(arguments: &str, input: &[u8]) -> Vec<u8> {
    let mut ffmpeg = Command::new("ffmpeg")
        .args(["-hide_banner", "-loglevel", "error"])
        .args(arguments.split_whitespace())
        .arg("pipe:1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("ffmpeg runs");
    let mut stdin = ffmpeg.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = ffmpeg.wait_with_output().unwrap();
    let _ = writer.join();
    assert!(output.status.success() && !output.stdout.is_empty(), "ffmpeg {arguments}");
    output.stdout
}

/// A stream of a lavfi source, with a delimiter before each access unit.
fn encode(source: &str, options: &str) -> Vec<u8> {
    let bsf = "-bsf:v h264_metadata=aud=insert -f h264";
    ffmpeg(&format!("-f lavfi -i {source} -c:v libx264 -pix_fmt yuv420p {options} {bsf}"), &[])
}

fn access_units(stream: &[u8]) -> Vec<&[u8]> {
    let starts: Vec<_> = memchr::memmem::find_iter(stream, &[0, 0, 0, 1, 9]).collect();
    let ends = starts[1..].iter().copied().chain([stream.len()]);
    starts.iter().zip(ends).map(|(&start, end)| &stream[start..end]).collect()
}

fn budget() -> Arc<ByteBudget> {
    Arc::new(ByteBudget::new(64 * MIB))
}

fn decoder_of(max_pixels: u64, budget: &Arc<ByteBudget>) -> H264Decoder {
    let budget = budget.clone();
    H264Decoder::new(max_pixels, Box::new(move |bytes| budget.try_acquire(bytes)))
}

fn decoder() -> H264Decoder {
    decoder_of(10_000_000, &budget())
}

/// Decodes access units, whose times are their numbers; the pictures that come out, with their times.
fn decode_all(stream: &[u8]) -> Vec<(i64, Planes)> {
    decode_timed(stream, 0..)
}

fn decode_timed(stream: &[u8], times: impl IntoIterator<Item = i64>) -> Vec<(i64, Planes)> {
    let mut decoder = decoder();
    let mut pictures = Vec::new();
    for (unit, time) in access_units(stream).into_iter().zip(times) {
        let mut planes = Planes::default();
        let decoded = decoder.decode((unit, Framing::StartCodes), time, Some(&mut planes));
        pictures.extend(decoded.unwrap().map(|time| (time, planes)));
    }
    pictures
}

/// The pictures as ffmpeg decodes them, full range.
fn decoded_by_ffmpeg(stream: &[u8], (width, height): (usize, usize)) -> Vec<Vec<u8>> {
    let raw = ffmpeg("-f h264 -i pipe:0 -vsync passthrough -pix_fmt yuvj420p -f rawvideo", stream);
    raw.chunks_exact(width * height * 3 / 2).map(<[u8]>::to_vec).collect()
}

fn assert_alike(found: &[u8], expected: &[u8], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    let worst = found.iter().zip(expected).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
    assert!(worst <= 2, "{what}: {worst} steps off");
}

const CLOCK: &str = "testsrc2=size=176x144:rate=10:duration=3";

#[test]
fn pictures_come_out_at_once_where_none_is_reordered_and_are_those_of_ffmpeg() {
    for options in ["-profile:v baseline", "-profile:v main -bf 0", "-profile:v high -bf 0 -refs 3 -slices 4"]
    {
        let stream = encode(CLOCK, options);
        let expected = decoded_by_ffmpeg(&stream, (176, 144));
        let found = decode_all(&stream);
        assert_eq!((found.len(), expected.len()), (30, 30), "{options}");
        for (n, ((time, planes), expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(*time, n as i64);
            assert_eq!((planes.width(), planes.height(), planes.sampling()), (176, 144, Sampling::S420));
            assert_alike(planes.data(), expected, &format!("{options}, picture {n}"));
        }
    }
}

/// The B pictures of x264, and the numbers of the pictures in the order of decoding.
fn encode_reordered(options: &str) -> (Vec<u8>, Vec<i64>) {
    let options = format!("{options} -b_strategy 0 -g 12 -threads 1");
    // The third column is the number of the picture in the order of display.
    let coded = format!("-f lavfi -i {CLOCK} -c:v libx264 -pix_fmt yuv420p {options} -f framecrc");
    let coded = String::from_utf8(ffmpeg(&coded, &[])).unwrap();
    let lines = coded.lines().filter(|line| !line.starts_with('#'));
    let times = lines.map(|line| line.split(',').nth(2).unwrap().trim().parse().unwrap());
    (encode(CLOCK, &options), times.collect())
}

/// Asserts that the pictures are those of ffmpeg, but for the rounding of weighted pairs.
fn assert_shown(found: &[(i64, Planes)], stream: &[u8], what: &str) {
    let expected = decoded_by_ffmpeg(stream, (176, 144));
    for (time, planes) in found {
        let expected = &expected[usize::try_from(*time).unwrap()];
        let steps = planes.data().iter().zip(expected).map(|(a, b)| u64::from(a.abs_diff(*b))).sum::<u64>();
        let mean = steps as f64 / expected.len() as f64;
        assert!(mean < 1.0, "{what}, picture {time}: {mean} steps off");
    }
    assert!(found.is_sorted_by(|(a, _), (b, _)| a < b), "{what}: out of order");
}

#[test]
fn reordered_pictures_come_out_in_the_order_of_display() {
    let kinds = [
        "-profile:v main -bf 1",
        "-profile:v main -bf 2 -refs 1",
        "-profile:v high -bf 3",
        "-profile:v high -bf 3 -x264opts b-pyramid=none",
        "-profile:v high -bf 5 -refs 4",
        "-profile:v high -bf 8 -x264opts b-pyramid=strict -refs 2",
    ];
    for options in kinds {
        let (stream, times) = encode_reordered(options);
        assert!(times.len() == 30 && !times.is_sorted(), "{times:?}");
        let found = decode_timed(&stream, times);
        assert_shown(&found, &stream, options);
        // The last pictures have no access unit after them.
        assert!(found.len() >= 27 && found[0].0 == 0, "{options}: {}", found.len());
    }
}

#[test]
fn colours_are_those_that_were_encoded_whatever_the_range_and_the_matrix() {
    let colours = [("red", [255, 0, 0]), ("lime", [0, 255, 0]), ("blue", [0, 0, 255]), ("gray", [128; 3])];
    let kinds = [
        "",
        "-pix_fmt yuvj420p",
        "-vf scale=out_color_matrix=bt709 -colorspace bt709",
        "-vf scale=out_color_matrix=bt709:out_range=full -colorspace bt709 -color_range pc",
        "-vf scale=out_color_matrix=bt601 -colorspace smpte170m",
    ];
    for (name, rgb) in colours {
        for kind in kinds {
            let stream = encode(&format!("color=c={name}:s=64x48:d=0.2"), &format!("-qp 4 -bf 0 {kind}"));
            let pictures = decode_all(&stream);
            for (found, expected) in pictures[0].1.rgb(20, 20).into_iter().zip(rgb) {
                assert!(found.abs_diff(expected) <= 5, "{name} {kind}: {:?}", pictures[0].1.rgb(20, 20));
            }
        }
    }
}

#[test]
fn grey_video_gives_grey_pictures() {
    let stream = encode(CLOCK, "-bf 0 -pix_fmt gray");
    let pictures = decode_all(&stream);
    assert_eq!((pictures.len(), pictures[0].1.sampling()), (30, Sampling::Gray));
    let raw = ffmpeg("-f h264 -i pipe:0 -vsync passthrough -pix_fmt yuvj420p -f rawvideo", &stream);
    assert_alike(pictures[0].1.data(), &raw[..176 * 144], "grey");
}

#[test]
fn odd_sizes_are_cropped() {
    let stream = encode("testsrc2=size=178x100:rate=5:duration=1", "-bf 0");
    let pictures = decode_all(&stream);
    assert_eq!((pictures[0].1.width(), pictures[0].1.height()), (178, 100));
    assert_alike(pictures[4].1.data(), &decoded_by_ffmpeg(&stream, (178, 100))[4], "cropped");
}

#[test]
fn another_size_takes_its_own_memory_and_decoding_goes_on() {
    let large = encode("testsrc2=size=352x288:rate=5:duration=1", "-bf 0");
    let small = encode("testsrc2=size=176x144:rate=5:duration=1", "-bf 0");
    let budget = budget();
    let mut decoder = decoder_of(10_000_000, &budget);
    let mut sizes = Vec::new();
    let mut held = Vec::new();
    for (n, unit) in [&large, &small, &large].into_iter().flat_map(|stream| access_units(stream)).enumerate()
    {
        let mut planes = Planes::default();
        let decoded = decoder.decode((unit, Framing::StartCodes), n as i64, Some(&mut planes)).unwrap();
        assert_eq!(decoded, Some(n as i64));
        sizes.push(planes.width());
        held.push(budget.in_use());
    }
    assert_eq!(sizes, [[352; 5], [176; 5], [352; 5]].concat());
    assert!(held[0] > held[5] && held[0] == held[14] && held[5] > MIB, "{held:?}");
    drop(decoder);
    assert_eq!(budget.in_use(), 0);
}

#[test]
fn a_lost_picture_is_an_error_and_the_next_keyframe_is_shown() {
    let stream = encode(CLOCK, "-profile:v baseline -g 10");
    let units = access_units(&stream);
    let mut decoder = decoder();
    let mut shown = Vec::new();
    let mut failed = Vec::new();
    for (n, unit) in units.iter().enumerate().filter(|(n, _)| *n != 13) {
        match decoder.decode((unit, Framing::StartCodes), n as i64, None) {
            Ok(time) => shown.extend(time),
            Err(error) => {
                assert!(error.to_string().contains("next keyframe"), "{error}");
                assert!(decoder.needs_keyframe() && !error.is_unsupported());
                failed.push(n);
            }
        }
    }
    assert_eq!((failed, decoder.failed_keyframes()), (vec![14], 0));
    assert_eq!(shown, (0..13).chain(20..30).collect::<Vec<_>>());
}

#[test]
fn parameter_sets_from_elsewhere_are_kept_over_an_error() {
    let stream = encode(CLOCK, "-profile:v baseline -g 10");
    let units = access_units(&stream);
    let first = AccessUnit::read(units[0], Framing::StartCodes).unwrap();
    let mut sets = Vec::new();
    first.parameter_sets.iter().for_each(|set| nal::push(&mut sets, set));
    // The stream itself has slices only, with their lengths before them.
    let framed = |unit: &[u8]| {
        let unit = AccessUnit::read(unit, Framing::StartCodes).unwrap();
        let slices = unit.slices.iter().map(|slice| slice.nal);
        slices.flat_map(|nal| [&(nal.len() as u32).to_be_bytes()[..], nal].concat()).collect::<Vec<_>>()
    };
    let mut decoder = decoder();
    let keyframe = framed(units[0]);
    assert_eq!(decoder.decode((&keyframe, Framing::Lengths), 0, None), Err(H264Error::NoParameterSets));
    assert_eq!(decoder.decode((&sets, Framing::StartCodes), 0, None), Ok(None));
    assert_eq!(decoder.size(), Some((176, 144)));
    assert_eq!(decoder.decode((&framed(units[1]), Framing::Lengths), 1, None), Ok(None));
    assert!(decoder.needs_keyframe());
    for (at, expected) in [(10, Some(10)), (11, Some(11))] {
        assert_eq!(decoder.decode((&framed(units[at]), Framing::Lengths), at as i64, None), Ok(expected));
    }
    assert!(decoder.decode((&keyframe[..keyframe.len() - 1], Framing::Lengths), 12, None).is_err());
    assert_eq!(decoder.decode((&framed(units[20]), Framing::Lengths), 20, None), Ok(Some(20)));
}

#[test]
fn video_that_openh264_lacks_is_named() {
    let cases = [
        ("-pix_fmt yuv422p", "4:2:2"),
        ("-pix_fmt yuv444p", "4:4:4"),
        ("-pix_fmt yuv420p10le", "more than 8 bits"),
        ("-x264opts interlaced=1", "interlaced"),
    ];
    for (options, words) in cases {
        let stream = encode(CLOCK, options);
        let error = decoder().decode((access_units(&stream)[0], Framing::StartCodes), 0, None).unwrap_err();
        assert!(error.is_unsupported() && error.to_string().contains(words), "{options}: {error}");
    }
}

#[test]
fn pictures_that_are_too_large_are_refused_before_memory_is_taken() {
    let stream = encode("color=c=red:s=640x480:d=0.2", "");
    let unit = (access_units(&stream)[0], Framing::StartCodes);
    let budget = budget();
    let error = decoder_of(640 * 480 - 1, &budget).decode(unit, 0, None).unwrap_err();
    assert_eq!(error, H264Error::TooManyPixels { width: 640, height: 480, max_pixels: 640 * 480 - 1 });
    assert_eq!((budget.in_use(), budget.refused()), (0, 0));
    let budget = Arc::new(ByteBudget::new(4 * MIB));
    let error = decoder_of(1 << 30, &budget).decode(unit, 0, None).unwrap_err();
    assert!(
        matches!(error, H264Error::Memory(_)) && error.to_string().contains("max_decode_bytes"),
        "{error}"
    );
    assert_eq!(budget.refused(), 1);
}

#[test]
fn access_units_say_whether_they_can_be_left_out() {
    let stream = encode(CLOCK, "-profile:v main -bf 1 -b_strategy 0 -g 10");
    let units: Vec<_> = access_units(&stream)
        .iter()
        .map(|unit| AccessUnit::read(unit, Framing::StartCodes).unwrap())
        .collect();
    assert!(units[0].is_keyframe && !units[0].is_disposable);
    let b: Vec<_> = units.iter().filter(|unit| unit.slices.iter().any(Slice::is_bidirectional)).collect();
    assert!(b.len() > 5 && b.iter().all(|unit| unit.is_disposable && !unit.is_keyframe));
    assert_eq!(units.iter().filter(|unit| unit.is_disposable).count(), b.len());
}

#[test]
fn no_damage_is_a_panic_and_the_next_keyframe_is_decoded() {
    for options in ["-profile:v baseline -g 5", "-profile:v high -bf 2 -b_strategy 0 -g 5 -slices 2"] {
        let stream = encode("testsrc2=size=64x48:rate=10:duration=1", options);
        let units = access_units(&stream);
        let mut decoder = decoder();
        let mut random = fastrand::Rng::with_seed(7);
        for round in 0..400 {
            for unit in &units {
                let mut unit = unit.to_vec();
                match round % 4 {
                    0 => unit.truncate(random.usize(..unit.len())),
                    1 => (0..8).for_each(|_| {
                        let at = random.usize(..unit.len());
                        unit[at] ^= 1 << random.u8(..8)
                    }),
                    2 => drop(unit.drain(random.usize(..unit.len())..).step_by(2)),
                    _ if random.u8(..4) == 0 => continue,
                    _ => {}
                }
                let framing = if random.bool() { Framing::StartCodes } else { Framing::Lengths };
                let _ = decoder.decode((&unit, framing), round, Some(&mut Planes::default()));
            }
        }
        decoder.close();
        decoder.sets = ParameterSets::default();
        let shown = units.iter().enumerate().filter_map(|(n, unit)| {
            decoder.decode((unit, Framing::StartCodes), n as i64, Some(&mut Planes::default())).unwrap()
        });
        assert!(shown.count() > 5, "{options}");
    }
}
