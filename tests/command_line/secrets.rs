//! What nobody may see, whatever is logged.

use std::fs;

use crate::{
    commands::{framecast, jpeg},
    program::{Running, run, wait_for},
};

const SECRETS: [&str; 5] = ["s3cret-password", "s3cret-header", "s3cret-token", "s3cret-query", "czNjcmV0"];

const CONFIG: &str = "
streams:
  camera:
    on_demand: false
    source:
      type: mjpeg
      url: http://door:s3cret-password@127.0.0.1:1/video?pwd=s3cret-query
      headers: {X-Api-Key: s3cret-header}
  snaps:
    on_demand: false
    source: {type: snapshot, url: 'http://door:s3cret-password@127.0.0.1:1/snap?pwd=s3cret-query'}
  again:
    on_demand: false
    source: {type: mjpeg, url: 'URL/streams/inbox?token=s3cret-query', headers: {X-Api-Key: s3cret-header}}
  inbox: {source: {type: push, token: s3cret-token}}
";

#[test]
fn no_log_answer_or_page_shows_a_credential_even_when_everything_is_logged() {
    let folder = tempfile::tempdir().unwrap();
    let (file, picture) = (folder.path().join("a.yaml"), folder.path().join("a.jpg"));
    fs::write(&picture, jpeg(1)).unwrap();
    // The relay is its own camera, so that a connection with credentials succeeds, too.
    let first = crate::binary::Framecast::serve(&CONFIG.replace("URL", "http://127.0.0.1:1"));
    fs::write(&file, CONFIG.replace("URL/", &first.url("/"))).unwrap();
    let mut command = framecast(&["-l", "127.0.0.1:0", "-c", file.to_str().unwrap()]);
    let running = Running::start(command.env("RUST_LOG", "debug"));
    let url = running.line_with(|line| line.strip_prefix("listening on ").map(str::to_owned));
    let frame = format!("{url}streams/inbox/frame?token=s3cret-token");
    let data = format!("@{}", picture.display());
    run("curl", &["-sS", "--fail", "--data-binary", &data, &frame]);
    let wrong = format!("{url}streams/inbox/frame?token=s3cret-query");
    let mut said = String::from_utf8(run("curl", &["-sS", "--data-binary", &data, &wrong]).stdout).unwrap();
    wait_for("the cameras to be tried", || {
        let streams = run("curl", &["-sS", &format!("{url}api/streams")]).stdout;
        let streams: serde_json::Value = serde_json::from_slice(&streams).unwrap();
        let waits = |n: usize| streams["streams"][n]["state"] == "waiting";
        (waits(0) && waits(1)).then_some(())
    });
    for route in
        ["", "api/streams", "api/streams/camera", "api/streams/inbox", "view/camera", "state", "input_0.json"]
    {
        said += &String::from_utf8_lossy(&run("curl", &["-sS", &format!("{url}{route}")]).stdout);
    }
    running.terminate();
    let (status, log) = running.finish();
    assert!(status.success(), "{status}");
    assert!(log.contains("DEBUG"), "not everything was logged:\n{log}");
    said += &log;
    for secret in SECRETS {
        let line = said.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is shown");
    }
}
