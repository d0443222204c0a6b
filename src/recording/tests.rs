use std::{fs, num::NonZeroU32, path::Path, time::Duration};

use super::*;
use crate::{
    bus::Bus,
    config::WhenFull,
    imaging::{
        Pixels, Quality,
        codec::{PixelFormat, codec},
    },
    media::frame::Frame,
};

/// A test that hangs fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns a frame that is recognised by its width.
fn frame(width: u16) -> Frame {
    let pixels = Pixels::new(width, 8, PixelFormat::Gray, vec![128; usize::from(width) * 8]).unwrap();
    Frame::from_jpeg(codec().encode(&pixels, Quality::PICTURE).unwrap()).unwrap()
}

fn widths(folder: &Path) -> Vec<u16> {
    let files = fs::read_dir(folder).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
    let mut widths: Vec<_> = files.map(|file| Frame::from_jpeg(file.into()).unwrap().width()).collect();
    widths.sort();
    widths
}

fn every_frame(target: SaveTarget) -> SaveConfig {
    SaveConfig { target, every: None }
}

fn latest(path: &Path) -> SaveConfig {
    every_frame(SaveTarget::Latest(path.to_owned()))
}

fn append(file: &Path, max_bytes: usize, when_full: WhenFull) -> SaveConfig {
    every_frame(SaveTarget::Append { file: file.to_owned(), max_bytes: max_bytes as u64, when_full })
}

fn ring(dir: &Path, keep: u32) -> SaveConfig {
    every_frame(SaveTarget::Ring { dir: dir.to_owned(), keep: NonZeroU32::new(keep), max_bytes: None })
}

/// Publishes one frame after the other and waits until each was handled, then ends the recorder.
async fn record(config: SaveConfig, frames: Vec<Frame>) -> Arc<Bus> {
    let bus = Arc::new(Bus::default());
    run(Recorder::new(config, bus.clone()), bus, frames).await
}

async fn run(recorder: Recorder, bus: Arc<Bus>, frames: Vec<Frame>) -> Arc<Bus> {
    let feed = async {
        for (n, frame) in frames.into_iter().enumerate() {
            bus.publish(frame);
            until(|| bus.stats().recorded() + bus.stats().recording_failures() > n as u64).await;
            bus.repeat(n as u64 + 1);
        }
        bus.close();
    };
    let both = async { tokio::join!(recorder.run(), feed) };
    tokio::time::timeout(PATIENCE, both).await.expect("it ends with its bus");
    bus
}

async fn until(condition: impl Fn() -> bool) {
    while !condition() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_latest_frame_is_one_whole_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/folder/latest.jpg");
    let bus = record(latest(&path), vec![frame(1), frame(2), frame(3)]).await;
    assert_eq!(bus.stats().recorded(), 3, "repeats are not written");
    assert_eq!(fs::read(&path).unwrap(), *frame(3).jpeg());
    assert_eq!(widths(path.parent().unwrap()), [3], "no unfinished file stays");
}

#[tokio::test]
async fn a_file_is_replaced_never_rewritten() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latest.jpg");
    fs::write(&path, b"old").unwrap();
    // A reader that has the old file open keeps all of it.
    let mut open = fs::File::open(&path).unwrap();
    record(latest(&path), vec![frame(1)]).await;
    let mut read = Vec::new();
    io::Read::read_to_end(&mut open, &mut read).unwrap();
    assert_eq!(read, b"old");
    assert_eq!(fs::read(&path).unwrap(), *frame(1).jpeg());
}

#[tokio::test]
async fn a_ring_keeps_the_newest_across_restarts_and_leaves_other_files_alone() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("ring");
    record(ring(&folder, 3), (1..=5).map(frame).collect()).await;
    assert_eq!(widths(&folder), [3, 4, 5]);
    let other = dir.path().join("ring/holiday.jpg");
    fs::write(&other, frame(99).jpeg()).unwrap();
    fs::write(folder.join(".20261122-140322-123-000042.jpg.17.framecast-tmp"), b"half").unwrap();
    record(ring(&folder, 3), vec![frame(6), frame(7)]).await;
    assert!(other.exists());
    fs::remove_file(&other).unwrap();
    assert_eq!(widths(&folder), [5, 6, 7], "files of before count, leftovers are gone");
    record(ring(&folder, 1), vec![frame(8)]).await;
    assert_eq!(widths(&folder), [8]);
}

