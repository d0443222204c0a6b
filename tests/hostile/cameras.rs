//! Cameras that do everything wrong that can be done, all at the same time.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, OnceLock},
};

use testkit::{
    fixture::Fixture,
    malicious_camera::{CameraConnection, MaliciousCamera},
    numbered_pictures::plain,
};

use crate::decompression_bombs;

/// So little that each overrun shows.
const TOP: &str = "limits: {max_frame_bytes: 256KiB}";

/// Upper bound of the memory for all of them together: some frames each, the memory that the HTTP client and
/// the system's allocator keep, and a decoder's planes.
const MEMORY_KIB: u64 = 48 * 1024;

const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\nContent-Type: \
     image/jpeg\r\n\r\n";

/// One kind of malice, and what the relay makes of it.
struct Case {
    name: &'static str,
    source: &'static str,
    camera: MaliciousCamera,
    /// Part of the reason that stands in the API.
    reason: &'static str,
    /// Reason under which the drops must be counted.
    counted: Option<&'static str>,
}

async fn case<F>(
    name: &'static str,
    reason: &'static str,
    counted: Option<&'static str>,
    script: impl Fn(CameraConnection) -> F + Send + Sync + 'static,
) -> Case
where
    F: Future<Output = io::Result<()>> + Send + 'static,
{
    Case { name, source: "mjpeg", camera: MaliciousCamera::start(script).await, reason, counted }
}

/// Answers with `first`, and then with `rest` for as long as it is taken.
async fn pouring(
    name: &'static str,
    reason: &'static str,
    counted: Option<&'static str>,
    first: Vec<u8>,
    rest: Vec<u8>,
) -> Case {
    let (first, rest) = (Arc::new(first), Arc::new(rest));
    case(name, reason, counted, move |mut line| {
        let (first, rest) = (first.clone(), rest.clone());
        async move {
            line.request().await?;
            line.send(&first).await?;
            line.send_endlessly(&rest).await
        }
    })
    .await
}

