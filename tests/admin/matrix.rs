//! Requests every route of the table with each of its methods, by every kind of caller, for a stream that the
//! caller may see, one that it may not see, and one that does not exist.
//!
//! Addresses are made from the rules of the table, so that new routes are covered, and a new kind of rule
//! does not compile.

use std::sync::atomic::{AtomicU16, Ordering};

use framecast::{
    config::Role,
    web::{ROUTES, Row, Rule, Scope},
};
use testkit::{
    raw_client::{Answer, Client},
    web_socket::{ServerMessage, WebSocket},
};

use crate::TestRelay;

/// A stream as requests name it. Names have the same length, and no name or number occurs in an answer by
/// chance.
struct Place {
    name: &'static str,
    /// Counted from 0.
    position: &'static str,
    /// Counted from 1.
    number: &'static str,
}

const SEEN: Place = Place { name: "seen-stream", position: "0000000", number: "0000001" };
const HIDDEN: Place = Place { name: "dark-stream", position: "0000001", number: "0000002" };
const ABSENT: Place = Place { name: "none-stream", position: "0000041", number: "0000042" };

/// The token of the publishers of [`SEEN`].
const OF_THE_STREAM: &str = "of-the-stream";

/// Somebody who asks.
struct Asking {
    who: &'static str,
    token: Option<&'static str>,
    /// Permission of the token, and whether it is for all streams.
    holds: Option<(Role, Reach)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reach {
    /// Only [`SEEN`].
    Seen,
    All,
}

/// The streams that everybody may watch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Everybody {
    Nothing,
    Seen,
    All,
}

impl Everybody {
    fn watches(self, place: &Place) -> bool {
        match self {
            Self::Nothing => false,
            Self::Seen => place.name == SEEN.name,
            Self::All => true,
        }
    }
}

impl Asking {
    /// Returns whether a valid credential is sent: a stream's own token is one for pushing to it only.
    fn is_known(&self, rule: Rule, place: &Place) -> bool {
        match self.token {
            Some(OF_THE_STREAM) => {
                matches!(rule, Rule::Needs(Role::Push, _)) && (place.name == SEEN.name || !has_place(rule))
            }
            _ => self.holds.is_some(),
        }
    }

    fn may(&self, role: Role, place: &Place, everybody: Everybody) -> bool {
        let holds = self
            .holds
            .is_some_and(|(held, reach)| held >= role && (reach == Reach::All || place.name == SEEN.name));
        holds || (role == Role::View && everybody.watches(place))
    }

    /// Returns whether it may do that with some stream, or with all streams, as `of` demands.
    fn may_with(&self, of: Scope, role: Role, everybody: Everybody) -> bool {
        match of {
            Scope::All => self.may(role, &HIDDEN, everybody),
            _ => self.may(role, &SEEN, everybody),
        }
    }

    /// Returns the status of the refusal; `None` if the caller is let in.
    fn refused_with(&self, rule: Rule, place: &Place, everybody: Everybody) -> Option<u16> {
        let Rule::Needs(role, of) = rule else { return None };
        let is_there = place.name != ABSENT.name;
        let (may, sees) = match has_place(rule) {
            true => (self.may(role, place, everybody), is_there && self.may(Role::View, place, everybody)),
            false => (self.may_with(of, role, everybody), true),
        };
        // A caller that sees everything gets the handler's answer that it does not exist.
        let sees_all = self.may(Role::View, &ABSENT, everybody);
        match (may || (role == Role::Push && !is_there && sees_all), self.is_known(rule, place)) {
            (true, _) => (!is_there && has_place(rule)).then_some(404),
            (false, false) => Some(401),
            (false, true) if sees => Some(403),
            (false, true) => Some(404),
        }
    }
}

/// Returns whether a route is for one stream.
fn has_place(rule: Rule) -> bool {
    match rule {
        Rule::Anybody | Rule::Needs(_, Scope::Any | Scope::All | Scope::Default) => false,
        Rule::Needs(
            _,
            Scope::Named
            | Scope::Query(_)
            | Scope::QueryOrAny(_)
            | Scope::Number
            | Scope::Position
            | Scope::Camera
            | Scope::Action,
        ) => true,
    }
}

