//! Access is withdrawn while a viewer watches.

use std::net::SocketAddr;

use framecast::auth::{signed_link, token};
use serde_json::json;
use testkit::{
    pictures::jpeg,
    raw_client::{Client, TIMEOUT},
    stream_client::{CLOSING, StreamViewer, push_at},
    web_socket::{ServerMessage, WebSocket},
};
use tokio::time::timeout;

use crate::{beside, config};

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
         x: {{replay: 10s, source: {{type: push, token: none}}}}\n  y: {{source: {{type: push, token: \
         of-the-stream}}}}\n",
        token::hash("keeper")
    )
}

/// Ends with the closing delimiter; nothing but pictures that were shown before stands in front of it.
async fn closes(mut viewer: StreamViewer) {
    // Pictures are repeated: without an end there would be one after the other.
    let rest = timeout(TIMEOUT, viewer.body.rest()).await.expect("it ends");
    assert!(rest.ends_with(CLOSING.as_bytes()), "{}", String::from_utf8_lossy(&rest));
}

async fn feed(at: SocketAddr, token: &str) -> Client {
    let mut client = Client::connect(at).await;
    let head = format!(
        "POST /streams/y/feed HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         image/jpeg\r\n\
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
            push_at(at, "x", &jpeg(1)).await;
            let mut going = Vec::new();
            for target in [
                "/streams/x?token=gone",
                "/streams/x?token=gone&chunked=0",
                "/streams/x?token=gone&width=16",
                "/streams/x/replay?then=live&token=gone",
            ] {
                let mut viewer = StreamViewer::join(at, target).await;
                viewer.part().await;
                going.push(viewer);
            }
            let mut stays = StreamViewer::join(at, "/streams/x?token=stays").await;
            stays.until(&jpeg(1)).await;
            let mut page = WebSocket::open(at, "/api/live?token=gone").await;
            page.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
            page.until(|got| matches!(got, ServerMessage::Binary(_)).then_some(())).await;
            let mut other_page = WebSocket::open(at, "/api/live?token=stays").await;
            let mut go2rtc = WebSocket::open(at, "/api/ws?src=x&token=gone").await;
            go2rtc.say(json!({"type": "mjpeg"})).await;
            go2rtc.until(|got| matches!(got, ServerMessage::Binary(_)).then_some(())).await;
            let mut publisher = feed(at, "pushes").await;
            while frames_in(at).await == 0 {}

            relay.apply(config(&yaml(&["stays"], &[]))).await.unwrap();
            for viewer in going {
                closes(viewer).await;
            }
            assert_eq!(page.closed().await, 1008);
            go2rtc
                .until(|got| matches!(got, ServerMessage::Close(_) | ServerMessage::End).then_some(()))
                .await;
            assert_eq!(publisher.head().await.status, 403);
            push_at(at, "x", &jpeg(2)).await;
            stays.until(&jpeg(2)).await;
            other_page.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
            other_page.until(|got| matches!(got, ServerMessage::Binary(_)).then_some(())).await;
            drop((stays, other_page));
            relay.stop().await;
        },
        &before,
    );
}

/// The stream's own token is no role: it goes on, whoever else may do what.
#[test]
fn access_for_everybody_is_taken_back_too_and_a_streams_own_token_is_the_streams() {
    let open = "streams:\n  x: {replay: 10s, source: {type: push, token: none}}\n  y: {source: {type: push, \
        token: of-the-stream}}\n";
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let mut viewer = StreamViewer::join(at, "/streams/x").await;
            viewer.until(&jpeg(1)).await;
            let mut publisher = feed(at, "of-the-stream").await;
            relay.apply(config(&yaml(&[], &[]))).await.unwrap();
            closes(viewer).await;
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
            push_at(at, "x", &jpeg(1)).await;
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
            let signed =
                signed_link::sign(&framecast::config::Secret::new(KEY), &"x".parse().unwrap(), now + 5);
            let target = format!("/streams/x?expires={}&signature={}", signed.expires, signed.signature);
            closes(StreamViewer::join(at, &target).await).await;
            relay.stop().await;
        },
        &yaml(&[], &[]),
    );
}

/// Logs in with a token; answers the cookie, and for how many seconds it is kept.
async fn log_in(at: SocketAddr, token: &str) -> (String, String) {
    let form = format!("name=&password={token}");
    let answer = Client::ask(at, "POST", "/login", &[], form.as_bytes()).await;
    assert_eq!(answer.head.status, 303);
    let line = answer.head.get("set-cookie").expect("a cookie is set");
    let (cookie, rest) = line.split_once(';').unwrap();
    let kept = rest.split_once("Max-Age=").unwrap().1.split(';').next().unwrap();
    (cookie.to_owned(), kept.to_owned())
}