fn redirect(to: &str) -> Vec<u8> {
    format!("HTTP/1.1 302 Found\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

async fn redirecting(name: &'static str, reason: &'static str, to: &'static str) -> Case {
    case(name, reason, None, move |mut line| async move {
        loop {
            line.request().await?;
            line.send(&redirect(to)).await?;
        }
    })
    .await
}

async fn heads() -> Vec<Case> {
    let too_long = "more than 16384 bytes (max_header_bytes)";
    let pour = async |name, reason, first: &[u8], rest: &[u8]| {
        pouring(name, reason, None, first.to_vec(), rest.to_vec()).await
    };
    vec![
        case(
            "says nothing",
            "did not answer the request within 0.5 s",
            None,
            |mut line: CameraConnection| async move {
                line.request().await?;
                line.stall().await
            },
        )
        .await,
        case(
            "a head byte by byte",
            "did not answer the request within 0.5 s",
            None,
            |mut line: CameraConnection| async move {
                line.request().await?;
                line.send(b"HTTP/1.1 200 OK\r\n").await?;
                line.send_bytewise(b"X-Slow: yes\r\n").await
            },
        )
        .await,
        pour("a head without end", too_long, b"HTTP/1.1 200 OK\r\n", b"X-Endless: yes\r\n").await,
        pour("a line without end", too_long, b"HTTP/1.1 200 OK\r\nX-Endless: ", &[b'x'; 4096]).await,
        pour("interim answers without end", too_long, b"", b"HTTP/1.1 100 Continue\r\n\r\n").await,
        pour("thousands of headers", too_long, b"HTTP/1.1 200 OK\r\n", &b"A:\r\n".repeat(5000)).await,
        pour(
            "hundreds of challenges",
            "answered 401",
            &[
                &b"HTTP/1.1 401 No\r\nContent-Length: 0\r\nConnection: close\r\n"[..],
                &b"WWW-Authenticate: Digest realm=\"\\\"a, b\", nonce=\"x\", qop=\"auth,,auth-int\"\r\n"
                    .repeat(180),
                b"\r\n",
            ]
            .concat(),
            b"x",
        )
        .await,
        redirecting("a redirect to itself", "redirects too often", "/again").await,
        redirecting("a redirect to a file", "something other than http and https", "file:///etc/passwd")
            .await,
        redirecting("a redirect to nowhere", "redirects to something that is not a URL", "http://[").await,
    ]
}

async fn bodies() -> Vec<Case> {
    let no_picture = "sends no usable stream: no JPEG in";
    let pour = async |name, reason, counted, first: &[u8], rest: &[u8]| {
        pouring(name, reason, counted, first.to_vec(), rest.to_vec()).await
    };
    let typed = |more: &str| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n";
        format!("{head}{more}\r\n\r\n").into_bytes()
    };
    let part = |more: &str| [&typed("X-A: b")[..], b"--cam\r\n", more.as_bytes(), b"\r\n\r\n"].concat();
    let picture = plain(64, 48);
    // Its data never end: the marker is missing.
    let (start, data) = picture.split_at(picture.len() - 30);
    let unmarked: Vec<u8> = data.iter().map(|byte| byte & 0x7f).cycle().take(8192).collect();
    let large = "frames are larger than max_frame_bytes";
    vec![
        case("a picture byte by byte", "within 0.5 s", None, |mut line: CameraConnection| async move {
            line.request().await?;
            line.send(HEAD).await?;
            line.send(&plain(64, 48)[..100]).await?;
            line.send_bytewise(&[0x55]).await
        })
        .await,
        pour("a length of 4 GB", no_picture, None, &typed("Content-Length: 4294967296"), &[0; 8192]).await,
        pour(
            "a part of 4 GB",
            large,
            Some("too_large"),
            &[&part("Content-Length: 4294967296")[..], start].concat(),
            &unmarked,
        )
        .await,
        pour("a picture without end", large, Some("too_large"), &[HEAD, start].concat(), &unmarked).await,
        pour(
            "a chunk of more than 64 bits",
            "the connection to the camera broke",
            None,
            &[&typed("Transfer-Encoding: chunked")[..], b"fffffffffffffffff\r\n"].concat(),
            &[0; 8192],
        )
        .await,
        pour(
            "a chunk of 2^60 bytes",
            no_picture,
            None,
            &[&typed("Transfer-Encoding: chunked")[..], b"fffffffffffffff\r\n"].concat(),
            &[0; 8192],
        )
        .await,
        pour(
            "a chunk size without end",
            "the connection to the camera broke",
            None,
            &typed("Transfer-Encoding: chunked"),
            &[b'0'; 4096],
        )
        .await,
        pour(
            "a gzip bomb",
            "sent something else than pictures",
            None,
            &typed("Content-Encoding: gzip"),
            &decompression_bombs::gzip(),
        )
        .await,
        pour("garbage without end", no_picture, None, HEAD, &[0xa5; 8192]).await,
        pour(
            "part headers without end",
            no_picture,
            None,
            &part("X-A: b"),
            &b"--cam\r\nX: y\r\n".repeat(500),
        )
        .await,
        // The first bytes are quoted, which are those of a JPEG here.
        pour(
            "pictures that only begin",
            "sends no usable stream",
            Some("invalid"),
            HEAD,
            &[0xff, 0xd8].repeat(4096),
        )
        .await,
    ]
}

async fn pictures() -> Vec<Case> {
    let mut huge = HEAD.to_vec();
    huge.extend(decompression_bombs::sized(&plain(64, 48), 65_535, 65_535));
    let mut gzipped = b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Encoding: gzip\r\n".to_vec();
    let bomb = &decompression_bombs::gzip()[..200_000];
    gzipped.extend(format!("Content-Length: {}\r\n\r\n", bomb.len()).into_bytes());
    gzipped.extend(bomb);
    let snapshot = case(
        "a gzip bomb for a picture",
        "sent something else than pictures",
        None,
        move |mut line: CameraConnection| {
            let gzipped = gzipped.clone();
            async move {
                loop {
                    line.request().await?;
                    line.send(&gzipped).await?;
                }
            }
        },
    )
    .await;
    vec![
        pouring(
            "65,535 x 65,535 pixels",
            "pictures of 65535x65535 pixels",
            Some("too_large"),
            huge.clone(),
            huge,
        )
        .await,
        Case { source: "snapshot", ..snapshot },
    ]
}

#[tokio::test]
async fn two_dozen_hostile_cameras_at_once_cost_little_and_disturb_nobody() {
    let mut cases = heads().await;
    cases.extend(bodies().await);
    cases.extend(pictures().await);
    let streams: String = (0..).zip(&cases).map(|(n, case)| stream(n, case)).collect();
    let mut fixture = Fixture::serving(TOP, &streams).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (n, case) in cases.iter().enumerate() {
                // Each is met twice: it may come again, and later each time.
                let met = |report: &serde_json::Value| {
                    let reason = report["reason"].as_str().unwrap_or_default();
                    let counted = case.counted.is_none_or(|counted| report["dropped"][counted] != 0);
                    reason.contains(case.reason) && counted && report["reconnects"].as_u64() > Some(1)
                };
                let report = fixture.report_when(&format!("evil-{n}"), met).await;
                assert_eq!(report["frames_in"], 0, "{}: {report}", case.name);
                assert!(case.camera.connections() > 1, "{}", case.name);
            }
            drop(cases);
        })
        .await;
    fixture.end();
}