/// Returns the addresses that a route has for a stream.
fn addresses(row: &Row, place: &Place) -> Vec<String> {
    let path = row.path.replace("{name}", place.name).replace("{asset}", "base.css");
    let numbered = |number| path.replace("{n:[0-9]+}", number);
    match row.rule {
        Rule::Needs(_, Scope::Query(key) | Scope::QueryOrAny(key)) => {
            vec![format!("{path}?{key}={}", place.name)]
        }
        Rule::Needs(_, Scope::Number | Scope::Camera) => vec![numbered(place.number)],
        Rule::Needs(_, Scope::Position) => vec![numbered(place.position)],
        Rule::Needs(_, Scope::Action) => {
            ["stream", "snapshot"].map(|verb| format!("{path}?action={verb}_{}", place.position)).to_vec()
        }
        Rule::Anybody | Rule::Needs(_, Scope::Named | Scope::Default | Scope::Any | Scope::All) => {
            vec![numbered("0")]
        }
    }
}

/// Returns an answer, with its body if that has a length.
async fn ask(relay: &TestRelay, method: &str, target: &str, token: Option<&str>, more: &str) -> Answer {
    // An address of its own for each, so that nobody waits for the others' wrong tokens.
    static ASKED: AtomicU16 = AtomicU16::new(0);
    let [high, low] = ASKED.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let mut client = Client::connect(relay.address()).await;
    // A WebSocket has no body.
    let length = if more.contains("Upgrade") { "" } else { "Content-Length: 0\r\n" };
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: test\r\n{length}\
         X-Forwarded-For: 10.0.{high}.{low}\r\n{token}{more}\r\n"
    );
    client.send(request.as_bytes()).await;
    let head = client.head().await;
    let length = head.get("content-length").filter(|_| method != "HEAD" && head.status != 304);
    let length = length.map_or(0, |length| length.parse().expect("a length"));
    let body = client.exactly(length).await;
    Answer { head, body }
}

/// Returns all of an answer except its date, without the caller's own words.
fn said(answer: &Answer, place: &Place) -> (u16, Vec<String>, String) {
    let without = |text: &str| {
        let text = text.replace(place.name, "(name)").replace(place.position, "(position)");
        text.replace(place.number, "(number)")
    };
    let headers = answer.head.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let mut headers: Vec<_> =
        headers.map(|(name, value)| without(&format!("{}: {value}", name.to_lowercase()))).collect();
    headers.sort();
    (answer.head.status, headers, without(&String::from_utf8_lossy(&answer.body)))
}

/// Additional headers that change how a request is answered.
const WAYS: [&str; 5] = [
    "",
    "Accept: text/html\r\n",
    "Referer: http://test/\r\nIf-None-Match: *\r\n",
    "Origin: http://evil.example\r\n",
    "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
];

async fn assert_matrix(relay: &TestRelay, everybody: Everybody, callers: &[Asking]) {
    for row in ROUTES {
        for method in row.methods {
            for principal in callers {
                assert_statuses(relay, everybody, row, method.as_str(), principal).await;
                if !principal.may(Role::View, &HIDDEN, everybody) {
                    assert_nothing_is_told(relay, row, method.as_str(), principal).await;
                }
            }
        }
    }
}

async fn assert_statuses(
    relay: &TestRelay,
    everybody: Everybody,
    row: &Row,
    method: &str,
    principal: &Asking,
) {
    for place in [&SEEN, &HIDDEN, &ABSENT] {
        for address in addresses(row, place) {
            let head = ask(relay, method, &address, principal.token, "").await.head;
            let status = head.status;
            let case = format!("{method} {address} ({:?}) by {}: {status}", row.rule, principal.who);
            assert_eq!(head.get("x-content-type-options"), Some("nosniff"), "{case}");
            if row.path == "/login" {
                // Nobody logs in with an empty form.
                assert!([200, 401].contains(&status), "{case}");
                continue;
            }
            let Some(expected) = principal.refused_with(row.rule, place, everybody) else {
                let is_edit = matches!(row.rule, Rule::Needs(Role::Admin, Scope::All));
                let missing = status == 404 && is_edit && place.name == ABSENT.name;
                assert!(![401, 403, 404, 405, 429].contains(&status) || missing, "{case}");
                continue;
            };
            assert_eq!(status, expected, "{case}");
            assert_eq!(head.get("content-type"), Some("application/problem+json"), "{case}");
            let challenges = head.headers.iter().filter(|(name, _)| name == "www-authenticate").count();
            assert_eq!(challenges > 0, status == 401, "{case}");
        }
        if !has_place(row.rule) && !row.path.contains("{name}") {
            break;
        }
    }
}

