//! Cameras over TLS, with the certificates that cameras have.

use std::sync::Arc;

use framecast::config::UpstreamConfig;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{ServerConfig, crypto::ring, pki_types::PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::{
    fake_camera::{FakeCamera, Reply, Step},
    watching::{HEAD, answer, body, config, config_with_login, snapshots, three, watch, watch_source},
};

fn self_signed() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["camera.invalid".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
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
        steps.extend([Step::Request, Step::Send(b"HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n".to_vec())]);
        steps
    })
    .await;
    let config = UpstreamConfig { insecure: true, ..config(&url) };
    let outcome = watch_source(&mut snapshots(config, std::time::Duration::from_millis(1))).await;
    outcome.assert_shown(&three(), "three polls");
    assert_eq!(camera.connections(), 1);
}
