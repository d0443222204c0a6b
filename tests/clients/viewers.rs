//! Programs that watch a stream.

use std::collections::HashSet;

use testkit::{
    binary::Framecast,
    program::{python, run, test_file},
};

const PATTERN: &str = "
streams:
  bars:
    source: {type: pattern, size: 320x240, fps: 20}
";

#[test]
fn ffmpeg_reads_fifty_frames_without_an_error() {
    let framecast = Framecast::serve(PATTERN);
    assert_moves(&framecast.url("/streams/bars"), 50);
    framecast.end_cleanly();
}

#[test]
fn ffprobe_recognises_the_stream_without_being_told_its_format() {
    let framecast = Framecast::serve(PATTERN);
    let entries = "format=format_name:stream=codec_name,width,height";
    let url = framecast.url("/bars.mjpg");
    let output = run("ffprobe", &["-v", "error", "-show_entries", entries, "-of", "default=nw=1:nk=1", &url]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.split_whitespace().collect::<Vec<_>>(), ["mjpeg", "320", "240", "mpjpeg"]);
    framecast.end_cleanly();
}

#[test]
fn opencv_reads_twenty_frames_of_the_right_size() {
    let framecast = Framecast::serve(PATTERN);
    let output = run(
        python(),
        &[&test_file("testkit/programs/opencv_viewer.py"), &framecast.url("/streams/bars"), "20"],
    );
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "20 frames of 320x240");
    framecast.end_cleanly();
}

#[test]
fn curl_over_http_1_1_is_sent_chunks_and_the_headers_clients_rely_on() {
    let framecast = Framecast::serve(PATTERN);
    let (status, headers, body) = answer(&framecast, "--http1.1", "/streams/bars");
    assert_eq!(status, "HTTP/1.1 200 OK");
    assert_stream_headers(&headers);
    assert_eq!(values(&headers, "connection"), ["close"]);
    assert_eq!(values(&headers, "transfer-encoding"), ["chunked"]);
    assert_parts_stand_one_after_the_other(&body);
    framecast.end_cleanly();
}

#[test]
fn curl_over_http_1_0_is_sent_raw_bytes() {
    let framecast = Framecast::serve(PATTERN);
    let (status, headers, body) = answer(&framecast, "--http1.0", "/streams/bars");
    assert_eq!(status, "HTTP/1.0 200 OK");
    assert_stream_headers(&headers);
    // In HTTP/1.0 a connection closes unless a header says that it does not.
    assert!(matches!(values(&headers, "connection")[..], [] | ["close"]), "{headers:?}");
    assert!(values(&headers, "transfer-encoding").is_empty(), "{headers:?}");
    assert_parts_stand_one_after_the_other(&body);
    framecast.end_cleanly();
}

#[test]
fn mjpg_streamers_route_is_never_chunked() {
    let framecast = Framecast::serve(PATTERN);
    let (_, headers, body) = answer(&framecast, "--http1.1", "/?action=stream");
    assert!(values(&headers, "transfer-encoding").is_empty(), "{headers:?}");
    assert_parts_stand_one_after_the_other(&body);
    framecast.end_cleanly();
}

#[test]
fn curl_fetches_a_snapshot_that_is_one_whole_picture() {
    let framecast = Framecast::serve(PATTERN);
    let file = tempfile::NamedTempFile::new().expect("a temporary file can be made");
    let path = file.path().to_str().expect("temporary paths are text");
    let url = framecast.url("/streams/bars/snapshot");
    let format = "%{http_code} %{content_type} %{size_download} %header{content-length}";
    let output = run("curl", &["-sS", "--fail", "-o", path, "-w", format, &url]);
    let size = file.as_file().metadata().expect("the file is ours").len();
    assert_eq!(String::from_utf8_lossy(&output.stdout), format!("200 image/jpeg {size} {size}"));
    let decoded = run("ffmpeg", &["-v", "error", "-xerror", "-i", path, "-f", "null", "-"]);
    assert!(decoded.stderr.is_empty(), "{}", String::from_utf8_lossy(&decoded.stderr));
    framecast.end_cleanly();
}

type Headers = Vec<(String, String)>;

/// Length of the checked part of an endless answer: several parts.
const ENOUGH_BYTES: &str = "100000";