/// Asserts that a hidden stream is answered like an absent one, to the byte.
async fn assert_nothing_is_told(relay: &TestRelay, row: &Row, method: &str, principal: &Asking) {
    if matches!(row.rule, Rule::Needs(_, Scope::QueryOrAny(_) | Scope::Action)) {
        let list = ask(relay, method, row.path, principal.token, "").await;
        let text = String::from_utf8_lossy(&list.body);
        assert!(!text.contains(HIDDEN.name), "{method} {} by {}: {text}", row.path, principal.who);
    }
    let is_read = method == "GET" || method == "HEAD";
    // The body after an upgrade has no end, and reading it would block.
    for way in WAYS.iter().filter(|way| is_read || !way.contains("Upgrade")) {
        for (hidden, absent) in addresses(row, &HIDDEN).iter().zip(addresses(row, &ABSENT)) {
            let case = format!("{method} {hidden} ({:?}) by {} with {way:?}", row.rule, principal.who);
            let there = ask(relay, method, hidden, principal.token, way).await;
            let text = format!("{:?} {}", there.head, String::from_utf8_lossy(&there.body));
            if *hidden == absent {
                assert!(!text.contains(HIDDEN.name), "{case}: {text}");
                continue;
            }
            let not_there = ask(relay, method, &absent, principal.token, way).await;
            assert_eq!(said(&there, &HIDDEN), said(&not_there, &ABSENT), "{case}");
            let in_address = hidden.contains(HIDDEN.name);
            assert!(in_address || !text.contains(HIDDEN.name), "{case}: {text}");
        }
    }
}

const NOBODY: Asking = Asking { who: "nobody", token: None, holds: None };
const WRONG: Asking = Asking { who: "a wrong token", token: Some("guessed"), holds: None };
const PUBLISHER: Asking =
    Asking { who: "the publisher", token: Some(OF_THE_STREAM), holds: Some((Role::Push, Reach::Seen)) };

/// No placeholder: a snapshot is requested, too.
const STREAMS: &str = "streams:\n  \
    seen-stream: {replay: 10s, source: {type: push, token: of-the-stream}}\n  \
    dark-stream: {replay: 10s, source: {type: push, token: of-the-other}}\n";

#[tokio::test]
async fn without_access_rules_everybody_views_and_only_the_admin_changes() {
    let relay = TestRelay::start(&format!("server: {{trusted_proxies: 127.0.0.1}}\n{STREAMS}"));
    let admin =
        Asking { who: "the admin", token: Some("admin-of-tests"), holds: Some((Role::Admin, Reach::All)) };
    assert_matrix(&relay, Everybody::All, &[NOBODY, WRONG, PUBLISHER, admin]).await;
}

/// Tokens by what they may do; `framecast token` makes longer ones.
fn with_rules(more: &str) -> String {
    let token = |name: &str, rest: &str| {
        let hash = framecast::auth::token::hash(name);
        format!("    {name}: {{hash: \"{hash}\", {rest}}}\n")
    };
    let tokens = [
        token("views", "role: view"),
        token("views-seen", "role: view, streams: seen-stream"),
        token("pushes", "role: push"),
        token("pushes-seen", "role: push, streams: [seen-stream]"),
        token("administers", "role: admin"),
        token("administers-seen", "role: admin, streams: [seen-stream]"),
    ];
    format!(
        "server: {{trusted_proxies: 127.0.0.1}}\nauth:\n  {more}\n  tokens:\n{}{STREAMS}",
        tokens.concat()
    )
}

