//! Cameras over TLS, with the certificates that cameras have.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::Duration,
};

use framecast::{config::UpstreamConfig, source::http_client::HttpClient};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey as ServerKey,
};
use testkit::{
    fake_camera::{FakeCamera, Reply, Step},
    stream_client::StreamViewer,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    TestRelay,
    source_runner::{
        HEAD, answer, body, config, config_with_login, jpeg_of_size, snapshots, three, watch, watch_source,
    },
};

pub(crate) fn self_signed() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["camera.invalid".to_owned()]).unwrap();
    acceptor(cert.der().clone(), PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap())
}

fn acceptor(certificate: CertificateDer<'static>, key: PrivateKeyDer<'static>) -> TlsAcceptor {
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn camera(script: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> (FakeCamera, String) {
    let camera = FakeCamera::start_tls(self_signed(), script).await;
    let url = format!("https://{}/video", camera.address());
    (camera, url)
}

fn streaming(_: usize) -> Vec<Step> {
    vec![Step::Request, Step::Send(answer(HEAD, &body(&three())))]
}

#[actix_web::test]
async fn a_self_signed_certificate_is_refused_with_what_would_help() {
    let (camera, url) = camera(streaming).await;
    let error = watch(config(&url)).await.error();
    assert!(error.starts_with(&format!("cannot talk to {} over TLS: ", camera.address())), "{error}");
    assert!(error.contains("insecure: true"), "{error}");
    assert!(camera.requests().is_empty(), "nothing is asked over a connection that is not trusted");
}

#[actix_web::test]
async fn insecure_accepts_it_and_repairs_heads_as_over_plain_tcp() {
    for head in
        [HEAD, "ICY 200 OK\r\nno colon\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n"]
    {
        let (_camera, url) =
            camera(move |_| vec![Step::Request, Step::Send(answer(head, &body(&three())))]).await;
        let config = UpstreamConfig { insecure: true, ..config(&url) };
        watch(config).await.assert_frames(&three(), head);
    }
}

#[actix_web::test]
async fn frames_larger_than_tls_records_come_through() {
    let pictures: Vec<_> = (1..=3).map(|n| jpeg_of_size(n, 640, 480)).collect();
    assert!(pictures[0].len() > 3 * 16_384, "{} bytes", pictures[0].len());
    let all = answer(HEAD, &body(&pictures));
    let (_camera, url) = camera(move |_| vec![Step::Request, Step::Send(all.clone())]).await;
    let config = UpstreamConfig { insecure: true, ..config(&url) };
    watch(config).await.assert_frames(&pictures, "several records a frame");
}

#[actix_web::test]
async fn a_camera_that_closes_without_tls_goodbye_closed_all_the_same() {
    let (_camera, url) =
        camera(|_| vec![Step::Request, Step::Pieces(vec![answer(HEAD, &body(&three()))]), Step::Abandon])
            .await;
    let config = UpstreamConfig { insecure: true, ..config(&url) };
    watch(config).await.assert_frames(&three(), "no close_notify");
}

#[actix_web::test]
async fn a_camera_without_tls_behind_https_is_told_so() {
    let plain = FakeCamera::start(|_| vec![Step::Send(b"HTTP/1.0 400 Bad Request\r\n\r\n".to_vec())]).await;
    let config = UpstreamConfig { insecure: true, ..config(&format!("https://{}/", plain.address())) };
    let error = watch(config).await.error();
    assert!(error.contains("it does not speak TLS: should the URL begin with http:?"), "{error}");
}

#[actix_web::test]
async fn a_redirect_to_https_is_followed_without_credentials() {
    let (secured, url) = camera(streaming).await;
    let plain = FakeCamera::answering(move |request| {
        let bytes = match request.header("Authorization") {
            Some(_) => format!("HTTP/1.1 301 Moved\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n"),
            None => "HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=c\r\nContent-Length: 0\r\n\r\n".into(),
        };
        Reply { bytes: bytes.into(), close: false }
    })
    .await;
    let config = UpstreamConfig { insecure: true, ..config_with_login(&plain.url("/")) };
    watch(config).await.assert_frames(&three(), "http to https");
    assert_eq!(secured.requests()[0].header("Authorization"), None);
    plain.all_closed().await;
}

#[actix_web::test]
async fn a_connection_is_kept_over_tls_too() {
    let pictures = three();
    let (camera, url) = camera(move |_| {
        let mut steps = Vec::new();
        for picture in &pictures {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", picture.len());
            steps.extend([Step::Request, Step::Send(answer(&head, picture))]);
        }
        // Twice: one failure after a picture does not end a run.
        for _ in 0..2 {
            let gone = b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n".to_vec();
            steps.extend([Step::Request, Step::Send(gone)]);
        }
        steps
    })
    .await;
    let config = UpstreamConfig { insecure: true, ..config(&url) };
    let outcome = watch_source(&mut snapshots(config, Duration::from_millis(1))).await;
    outcome.assert_shown(&three(), "three polls");
    assert_eq!(camera.connections(), 1);
}

/// A camera's certificate, and the protocols that clients offered for it.
#[derive(Debug)]
struct Offered {
    key: Arc<ServerKey>,
    protocols: Mutex<Vec<Vec<u8>>>,
}

impl ResolvesServerCert for Offered {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<ServerKey>> {
        let offered = hello.alpn().into_iter().flatten().map(<[u8]>::to_vec);
        self.protocols.lock().unwrap().extend(offered);
        Some(self.key.clone())
    }
}

/// The client speaks HTTP/1.1 only, with the TLS settings that webhooks share (RUSTSEC-2026-0258, deny.toml).
#[actix_web::test]
async fn a_camera_that_would_rather_speak_http_2_is_asked_over_http_1_1() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["camera.invalid".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = ring::default_provider();
    let key = ServerKey::from_der(vec![cert.der().clone()], key, &provider).unwrap();
    let offered = Arc::new(Offered { key: Arc::new(key), protocols: Mutex::default() });
    let mut server = ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_cert_resolver(offered.clone());
    server.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let secured = FakeCamera::start_tls(acceptor, streaming).await;
    let url = format!("https://{}/video", secured.address());
    // Also at the target of a redirect.
    let plain = {
        let url = url.clone();
        FakeCamera::answering(move |_| {
            let bytes = format!("HTTP/1.1 302 Found\r\nLocation: {url}\r\nContent-Length: 0\r\n\r\n");
            Reply { bytes: bytes.into(), close: false }
        })
        .await
    };
    for (asked, url) in [url, plain.url("/")].iter().enumerate() {
        let config = UpstreamConfig { insecure: true, ..config(url) };
        watch(config).await.assert_frames(&three(), url);
        let head = &secured.requests()[asked].head;
        assert!(head.starts_with("GET /video HTTP/1.1\r\n"), "{head}");
    }
    assert_eq!(offered.protocols.lock().unwrap().len(), 0, "no protocol is offered, HTTP/2 least of all");
}

/// Environment variable with the camera's key, for the child process of the next test; the camera's
/// certificate is the system's only root there.
const KEY_FILE: &str = "FRAMECAST_TEST_CAMERA_KEY";

#[actix_web::test]
async fn a_certificate_under_the_systems_roots_is_accepted_for_its_own_name_only() {
    let Some(key) = std::env::var_os(KEY_FILE) else { return in_a_process_that_trusts_the_camera() };
    let certificate = CertificateDer::from_pem_file(std::env::var_os("SSL_CERT_FILE").unwrap()).unwrap();
    let key = PrivateKeyDer::from_pem_file(key).unwrap();
    let camera = FakeCamera::start_tls(acceptor(certificate, key), streaming).await;
    let url = |host: &str| format!("https://{host}:{}/video", camera.address().port());
    watch(config(&url("127.0.0.1"))).await.assert_frames(&three(), "trusted");
    let error = watch(config(&url("localhost"))).await.error();
    assert!(error.contains("its certificate is not accepted (NotValidForName"), "{error}");
}

/// Runs the test again in a process of its own: the roots are read once a process, from where the environment
/// says.
fn in_a_process_that_trusts_the_camera() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    let made = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let this_test = "tls::a_certificate_under_the_systems_roots_is_accepted_for_its_own_name_only";
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", this_test])
        .env("SSL_CERT_FILE", &certificate)
        .env(KEY_FILE, &key)
        .output()
        .unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    assert!(String::from_utf8_lossy(&child.stdout).contains("1 passed"), "the test ran there");
}

/// An old camera: `openssl s_server` with these options, until dropped.
struct OldCamera {
    process: Child,
    port: u16,
    files: tempfile::TempDir,
}

impl OldCamera {
    async fn start(options: &[&str]) -> Self {
        let files = tempfile::tempdir().unwrap();
        let (certificate, key) = (files.path().join("certificate.pem"), files.path().join("key.pem"));
        // RSA, which old key exchanges need.
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=camera.invalid"])
            .arg("-out")
            .arg(&certificate)
            .arg("-keyout")
            .arg(&key)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let mut process = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-HTTP"])
            .arg("-cert")
            .arg(&certificate)
            .arg("-key")
            .arg(&key)
            .args(options)
            .current_dir(files.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let port =
            lines.find_map(|line| line.unwrap().strip_prefix("ACCEPT 127.0.0.1:")?.parse().ok()).unwrap();
        // What else it writes is read, so that it never waits for that.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port, files }
    }
}

impl Drop for OldCamera {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[actix_web::test]
async fn tls_of_before_2014_is_named_with_what_helps() {
    let older_than = "it refuses TLS 1.2 and newer";
    let no_cipher = "it accepts none of those ciphers";
    for (options, seen) in [
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..], older_than),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], older_than),
        (&["-tls1_2", "-cipher", "AES128-SHA"], no_cipher),
        (&["-tls1_2", "-cipher", "AES128-GCM-SHA256"], no_cipher),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA"], no_cipher),
    ] {
        let camera = OldCamera::start(options).await;
        let host = format!("127.0.0.1:{}", camera.port);
        let config = UpstreamConfig { insecure: true, ..config(&format!("https://{host}/video")) };
        let expected = format!(
            "cannot talk to {host} over TLS: its TLS is too old for framecast's library, which speaks TLS 1.2 \
             with ECDHE and GCM, and newer ({seen}); use its http:// address, new firmware, or a program in \
             between that speaks old TLS (docs/cameras.md, Old TLS)"
        );
        // `framecast probe` prints the same error of the same client.
        let probed = HttpClient::new(&config, 16 * 1024).get(&[]).await.map(drop).unwrap_err();
        assert_eq!(probed.to_string(), expected, "{options:?}");
        let outcome = watch(config.clone()).await;
        assert_eq!(outcome.error(), expected, "{options:?}");
        let public = "cannot talk to the camera over TLS: its TLS is too old for framecast's library";
        assert!(outcome.result.unwrap_err().public().starts_with(public), "{options:?}");
        let polled = watch_source(&mut snapshots(config, Duration::from_secs(1))).await;
        assert_eq!(polled.error(), expected, "{options:?}");
    }
}