#[tokio::test]
async fn placeholders_are_not_saved() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("latest.jpg");
    let bus = Arc::new(Bus::default());
    let recorder = Recorder::new(latest(&path), bus.clone());
    bus.publish(frame(1).into_offline_image());
    let mut run = Box::pin(recorder.run());
    assert!(futures_util::FutureExt::now_or_never(&mut run).is_none());
    bus.close();
    tokio::time::timeout(PATIENCE, run).await.unwrap();
    assert_eq!(bus.stats().recorded(), 0);
    assert!(!path.exists());
}

#[tokio::test]
async fn a_failure_is_counted_and_the_next_frame_is_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("folder");
    fs::write(&blocked, b"a file where the folder should be").unwrap();
    let bus = Arc::new(Bus::default());
    let recorder = Recorder::new(ring(&blocked, 2), bus.clone());
    let feed = async {
        bus.publish(frame(1));
        until(|| bus.stats().recording_failures() == 1).await;
        fs::remove_file(&blocked).unwrap();
        bus.publish(frame(2));
        until(|| bus.stats().recorded() == 1).await;
        // The folder vanishes under the recorder.
        fs::remove_dir_all(&blocked).unwrap();
        bus.publish(frame(3));
        until(|| bus.stats().recorded() == 2).await;
        bus.close();
    };
    let both = async { tokio::join!(recorder.run(), feed) };
    tokio::time::timeout(PATIENCE, both).await.expect("no failure stops it");
    assert_eq!(bus.stats().recording_failures(), 1);
    assert_eq!(widths(&blocked), [3]);
}

#[tokio::test]
async fn a_ring_is_bounded_in_bytes_too_and_keeps_the_newest_however_large() {
    let dir = tempfile::tempdir().unwrap();
    let sizes: Vec<_> = (1..=5).map(|width| frame(width).jpeg().len() as u64).collect();
    let config = |max_bytes| {
        every_frame(SaveTarget::Ring { dir: dir.path().join("ring"), keep: None, max_bytes: Some(max_bytes) })
    };
    record(config(sizes[3] + sizes[4]), (1..=5).map(frame).collect()).await;
    assert_eq!(widths(&dir.path().join("ring")), [4, 5]);
    record(config(1), vec![frame(6)]).await;
    assert_eq!(widths(&dir.path().join("ring")), [6]);
}

#[tokio::test]
async fn a_time_lapse_takes_one_frame_of_those_that_come_within_its_interval() {
    let dir = tempfile::tempdir().unwrap();
    let (folder, bus) = (dir.path().join("lapse"), Arc::new(Bus::default()));
    let config = SaveConfig { every: Some(Duration::from_secs(3600)), ..ring(&folder, 10) };
    let feed = async {
        bus.publish(frame(1));
        until(|| bus.stats().recorded() == 1).await;
        (2..=5).for_each(|width| bus.publish(frame(width)));
        // The last of them is handled before the recorder sees the end.
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        bus.close();
    };
    let both = async { tokio::join!(Recorder::new(config, bus.clone()).run(), feed) };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(widths(&folder), [1]);
    assert_eq!((bus.stats().recorded(), bus.stats().recording_failures()), (1, 0));
}

#[tokio::test]
async fn a_file_that_grows_holds_whole_pictures_and_what_is_full_makes_room() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("door.mjpg");
    let jpegs: Vec<_> = (1..=5).map(|width| frame(width).jpeg().to_vec()).collect();
    let two = jpegs[0].len() + jpegs[1].len();
    record(append(&file, two, WhenFull::Rotate), vec![frame(1)]).await;
    let bus = record(append(&file, two, WhenFull::Rotate), (2..=5).map(frame).collect()).await;
    assert_eq!(bus.stats().recorded(), 4);
    assert_eq!(fs::read(&file).unwrap(), jpegs[4]);
    assert_eq!(fs::read(dir.path().join("door.1.mjpg")).unwrap(), jpegs[2..4].concat());
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2, "no third file is ever there");
}