fn holder(token: &'static str, role: Role, reach: Reach) -> Asking {
    Asking { who: token, token: Some(token), holds: Some((role, reach)) }
}

#[tokio::test]
async fn with_access_rules_each_may_do_what_its_role_says_for_its_streams() {
    let relay = TestRelay::start(&with_rules("anonymous: none"));
    let callers = [
        NOBODY,
        WRONG,
        holder("views", Role::View, Reach::All),
        holder("views-seen", Role::View, Reach::Seen),
        holder("pushes", Role::Push, Reach::All),
        holder("pushes-seen", Role::Push, Reach::Seen),
        holder("administers", Role::Admin, Reach::All),
        holder("administers-seen", Role::Admin, Reach::Seen),
        holder("admin-of-tests", Role::Admin, Reach::All),
    ];
    assert_matrix(&relay, Everybody::Nothing, &callers).await;
}

#[tokio::test]
async fn who_may_see_one_stream_without_a_credential_is_told_nothing_of_the_others() {
    let relay = TestRelay::start(&with_rules("anonymous: [seen-stream]"));
    let callers = [NOBODY, WRONG, holder("views-seen", Role::View, Reach::Seen)];
    assert_matrix(&relay, Everybody::Seen, &callers).await;
}

/// The default stream may be one that the caller may not see.
#[tokio::test]
async fn the_default_stream_is_not_named_to_who_may_not_see_it() {
    let with = |default: &str| {
        let yaml = with_rules("anonymous: [seen-stream]");
        TestRelay::start(&yaml.replace("{trusted", &format!("{{default_stream: {default}, trusted")))
    };
    let (dark, all) = (with(HIDDEN.name), with("all"));
    let rows = ROUTES.iter().filter(|row| matches!(row.rule, Rule::Needs(_, Scope::Default)));
    let paths = rows.map(|row| row.path).chain(["/?action=stream", "/?action=snapshot"]);
    for path in paths {
        for (token, status) in [(None, 401), (Some("guessed"), 401), (Some("views-seen"), 404)] {
            for way in WAYS {
                let answers =
                    [ask(&dark, "GET", path, token, way).await, ask(&all, "GET", path, token, way).await];
                let case = format!("{path} with {token:?} and {way:?}: {answers:?}");
                let [first, second] = answers.map(|answer| said(&answer, &ABSENT));
                assert_eq!(first, second, "{case}");
                let is_page = way.starts_with("Accept") && status == 401;
                assert_eq!(first.0, if is_page { 303 } else { status }, "{case}");
                assert!(!first.2.contains(HIDDEN.name), "{case}");
            }
        }
    }
}

/// `/cam_N` means a stream of that name, otherwise a number: a name that the caller may not see must not
/// change that.
#[tokio::test]
async fn a_hidden_stream_called_cam_n_changes_no_answer() {
    let streams = "  cam_1: {source: {type: pattern}}\n  cam_8: {source: {type: pattern}}\n";
    let yaml = with_rules("anonymous: [seen-stream]");
    let (with, without) = (TestRelay::start(&format!("{yaml}{streams}")), TestRelay::start(&yaml));
    for path in ["/cam_1.jpg", "/cam_1.mjpg", "/cam_8.jpg", "/cam_8.mjpg"] {
        for token in [None, Some("guessed"), Some("views-seen")] {
            let answers =
                [ask(&with, "HEAD", path, token, "").await, ask(&without, "HEAD", path, token, "").await];
            let [first, second] = answers.map(|answer| said(&answer, &ABSENT));
            assert_eq!(first, second, "{path} with {token:?}");
        }
    }
    assert_eq!(ask(&with, "GET", "/cam_8.mjpg", Some("views"), "").await.head.status, 200);
}

