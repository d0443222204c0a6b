//! Access is taken back while somebody watches.

use std::net::SocketAddr;

use framecast::auth::{link, token};
use serde_json::json;
use tokio::time::timeout;

use crate::{
    pictures::jpeg,
    raw_client::{Client, PATIENCE},
    reloads::{beside, config, push},
    watching::{CLOSING, Viewing},
    web_socket::{Got, WebSocket},
};

const KEY: &str = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk";

/// One stream, which everybody may push to; these tokens watch it, and those push to another.
fn yaml(watching: &[&str], pushing: &[&str]) -> String {
    let token = |(name, role): (&str, &str)| {
        format!("    {name}: {{hash: \"{}\", role: {role}}}\n", token::hash(name))
    };
    let watching = watching.iter().map(|name| (*name, "view"));
    let tokens: String = watching.chain(pushing.iter().map(|name| (*name, "push"))).map(token).collect();
    format!(
        "auth:\n  link_key: {KEY}\n  tokens:\n{tokens}    keeper: {{hash: \"{}\", role: admin}}\nstreams:\n  \
         x: {{replay: 10s, source: {{type: push, token: none}}}}\n  y: {{source: {{type: push, token: of-the-stream}}}}\n",
        token::hash("keeper")
    )
}

/// Ends with the closing delimiter; nothing but pictures that were shown before stands in front of it.
async fn closes(mut viewing: Viewing) {
    // Pictures are repeated: without an end there would be one after the other.
    let rest = timeout(PATIENCE, viewing.body.rest()).await.expect("it ends");
    assert!(rest.ends_with(CLOSING.as_bytes()), "{}", String::from_utf8_lossy(&rest));
}

async fn feed(at: SocketAddr, token: &str) -> Client {
    let mut client = Client::connect(at).await;
    let head = format!(
        "POST /streams/y/feed HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: image/jpeg\r\n\
         Transfer-Encoding: chunked\r\n\r\n"
    );
    client.send(head.as_bytes()).await;
    let picture = jpeg(1);
    client.send(&[format!("{:x}\r\n", picture.len()).as_bytes(), &picture, b"\r\n"].concat()).await;
    client
}

async fn frames_in(at: SocketAddr) -> u64 {
    Client::get(at, "/api/streams/y?token=keeper").await.json()["frames_in"].as_u64().unwrap()
}

#[test]
fn what_a_token_holds_open_ends_when_it_is_taken_back_and_what_others_hold_goes_on() {
    let before = yaml(&["gone", "stays"], &["pushes"]);
    beside(
        async |relay, at| {
            push(at, "x", &jpeg(1)).await;
            let mut going = Vec::new();
            for target in [
                "/streams/x?token=gone",
                "/streams/x?token=gone&chunked=0",
                "/streams/x?token=gone&width=16",
                "/streams/x/replay?then=live&token=gone",
            ] {
                let mut viewing = Viewing::join(at, target).await;
                viewing.part().await;
                going.push(viewing);
            }
            let mut stays = Viewing::join(at, "/streams/x?token=stays").await;
            stays.until(&jpeg(1)).await;
            let mut page = WebSocket::open(at, "/api/live?token=gone").await;
            page.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
            page.until(|got| matches!(got, Got::Binary(_)).then_some(())).await;
            let mut other_page = WebSocket::open(at, "/api/live?token=stays").await;
            let mut go2rtc = WebSocket::open(at, "/api/ws?src=x&token=gone").await;
            go2rtc.say(json!({"type": "mjpeg"})).await;
            go2rtc.until(|got| matches!(got, Got::Binary(_)).then_some(())).await;
            let mut publisher = feed(at, "pushes").await;
            while frames_in(at).await == 0 {}

            relay.apply(config(&yaml(&["stays"], &[]))).await.unwrap();
            for viewing in going {
                closes(viewing).await;
            }
            assert_eq!(page.closed().await, 1008);
            go2rtc.until(|got| matches!(got, Got::Close(_) | Got::End).then_some(())).await;
            assert_eq!(publisher.head().await.status, 403);
            push(at, "x", &jpeg(2)).await;
            stays.until(&jpeg(2)).await;
            other_page.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
            other_page.until(|got| matches!(got, Got::Binary(_)).then_some(())).await;
            drop((stays, other_page));
            relay.stop().await;
        },
        &before,
    );
}

/// The stream's own token is no role: it goes on, whoever else may do what.
#[test]
fn access_for_everybody_is_taken_back_too_and_a_streams_own_token_is_the_streams() {
    let open = "streams:\n  x: {replay: 10s, source: {type: push, token: none}}\n  y: {source: {type: push, token: of-the-stream}}\n";
    beside(
        async |relay, at| {
            push(at, "x", &jpeg(1)).await;
            let mut viewing = Viewing::join(at, "/streams/x").await;
            viewing.until(&jpeg(1)).await;
            let mut publisher = feed(at, "of-the-stream").await;
            relay.apply(config(&yaml(&[], &[]))).await.unwrap();
            closes(viewing).await;
            while frames_in(at).await == 0 {}
            publisher.send(b"0\r\n\r\n").await;
            assert_eq!(publisher.head().await.status, 200);
            relay.stop().await;
        },
        open,
    );
}

#[test]
fn a_link_shows_no_more_than_its_time() {
    beside(
        async |relay, at| {
            push(at, "x", &jpeg(1)).await;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let signed = link::sign(&framecast::config::Secret::new(KEY), &"x".parse().unwrap(), now + 5);
            let target = format!("/streams/x?expires={}&signature={}", signed.expires, signed.signature);
            closes(Viewing::join(at, &target).await).await;
            relay.stop().await;
        },
        &yaml(&[], &[]),
    );
}
