//! Redirects: followed, bounded, and without credentials.

use framecast::config::Secret;
use testkit::fake_camera::{FakeCamera, Reply};

use crate::source_runner::{HEAD, answer, body, config_with_login, three, watch};

fn to(location: &str) -> Reply {
    let head = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    Reply { bytes: head.into(), close: false }
}

fn stream() -> Reply {
    Reply { bytes: answer(HEAD, &body(&three())), close: true }
}

#[actix_web::test]
async fn a_redirect_on_the_same_camera_keeps_connection_and_headers() {
    let camera = FakeCamera::answering(|request| match request.target() {
        "/a" => to("/b?session=1"),
        "/b?session=1" => stream(),
        other => panic!("asked for {other}"),
    })
    .await;
    let mut config = config_with_login(&camera.url("/a"));
    config.headers = vec![("X-Api-Key".into(), Secret::new("k3y"))];
    watch(config).await.assert_frames(&three(), "relative");
    let requests = camera.requests();
    assert!(requests.iter().all(|request| request.header("X-Api-Key") == Some("k3y")));
    assert_eq!((requests.len(), camera.connections()), (2, 1));
}

#[actix_web::test]
async fn another_host_gets_neither_credentials_nor_configured_headers() {
    let elsewhere = FakeCamera::answering(|_| stream()).await;
    let location = elsewhere.url("/stream");
    let camera = FakeCamera::answering(move |request| match request.header("Authorization") {
        Some(_) => to(&location),
        None => Reply {
            bytes: b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=cam\r\nContent-Length: 0\r\n\r\n"
                .to_vec(),
            close: false,
        },
    })
    .await;
    let mut config = config_with_login(&camera.url("/a"));
    config.headers = vec![("X-Api-Key".into(), Secret::new("k3y"))];
    watch(config).await.assert_frames(&three(), "another origin");
    let [request] = &elsewhere.requests()[..] else { panic!("one request there") };
    assert_eq!((request.header("Authorization"), request.header("X-Api-Key")), (None, None));
    assert!(!request.head.contains("k3y"), "{}", request.head);
    assert_eq!(request.header("Host"), Some(elsewhere.address().to_string().as_str()));
    camera.all_closed().await;
}

#[actix_web::test]
async fn another_host_that_asks_for_credentials_gets_none() {
    let elsewhere = FakeCamera::answering(|_| Reply {
        bytes: b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic realm=cam\r\nContent-Length: 0\r\n\r\n".to_vec(),
        close: false,
    })
    .await;
    // Credentials in the Location are not used either.
    let location = format!("http://door:s3cret@{}/", elsewhere.address());
    let camera = FakeCamera::answering(move |_| to(&location)).await;
    let error = watch(config_with_login(&camera.url("/"))).await.error();
    assert!(error.starts_with(&format!("{} answered 401 after a redirect", elsewhere.address())), "{error}");
    assert_eq!(elsewhere.requests().len(), 1);
    assert_eq!(elsewhere.requests()[0].header("Authorization"), None);
}

#[actix_web::test]
async fn a_loop_ends_after_five() {
    let camera = FakeCamera::answering(|_| to("/again")).await;
    let error = watch(config_with_login(&camera.url("/"))).await.error();
    assert!(error.contains("redirects too often"), "{error}");
    assert_eq!((camera.requests().len(), camera.most_open()), (6, 1));
}

#[actix_web::test]
async fn other_schemes_are_not_followed() {
    let camera = FakeCamera::answering(|_| to("rtsp://127.0.0.1/stream")).await;
    let error = watch(config_with_login(&camera.url("/"))).await.error();
    assert!(error.ends_with("redirects to something other than http and https"), "{error}");
}
