//! `Expect: 100-continue`: who may not push is told before the body is sent.

use testkit::raw_client::Client;

use crate::{
    TestRelay,
    publisher::{INBOX, answer, assert_refused, jpeg, shown, start},
};

/// Sends the head of a request whose body waits for `100 Continue`.
async fn expecting(client: &mut Client, method: &str, target: &str, headers: &str) {
    let head = format!("{method} {target} HTTP/1.1\r\nHost: t\r\n{headers}Expect: 100-continue\r\n\r\n");
    client.send(head.as_bytes()).await;
}

#[tokio::test]
async fn a_refusal_comes_in_place_of_100_continue_and_ends_the_connection() {
    let relay = start();
    let chunked = "Transfer-Encoding: chunked\r\n";
    let short = "Content-Length: 1000\r\n";
    let admin = "Authorization: Bearer admin-of-tests\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n";
    let foreign = "Content-Length: 9\r\nOrigin: http://elsewhere.example\r\n";
    for (method, target, headers, status) in [
        ("POST", "/streams/guarded/feed", chunked, 401),
        ("PUT", "/streams/guarded/frame", short, 401),
        ("PUT", "/streams/guarded/frame?token=guessed", "Content-Length: 30000000\r\n", 401),
        ("POST", INBOX, foreign, 403),
        ("PUT", "/streams/nobody/frame", short, 404),
        ("PUT", "/streams/inbox/snapshot", short, 405),
        ("PUT", "/streams/bars/frame", short, 409),
        ("PUT", INBOX, "Content-Length: 30000000\r\n", 413),
        ("PUT", "/api/streams/new", admin, 415),
    ] {
        let mut client = Client::connect(relay.address()).await;
        expecting(&mut client, method, target, headers).await;
        let answer = answer(&mut client).await;
        assert_refused(&answer, status);
        assert_eq!(answer.head.get("connection"), Some("close"), "{target}");
        assert_eq!(client.rest().await, b"", "{target}");
    }
}

#[tokio::test]
async fn a_body_that_is_waited_for_is_continued_each_time_and_one_that_has_come_is_taken() {
    let relay = start();
    let mut client = Client::connect(relay.address()).await;
    for n in 1..=3 {
        let picture = jpeg(n);
        let length = format!("Content-Length: {}\r\n", picture.len());
        expecting(&mut client, "PUT", INBOX, &length).await;
        assert_eq!(client.head().await.status, 100);
        client.send(&picture).await;
        assert_eq!(answer(&mut client).await.head.status, 204);
        assert_eq!(shown(relay.address(), "inbox").await, picture);
    }
    // A client need not wait.
    let picture = jpeg(4);
    let length = picture.len();
    let head = format!(
        "PUT {INBOX} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\nExpect: 100-continue\r\n\r\n"
    );
    client.send(&[head.as_bytes(), &picture].concat()).await;
    let mut last = client.head().await;
    if last.status == 100 {
        last = client.head().await;
    }
    assert_eq!(last.status, 204);
    // The next request expects nothing, and gets nothing.
    let head = format!("PUT {INBOX} HTTP/1.1\r\nHost: t\r\nContent-Length: {length}\r\n\r\n");
    client.send(head.as_bytes()).await;
    client.send(&picture).await;
    assert_eq!(answer(&mut client).await.head.status, 204);
}

/// A password is hashed on another thread: by then the server has written what it wrote.
#[tokio::test]
async fn a_body_whose_sender_takes_time_to_check_is_continued_after_that() {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};

    let salt = SaltString::encode_b64(b"salt of this test").unwrap();
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(19_456, 2, 1, None).unwrap());
    let hash = argon2.hash_password(b"correct horse", &salt).unwrap();
    let relay = TestRelay::start(&format!(
        "auth: {{users: {{cam: {{password_hash: \"{hash}\", role: push}}}}}}\n\
         streams: {{inbox: {{source: {{type: push, token: kept-in-a-test}}}}}}"
    ));
    // cam:correct horse, and cam:wrong horse.
    for (login, status) in [("Y2FtOmNvcnJlY3QgaG9yc2U=", 100), ("Y2FtOndyb25nIGhvcnNl", 401)] {
        let picture = jpeg(1);
        let headers = format!("Authorization: Basic {login}\r\nContent-Length: {}\r\n", picture.len());
        let mut client = Client::connect(relay.address()).await;
        expecting(&mut client, "PUT", INBOX, &headers).await;
        let first = client.head().await;
        assert_eq!(first.status, status);
        if status == 100 {
            client.send(&picture).await;
            assert_eq!(answer(&mut client).await.head.status, 204);
        }
    }
}
