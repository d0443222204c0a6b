//! Requests that are not what they seem: more than one in one, addresses that lead elsewhere, heads without measure.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{
    house::House,
    pictures::plain,
    raw_client::{Client, PATIENCE},
};

const INBOX: &str = "  inbox: {source: {type: push, token: none}}\n";
const MEMORY_KIB: u64 = 16 * 1024;

/// All that is answered to these bytes, up to the end of the connection.
async fn answers(house: &House, bytes: &[u8]) -> String {
    let mut io = TcpStream::connect(house.address()).await.unwrap();
    // The relay may close before it has read all of it.
    let _ = io.write_all(bytes).await;
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = timeout(PATIENCE, io.read_to_end(&mut answer)).await.expect("the relay closes");
    String::from_utf8_lossy(&answer).into_owned()
}

/// Heads whose body a proxy and a server could measure differently. `{body}` is where it stands.
const SHAPES: [(&str, &str); 16] = [
    ("both lengths", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{body}"),
    (
        "both lengths, the other way around",
        "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n{body}",
    ),
    ("two lengths", "Content-Length: 0\r\nContent-Length: 44\r\n\r\n{body}"),
    ("a list of lengths", "Content-Length: 0, 44\r\n\r\n{body}"),
    ("a length with a sign", "Content-Length: +0\r\n\r\n{body}"),
    ("a length in hexadecimal", "Content-Length: 0x0\r\n\r\n{body}"),
    ("a negative length", "Content-Length: -1\r\n\r\n{body}"),
    ("a length beyond 64 bits", "Content-Length: 18446744073709551616\r\n\r\n{body}"),
    ("a folded header", "X-A: b\r\n Content-Length: 44\r\n\r\n{body}"),
    ("a folded coding", "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{body}"),
    ("a bare CR", "X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{body}"),
    ("a blank before the colon", "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{body}"),
    ("another coding", "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{body}"),
    ("two codings", "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{body}"),
    ("a NUL in a header", "X-A: \0\r\n\r\n{body}"),
    ("a header without a name", ": b\r\n\r\n{body}"),
];

#[tokio::test]
async fn a_request_that_hides_another_is_refused_and_the_other_never_seen() {
    let mut house = House::serving("", INBOX).await;
    let picture = plain(16, 16);
    let hidden = format!(
        "POST /streams/inbox/frame HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    );
    let hidden = [hidden.as_bytes(), &picture].concat();
    house
        .bears(MEMORY_KIB, async |house| {
            for method in ["GET", "POST"] {
                for (shape, head) in SHAPES {
                    let (head, behind) = head.split_once("{body}").unwrap();
                    let first = format!("{method} /streams/inbox/feed HTTP/1.1\r\nHost: test\r\n{head}");
                    let all = [first.as_bytes(), &hidden, behind.as_bytes()].concat();
                    let answer = answers(house, &all).await;
                    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("HTTP/1.")).collect();
                    assert!(
                        matches!(lines[..], ["HTTP/1.1 400 Bad Request"]),
                        "{method} with {shape}: {lines:?}"
                    );
                }
            }
        })
        .await;
    assert_eq!(house.report("inbox").await["frames_in"], 0, "no hidden request was served");
    assert_eq!(house.all().await["refused"]["malformed"], 2 * SHAPES.len());
    house.end();
}

/// RFC 9112, section 9.3.2: answered in order, also those that are wrong.
#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let mut house = House::serving("", INBOX).await;
    house
        .bears(MEMORY_KIB, async |house| {
            let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
            let all: String =
                ["/healthz", "/streams/nobody", "/readyz", "/api/streams/inbox", "/no"].map(ask).concat();
            let last = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            let answer = answers(house, format!("{all}{last}").as_bytes()).await;
            let statuses: Vec<_> =
                answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
            assert_eq!(statuses, ["200", "404", "200", "200", "404", "200"], "{answer}");
        })
        .await;
    house.end();
}

