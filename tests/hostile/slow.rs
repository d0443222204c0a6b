//! A byte a second: alive to everybody who only asks whether something comes, and of no use. Deadlines are
//! for whole heads, for whole pictures, and for what a viewer takes.
//!
//! Those of a push are minutes, and not to be set: their test has a clock of its own
//! (`src/web/middleware/uploads/body.rs`).

use std::{io, time::Duration};

use testkit::{
    fixture::Fixture,
    malicious_camera::{CameraConnection, MaliciousCamera},
    numbered_pictures::{long, numbered},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    task::JoinSet,
    time::sleep,
};

const BETWEEN_BYTES: Duration = Duration::from_secs(1);

const MEMORY_KIB: u64 = 16 * 1024;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";

/// Says all of `said`, and then `dripped` for ever, a byte a second.
async fn drip(mut line: CameraConnection, said: Vec<u8>, dripped: &[u8]) -> io::Result<()> {
    line.request().await?;
    line.send(&said).await?;
    for byte in dripped.iter().cycle() {
        line.send(&[*byte]).await?;
        sleep(BETWEEN_BYTES).await;
    }
    Ok(())
}

/// The beginning of a camera's answer, and the part that it never finishes.
struct Slow {
    name: &'static str,
    said: Vec<u8>,
    dripped: Vec<u8>,
    /// Part of the reason that stands in the API.
    reason: &'static str,
    frames: u64,
}

/// Each time a byte comes, which is within the deadline; it is not what the deadline waits for.
#[tokio::test]
async fn cameras_at_a_byte_a_second_meet_the_deadline_of_what_they_do_not_finish() {
    let part = |n| {
        let picture = numbered(n);
        let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
        [head.as_bytes(), &picture, b"\r\n--cam\r\n"].concat()
    };
    let begun = |n| [HEAD, &part(n)[..100]].concat();
    let second = [HEAD, &part(1), &part(2)[..100]].concat();
    let case = |name, said, dripped: &[u8], reason, frames| Slow {
        name,
        said,
        dripped: dripped.to_vec(),
        reason,
        frames,
    };
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let cases = [
        case("a head", head, b"X-Slow: yes\r\n", "did not answer the request", 0),
        case("a part's head", HEAD.to_vec(), b"X-Slow: yes\r\n", "sent no whole frame", 0),
        case("a first picture", begun(1), &[0x55], "sent no whole frame", 0),
        case("a second picture", second, &[0x55], "sent no further whole frame", 1),
    ];
    let mut cameras = Vec::new();
    let mut streams = String::new();
    for (n, Slow { said, dripped, .. }) in cases.iter().enumerate() {
        let (said, dripped) = (said.clone(), dripped.clone());
        let camera = MaliciousCamera::start(move |line| {
            let (said, dripped) = (said.clone(), dripped.clone());
            async move { drip(line, said, &dripped).await }
        })
        .await;
        let timeouts = "head_timeout: 3s, first_frame_timeout: 3s, frame_timeout: 3s";
        streams += &format!(
            "  slow-{n}: {{on_demand: false, source: {{type: mjpeg, url: 'http://{}/', {timeouts}}}}}\n",
            camera.address()
        );
        cameras.push(camera);
    }
    let mut fixture = Fixture::serving("", &streams).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (n, Slow { name, reason, frames, .. }) in cases.iter().enumerate() {
                let report = fixture
                    .report_when(&format!("slow-{n}"), |report| {
                        let said = report["reason"].as_str().unwrap_or_default();
                        said.contains("within 3 s") && said.contains(reason)
                    })
                    .await;
                assert!(report["frames_in"].as_u64() >= Some(*frames), "{name}: {report}");
            }
            drop(cameras);
        })
        .await;
    fixture.end();
}

/// The system tells of room only when there is enough of it: to the relay they take nothing.
#[tokio::test]
async fn viewers_at_a_byte_a_second_are_let_go() {
    const VIEWERS: usize = 20;
    const WIDE: &str = "  wide: {viewer_timeout: 2s, source: {type: push, token: none}}\n";
    let mut fixture = Fixture::serving("", WIDE).await;
    fixture.push("wide", &long(1_000_000)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut sipping = JoinSet::new();
            for n in 0..VIEWERS {
                let socket = TcpSocket::new_v4().unwrap();
                socket.set_recv_buffer_size(4096).unwrap();
                let mut io = socket.connect(fixture.address()).await.unwrap();
                let version = n % 2;
                let head = format!("GET /streams/wide HTTP/1.{version}\r\nHost: test\r\n\r\n");
                io.write_all(head.as_bytes()).await.unwrap();
                sipping.spawn(async move {
                    while io.read(&mut [0]).await.is_ok_and(|read| read > 0) {
                        sleep(BETWEEN_BYTES).await;
                    }
                });
            }
            fixture.report_when("wide", |report| report["viewers"] == VIEWERS).await;
            // They read on meanwhile.
            fixture.report_when("wide", |report| report["viewers"] == 0).await;
            sipping.shutdown().await;
        })
        .await;
    fixture.end();
}