#[tokio::test]
async fn a_file_that_is_to_stop_when_full_says_so_and_goes_on_when_it_is_moved_away() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("door.mjpg");
    let bus = Arc::new(Bus::default());
    let recorder = Recorder::new(append(&file, frame(1).jpeg().len(), WhenFull::Stop), bus.clone());
    assert_eq!(bus.stats().recording_status().unwrap().state, RecordingState::Waiting);
    let feed = async {
        bus.publish(frame(1));
        until(|| bus.stats().recorded() == 1).await;
        bus.publish(frame(1));
        until(|| bus.stats().recording_failures() == 1).await;
        let full = bus.stats().recording_status().unwrap();
        assert_eq!((full.state, full.reason.is_some()), (RecordingState::Full, true));
        fs::rename(&file, dir.path().join("kept.mjpg")).unwrap();
        bus.publish(frame(1));
        until(|| bus.stats().recorded() == 2).await;
        assert_eq!(bus.stats().recording_status().unwrap().state, RecordingState::Saving);
        bus.close();
    };
    let both = async { tokio::join!(recorder.run(), feed) };
    tokio::time::timeout(PATIENCE, both).await.unwrap();
    assert_eq!(fs::read(&file).unwrap(), *frame(1).jpeg());
}

#[tokio::test]
async fn a_panic_while_a_frame_is_written_is_a_failure_of_that_frame_only() {
    let bus = Arc::new(Bus::default());
    let dir = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::new(latest(&dir.path().join("latest.jpg")), bus.clone());
    recorder.target = Some(Target::Broken(0));
    let bus = run(recorder, bus, vec![frame(1), frame(2), frame(3)]).await;
    assert_eq!((bus.stats().recorded(), bus.stats().recording_failures()), (2, 1));
    assert_eq!(bus.stats().recording_status().unwrap().state, RecordingState::Saving);
}

/// A frame with the time at which it was taken.
fn taken(width: u16, seq: u64) -> Frame {
    let time = std::time::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seq);
    let capture = crate::media::capture::Capture { time, source: crate::media::capture::TimeSource::Camera };
    frame(width).with_capture(capture).with_seq(seq.try_into().unwrap())
}

fn lines(file: &Path) -> Vec<serde_json::Value> {
    let text = fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn what_is_known_of_a_frame_stands_in_a_file_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let newest = dir.path().join("latest.jpg");
    record(latest(&newest), vec![taken(1, 8)]).await;
    let beside = dir.path().join("latest.jpg.jsonl");
    let line = &lines(&beside)[0];
    assert_eq!((&line["seq"], &line["time_source"]), (&8.into(), &"camera".into()));
    assert_eq!(line["capture_time"], "2023-11-14T22:13:28.000000Z");
    record(latest(&newest), vec![taken(1, 8), frame(2)]).await;
    assert!(!beside.exists(), "it is not about that frame");

    let folder = dir.path().join("ring");
    record(ring(&folder, 2), vec![taken(1, 1), taken(2, 2), taken(3, 3)]).await;
    let mut names: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 4, "the lines go with their pictures: {names:?}");
    for (pair, seq) in names.chunks(2).zip([2, 3]) {
        assert_eq!(facts::beside(&pair[0]), pair[1]);
        let line = &lines(&pair[1])[0];
        assert_eq!(line["seq"], seq);
        assert_eq!(line["file"], pair[0].file_name().unwrap().to_str().unwrap());
    }

    let file = dir.path().join("all.mjpg");
    let one = taken(1, 1).jpeg().len();
    record(append(&file, 2 * one, WhenFull::Rotate), (1..=3).map(|seq| taken(1, seq)).collect()).await;
    let offsets = |file: &str| {
        let lines = lines(&dir.path().join(file));
        lines.iter().map(|line| (line["seq"].as_u64(), line["offset"].as_u64())).collect::<Vec<_>>()
    };
    assert_eq!(offsets("all.1.mjpg.jsonl"), [(Some(1), Some(0)), (Some(2), Some(one as u64))]);
    assert_eq!(offsets("all.mjpg.jsonl"), [(Some(3), Some(0))]);
}