fn stream(n: usize, Case { source, camera, .. }: &Case) -> String {
    let timeouts = "head_timeout: 500ms, first_frame_timeout: 500ms, frame_timeout: 500ms";
    format!(
        "  evil-{n}: {{on_demand: false, source: {{type: {source}, url: 'http://{}/', {timeouts}}}}}\n",
        camera.address()
    )
}

/// Redirects that lead from one camera to another and back.
#[tokio::test]
async fn a_circle_of_two_cameras_is_left_after_a_bounded_number_of_requests() {
    let back = Arc::new(OnceLock::<SocketAddr>::new());
    let to_first = back.clone();
    let second = MaliciousCamera::start(move |mut line| {
        let to_first = to_first.clone();
        async move {
            line.request().await?;
            line.send(&redirect(&format!("http://{}/", to_first.get().unwrap()))).await
        }
    })
    .await;
    let there = second.address();
    let first = MaliciousCamera::start(move |mut line| async move {
        line.request().await?;
        line.send(&redirect(&format!("http://{there}/"))).await
    })
    .await;
    back.set(first.address()).unwrap();
    let streams =
        format!("  x: {{on_demand: false, source: {{type: mjpeg, url: 'http://{}/'}}}}\n", first.address());
    let mut fixture = Fixture::serving(TOP, &streams).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            // There is no reason while it connects once more.
            let failed =
                |report: &serde_json::Value| report["reconnects"] != 0 && report["reason"].is_string();
            let report = fixture.report_when("x", failed).await;
            assert!(report["reason"].as_str().unwrap().contains("redirects too often"), "{report}");
        })
        .await;
    // The configured address and five redirects at each try, of which one more may have begun.
    let asked = first.connections() + second.connections();
    let report = fixture.report("x").await;
    assert!(asked <= 6 * (report["reconnects"].as_u64().unwrap() + 1), "{asked} connections: {report}");
    fixture.end();
}

/// Nothing is decoded of them but where a viewer's wish or a transform needs it; there their scans are
/// bounded.
#[tokio::test]
async fn progressive_bombs_are_given_up_by_those_who_decode_and_counted() {
    let bomb = Arc::new(decompression_bombs::progressive(2000));
    let camera = MaliciousCamera::start(move |mut line| {
        let bomb = bomb.clone();
        async move {
            line.request().await?;
            line.send(HEAD).await?;
            line.send_endlessly(&bomb).await
        }
    })
    .await;
    let streams = format!(
        "  x: {{on_demand: false, transform: [{{scale: {{width: 32}}}}], source: {{type: mjpeg, url: \
         'http://{}/'}}}}\n",
        camera.address()
    );
    let mut fixture = Fixture::serving("limits: {max_frame_bytes: 1MiB}", &streams).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let report =
                fixture.report_when("x", |report| report["dropped"]["invalid"].as_u64() > Some(5)).await;
            assert_eq!(report["frames_in"], 0, "{report}");
            drop(camera);
            fixture.report_when("x", |report| report["state"] != "live").await;
        })
        .await;
    fixture.end();
}
