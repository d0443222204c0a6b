//! Metadata of cameras are removed from pictures, and no pixel changes for it.

use std::fs;

use bytes::Bytes;
use framecast::{
    bus::Processing,
    imaging::lossless::{Orientation, orientation},
    media::frame::Frame,
};
use testkit::stream_client::{StreamViewer, push, report};

use super::{
    photographs::{HELD, holds, pixels},
    scene::made,
};
use crate::TestRelay;

/// Texts in the metadata of the fixtures that occur nowhere in their pictures.
const TOLD: [&[u8]; 5] = [b"Cam\0", b"GPS", b"adobe:ns", b"Kilroy was here", b"by hand"];

/// Every JPEG of the fixtures, by name.
fn all() -> Vec<(String, Vec<u8>)> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let folders = ["jpeg", "photographs"].map(|name| fs::read_dir(format!("{root}/{name}")).unwrap());
    let files = folders.into_iter().flatten().map(|file| file.unwrap().path());
    let jpegs = files.filter(|path| path.extension().is_some_and(|extension| extension == "jpg"));
    jpegs.map(|path| (path.display().to_string(), fs::read(path).unwrap())).collect()
}

/// An EXIF segment that is no longer than one that says the orientation alone.
fn longest_exif(jpeg: &[u8]) -> usize {
    let starts = (0..jpeg.len()).filter(|&at| jpeg[at..].starts_with(b"Exif\0\0"));
    starts.map(|at| usize::from(u16::from_be_bytes([jpeg[at - 2], jpeg[at - 1]]))).max().unwrap_or(0)
}

#[test]
fn every_fixture_keeps_its_pixels_and_tells_nothing() {
    let all = all();
    assert!(all.len() > 35, "only {} fixtures", all.len());
    let told = all.iter().filter(|(_, jpeg)| TOLD.iter().any(|word| holds(jpeg, word))).count();
    assert!(told >= 9, "only {told} of the fixtures tell anything");
    for (name, jpeg) in all {
        let arrived = Frame::from_jpeg(Bytes::from(jpeg)).unwrap();
        let (frame, processing) = made(arrived.jpeg(), "strip_metadata: true").unwrap();
        let same = frame.jpeg() == arrived.jpeg();
        assert_eq!(processing, if same { Processing::Passed } else { Processing::Lossless }, "{name}");
        for word in TOLD {
            assert!(!holds(frame.jpeg(), word), "{name} still tells {}", String::from_utf8_lossy(word));
        }
        assert_eq!(
            orientation(frame.jpeg()),
            orientation(arrived.jpeg()),
            "{name}: viewers turn it as before"
        );
        assert!(longest_exif(frame.jpeg()) <= 34, "{name}: the orientation alone is left of EXIF");
        assert!(
            orientation(frame.jpeg()) != Orientation::NoTransforms || !holds(frame.jpeg(), b"Exif"),
            "{name}"
        );
        assert!(pixels(frame.jpeg()) == pixels(arrived.jpeg()), "{name}: its pixels are others");
        let again = made(frame.jpeg(), "strip_metadata: true").unwrap();
        assert_eq!(again.1, Processing::Passed, "{name}: a second time there is nothing to do");
    }
}

#[test]
fn whatever_way_a_picture_is_made_nothing_is_told() {
    for steps in [
        "transform: [{rotate: 180}]",
        "transform: [{grayscale: true}]",
        "transform: [{rotate: 180}, {rotate: 180}]",
        "transform: [{crop: {x: 3, y: 3, width: 50, height: 50}}]",
        "encode: {quality: 70}",
    ] {
        for (name, jpeg) in HELD {
            let (frame, _) = made(jpeg, &format!("{steps}, strip_metadata: true")).unwrap();
            for word in TOLD {
                assert!(!holds(frame.jpeg(), word), "{name} {steps}: {}", String::from_utf8_lossy(word));
            }
        }
    }
}

#[tokio::test]
async fn a_stream_shows_pictures_without_metadata_and_counts_how_they_were_made() {
    let relay = TestRelay::start(
        "streams:
  door: {source: {type: push, token: none}, strip_metadata: true}
  plain: {source: {type: rendition, of: door}}
  gray: {source: {type: rendition, of: door}, transform: [{grayscale: true}]}
  small: {source: {type: rendition, of: door}, transform: [{scale: {width: 100}}]}",
    );
    push(&relay, "door", HELD[5].1).await;
    let mut parts = Vec::new();
    for stream in ["door", "plain", "gray", "small"] {
        let mut viewer = StreamViewer::join(relay.address(), &format!("/streams/{stream}")).await;
        parts.push(viewer.part().await.jpeg);
    }
    assert!(parts.iter().all(|jpeg| !TOLD.iter().any(|word| holds(jpeg, word))));
    assert!(pixels(&parts[0]) == pixels(HELD[5].1), "the same pixels");
    assert!(parts[1] == parts[0], "the very bytes");
    let ways = [("door", "lossless"), ("plain", "passed"), ("gray", "lossless"), ("small", "encoded")];
    for (stream, processing) in ways {
        let made = report(&relay, stream).await["made"].clone();
        for other in ["passed", "lossless", "encoded"] {
            assert_eq!(made[other], u8::from(other == processing), "{stream}: {made}");
        }
    }
}