/// The limit of wrong credentials of an address does not tell either whether it exists.
#[tokio::test]
async fn what_is_counted_of_a_hidden_stream_is_counted_of_one_that_is_not_there() {
    let relay = TestRelay::start(&with_rules("anonymous: [seen-stream]"));
    let counted = async || {
        let mut report = Client::get(relay.address(), "/api/streams").await.json();
        report["refused"].take()
    };
    let mut differences = Vec::new();
    for place in [&HIDDEN, &ABSENT] {
        let before = counted().await;
        for (method, path) in
            [("GET", "/streams/NAME"), ("POST", "/streams/NAME/frame"), ("GET", "/NUMBER/current")]
        {
            for token in [None, Some("guessed"), Some("views-seen"), Some("pushes-seen")] {
                let path = path.replace("NAME", place.name).replace("NUMBER", place.number);
                ask(&relay, method, &path, token, "").await;
            }
        }
        let after = counted().await;
        let count = |report: &serde_json::Value, key: &str| report[key].as_u64().expect("a count");
        let keys = ["unauthorized", "forbidden", "guessing"];
        differences.push(keys.map(|key| count(&after, key) - count(&before, key)));
    }
    assert_eq!(differences[0], differences[1]);
    assert!(differences[0][0] > 0 && differences[0][1] > 0, "{differences:?}");
}

#[tokio::test]
async fn a_page_that_subscribes_to_a_hidden_stream_is_told_what_it_is_told_of_none() {
    let relay = TestRelay::start(&with_rules("anonymous: [seen-stream]"));
    for token in ["", "?token=views-seen"] {
        let mut page = WebSocket::open(relay.address(), &format!("/api/live{token}")).await;
        let mut told = Vec::new();
        for place in [&HIDDEN, &ABSENT] {
            let subscribe = serde_json::json!({"type": "subscribe", "id": 1, "stream": place.name});
            page.say(subscribe).await;
            let error = loop {
                match page.next().await {
                    ServerMessage::Json(message) if message["type"] == "error" => break message.to_string(),
                    ServerMessage::Json(report) => {
                        assert!(!report.to_string().contains(HIDDEN.name), "{report}")
                    }
                    ServerMessage::Ping(_) => {}
                    other => panic!("{other:?}"),
                }
            };
            told.push(error.replace(place.name, "(name)"));
        }
        assert_eq!(told[0], told[1], "with {token:?}");
    }
}

/// A caller that may push to a stream knows that it exists; one that may not even see it learns nothing else.
#[tokio::test]
async fn a_stream_that_takes_pushes_of_everybody_is_no_more_visible_for_that() {
    let yaml = with_rules("anonymous: none").replace("of-the-other", "none");
    let relay = TestRelay::start(&yaml);
    let status =
        async |method: &str, path: &str, token| ask(&relay, method, path, token, "").await.head.status;
    let push = "/streams/dark-stream/frame";
    assert_eq!(status("POST", push, None).await, 415, "anybody may, and an empty body is no picture");
    assert_eq!(status("POST", push, Some("views-seen")).await, 415);
    assert_eq!(status("GET", "/streams/dark-stream", None).await, 401);
    assert_eq!(status("GET", "/streams/dark-stream", Some("views-seen")).await, 404);
    assert_eq!(status("POST", "/api/streams/dark-stream/restart", Some("administers-seen")).await, 404);
    // The stream's own token permits pushing to it, and nothing with others.
    let seen = "/streams/seen-stream/frame";
    assert_eq!(status("POST", seen, Some(OF_THE_STREAM)).await, 415);
    assert_eq!(status("POST", seen, Some("views-seen")).await, 403, "it is seen, and the role is missing");
    assert_eq!(status("GET", "/streams/seen-stream", Some(OF_THE_STREAM)).await, 401, "it is for pushing");
}

