//! Programs that push pictures.

use std::{fs, path::Path, process::Command};

use testkit::{
    binary::Framecast,
    program::{Running, run, try_run},
};

use crate::{sources::make_pictures, viewers::assert_moves};

const CONFIG: &str = "
streams:
  graphs:
    source: {type: push, token: kept-in-a-test}
";
const BEARER: &str = "Authorization: Bearer kept-in-a-test";

#[test]
fn curl_pushes_a_jpeg_and_viewers_get_the_same_bytes() {
    let (folder, framecast) = start();
    let picture = &make_pictures(folder.path(), 1)[0];
    let data = format!("@{}", text(picture));
    let answer = push(&framecast, &["-H", BEARER, "-H", "Content-Type: image/jpeg", "--data-binary", &data]);
    assert_eq!(answer, "204");
    assert_eq!(snapshot(&framecast), fs::read(picture).expect("ffmpeg made it"));
    framecast.end_cleanly();
}

#[test]
fn curl_puts_a_jpeg_with_the_token_in_the_url() {
    let (folder, framecast) = start();
    let picture = &make_pictures(folder.path(), 1)[0];
    let url = framecast.url("/streams/graphs/frame?token=kept-in-a-test");
    let args = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", "--upload-file", text(picture), &url];
    assert_eq!(String::from_utf8_lossy(&run("curl", &args).stdout), "204");
    assert_eq!(snapshot(&framecast), fs::read(picture).expect("ffmpeg made it"));
    framecast.end_cleanly();
}

#[test]
fn curl_pushes_a_png_and_viewers_get_a_jpeg_of_its_size() {
    let (folder, framecast) = start();
    let png = folder.path().join("picture.png");
    run(
        "ffmpeg",
        &["-v", "error", "-f", "lavfi", "-i", "testsrc=size=200x100", "-frames:v", "1", text(&png)],
    );
    let data = format!("@{}", text(&png));
    let answer = push(&framecast, &["-H", BEARER, "-H", "Content-Type: image/png", "--data-binary", &data]);
    assert_eq!(answer, "204");
    let shown = folder.path().join("shown");
    fs::write(&shown, snapshot(&framecast)).expect("the folder is ours");
    let entries = "stream=codec_name,width,height";
    let probed = run("ffprobe", &["-v", "error", "-show_entries", entries, "-of", "csv=p=0", text(&shown)]);
    assert_eq!(String::from_utf8_lossy(&probed.stdout).trim(), "mjpeg,200,100");
    framecast.end_cleanly();
}

#[test]
fn curl_pushes_a_form_with_one_file() {
    let (folder, framecast) = start();
    let picture = &make_pictures(folder.path(), 1)[0];
    let form = format!("file=@{};type=image/jpeg", text(picture));
    assert_eq!(push(&framecast, &["-H", BEARER, "-F", &form]), "204");
    assert_eq!(snapshot(&framecast), fs::read(picture).expect("ffmpeg made it"));
    framecast.end_cleanly();
}

#[test]
fn what_is_no_picture_or_has_no_token_is_refused_and_the_last_good_frame_stays() {
    let (folder, framecast) = start();
    let picture = &make_pictures(folder.path(), 1)[0];
    let data = format!("@{}", text(picture));
    assert_eq!(push(&framecast, &["-H", BEARER, "--data-binary", &data]), "204");
    assert_eq!(push(&framecast, &["--data-binary", &data]), "401");
    assert_eq!(push(&framecast, &["-H", "Authorization: Bearer guessed", "--data-binary", &data]), "401");
    let url = framecast.url("/streams/graphs/frame");
    let format = "\n%{http_code} %{content_type}";
    let refused =
        run("curl", &["-sS", "-w", format, "-H", BEARER, "--data-binary", "no picture at all", &url]);
    let said = String::from_utf8_lossy(&refused.stdout);
    let (body, status) = said.rsplit_once('\n').expect("the format begins with a new line");
    assert!(status.starts_with('4') && status.ends_with("application/problem+json"), "{said}");
    let problem: serde_json::Value = serde_json::from_str(body).expect("a problem is JSON");
    assert!(problem["detail"].as_str().is_some_and(|why| !why.is_empty()), "{said}");
    assert_eq!(snapshot(&framecast), fs::read(picture).expect("ffmpeg made it"));
}

#[test]
fn ffmpegs_endless_feed_is_shown_as_it_arrives() {
    let (_folder, framecast) = start();
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10"]);
    command.args(["-f", "mpjpeg", "-method", "POST", "-headers", &format!("{BEARER}\r\n")]);
    let mut feed = Running::start(command.arg(framecast.url("/streams/graphs/feed")));
    framecast.wait_for_state("graphs", "live");
    assert_moves(&framecast.url("/streams/graphs"), 20);
    assert!(feed.is_running(), "ffmpeg was let go: {}", feed.stderr());
    drop(feed);
    framecast.end_cleanly();
}

