//! Streams over Unix sockets, which proxies on the same machine use.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, PermissionsExt},
};

use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stream_client::{StreamViewer, push},
};
use tokio::net::UnixStream;

use crate::TestRelay;

#[tokio::test]
async fn streams_and_answers_come_over_a_socket_whose_file_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("framecast.sock");
    // Left behind by one that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let yaml = format!(
        "server: {{listen: 'unix:{}', socket_mode: 600, trusted_proxies: unix}}\n\
         limits: {{max_viewers_per_address: 1}}\nstreams: {{x: {{source: {{type: push, token: none}}}}}}",
        path.display()
    );
    let relay = TestRelay::start(&yaml);
    let found = fs::metadata(&path).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o777, 0o600);
    push(&relay, "x", &jpeg(1)).await;
    let connect = async || Client::from(Box::new(UnixStream::connect(&path).await.unwrap()));
    let snapshot = connect().await.ask_here("GET", "/streams/x/snapshot", &[], b"").await;
    assert!(snapshot.body == jpeg(1));
    let mut viewer = StreamViewer::over(connect().await, "/streams/x", "HTTP/1.1").await;
    viewer.first_delimiter().await;
    for n in 2..10 {
        push(&relay, "x", &jpeg(n)).await;
        viewer.until(&jpeg(n)).await;
    }
    let forwarded = [("X-Forwarded-For", "192.0.2.1")];
    let head = connect().await.ask_here("HEAD", "/streams/x", &forwarded, b"").await;
    assert_eq!(head.head.status, 200);
    drop(relay);
    assert!(!path.exists(), "its file is gone");
}
