//! Many streams in one picture.

use bytes::Bytes;
use framecast::imaging::{
    Pixels, Quality,
    codec::{PixelFormat, codec},
};
use serde_json::Value;
use testkit::{
    raw_client::{Client, TIMEOUT},
    stepped_camera::Camera,
    stream_client::{StreamViewer, push, report, report_when, wait_for_state},
};
use tokio::time::timeout;

use super::scene::{BLUE, COLOURED, EXIF_6, GRAY, GREEN, PLAIN, RED, WHITE, YELLOW, assert_colour, at};
use crate::TestRelay;

/// Three tiles of 320x180 without gaps, the last one in the middle of its row.
const WALL: &str = "wall: {linger: 0s, source: {type: mosaic, of: [a, b, c], size: 640x360, gap: 0, labels: \
    false, background: '#000', fps: 60}}";
const A: (usize, usize) = (160, 90);
const B: (usize, usize) = (480, 90);
const C: (usize, usize) = (320, 270);

fn solid(color: [u8; 3], width: u16, height: u16) -> Vec<u8> {
    let data = color.repeat(usize::from(width) * usize::from(height));
    let pixels = Pixels::new(width, height, PixelFormat::Rgb, data).unwrap();
    codec().encode(&pixels, Quality::PICTURE).unwrap().to_vec()
}

/// Returns a JPEG without its quantisation tables: its segments are valid, and no codec can decode it.
fn without_tables(color: [u8; 3], width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = solid(color, width, height);
    let tables: Vec<_> = (1..jpeg.len()).filter(|at| jpeg[at - 1..=*at] == [0xff, 0xdb]).collect();
    // APP15, which codecs pass over.
    tables.into_iter().for_each(|at| jpeg[at] = 0xef);
    jpeg
}

fn three_pushed() -> TestRelay {
    let push = "source: {type: push, token: none}";
    TestRelay::start(&format!("streams: {{{WALL}, a: {{{push}}}, b: {{{push}}}, c: {{{push}}}}}"))
}

fn pixels(jpeg: &[u8]) -> Pixels {
    codec().decode(jpeg, 5_000_000).unwrap()
}

fn is(pixels: &Pixels, (x, y): (usize, usize), wanted: [u8; 3]) -> bool {
    at(pixels, x, y).iter().zip(wanted).all(|(a, b)| a.abs_diff(b) <= 12)
}

/// Watches until a picture is as wanted.
async fn seen(viewer: &mut StreamViewer, wanted: impl Fn(&Pixels) -> bool) -> Pixels {
    let looking = async {
        loop {
            let pixels = pixels(&viewer.part().await.jpeg);
            if wanted(&pixels) {
                return pixels;
            }
        }
    };
    timeout(TIMEOUT, looking).await.expect("such a picture comes")
}

#[tokio::test]
async fn each_stream_has_its_place_and_the_last_row_stands_in_the_middle() {
    let relay = three_pushed();
    for (name, color) in [("a", RED), ("b", GREEN), ("c", BLUE)] {
        push(&relay, name, &solid(color, 1280, 720)).await;
    }
    let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
    let first = pixels(&viewer.part().await.jpeg);
    assert_eq!((first.width(), first.height()), (640, 360));
    for (place, color) in
        [(A, RED), (B, GREEN), (C, BLUE), ((4, 4), RED), ((635, 175), GREEN), ((165, 355), BLUE)]
    {
        assert_colour(&first, (place.0.clamp(4, 635), place.1.clamp(4, 355)), color, "a tile");
    }
    for corner in [(80, 270), (560, 270)] {
        assert_colour(&first, corner, [0; 3], "beside the last row");
    }
    push(&relay, "b", &solid(YELLOW, 1280, 720)).await;
    let second = seen(&mut viewer, |pixels| is(pixels, B, YELLOW)).await;
    assert_colour(&second, A, RED, "it is as it was");
}