#[tokio::test]
async fn a_rendition_does_not_say_which_hidden_stream_it_shows() {
    let small = "  seen-thumb: {source: [{type: rendition, of: dark-stream, frame_timeout: 100ms}, \
        {type: pattern}]}\n";
    let relay = TestRelay::start(&format!("{}{small}", with_rules("anonymous: [seen-thumb]")));
    let mut watching =
        testkit::stream_client::StreamViewer::join(relay.address(), "/streams/seen-thumb").await;
    watching.part().await;
    testkit::stream_client::report_when(&relay, "seen-thumb", |report| {
        report["sources"][0]["reason"].is_string() && report["sources"][1]["state"] == "in_use"
    })
    .await;
    for path in [
        "/api/streams",
        "/api/streams/seen-thumb",
        "/api/events",
        "/go2rtc/api/streams",
        "/api/streams?src=seen-thumb",
    ] {
        let answer = ask(&relay, "GET", path, None, "").await;
        let text = String::from_utf8_lossy(&answer.body);
        assert!(answer.head.status == 200 && !text.contains(HIDDEN.name), "{path}: {text}");
    }
    let all = ask(&relay, "GET", "/api/streams", Some("administers"), "").await.json();
    let thumb = all["streams"].as_array().and_then(|streams| streams.last()).expect("it is the last one");
    assert_eq!(thumb["sources"][0]["place"], HIDDEN.name, "administrators are told");
}

#[tokio::test]
async fn the_api_is_described_to_who_is_let_in() {
    let path = "/api/openapi.json";
    for (anonymous, token, expected) in [
        ("none", None, 401),
        ("none", Some("guessed"), 401),
        ("none", Some("views-seen"), 200),
        ("none", Some("pushes-seen"), 200),
        ("[seen-stream]", None, 200),
    ] {
        let relay = TestRelay::start(&with_rules(&format!("anonymous: {anonymous}")));
        let answer = ask(&relay, "GET", path, token, "").await;
        assert_eq!(answer.head.status, expected, "{path} with {anonymous} and {token:?}");
        let browser = ask(&relay, "GET", path, token, "Accept: text/html\r\n").await;
        assert_eq!(browser.head.status, if expected == 401 { 303 } else { 200 }, "{path}");
    }
    let open = TestRelay::start(STREAMS);
    assert_eq!(ask(&open, "GET", path, None, "").await.head.status, 200, "without auth");
}

#[tokio::test]
async fn how_many_streams_are_hidden_is_told_to_nobody() {
    let relay = TestRelay::start(&with_rules("anonymous: [seen-stream]"));
    let ready = ask(&relay, "GET", "/readyz", None, "").await.json();
    assert_eq!(ready["streams"], 1);
    for (path, number) in [
        ("/0000042/stream", "0000042, counted from 1"),
        ("/?action=stream_0000041", "0000041, counted from 0"),
        ("/input_0000041.json", "0000041, counted from 0"),
    ] {
        let answer = ask(&relay, "GET", path, Some("views"), "").await.json();
        let expected = format!("there is no stream number {number}; GET /api/streams lists them");
        assert_eq!(answer["detail"], *expected, "{path}");
    }
}

#[tokio::test]
async fn pages_of_other_sites_change_nothing_whoever_is_asked() {
    let relay = TestRelay::start("streams: {seen-stream: {source: {type: push, token: none}}}");
    let with = async |target: &str, method: &str, headers: &[(&str, &str)]| {
        Client::ask(relay.address(), method, target, headers, b"").await.head.status
    };
    for row in ROUTES.iter().filter(|row| !row.methods.contains(&actix_web::http::Method::GET)) {
        for headers in [
            &[("Origin", "http://evil.example")][..],
            &[("Origin", "null")],
            &[("Origin", "http://test:81")],
            &[("Sec-Fetch-Site", "cross-site")],
            &[("Sec-Fetch-Site", "same-site"), ("Origin", "http://test")],
        ] {
            let headers = [headers, &[("Authorization", "Bearer admin-of-tests")]].concat();
            for method in row.methods {
                assert_eq!(
                    with(&addresses(row, &SEEN)[0], method.as_str(), &headers).await,
                    403,
                    "{headers:?}"
                );
            }
        }
    }
    let frame = "/streams/seen-stream/frame";
    for headers in [
        &[][..],
        &[("Origin", "http://test")],
        &[("Origin", "https://test")],
        &[("Sec-Fetch-Site", "same-origin")],
        &[("Sec-Fetch-Site", "none")],
    ] {
        assert_eq!(with(frame, "POST", headers).await, 415, "{headers:?}: an empty body is no picture");
    }
    assert_eq!(
        with("/streams/seen-stream", "HEAD", &[("Origin", "http://evil.example")]).await,
        200,
        "it may be shown"
    );
}
