//! Cameras over TLS, with the certificates that cameras have.

use std::sync::{Arc, Mutex};

use framecast::config::UpstreamConfig;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey as ServerKey,
};
use testkit::fake_camera::{FakeCamera, Reply, Step};
use tokio_rustls::TlsAcceptor;

use crate::source_runner::{
    HEAD, answer, body, config, config_with_login, jpeg_of_size, snapshots, three, watch, watch_source,
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
    let outcome = watch_source(&mut snapshots(config, std::time::Duration::from_millis(1))).await;
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
