//! Small files that become large pictures: what decoding and drawing take is bounded for the process, and a
//! publisher who floods it leaves the other streams their frames.

use std::{cell::Cell, io::Write, time::Duration};

use flate2::{Compression, write::ZlibEncoder};
use framecast::imaging::codec::codec;
use futures_util::future::join_all;
use jpeg_encoder::{ColorType, Encoder, SamplingFactor};
use testkit::{
    fixture::{Fixture, until},
    numbered_pictures::numbered,
    raw_client::Client,
};
use tokio::time::{Instant, sleep};

use crate::decompression_bombs;

/// The memory of all pictures together.
const DECODE_KIB: u64 = 64 * 1024;

/// Uploads and answers, and what the allocator keeps for the next picture: the C library's up to 64 MiB for
/// each of two workers.
const BESIDE_KIB: u64 = 128 * 1024;

fn top() -> String {
    format!(
        "limits: {{max_decode_bytes: {DECODE_KIB}KiB, max_frame_bytes: 8MiB, max_frame_pixels: 50000000}}"
    )
}

/// A PNG of zeros: colour type and depth as its header has them (PNG, 11.2.2).
fn png(side: u32, depth: u8, color: u8, is_interlaced: bool) -> Vec<u8> {
    let channels = match color {
        0 | 3 => 1,
        2 => 3,
        4 => 2,
        _ => 4,
    };
    // The seven passes of Adam7: the first column and row, and the steps.
    let passes: &[[u32; 4]] = if is_interlaced {
        &[[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]
    } else {
        &[[0, 0, 1, 1]]
    };
    let bytes_of = |[x, y, across, down]: &[u32; 4]| {
        let (columns, rows) = ((side - x).div_ceil(*across), (side - y).div_ceil(*down));
        u64::from(rows) * (1 + (u64::from(columns) * channels * u64::from(depth)).div_ceil(8))
    };
    let mut left: u64 = passes.iter().map(bytes_of).sum();
    let (mut packer, zeros) = (ZlibEncoder::new(Vec::new(), Compression::best()), vec![0; 1 << 16]);
    while left > 0 {
        let some = left.min(zeros.len() as u64);
        packer.write_all(&zeros[..some as usize]).unwrap();
        left -= some;
    }
    let sides = [side.to_be_bytes(), side.to_be_bytes()].concat();
    let header = [&sides[..], &[depth, color, 0, 0, is_interlaced.into()]].concat();
    let pixels = packer.finish().unwrap();
    let palette: &[(&[u8; 4], &[u8])] =
        if color == 3 { &[(b"PLTE", &[0, 0, 0, 255, 255, 255]), (b"tRNS", &[0, 128])] } else { &[] };
    decompression_bombs::png_of(&[&[(b"IHDR", &header[..])], palette, &[(b"IDAT", &pixels)]].concat())
}

/// A plain JPEG.
fn jpeg(side: u16, color: ColorType, sampling: SamplingFactor, is_progressive: bool) -> Vec<u8> {
    let bytes = if matches!(color, ColorType::Cmyk) { 4 } else { 3 };
    let mut jpeg = Vec::new();
    let mut encoder = Encoder::new(&mut jpeg, 60);
    encoder.set_progressive(is_progressive);
    encoder.set_sampling_factor(sampling);
    let pixels = vec![90; usize::from(side) * usize::from(side) * bytes];
    encoder.encode(&pixels, side, side, color).unwrap();
    jpeg
}

/// A file as the image crate writes it.
fn written(side: u32, format: image::ImageFormat, has_alpha: bool) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let image = if has_alpha {
        image::DynamicImage::new_rgba8(side, side)
    } else {
        image::DynamicImage::new_rgb8(side, side)
    };
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// Files whose pictures fit the budget, though not two of them at the same time.
fn fitting() -> Vec<(&'static str, Vec<u8>)> {
    use image::ImageFormat::{Bmp, Gif, WebP};
    vec![
        ("a PNG of 16 bits RGBA", png(2000, 16, 6, false)),
        ("the same, interlaced", png(2000, 16, 6, true)),
        ("a PNG of 16 bits grey with alpha", png(2700, 16, 4, true)),
        ("a PNG of 1 bit with a palette and alpha", png(2700, 1, 3, false)),
        ("a WebP without loss", written(1800, WebP, true)),
        ("a GIF", written(1800, Gif, false)),
        ("a BMP", written(1500, Bmp, false)),
    ]
}

/// Files whose pictures never fit.
fn too_large() -> Vec<(&'static str, Vec<u8>)> {
    use image::ImageFormat::WebP;
    vec![
        ("the PNG of 381 kB", png(7000, 16, 6, false)),
        ("the same, interlaced", png(7000, 16, 6, true)),
        ("a PNG of 8 bits RGB", png(7000, 8, 2, false)),
        ("a PNG of a bit for each pixel", png(7000, 1, 3, false)),
        ("a WebP without loss", written(4000, WebP, true)),
    ]
}

#[tokio::test]
async fn files_that_become_large_pictures_are_decoded_in_the_memory_there_is_or_refused_at_once() {
    let mut fixture = Fixture::serving(&top(), "  inbox: {source: {type: push, token: none}}\n").await;
    let (fitting, too_large) = (fitting(), too_large());
    fixture
        .assert_survives(DECODE_KIB + BESIDE_KIB, async |fixture| {
            for (name, file) in &too_large {
                assert!(file.len() < 400_000, "{name}: {} bytes", file.len());
                let answer = fixture.push("inbox", file).await;
                assert_eq!(answer.head.status, 413, "{name}");
                let detail = answer.json()["detail"].to_string();
                let size = if name.contains("WebP") { "4000x4000" } else { "7000x7000" };
                for said in [size, "bytes of memory", "37748736", "limits.max_decode_bytes"] {
                    assert!(detail.contains(said), "{name}: {said} is not in {detail}");
                }
            }
            // All at once, several of each: those that there is no place for are told.
            let all = fitting.iter().cycle().take(3 * fitting.len());
            let pushing = all.map(async |(name, file)| (*name, fixture.push("inbox", file).await));
            let mut shown = 0;
            for (name, answer) in join_all(pushing).await {
                assert!([204, 503].contains(&answer.head.status), "{name}: {}", answer.head.status);
                shown += u64::from(answer.head.status == 204);
            }
            assert!(shown >= 3, "{shown} were shown");
            // And each by itself.
            for (name, file) in &fitting {
                assert_eq!(fixture.push("inbox", file).await.head.status, 204, "{name}");
            }
            let report = fixture.report("inbox").await;
            assert_eq!(report["frames_in"], shown + fitting.len() as u64, "{report}");
            let dropped = |reason: &str| report["dropped"][reason].as_u64().unwrap();
            assert_eq!(dropped("too_large"), too_large.len() as u64, "{report}");
            assert_eq!(dropped("busy"), 3 * fitting.len() as u64 - shown, "{report}");
            assert_eq!(fixture.push("inbox", &numbered(1)).await.head.status, 204);
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn jpegs_that_are_decoded_in_several_scans_take_the_memory_there_is_or_are_dropped() {
    const STREAMS: &str = "  inbox: {source: {type: push, token: none}}\n  \
        small: {source: {type: push, token: none}, transform: [{scale: {width: 320}}]}\n  \
        grey: {source: {type: push, token: none}, transform: [{grayscale: true}, {scale: {width: 320}}]}\n";
    use SamplingFactor::{R_4_2_0, R_4_4_4};
    let mut fixture = Fixture::serving(&top(), STREAMS).await;
    let fits = jpeg(1600, ColorType::Rgb, R_4_2_0, true);
    let large = [
        ("progressive", jpeg(3600, ColorType::Rgb, R_4_4_4, true)),
        ("progressive, with fewer colours", jpeg(4200, ColorType::Rgb, R_4_2_0, true)),
        ("progressive CMYK", jpeg(3600, ColorType::Cmyk, R_4_4_4, true)),
        ("in one scan", jpeg(3600, ColorType::Rgb, R_4_4_4, false)),
    ];
    // libjpeg-turbo decodes the last one at an eighth of its sides where it becomes small, which takes little
    // memory.
    let is_scaled = |name: &str| name == "in one scan" && codec().max_denominator() == 8;
    fixture
        .assert_survives(DECODE_KIB + BESIDE_KIB, async |fixture| {
            for stream in ["small", "grey"] {
                for (name, file) in &large {
                    assert!(file.len() < 1_000_000, "{name}: {} bytes", file.len());
                    let status = fixture.push(stream, file).await.head.status;
                    assert!(status == 413 || status == 204 && is_scaled(name), "{name}: {status}");
                }
                let count = large.len() as u64;
                // Of two that come at once one may take the other's place.
                let dropped = |report: &serde_json::Value| {
                    ["too_large", "busy"]
                        .iter()
                        .filter_map(|reason| report["dropped"][reason].as_u64())
                        .sum::<u64>()
                };
                let shown = |report: &serde_json::Value| report["frames_in"].as_u64().unwrap_or_default();
                let all = |report: &serde_json::Value| dropped(report) + shown(report) == count;
                let report = fixture.report_when(stream, all).await;
                let scaled = large.iter().filter(|(name, _)| is_scaled(name)).count() as u64;
                assert!(shown(&report) <= scaled, "{report}");
                assert!(report["dropped"]["too_large"].as_u64().unwrap() > 0, "{report}");
                fixture.push(stream, &fits).await;
                let before = shown(&report);
                fixture.report_when(stream, |report| shown(report) == before + 1).await;
            }
            // What is shown as it is takes nothing, however large; what is made of it for a viewer does.
            for (name, file) in &large {
                assert_eq!(fixture.push("inbox", file).await.head.status, 204, "{name}");
                let asked = ["snapshot?width=300", "snapshot?rotate=90&quality=50"].map(async |asked| {
                    (asked, Client::get(fixture.address(), &format!("/streams/inbox/{asked}")).await)
                });
                for (asked, answer) in join_all(asked).await {
                    if asked.contains("width") && is_scaled(name) {
                        assert_eq!(answer.head.status, 200, "{name}");
                        continue;
                    }
                    assert_eq!(answer.head.status, 503, "{name}");
                    let said = answer.json()["detail"].to_string();
                    assert!(said.contains("limits.max_decode_bytes"), "{name}: {said}");
                }
            }
        })
        .await;
    fixture.end();
}

#[tokio::test]
async fn large_pictures_that_are_drawn_wait_for_each_other_and_those_that_never_fit_say_so() {
    let text = |name: &str, side: u32| {
        let source = format!("{{type: text, text: '%S %f', fps: 5, size: {side}x{side}}}");
        format!("  {name}: {{on_demand: false, source: {source}}}\n")
    };
    let streams: String = [
        text("one", 2500),
        text("two", 2500),
        text("three", 2500),
        text("large", 7000),
        text("larger", 7050),
    ]
    .concat()
        + "  bars: {on_demand: false, source: {type: pattern, size: 2500x2500, fps: 5}}\n  \
           graph: {on_demand: false, source: {type: chart, series: [a], size: 1600x1600, token: none}}\n  \
           wall: {on_demand: false, source: {type: mosaic, of: [one, two, bars], size: 1280x720}}\n";
    let mut fixture = Fixture::serving(&top(), &streams).await;
    fixture
        .assert_survives(DECODE_KIB + BESIDE_KIB, async |fixture| {
            for name in ["one", "two", "three", "bars"] {
                fixture.report_when(name, |report| report["frames_in"].as_u64() >= Some(3)).await;
            }
            for name in ["graph", "wall"] {
                fixture.report_when(name, |report| report["frames_in"].as_u64() >= Some(1)).await;
            }
            for name in ["large", "larger"] {
                let said =
                    |report: &serde_json::Value| report["reason"].to_string().contains("max_decode_bytes");
                fixture.report_when(name, said).await;
            }
        })
        .await;
    // Three quarters of 64 MiB. It is logged when the stream has been away for a while.
    let logged = async || {
        let log = fixture.log();
        if log.contains("may have 50331648") { Ok(()) } else { Err(log) }
    };
    until("the numbers are logged", logged).await;
    fixture.end();
}

/// Length of one count of frames. Counts with and without the flood alternate, so that other load on the
/// machine affects both.
const COUNTED_FOR: Duration = Duration::from_secs(2);
const ROUNDS: usize = 3;

/// Connections on which the flood comes.
const PUBLISHERS: usize = 8;

/// Streams whose pictures come out of the pool.
const DRAWN: [&str; 4] = ["bars", "more", "half", "wall"];

async fn frames(fixture: &Fixture) -> Vec<u64> {
    join_all(DRAWN.map(async |name| fixture.report(name).await["frames_in"].as_u64().unwrap())).await
}

/// Frames of each stream within [`COUNTED_FOR`].
async fn counted(fixture: &Fixture) -> Vec<f64> {
    let (begun, before) = (Instant::now(), frames(fixture).await);
    sleep(COUNTED_FOR).await;
    let (after, took) = (frames(fixture).await, begun.elapsed());
    before.iter().zip(after).map(|(before, after)| (after - before) as f64 / took.as_secs_f64()).collect()
}

#[tokio::test]
async fn a_publisher_that_floods_the_workers_leaves_the_other_streams_their_frames() {
    const STREAMS: &str = "  inbox: {source: {type: push, token: none}}\n  \
        bars: {on_demand: false, source: {type: pattern, size: 64x48, fps: 5}}\n  \
        more: {on_demand: false, source: {type: pattern, size: 64x48, fps: 5}}\n  \
        half: {on_demand: false, source: {type: rendition, of: bars}, transform: [{scale: {width: 32}}]}\n  \
        wall: {on_demand: false, source: {type: mosaic, of: [bars, more], size: 96x64, fps: 5}}\n";
    let mut fixture = Fixture::serving("limits: {max_frame_pixels: 50000000}", STREAMS).await;
    let picture = png(1500, 8, 6, false);
    fixture
        .assert_survives(256 * 1024, async |fixture| {
            for name in DRAWN {
                fixture.report_when(name, |report| report["frames_in"].as_u64() > Some(0)).await;
            }
            let (is_on, floods, pushed) = (Cell::new(true), Cell::new(false), Cell::new(0_u64));
            let flooding = (0..PUBLISHERS).map(async |_| {
                while is_on.get() {
                    if !floods.get() || fixture.push("inbox", &picture).await.head.status != 204 {
                        sleep(Duration::from_millis(5)).await;
                    } else {
                        pushed.set(pushed.get() + 1);
                    }
                }
            });
            let counting = async {
                let (mut calm, mut flooded) = (vec![0.0; DRAWN.len()], vec![0.0; DRAWN.len()]);
                for round in 0..2 * ROUNDS {
                    floods.set(round % 2 == 1);
                    let before = pushed.get();
                    let is_flooded = || pushed.get() > before + 1 || !floods.get();
                    until("the flood", async || is_flooded().then_some(()).ok_or_else(String::new)).await;
                    let sum = if floods.get() { &mut flooded } else { &mut calm };
                    counted(fixture).await.iter().zip(sum).for_each(|(rate, sum)| *sum += rate);
                }
                is_on.set(false);
                (calm, flooded)
            };
            let ((calm, flooded), _) = tokio::join!(counting, join_all(flooding));
            eprintln!(
                "frames beside {} pictures of a flood: {flooded:.1?}; without: {calm:.1?}",
                pushed.get()
            );
            assert!(pushed.get() > 0);
            for (name, (calm, flooded)) in DRAWN.iter().zip(calm.iter().zip(&flooded)) {
                assert!(*flooded >= 0.9 * calm, "{name}: {flooded:.1} frames and not {calm:.1}");
            }
        })
        .await;
    fixture.end();
}