#[tokio::test]
async fn addresses_that_try_to_leave_the_house_find_nothing() {
    let long = format!("/streams/{}", "x".repeat(20_000));
    let deep = "/..".repeat(5000);
    let targets = [
        "/../../../../etc/passwd",
        "/streams/../../etc/passwd",
        "/streams/..%2f..%2f..%2fetc%2fpasswd",
        "/streams/%2e%2e/%2e%2e/etc/passwd",
        "/streams/..\\..\\windows\\win.ini",
        "/page/../../../../etc/passwd",
        "/page/..%2f..%2fCargo.toml",
        "/page/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/page/....//....//etc/passwd",
        "/page/%c0%ae%c0%ae/etc/passwd",
        "/page/base.css%00.js",
        "//etc/passwd",
        "/%2fetc%2fpasswd",
        "/view/%2e%2e%2fetc",
        "/streams/neighbour%00",
        "/streams/neighbour%0d%0aX-Injected:%20yes",
        "/streams/neighbour/../../etc/passwd/snapshot",
        "/streams/%ff%fe",
        "/streams/%",
        "/streams/%zz",
        "/streams/NEIGHBOUR",
        "/api/streams/..%2f..%2fetc%2fpasswd",
        "/api/frame.jpeg?src=../../../etc/passwd",
        "/api/frame.jpeg?src=file:///etc/passwd",
        "/99999999999999999999/stream",
        "/cam_99999999999999999999.jpg",
        "/input_99999999999999999999.json",
        "/?action=stream_99999999999999999999",
        "/?action=../../etc/passwd",
        "/login?next=//elsewhere.example/%0d%0aX-Injected:%20yes",
        &long,
        &deep,
    ];
    let mut house = House::serving("", INBOX).await;
    house
        .bears(MEMORY_KIB, async |house| {
            for target in targets {
                let answer = Client::get(house.address(), target).await;
                let shown = &target[..target.len().min(60)];
                let body = String::from_utf8_lossy(&answer.body);
                assert!(!body.contains("root:"), "{shown} shows a file of the system");
                assert!(!body.contains("[package]"), "{shown} shows a file of ours");
                assert!(answer.head.get("x-injected").is_none(), "{shown}: {:?}", answer.head);
                let elsewhere = answer.head.get("location").is_some_and(|to| to.starts_with("//"));
                assert!(!elsewhere, "{shown}: {:?}", answer.head);
                // The form that asks for a password is there whatever it was asked with.
                let expected: &[u16] = if target.starts_with("/login") { &[200] } else { &[400, 404, 501] };
                assert!(expected.contains(&answer.head.status), "{shown}: {}", answer.head.status);
            }
        })
        .await;
    house.end();
}

#[tokio::test]
async fn heads_without_measure_are_refused_and_counted() {
    let line = |size: usize| format!("X-Long: {}\r\n", "x".repeat(size));
    let head =
        |lines: &str| format!("GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n{lines}\r\n");
    let cases = [
        ("40 KB in one header", head(&line(40_000))),
        ("40 KB in fifty", head(&line(800).repeat(50))),
        ("a thousand headers", head(&"X: y\r\n".repeat(1000))),
        ("a header without end", format!("GET /healthz HTTP/1.1\r\nHost: test\r\n{}", line(1_000_000))),
        ("an address without end", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(1_000_000))),
        ("a method without end", "G".repeat(1_000_000)),
    ];
    let mut house = House::serving("", "").await;
    house
        .bears(MEMORY_KIB, async |house| {
            for (case, bytes) in &cases {
                let answer = answers(house, bytes.as_bytes()).await;
                // One that is cut off while it is still sent may not see its answer.
                let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
                assert!(refused, "{case}: {}", answer.lines().next().unwrap_or_default());
            }
        })
        .await;
    assert_eq!(house.all().await["refused"]["headers"], 2);
    house.end();
}