#[tokio::test]
async fn pictures_are_letterboxed_turned_upright_and_may_change_their_size() {
    let relay = three_pushed();
    push(&relay, "a", &solid(RED, 400, 400)).await;
    push(&relay, "b", &solid(GREEN, 1280, 720)).await;
    push(&relay, "c", &solid(BLUE, 320, 180)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
    let square = pixels(&viewer.part().await.jpeg);
    assert_colour(&square, A, RED, "180 pixels wide in the middle");
    assert_colour(&square, (30, 90), [0; 3], "black beside it");
    assert_colour(&square, (290, 90), [0; 3], "black beside it");
    push(&relay, "a", &solid(WHITE, 64, 36)).await;
    let wide = seen(&mut viewer, |pixels| is(pixels, A, WHITE)).await;
    assert_colour(&wide, (8, 90), WHITE, "to its sides");
    push(&relay, "a", EXIF_6).await;
    push(&relay, "b", PLAIN).await;
    // Most pictures are 4:3 now, and so are the tiles: 240x180.
    let apart = |pixels: &Pixels| -> u32 {
        let on = |x: usize, y: usize| at(pixels, x, y).map(u32::from);
        let all = (90..310).flat_map(|x| (10..170).map(move |y| (x, y)));
        let apart = |(x, y)| on(x, y).iter().zip(on(x + 240, y)).map(|(a, b)| a.abs_diff(b)).sum::<u32>();
        all.map(apart).sum::<u32>() / (220 * 160)
    };
    let same = seen(&mut viewer, |pixels| !is(pixels, (280, 90), WHITE) && apart(pixels) < 24).await;
    assert!((90..310).any(|x| !is(&same, (x, 90), at(&same, 90, 90))), "a scene, whichever way it is stored");
    push(&relay, "a", GRAY).await;
    let colourless = |[r, g, b]: [u8; 3]| r.abs_diff(g) < 8 && b.abs_diff(g) < 8;
    let gray = seen(&mut viewer, |pixels| (90..310).all(|x| colourless(at(pixels, x, 90)))).await;
    assert!((330..550).any(|x| !colourless(at(&gray, x, 90))), "its neighbour keeps its colours");
}

#[tokio::test]
async fn a_tile_whose_stream_dies_keeps_its_picture_dimmed_and_one_that_had_none_says_why() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!(
        "streams: {{{WALL}, a: {{source: {}}}, b: {{source: {{type: push, token: none}}}}, \
         c: {{source: {{type: pattern, fps: 1}}}}}}",
        camera.source()
    ));
    let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
    let mut line = camera.accept().await;
    line.show(&solid(WHITE, 320, 180)).await;
    let live = seen(&mut viewer, |pixels| is(pixels, A, WHITE)).await;
    let amber = |pixels: &Pixels, (left, top): (usize, usize)| {
        let warm = |[r, g, b]: [u8; 3]| r > 150 && r.saturating_sub(g) > 25 && g > b;
        let all = (8..312).flat_map(|x| (8..172).map(move |y| (x, y)));
        all.filter(|(x, y)| warm(at(pixels, left + x, top + y))).count()
    };
    assert!(amber(&live, (320, 0)) > 30, "the card's bar beside what is away");
    assert_eq!(amber(&live, (0, 0)), 0, "nothing to say about a live one");
    drop(line);
    let stale = seen(&mut viewer, |pixels| at(pixels, 40, 40)[0] < 120).await;
    assert!(at(&stale, 40, 40)[0] > 50, "dimmed, not black");
    assert!(amber(&stale, (0, 0)) > 30, "since when");
    let mut line = camera.accept().await;
    line.show(&solid(GREEN, 320, 180)).await;
    let back = seen(&mut viewer, |pixels| is(pixels, A, GREEN)).await;
    assert_eq!(amber(&back, (0, 0)), 0);
}

#[tokio::test]
async fn its_streams_run_while_somebody_watches_and_nothing_is_drawn_without_a_change() {
    let camera = Camera::start().await;
    let relay = TestRelay::start(&format!(
        "streams: {{{WALL}, a: {{linger: 0s, source: {}}}, b: {{source: {{type: push, token: none}}}}, \
         c: {{source: {{type: rendition, of: b}}}}}}",
        camera.source()
    ));
    camera.assert_nobody_waits().await;
    push(&relay, "b", &solid(BLUE, 320, 180)).await;
    for _ in 0..2 {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
        let mut line = camera.accept().await;
        line.show(&solid(RED, 320, 180)).await;
        seen(&mut viewer, |pixels| is(pixels, A, RED) && is(pixels, C, BLUE)).await;
        let drawn = report(&relay, "wall").await["frames_in"].clone();
        let still = viewer.part().await.jpeg;
        assert_eq!(viewer.part().await.jpeg, still, "shown again");
        assert_eq!(report(&relay, "wall").await["frames_in"], drawn, "and not drawn again");
        assert_eq!(report(&relay, "a").await["viewers"], 0, "a mosaic is no viewer");
        drop(viewer);
        line.closed().await;
        wait_for_state(&relay, "a", "idle").await;
    }
}