#[test]
fn what_a_browser_holds_open_ends_when_it_logs_out_and_what_other_sessions_hold_goes_on() {
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let (goes, _) = log_in(at, "wall").await;
            let (stays, _) = log_in(at, "wall").await;
            let mut going = StreamViewer::join_with(at, "/streams/x", &goes).await;
            going.until(&jpeg(1)).await;
            let mut staying = StreamViewer::join_with(at, "/streams/x", &stays).await;
            staying.until(&jpeg(1)).await;
            // A session's cookie beside a token is not all that it has.
            let mut both = StreamViewer::join_with(at, "/streams/x?token=wall", &goes).await;
            both.until(&jpeg(1)).await;
            let cookie = format!("Cookie: {goes}\r\nOrigin: http://test\r\n");
            let mut page = WebSocket::over_with(Client::connect(at).await, "/api/live", &cookie).await;
            page.say(json!({"type": "subscribe", "id": 1, "stream": "x"})).await;
            page.until(|got| matches!(got, ServerMessage::Binary(_)).then_some(())).await;

            let left = Client::ask(at, "POST", "/logout", &[("Cookie", &goes)], b"").await;
            assert_eq!(left.head.status, 303);
            closes(going).await;
            assert_eq!(page.closed().await, 1008);
            push_at(at, "x", &jpeg(2)).await;
            staying.until(&jpeg(2)).await;
            both.until(&jpeg(2)).await;
            drop((staying, both));
            relay.stop().await;
        },
        &yaml(&["wall"], &[]),
    );
}

/// A user's password is what its hash says.
fn with_password(password: &str) -> String {
    use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
    let salt = SaltString::from_b64("c2FsdHNhbHRzYWx0").unwrap();
    let cheap = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(64, 1, 1, None).unwrap());
    let hash = cheap.hash_password(password.as_bytes(), &salt).unwrap();
    let users = format!("auth:\n  users: {{alice: {{password_hash: \"{hash}\", role: admin}}}}\n");
    yaml(&["wall"], &[]).replacen("auth:\n", &users, 1)
}

#[test]
fn a_changed_password_and_a_token_that_is_taken_back_end_sessions_for_good() {
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let form = b"name=alice&password=first";
            let answer = Client::ask(at, "POST", "/login", &[], form).await;
            let alice = answer.head.get("set-cookie").unwrap().split(';').next().unwrap().to_owned();
            let (wall, _) = log_in(at, "wall").await;
            let (keeper, _) = log_in(at, "keeper").await;
            let status = async |cookie: &str| {
                Client::ask(at, "HEAD", "/streams/x", &[("Cookie", cookie)], b"").await.head.status
            };
            let mut going = Vec::new();
            for cookie in [&alice, &wall] {
                let mut viewer = StreamViewer::join_with(at, "/streams/x", cookie).await;
                viewer.until(&jpeg(1)).await;
                going.push(viewer);
            }
            let mut stays = StreamViewer::join_with(at, "/streams/x", &keeper).await;
            stays.until(&jpeg(1)).await;
            let changed = with_password("second")
                .replace(&token::hash("wall").to_string(), &token::hash("other").to_string());
            relay.apply(config(&changed)).await.unwrap();
            for viewer in going {
                closes(viewer).await;
            }
            // And back again, as when a file is restored: ended sessions do not begin again.
            relay.apply(config(&with_password("first"))).await.unwrap();
            for cookie in [&alice, &wall] {
                assert_eq!(status(cookie).await, 401);
            }
            assert_eq!(status(&keeper).await, 200);
            push_at(at, "x", &jpeg(2)).await;
            stays.until(&jpeg(2)).await;
            drop(stays);
            relay.stop().await;
        },
        &with_password("first"),
    );
}

#[test]
fn what_a_session_holds_open_ends_when_it_makes_room_for_another() {
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let (first, _) = log_in(at, "wall").await;
            let mut going = StreamViewer::join_with(at, "/streams/x", &first).await;
            going.until(&jpeg(1)).await;
            for _ in 0..32 {
                log_in(at, "wall").await;
            }
            closes(going).await;
            relay.stop().await;
        },
        &yaml(&["wall"], &[]),
    );
}

#[test]
fn how_long_browsers_stay_logged_in_may_be_changed_and_holds_for_those_who_log_in_then() {
    let lasting = |session: &str| {
        yaml(&["wall"], &[]).replacen("auth:\n", &format!("auth:\n  session: {session}\n"), 1)
    };
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let (before, kept) = log_in(at, "wall").await;
            assert_eq!(kept, "7200");
            let mut viewer = StreamViewer::join_with(at, "/streams/x", &before).await;
            viewer.until(&jpeg(1)).await;
            relay.apply(config(&lasting("1h"))).await.unwrap();
            assert_eq!(log_in(at, "wall").await.1, "3600");
            // Who is logged in stays so, and what they watch goes on.
            StreamViewer::join_with(at, "/streams/x", &before).await.until(&jpeg(1)).await;
            push_at(at, "x", &jpeg(2)).await;
            viewer.until(&jpeg(2)).await;
            drop(viewer);
            relay.stop().await;
        },
        &lasting("2h"),
    );
}
