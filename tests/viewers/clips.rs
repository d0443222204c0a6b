//! The last seconds as a file, opened by the programs that people have.

use std::{path::Path, time::Duration};

use testkit::{
    pictures::{HEIGHT, WIDTH, jpeg},
    program::run,
    raw_client::Client,
    stream_client::{PUSH_WITH_REPLAY, push},
};
use tokio::time::sleep;

use crate::TestRelay;

/// Times of a zip's names, in seconds; all of one day, unless it is midnight.
const TIMES: &str = "
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
assert archive.testzip() is None
for info in archive.infolist():
    assert info.compress_type == zipfile.ZIP_STORED and info.date_time[0] >= 2024, info
    date, time, millis, number = info.filename.removesuffix('.jpg').split('-')
    print(number, int(time[:2]) * 3600 + int(time[2:4]) * 60 + int(time[4:]) + int(millis) / 1000, sep='\\t')
    assert archive.read(info)[:2] == b'\\xff\\xd8'
";

/// Downloads a clip into `folder`.
async fn download(relay: &TestRelay, format: &str, folder: &Path) -> (String, Vec<u8>) {
    let answer = Client::get(relay.address(), &format!("/streams/x/clip?seconds=60&format={format}")).await;
    assert_eq!(answer.head.status, 200, "{}", String::from_utf8_lossy(&answer.body));
    let disposition = answer.head.get("content-disposition").expect("a file to be saved").to_owned();
    let name = disposition.strip_prefix("attachment; filename=\"x-").and_then(|rest| rest.strip_suffix('"'));
    assert!(name.is_some_and(|name| name.ends_with(&format!(".{format}"))), "{disposition}");
    let file = folder.join(format!("clip.{format}"));
    std::fs::write(&file, &answer.body).unwrap();
    (file.to_str().unwrap().to_owned(), answer.body)
}

/// From the first picture to the last, by the names in the zip.
async fn span(relay: &TestRelay, folder: &Path, pictures: usize) -> f64 {
    let (zip, _) = download(relay, "zip", folder).await;
    let said = String::from_utf8(run("python3", &["-c", TIMES, &zip]).stdout).unwrap();
    let times: Vec<f64> =
        said.lines().map(|line| line.split_once('\t').unwrap().1.parse().unwrap()).collect();
    assert_eq!(times.len(), pictures, "{said}");
    times.last().unwrap() - times[0]
}

/// Packets, frames a second, and duration, as ffprobe sees them.
fn probe(file: &str) -> (usize, f64, f64) {
    let entries =
        "stream=codec_name,codec_tag_string,width,height,avg_frame_rate,nb_read_packets:format=duration";
    let args = ["-v", "error", "-count_packets", "-show_entries", entries, "-of", "default=nw=1", file];
    let output = run("ffprobe", &args);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8(output.stdout).unwrap();
    let value = |key: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        line.unwrap_or_else(|| panic!("no {key} in {said}"))
    };
    assert_eq!((value("codec_name"), value("codec_tag_string")), ("mjpeg", "MJPG"));
    assert_eq!((value("width"), value("height")), (&*WIDTH.to_string(), &*HEIGHT.to_string()));
    let (over, under) = value("avg_frame_rate").split_once('/').unwrap();
    let rate = over.parse::<f64>().unwrap() / under.parse::<f64>().unwrap();
    (value("nb_read_packets").parse().unwrap(), rate, value("duration").parse().unwrap())
}

/// Decodes all of it, without a complaint; gives the number of pictures.
fn decoded(file: &str) -> usize {
    let args = ["-v", "error", "-xerror", "-i", file, "-fps_mode", "passthrough", "-f", "framemd5", "-"];
    let output = run("ffmpeg", &args);
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().filter(|line| !line.starts_with('#')).count()
}

#[tokio::test]
async fn an_avi_has_every_picture_at_the_rate_at_which_they_came() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 20, Duration::from_millis(60)).await;
    let folder = tempfile::tempdir().unwrap();
    let span = span(&relay, folder.path(), 20).await;
    let (avi, bytes) = download(&relay, "avi", folder.path()).await;
    let (packets, rate, duration) = probe(&avi);
    let interval = span / 19.0;
    assert_eq!(packets, 20);
    assert!((rate * interval - 1.0).abs() < 0.05, "{rate} frames/s, one each {interval} s");
    assert!((duration - span - interval).abs() < interval, "{duration} s of {span} s and one picture more");
    assert_eq!(decoded(&avi), 20);
    for n in 1..=20 {
        let jpeg = jpeg(n);
        assert!(bytes.windows(jpeg.len()).any(|window| window == jpeg), "picture {n} is not the very one");
    }
}

#[tokio::test]
async fn an_avi_lasts_as_long_as_what_it_shows_also_when_the_camera_was_away() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 10, Duration::from_millis(60)).await;
    sleep(Duration::from_millis(1500)).await;
    for n in 11..=20 {
        push(&relay, "x", &jpeg(n)).await;
        sleep(Duration::from_millis(60)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let span = span(&relay, folder.path(), 20).await;
    let (avi, _) = download(&relay, "avi", folder.path()).await;
    let (_, rate, duration) = probe(&avi);
    assert!(rate > 10.0, "the silence of 1.5 s does not slow the rest down: {rate} frames/s");
    assert!((duration - span).abs() < 2.0 / rate, "{duration} s of {span} s");
    assert_eq!(decoded(&avi), 20, "a gap holds no pictures");
}

#[tokio::test]
async fn a_mjpg_is_the_pictures_one_behind_the_other() {
    let relay = TestRelay::with_pictures(PUSH_WITH_REPLAY, 4, Duration::from_millis(5)).await;
    let folder = tempfile::tempdir().unwrap();
    let (file, bytes) = download(&relay, "mjpg", folder.path()).await;
    assert_eq!(bytes, (1..=4).flat_map(jpeg).collect::<Vec<_>>());
    assert_eq!(decoded(&file), 4);
    let same = Client::get(relay.address(), "/streams/x/clip").await;
    assert_eq!(same.body, bytes, "mjpg is what is given without a wish");
}

#[tokio::test]
async fn large_pictures_come_whole() {
    let relay = TestRelay::start(PUSH_WITH_REPLAY);
    let large = testkit::pictures::large_jpeg(1, 1_000_000);
    push(&relay, "x", &large).await;
    let answer = Client::get(relay.address(), "/streams/x/clip").await;
    assert!(answer.body == large, "{} bytes", answer.body.len());
}