#[tokio::test]
async fn a_picture_that_cannot_be_decoded_is_counted_and_the_others_are_shown() {
    let camera = Camera::start().await;
    let push_source = "source: {type: push, token: none}";
    let relay = TestRelay::start(&format!(
        "streams: {{{WALL}, a: {{source: {}}}, b: {{{push_source}}}, c: {{{push_source}}}}}",
        camera.source()
    ));
    push(&relay, "b", &solid(GREEN, 320, 180)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
    let mut line = camera.accept().await;
    line.show(&without_tables(RED, 320, 180)).await;
    seen(&mut viewer, |pixels| is(pixels, B, GREEN)).await;
    report_when(&relay, "wall", |report| report["dropped"]["invalid"] == 1).await;
    line.show(&solid(RED, 320, 180)).await;
    seen(&mut viewer, |pixels| is(pixels, A, RED)).await;
}

#[tokio::test]
async fn all_streams_are_in_one_picture_without_being_asked_for() {
    let push_source = "source: {type: push, token: none}";
    let streams = format!(
        "streams: {{x: {{{push_source}}}, y: {{source: {{type: pattern}}}}, {}}}",
        "w: {source: {type: mosaic, of: x}}"
    );
    let relay = TestRelay::start(&streams);
    push(&relay, "x", &solid(RED, 1280, 720)).await;
    let all: Value = Client::get(relay.address(), "/api/streams").await.json();
    assert_eq!((all["mosaic"].as_str(), all["streams"].as_array().map(Vec::len)), (Some("all"), Some(3)));
    assert_eq!(report(&relay, "all").await["state"], "idle", "it costs nothing while nobody watches");
    assert_eq!(report(&relay, "y").await["state"], "idle");
    assert_eq!(
        Client::get(relay.address(), "/?action=snapshot_3").await.head.status,
        404,
        "it has no number"
    );
    let snapshot = Client::get(relay.address(), "/streams/all/snapshot").await;
    assert_eq!(snapshot.head.status, 200);
    let picture = pixels(&Bytes::from(snapshot.body));
    assert_eq!((picture.width(), picture.height()), (1920, 1080));
    assert_colour(&picture, (480, 540), RED, "the first of two; the mosaic is not shown in a mosaic");
    let none = TestRelay::start(&format!("server: {{mosaic: false}}\n{streams}"));
    assert_eq!(Client::get(none.address(), "/streams/all/snapshot").await.head.status, 404);
    assert_eq!(Client::get(none.address(), "/api/streams").await.json()["mosaic"], Value::Null);
    let own = TestRelay::start(&format!("streams: {{all: {{{push_source}}}}}"));
    assert_eq!(report(&own, "all").await["source"], "push");
}

#[tokio::test]
async fn damaged_pictures_cost_a_mosaic_nothing_but_their_own_tile() {
    let relay = three_pushed();
    push(&relay, "b", &solid(GREEN, 1280, 720)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/wall").await;
    viewer.part().await;
    let mut random = 1_u32;
    let mut next = |below: usize| {
        random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (random >> 8) as usize % below
    };
    for number in 0..60 {
        let mut jpeg = COLOURED[number % COLOURED.len()].1.to_vec();
        for _ in 0..8 {
            let (range, byte) = (if number % 2 == 0 { 700 } else { jpeg.len() }, next(256) as u8);
            jpeg[next(range)] = byte;
        }
        let headers = [("Content-Type", "image/jpeg")];
        let answer = Client::ask(relay.address(), "POST", "/streams/a/frame", &headers, &jpeg).await;
        assert!(answer.head.status < 500, "picture {number}: {}", String::from_utf8_lossy(&answer.body));
    }
    push(&relay, "a", &solid(RED, 1280, 720)).await;
    seen(&mut viewer, |pixels| is(pixels, A, RED) && is(pixels, B, GREEN)).await;
}
