//! RTSP cameras: the built binary with scripted ones, and with gst-rtsp-server.

mod hostile;
mod real;
mod scripted;
mod sessions;

use testkit::{binary::Framecast, program::wait_for};

/// Serves one stream of the camera at `url`, which always runs.
fn serve(url: &str, keys: &str) -> Framecast {
    Framecast::serve(&yaml(url, keys))
}

/// Serves it where no other program is installed.
fn serve_alone(url: &str, keys: &str) -> Framecast {
    let empty = tempfile::tempdir().unwrap();
    Framecast::serve_with(&yaml(url, keys), |command| command.env("PATH", empty.path()))
}

fn yaml(url: &str, keys: &str) -> String {
    format!("streams: {{door: {{on_demand: false, source: {{type: rtsp, url: \"{url}\"{keys}}}}}}}")
}

/// Returns why the stream waits, as an administrator reads it.
fn reason(framecast: &Framecast) -> String {
    wait_for("the source to fail", || {
        let report = framecast.stream_for_admin("door");
        (report["state"] == "waiting").then(|| report["reason"].as_str().map(str::to_owned)).flatten()
    })
}

/// Waits for this many pictures, and returns the stream's report.
fn report_with_frames(framecast: &Framecast, count: u64) -> serde_json::Value {
    wait_for("frames", || {
        let report = framecast.stream_for_admin("door");
        (report["frames_in"].as_u64()? >= count).then_some(report)
    })
}