/// Status line, headers and the begin of the body, transfer coding removed.
fn answer(framecast: &Framecast, version: &str, route: &str) -> (String, Headers, Vec<u8>) {
    let url = framecast.url(route);
    let pipe = r#"curl --silent --globoff --no-buffer --include "$1" "$2" | head -c "$3""#;
    let bytes = run("sh", &["-c", pipe, "sh", version, &url, ENOUGH_BYTES]).stdout;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("the answer has a head");
    let head = String::from_utf8(bytes[..end].to_vec()).expect("a head is text");
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap_or_default().to_owned();
    let pair =
        |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    (status, lines.filter_map(pair).collect(), bytes[end + 4..].to_vec())
}

fn values<'a>(headers: &'a Headers, name: &str) -> Vec<&'a str> {
    headers.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str()).collect()
}

fn assert_stream_headers(headers: &Headers) {
    let expected = [
        ("content-type", "multipart/x-mixed-replace;boundary=boundarydonotcross"),
        ("cache-control", "no-store, no-cache, must-revalidate, pre-check=0, post-check=0, max-age=0"),
        ("pragma", "no-cache"),
        ("expires", "Mon, 3 Jan 2000 12:34:56 GMT"),
        ("x-accel-buffering", "no"),
        ("access-control-allow-origin", "*"),
    ];
    for (name, value) in expected {
        assert_eq!(values(headers, name), [value], "{name} in {headers:?}");
    }
    assert!(values(headers, "content-length").is_empty(), "{headers:?}");
}

/// Byte for byte: the delimiter stands first, and again right after each frame; each part has its three
/// headers.
fn assert_parts_stand_one_after_the_other(body: &[u8]) {
    const DELIMITER: &[u8] = b"--boundarydonotcross\r\n";
    let mut rest =
        body.strip_prefix(DELIMITER).unwrap_or_else(|| panic!("no delimiter first: {}", start_of(body)));
    let mut parts = 0;
    while let Some(head_end) = rest.windows(4).position(|four| four == b"\r\n\r\n") {
        let head = String::from_utf8(rest[..head_end].to_vec()).expect("a part's head is text");
        let lines: Vec<_> = head.split("\r\n").collect();
        assert_eq!(lines.len(), 3, "{head}");
        assert_eq!(lines[0], "Content-Type: image/jpeg");
        let length: usize =
            lines[1].strip_prefix("Content-Length: ").unwrap_or_default().parse().expect("a length");
        let seconds: f64 =
            lines[2].strip_prefix("X-Timestamp: ").unwrap_or_default().parse().expect("a time");
        assert!(seconds > 1.7e9, "{head}");
        let after_head = &rest[head_end + 4..];
        let Some((jpeg, after)) = after_head.split_at_checked(length) else { break };
        assert!(
            jpeg.starts_with(&[0xff, 0xd8]) && jpeg.ends_with(&[0xff, 0xd9]),
            "part {parts} is no whole JPEG"
        );
        parts += 1;
        let expected = [b"\r\n", DELIMITER].concat();
        if after.len() < expected.len() {
            break;
        }
        rest =
            after.strip_prefix(&expected[..]).unwrap_or_else(|| panic!("after a frame: {}", start_of(after)));
    }
    assert!(parts >= 3, "only {parts} whole parts in {} bytes", body.len());
}

fn start_of(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(80)]).into_owned()
}

/// Number of different pictures that prove that a stream moves; the rest may be repeats, which are part of
/// the protocol.
const MOVING: usize = 3;

/// Reads so many frames with ffmpeg, which must not complain, and of which some must differ.
pub(crate) fn assert_moves(url: &str, frames: usize) {
    let count = frames.to_string();
    let args = ["-v", "error", "-xerror", "-f", "mpjpeg", "-i", url, "-frames:v", &count];
    let output = run("ffmpeg", &[&args[..], &["-fps_mode", "passthrough", "-f", "framemd5", "-"]].concat());
    assert!(output.stderr.is_empty(), "ffmpeg complains: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8_lossy(&output.stdout);
    let sums: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.rsplit(',').next())
        .collect();
    assert_eq!(sums.len(), frames, "{text}");
    let different: HashSet<_> = sums.into_iter().collect();
    assert!(different.len() >= MOVING, "only {} different pictures in {frames} frames", different.len());
}