/// Old embedded servers answer with the version that they have, and do not refuse ours.
#[actix_web::test]
async fn an_answer_in_tls_1_0_or_ssl_3_is_as_old() {
    for minor in [0, 1, 2] {
        // ServerHello with this version, TLS_RSA_WITH_AES_128_CBC_SHA and no session.
        let hello = [&[2, 0, 0, 38, 3, minor][..], &[7; 32], &[0, 0, 0x2f, 0]].concat();
        let record = [&[22, 3, minor, 0, u8::try_from(hello.len()).unwrap()][..], &hello].concat();
        let camera = FakeCamera::start(move |_| vec![Step::Send(record.clone()), Step::Stall]).await;
        let config = UpstreamConfig { insecure: true, ..config(&format!("https://{}/", camera.address())) };
        let error = watch(config).await.error();
        assert!(error.contains("its TLS is too old"), "SSL 3.{minor}: {error}");
        assert!(
            error.contains("(it answers with an older version); use its http://"),
            "SSL 3.{minor}: {error}"
        );
    }
}

#[actix_web::test]
async fn a_server_that_closes_inside_the_handshake_may_be_old_or_without_tls() {
    for end in [Step::Abandon, Step::Reset].map(|end| Mutex::new(Some(end))) {
        let camera =
            FakeCamera::start(move |_| vec![end.lock().unwrap().take().unwrap_or(Step::Reset)]).await;
        let config = UpstreamConfig { insecure: true, ..config(&format!("https://{}/", camera.address())) };
        let error = watch(config).await.error();
        let expected = "it closed the connection inside the handshake: should the URL begin with http:, or \
                        is its TLS older than 1.2?";
        assert!(error.ends_with(expected), "{error}");
    }
}