/// ffmpeg sends a login only after it has seen that it is wanted, and asks for that with `Expect`.
#[test]
fn ffmpeg_pushes_with_the_token_in_its_url_to_either_address() {
    for (format, address) in [("mpjpeg", "feed"), ("mjpeg", "feed"), ("mpjpeg", "frame"), ("mjpeg", "frame")]
    {
        let (_folder, framecast) = start();
        let url = framecast.url(&format!("/streams/graphs/{address}"));
        let login = |password: &str| url.replace("://", &format!("://any:{password}@"));
        let input = ["-v", "error", "-re", "-f", "lavfi", "-i", "testsrc=size=320x240:rate=10"];
        let mut command = Command::new("ffmpeg");
        command.args(input).args(["-f", format, "-method", "POST", &login("kept-in-a-test")]);
        let mut feed = Running::start(&mut command);
        framecast.wait_for_state("graphs", "live");
        assert_moves(&framecast.url("/streams/graphs"), 10);
        assert!(feed.is_running(), "ffmpeg was let go: {}", feed.stderr());
        drop(feed);
        let guessed = login("guessed");
        let wrong = [&input[..], &["-f", format, "-method", "POST", &guessed]].concat();
        let refused = try_run("ffmpeg", &wrong);
        // It reads the first 401 only.
        assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stderr));
        framecast.end_cleanly();
    }
}

#[test]
fn curl_sends_no_body_before_it_may() {
    let (folder, framecast) = start();
    let file = folder.path().join("large");
    fs::write(&file, vec![0xff; 6_000_000]).expect("the folder is ours");
    let url = framecast.url("/streams/graphs/frame");
    for (token, status, uploaded) in [("guessed", "401", "0"), ("kept-in-a-test", "415", "6000000")] {
        let bearer = format!("Authorization: Bearer {token}");
        let expect = ["-H", &bearer, "-H", "Expect: 100-continue", "--expect100-timeout", "60"];
        let written =
            ["-sS", "-o", "/dev/null", "-w", "%{http_code} %{size_upload}", "-T", text(&file), &url];
        let said = run("curl", &[&expect[..], &written].concat()).stdout;
        assert_eq!(String::from_utf8_lossy(&said), format!("{status} {uploaded}"));
    }
}

#[test]
fn gstreamers_http_sinks_push_to_either_address() {
    let open = "streams: {graphs: {source: {type: push, token: none}}}";
    for (muxer, sink) in [
        ("multipartmux !", "souphttpclientsink"),
        ("", "souphttpclientsink"),
        ("multipartmux !", "curlhttpsink"),
        ("", "curlhttpsink"),
    ] {
        for address in ["feed", "frame"] {
            let framecast = Framecast::serve(open);
            let url = framecast.url(&format!("/streams/graphs/{address}"));
            let pipeline = format!(
                "-q videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=10/1 ! jpegenc ! \
                 {muxer} {sink} location={url}"
            );
            let mut feed = Running::start(Command::new("gst-launch-1.0").args(pipeline.split_whitespace()));
            framecast.wait_for_state("graphs", "live");
            assert_moves(&framecast.url("/streams/graphs"), 20);
            assert!(feed.is_running(), "{sink} was let go: {}", feed.stderr());
            drop(feed);
            let dropped = framecast.stream("graphs")["dropped"]["invalid"].clone();
            let log = framecast.end();
            let lines = log.lines().filter(|line| line.contains("publisher=")).count();
            // Connected, ended, and the request of that; a request for each picture has no more.
            assert!(lines <= 3, "{muxer} {sink} {address}:\n{log}");
            // The last may be cut off.
            assert!(dropped.as_u64() <= Some(1), "{muxer} {sink} {address}: {dropped}");
        }
    }
}

fn start() -> (tempfile::TempDir, Framecast) {
    (tempfile::tempdir().expect("a temporary folder can be made"), Framecast::serve(CONFIG))
}

fn text(path: &Path) -> &str {
    path.to_str().expect("temporary paths are text")
}

/// Posts a frame and gives the status.
fn push(framecast: &Framecast, args: &[&str]) -> String {
    let url = framecast.url("/streams/graphs/frame");
    let always = ["-sS", "-o", "/dev/null", "-w", "%{http_code}", &url];
    String::from_utf8_lossy(&run("curl", &[&always, args].concat()).stdout).into_owned()
}

fn snapshot(framecast: &Framecast) -> Vec<u8> {
    run("curl", &["-sS", "--fail", &framecast.url("/streams/graphs/snapshot")]).stdout
}
