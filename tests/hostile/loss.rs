//! A network that loses one packet in twenty (`lossy.py`): before a camera, and before a viewer.

use std::{cell::Cell, fs, path::Path, process::Command};

use testkit::{
    control_stream::ControlStream,
    fixture::until,
    program::{Running, run, test_file},
    raw_client::{Client, Io},
};
use tokio::net::{UnixListener, UnixStream};

/// Lost of a hundred.
const LOSS: &str = "5";

/// Some forty packets each, of which two are lost.
const BYTES: usize = 50_000;

const FRAMES: u64 = 60;

/// Rarer than it is; a network that loses nothing shows.
const LEAST_LOST: u64 = 100;

const SCRIPT: &str = "python3 \"$1\" \"$2\" \"$0\" & shift 2; \
                      until test -e \"$0/pid\"; do sleep 0.02; kill -0 $! || exit 1; done; exec \"$@\"";

fn start(folder: &Path) -> Running {
    let path = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let stream = |name, camera| {
        format!("  {name}: {{source: {{type: mjpeg, url: 'http://{camera}/', frame_timeout: 1h}}}}\n")
    };
    let streams = [("camera", "10.77.0.2:8001"), ("viewer", "127.0.0.1:8002"), ("good", "127.0.0.1:8002")];
    let streams: String = streams.into_iter().map(|(name, camera)| stream(name, camera)).collect();
    let listen = format!("server: {{listen: ['unix:{}', '10.77.0.1:8080']}}", path("sock"));
    fs::write(path("framecast.yaml"), format!("{listen}\nstreams:\n{streams}")).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--net", "sh", "-c", SCRIPT, folder.to_str().unwrap()]);
    command.args([&test_file("hostile/lossy.py"), LOSS, env!("CARGO_BIN_EXE_framecast"), "serve"]);
    command.args(["--config", &path("framecast.yaml")]);
    command.env_remove("RUST_LOG").env_remove("FRAMECAST_CONFIG");
    let running = Running::start(&mut command);
    running.line_with(|line| line.contains("listening on").then_some(()));
    running
}

/// Over a Unix socket of this folder.
async fn client(folder: &Path, name: &str) -> Client {
    Box::new(UnixStream::connect(folder.join(name)).await.unwrap()).into()
}

async fn camera(listener: &UnixListener) -> Box<dyn Io> {
    Box::new(listener.accept().await.unwrap().0)
}

/// Returns the number of packets, and of the lost ones among them.
async fn lost(folder: &Path) -> (u64, u64) {
    run("kill", &["-s", "USR1", fs::read_to_string(folder.join("pid")).unwrap().trim()]);
    let told = until("the count of packets", async || {
        fs::read_to_string(folder.join("lost")).map_err(|error| error.to_string())
    })
    .await;
    let (seen, lost) = told.split_once(' ').unwrap();
    (seen.parse().unwrap(), lost.parse().unwrap())
}

#[tokio::test]
async fn a_camera_and_a_viewer_behind_lost_packets_lose_no_frame_and_hold_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let far = UnixListener::bind(folder.join("camera.sock")).unwrap();
    let near = UnixListener::bind(folder.join("clean.sock")).unwrap();
    let running = start(folder);
    let mut of_camera =
        ControlStream::begin_as("camera", client(folder, "sock").await, camera(&far), BYTES).await;
    let mut of_viewer =
        ControlStream::begin_as("viewer", client(folder, "viewer.sock").await, camera(&near), BYTES).await;
    let mut good = ControlStream::begin_as("good", client(folder, "sock").await, camera(&near), BYTES).await;
    let is_on = Cell::new(2);
    let many = async |control: &mut ControlStream| {
        while control.sent() < FRAMES {
            control.exchange().await;
        }
        is_on.set(is_on.get() - 1);
    };
    tokio::join!(many(&mut of_camera), many(&mut of_viewer), good.run_while(|| is_on.get() > 0));
    good.exchange().await;
    let (seen, lost) = lost(folder).await;
    eprintln!("{lost} of {seen} packets were lost; meanwhile {} frames went by beside them", good.sent());
    assert!(lost > LEAST_LOST, "{lost} of {seen} packets were lost");
    for (name, control) in [("camera", &of_camera), ("viewer", &of_viewer), ("good", &good)] {
        let target = format!("/api/streams/{name}");
        let report = client(folder, "sock").await.ask_here("GET", &target, &[], b"").await.json();
        assert_eq!(report["frames_in"], control.sent(), "{report}");
        assert_eq!((&report["skipped"], &report["reconnects"]), (&0.into(), &0.into()), "{report}");
    }
    drop((of_camera, of_viewer, good));
    running.terminate();
    let (status, log) = running.finish();
    assert!(status.success() && !log.contains("panicked"), "{status}: {log}");
}