/// The way out that docs/cameras.md describes.
#[actix_web::test]
async fn curl_in_between_shows_a_camera_with_old_tls() {
    for options in [&["-tls1", "-cipher", "ALL:@SECLEVEL=0"][..], &["-tls1_2", "-cipher", "AES128-SHA"]] {
        let camera = OldCamera::start(options).await;
        std::fs::write(camera.files.path().join("video.mjpg"), answer(HEAD, &body(&three()))).unwrap();
        let document = include_str!("../../docs/cameras.md");
        let netrc = camera.files.path().join("netrc");
        std::fs::write(&netrc, "machine 127.0.0.1 login door password s3cret").unwrap();
        let command = document.split_once("command: [curl, ").unwrap().1.split_once(']').unwrap().0;
        let command = command
            .replace("192.168.1.50", &format!("127.0.0.1:{}", camera.port))
            .replace("/etc/framecast/netrc", netrc.to_str().unwrap());
        let relay = TestRelay::start(&format!(
            "streams: {{hall: {{placeholder: none, source: {{type: exec, command: [curl, {command}]}}}}}}"
        ));
        let mut viewer = StreamViewer::join(relay.address(), "/streams/hall").await;
        assert!(three().contains(&viewer.part().await.jpeg), "{options:?}");
    }
}
