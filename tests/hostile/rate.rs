//! A camera with a fixed frame rate and ten steady viewers, while all kinds of attackers run.

use std::{cell::Cell, net::SocketAddr, sync::Arc, time::Duration};

use futures_util::future::join_all;
use testkit::{
    control_stream::next_picture,
    fixture::Fixture,
    malicious_camera::MaliciousCamera,
    numbered_pictures::{long, number_of, numbered_long},
    raw_client::{Body, Client},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

const VIEWERS: usize = 10;

/// Ten seconds of it.
const FRAMES: u64 = 300;
const BETWEEN_FRAMES: Duration = Duration::from_nanos(1_000_000_000 / 30);
const BYTES: usize = 20_000;

/// Of a hundred frames that the camera sends, each viewer gets so many.
const LEAST: u64 = 99;

const MEMORY_KIB: u64 = 48 * 1024;

/// Between two things that one of the crowd does.
const PAUSE: Duration = Duration::from_millis(10);

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n";

fn part(number: u64) -> Vec<u8> {
    let picture = numbered_long(number, BYTES);
    let head = format!("Content-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", picture.len());
    [head.as_bytes(), &picture, b"\r\n--cam\r\n"].concat()
}

/// Sends number 0 at once, and the others when it may.
async fn camera(may: Arc<Semaphore>) -> MaliciousCamera {
    MaliciousCamera::start(move |mut line| {
        let may = may.clone();
        async move {
            line.request().await?;
            line.send(HEAD).await?;
            line.send(&part(0)).await?;
            let _may = may.acquire().await;
            let mut rhythm = interval(BETWEEN_FRAMES);
            // A busy machine makes it slower, never a burst of what no camera sends.
            rhythm.set_missed_tick_behavior(MissedTickBehavior::Delay);
            for number in 1..=FRAMES {
                rhythm.tick().await;
                line.send(&part(number)).await?;
            }
            line.stall().await
        }
    })
    .await
}

/// Has seen number 0.
async fn steady_viewer(fixture: &Fixture) -> Body {
    let mut client = fixture.client().await;
    client.send(b"GET /streams/free HTTP/1.1\r\nHost: test\r\n\r\n").await;
    let head = client.head().await;
    let mut body = Body::after(&head, client);
    assert_eq!(body.text_until("\r\n").await, "--boundarydonotcross");
    assert_eq!(number_of(&next_picture(&mut body).await), Some(0));
    body
}

/// Returns the number of different frames up to the last one.
async fn count(mut body: Body) -> u64 {
    let (mut last, mut seen) = (0, 0);
    while last < FRAMES {
        let number = number_of(&next_picture(&mut body).await).expect("a picture of this camera");
        assert!(number >= last, "{number} came behind {last}");
        seen += u64::from(number > last);
        last = number;
    }
    seen
}

/// One of the crowd, who does its mischief and goes.
async fn run_attacker(address: SocketAddr, kind: usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let Ok(mut io) = socket.connect(address).await else { return };
    let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n").into_bytes();
    let said = match kind {
        // Never reads, reads a byte, leaves within a frame, or asks for pictures of its own.
        0..=2 => ask("/streams/wide"),
        3 => ask("/streams/wide/snapshot?width=999"),
        4 => ask("/streams/free?quality=20&fps=3"),
        5 => b"POST /streams/guarded/frame HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer guess\r\n\
               Content-Length: 100000\r\n\r\n"
            .to_vec(),
        6 => [b"GET / HTTP/1.1\r\nX: ".as_slice(), &[b'x'; 50_000]].concat(),
        _ => {
            b"POST / HTTP/1.1\r\nHost: t\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
                .to_vec()
        }
    };
    // It may be closed before all is said.
    let _ = io.write_all(&said).await;
    let at_once = if kind == 1 { 1 } else { 100 };
    for _ in 0..10 {
        if kind != 0 {
            // Not all of them are answered while they stay.
            let _ = timeout(PAUSE, io.read(&mut [0; 100][..at_once])).await;
        }
        sleep(PAUSE).await;
    }
    hang_up(&io);
}

/// RST, not FIN.
fn hang_up(io: &TcpStream) {
    socket2::SockRef::from(io).set_linger(Some(Duration::ZERO)).unwrap();
}

#[tokio::test]
async fn ten_steady_viewers_get_their_frames_in_the_midst_of_a_hostile_crowd() {
    const CROWD: usize = 40;
    const KINDS: usize = 8;
    let may = Arc::new(Semaphore::new(0));
    let camera = camera(may.clone()).await;
    let streams = format!(
        "  free: {{source: {{type: mjpeg, url: 'http://{}/', frame_timeout: 1h}}}}\n  \
         wide: {{source: {{type: push, token: none}}}}\n  guarded: {{source: {{type: push, token: \
         kept-in-a-test}}}}\n",
        camera.address()
    );
    // Without `sendfile`, since a stream that had eight viewers keeps the pipes of that.
    let mut fixture = Fixture::serving("server: {sendfile: false}", &streams).await;
    fixture.push("wide", &long(1_000_000)).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let mut viewers = Vec::new();
            for _ in 0..VIEWERS {
                viewers.push(steady_viewer(fixture).await);
            }
            let address = fixture.address();
            let is_on = Cell::new(true);
            let mut done = 0;
            let crowd = async {
                let mut crowd = JoinSet::new();
                for n in 0.. {
                    crowd.spawn(run_attacker(address, n % KINDS));
                    if crowd.len() >= CROWD {
                        crowd.join_next().await;
                        done += 1;
                    }
                    if !is_on.get() {
                        break;
                    }
                }
                crowd.shutdown().await;
            };
            let watching = async {
                may.add_permits(1);
                let seen = join_all(viewers.into_iter().map(count)).await;
                is_on.set(false);
                seen
            };
            let (seen, ()) = tokio::join!(watching, crowd);
            eprintln!("{seen:?} of {FRAMES} frames, beside {done} who meant harm");
            assert!(done > CROWD, "there was no crowd");
            for seen in seen {
                assert!(seen * 100 >= FRAMES * LEAST, "{seen} of {FRAMES} frames");
            }
            drop(camera);
            assert_eq!(Client::get(address, "/healthz").await.head.status, 200);
        })
        .await;
    fixture.end();
}
