//! Requests that are not what they seem: more than one in one, addresses that lead elsewhere, heads without
//! measure.

use testkit::{
    fixture::Fixture,
    numbered_pictures::plain,
    raw_client::{Client, TIMEOUT},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

const INBOX: &str = "  inbox: {source: {type: push, token: none}}\n";
const MEMORY_KIB: u64 = 16 * 1024;

/// All that is answered to these bytes, up to the end of the connection.
async fn answers(fixture: &Fixture, bytes: &[u8]) -> String {
    let mut io = TcpStream::connect(fixture.address()).await.unwrap();
    // The relay may close before it has read all of it.
    let _ = io.write_all(bytes).await;
    let mut answer = Vec::new();
    // A reset is an end, too.
    let _ = timeout(TIMEOUT, io.read_to_end(&mut answer)).await.expect("the relay closes");
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
    let mut fixture = Fixture::serving("", INBOX).await;
    let picture = plain(16, 16);
    let hidden = format!(
        "POST /streams/inbox/frame HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    );
    let hidden = [hidden.as_bytes(), &picture].concat();
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for method in ["GET", "POST"] {
                for (shape, head) in SHAPES {
                    let (head, behind) = head.split_once("{body}").unwrap();
                    let first = format!("{method} /streams/inbox/feed HTTP/1.1\r\nHost: test\r\n{head}");
                    let all = [first.as_bytes(), &hidden, behind.as_bytes()].concat();
                    let answer = answers(fixture, &all).await;
                    let lines: Vec<_> = answer.lines().filter(|line| line.starts_with("HTTP/1.")).collect();
                    assert!(
                        matches!(lines[..], ["HTTP/1.1 400 Bad Request"]),
                        "{method} with {shape}: {lines:?}"
                    );
                }
            }
        })
        .await;
    assert_eq!(fixture.report("inbox").await["frames_in"], 0, "no hidden request was served");
    assert_eq!(fixture.all().await["refused"]["malformed"], 2 * SHAPES.len());
    fixture.end();
}

/// Requests for which two programs could disagree on the end or on the target. In each, a reader that follows
/// RFC 9112 either refuses the first request or takes `{hidden}` for a part of it; `{chunk}` is the same as
/// one chunk, followed by the last one, `{length}` its length and `{hex}` the length in hexadecimal.
const ODD: &[(&str, &str)] = &[
    // CL.CL
    ("the same length twice", "{ask}Content-Length: {length}\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("a list of the same length", "{ask}Content-Length: {length}, {length}\r\n\r\n{hidden}"),
    ("a length with zeros before it", "{ask}Content-Length: 000{length}\r\n\r\n{hidden}"),
    ("a length in two words", "{ask}Content-Length: {length} 0\r\n\r\n{hidden}"),
    ("an empty length", "{ask}Content-Length:\r\n\r\n{hidden}"),
    ("a length with a fraction", "{ask}Content-Length: {length}.0\r\n\r\n{hidden}"),
    ("a length in quotes", "{ask}Content-Length: \"{length}\"\r\n\r\n{hidden}"),
    ("a length behind a form feed", "{ask}Content-Length: \x0c{length}\r\n\r\n{hidden}"),
    // CL.TE and TE.CL
    (
        "a length that ends before the chunks",
        "{ask}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}",
    ),
    (
        "a coding before its length",
        "{ask}Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}",
    ),
    (
        "no coding, and a length",
        "{ask}Transfer-Encoding: identity\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    // TE.TE
    ("chunked twice in a line", "{ask}Transfer-Encoding: chunked, chunked\r\n\r\n{chunk}"),
    ("chunked in two lines", "{ask}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}"),
    (
        "chunked, then identity",
        "{ask}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n{chunk}",
    ),
    (
        "identity, then chunked",
        "{ask}Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}",
    ),
    ("chunked before another coding", "{ask}Transfer-Encoding: chunked, gzip\r\n\r\n{chunk}"),
    ("chunked with a parameter", "{ask}Transfer-Encoding: chunked;q=1\r\n\r\n{chunk}"),
    ("chunked in quotes", "{ask}Transfer-Encoding: \"chunked\"\r\n\r\n{chunk}"),
    ("chunked behind a vertical tab", "{ask}Transfer-Encoding: \x0bchunked\r\n\r\n{chunk}"),
    ("an empty coding", "{ask}Transfer-Encoding:\r\n\r\n{chunk}"),
    ("chunked with a comma behind it", "{ask}Transfer-Encoding: chunked,\r\n\r\n{chunk}"),
    ("chunked in capitals", "{ask}TRANSFER-ENCODING:\tCHUNKED \r\n\r\n{chunk}"),
    // obs-fold
    ("a header folded with a tab", "{ask}X-A: b\r\n\tContent-Length: {length}\r\n\r\n{hidden}"),
    ("a folded length", "{ask}Content-Length:\r\n {length}\r\n\r\n{hidden}"),
    (
        "a fold before the first header",
        "{line} HTTP/1.1\r\n Host: test\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("a fold of nothing but blanks", "{ask}X-A: b\r\n  \r\nContent-Length: {length}\r\n\r\n{hidden}"),
    // Bare CR and LF
    ("lines that end with LF", "{line} HTTP/1.1\nHost: test\nContent-Length: {length}\n\n{hidden}"),
    ("a coding behind LF", "{ask}X-A: b\nTransfer-Encoding: chunked\r\n\r\n{chunk}"),
    ("a length behind CR", "{ask}X-A: b\rContent-Length: 0\r\n\r\n{hidden}"),
    ("lines that end with CR", "{line} HTTP/1.1\rHost: test\rContent-Length: {length}\r\r{hidden}"),
    ("two CR before LF", "{ask}X-A: b\r\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("CR in a name", "{ask}Content\r-Length: 0\r\n\r\n{hidden}"),
    ("CR in a request line", "{line}\r HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("LF behind a chunk's size", "{ask}Transfer-Encoding: chunked\r\n\r\n{hex}\n{hidden}\r\n0\r\n\r\n"),
    ("LF behind a chunk", "{ask}Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\n0\r\n\r\n"),
    ("CR behind a chunk's size", "{ask}Transfer-Encoding: chunked\r\n\r\n{hex}\r{hidden}\r\n0\r\n\r\n"),
    // Chunks
    ("a chunk's extension", "{ask}Transfer-Encoding: chunked\r\n\r\n{hex};a=b;c\r\n{hidden}\r\n0\r\n\r\n"),
    ("LF in a chunk's extension", "{ask}Transfer-Encoding: chunked\r\n\r\n{hex};a\n0\r\n\r\n{hidden}"),
    (
        "LF in a quoted extension",
        "{ask}Transfer-Encoding: chunked\r\n\r\n{hex};a=\"\n0\r\n\r\n\"\r\n{hidden}\r\n0\r\n\r\n",
    ),
    (
        "CR in a chunk's extension",
        "{ask}Transfer-Encoding: chunked\r\n\r\n{hex};a\rb\r\n{hidden}\r\n0\r\n\r\n",
    ),
    (
        "an extension of the last chunk",
        "{ask}Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\r\n0;a=b\r\n\r\n",
    ),
    (
        "a blank behind a chunk's size",
        "{ask}Transfer-Encoding: chunked\r\n\r\n{hex} \r\n{hidden}\r\n0\r\n\r\n",
    ),
    (
        "a blank before a chunk's size",
        "{ask}Transfer-Encoding: chunked\r\n\r\n {hex}\r\n{hidden}\r\n0\r\n\r\n",
    ),
    ("a chunk's size with 0x", "{ask}Transfer-Encoding: chunked\r\n\r\n0x{hex}\r\n{hidden}\r\n0\r\n\r\n"),
    ("a chunk's size with a sign", "{ask}Transfer-Encoding: chunked\r\n\r\n+{hex}\r\n{hidden}\r\n0\r\n\r\n"),
    ("a negative chunk", "{ask}Transfer-Encoding: chunked\r\n\r\n-1\r\n{hidden}\r\n0\r\n\r\n"),
    (
        "a chunk's size with zeros",
        "{ask}Transfer-Encoding: chunked\r\n\r\n00000000000000000000000{hex}\r\n{hidden}\r\n0\r\n\r\n",
    ),
    (
        "a chunk beyond 64 bits",
        "{ask}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{hidden}\r\n0\r\n\r\n",
    ),
    ("a chunk without a size", "{ask}Transfer-Encoding: chunked\r\n\r\n\r\n{hidden}\r\n0\r\n\r\n"),
    (
        "a chunk that is longer than it says",
        "{ask}Transfer-Encoding: chunked\r\n\r\n1\r\n{hidden}\r\n0\r\n\r\n",
    ),
    ("a trailer that is a request", "{ask}Transfer-Encoding: chunked\r\n\r\n0\r\nX: y\n{hidden}\r\n\r\n"),
    (
        "a length in the trailers",
        "{ask}Transfer-Encoding: chunked\r\n\r\n{hex}\r\n{hidden}\r\n0\r\nContent-Length: 0\r\n\r\n",
    ),
    // HTTP/1.0 and other versions
    (
        "chunks in HTTP/1.0",
        "{line} HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\
         Transfer-Encoding: chunked\r\n\r\n{chunk}",
    ),
    (
        "chunks and a length in HTTP/1.0",
        "{line} HTTP/1.0\r\nHost: test\r\nConnection: keep-alive\r\n\
         Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n{hidden}",
    ),
    ("no length in HTTP/1.0", "{line} HTTP/1.0\r\nHost: test\r\n\r\n{hidden}"),
    ("a request behind the last one", "{ask}Connection: close\r\n\r\n{hidden}"),
    (
        "a request behind the last one, in other words",
        "{ask}Connection: x, Close\r\nContent-Length: 0\r\n\r\n{hidden}",
    ),
    ("HTTP/0.9", "{line}\r\n{hidden}"),
    ("HTTP/1.2", "{line} HTTP/1.2\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("HTTP/2.0 in text", "{line} HTTP/2.0\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("HTTP/1", "{line} HTTP/1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("http/1.1", "{line} http/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{hidden}"),
    (
        "an upgrade to h2c",
        "{ask}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("an upgrade that is not made", "{ask}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n{hidden}"),
    (
        "an upgrade with a length",
        "{ask}Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    // Targets and hosts
    (
        "another host in the target",
        "{method} http://elsewhere.example{path} HTTP/1.1\r\nHost: test\r\n\
         Content-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a user in the target",
        "{method} http://a:b@test{path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a target of another scheme",
        "{method} ftp://test{path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a target without a path",
        "{method} http://test HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a target that is an authority",
        "CONNECT test:80 HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a target that is a star",
        "{method} * HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("two hosts", "{ask}Host: elsewhere.example\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("no host", "{line} HTTP/1.1\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("a host with a path", "{line} HTTP/1.1\r\nHost: test/x\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    (
        "a list of hosts",
        "{line} HTTP/1.1\r\nHost: test, elsewhere.example\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    // Request lines
    (
        "two blanks in the request line",
        "{method}  {path}  HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "tabs in the request line",
        "{method}\t{path}\tHTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a blank behind the request line",
        "{line} HTTP/1.1 \r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a word behind the request line",
        "{line} HTTP/1.1 x\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("a blank before the request line", " {ask}Content-Length: {length}\r\n\r\n{hidden}"),
    ("empty lines before the request line", "\r\n\r\n{ask}Content-Length: {length}\r\n\r\n{hidden}"),
    (
        "a method in small letters",
        "post {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    (
        "a method that is none",
        "P@ST {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("no method", " {path} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    (
        "a fragment in the target",
        "{line}#x HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("a NUL in the target", "{line}\0 HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("a DEL in the target", "{line}\x7f HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    (
        "letters beyond ASCII in the target",
        "{line}\u{e9} HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    // Headers
    (
        "an underscore in the length's name",
        "{ask}Content_Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
    ("a blank in a name", "{ask}Content Length: {length}\r\n\r\n{hidden}"),
    ("a header without a colon", "{ask}Content-Length\r\n\r\n{hidden}"),
    ("a control character in a value", "{ask}X-A: \x01\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("a wait for 100", "{ask}Expect: 100-continue\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    ("another wait", "{ask}Expect: 200-ok\r\nContent-Length: {length}\r\n\r\n{hidden}"),
    (
        "a length that is nominated away",
        "{ask}Connection: Content-Length\r\nContent-Length: {length}\r\n\r\n{hidden}",
    ),
];

/// One answer to the odd request, and one to the last one if the connection goes on; never one to what is in
/// between.
#[tokio::test]
async fn what_two_programs_could_read_differently_has_one_answer_or_ends_the_connection() {
    let mut fixture =
        Fixture::serving("", &format!("{INBOX}  other: {{source: {{type: push, token: none}}}}\n")).await;
    let picture = plain(16, 16);
    let hidden = format!(
        "POST /streams/other/frame HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n",
        picture.len()
    );
    let hidden = [hidden.as_bytes(), &picture].concat();
    let (length, hex) = (hidden.len().to_string(), format!("{:x}", hidden.len()));
    let chunk = [format!("{hex}\r\n").as_bytes(), &hidden, b"\r\n0\r\n\r\n"].concat();
    let last = b"GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (method, path) in [("GET", "/healthz"), ("POST", "/login"), ("POST", "/streams/inbox/feed")] {
                // Such a body has no end of its own.
                let is_asked = |text: &str| method == "GET" || !text.contains("Upgrade: websocket");
                for (shape, text) in ODD.iter().filter(|(_, text)| is_asked(text)) {
                    let line = format!("{method} {path}");
                    let text = text
                        .replace("{ask}", &format!("{line} HTTP/1.1\r\nHost: test\r\n"))
                        .replace("{line}", &line)
                        .replace("{method}", method)
                        .replace("{path}", path)
                        .replace("{length}", &length)
                        .replace("{hex}", &hex);
                    let (middle, marker) =
                        if text.contains("{chunk}") { (&chunk, "{chunk}") } else { (&hidden, "{hidden}") };
                    let (before, behind) = text.split_once(marker).expect("each hides something");
                    let behind = behind.as_bytes();
                    let all = [before.as_bytes(), middle, behind, last].concat();
                    let answer = answers(fixture, &all).await;
                    let lines = answer.match_indices("HTTP/1.");
                    let statuses = lines.map(|(at, _)| answer.get(at + 9..at + 12).unwrap_or_default());
                    let statuses: Vec<_> = statuses.filter(|status| *status != "100").collect();
                    let case = format!("{line} with {shape}: {statuses:?}");
                    let ends_well = answer.trim_end().ends_with("{\"status\":\"ok\"}");
                    match statuses[..] {
                        [] => {}
                        [_, "200"] => assert!(ends_well, "{case}: {answer}"),
                        // The rest is refused, if it is read at all.
                        [_, ref left @ ..] => assert!(left.iter().all(|status| *status == "400"), "{case}"),
                    }
                    let served = &fixture.report("other").await["frames_in"];
                    assert_eq!(*served, 0, "{case}: what was hidden was served");
                }
            }
        })
        .await;
    fixture.end();
}

/// RFC 9112, section 9.3.2: answered in order, also those that are wrong.
#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    let mut fixture = Fixture::serving("", INBOX).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let ask = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: test\r\n\r\n");
            let all: String =
                ["/healthz", "/streams/nobody", "/readyz", "/api/streams/inbox", "/no"].map(ask).concat();
            let last = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            let answer = answers(fixture, format!("{all}{last}").as_bytes()).await;
            let statuses: Vec<_> =
                answer.match_indices("HTTP/1.1 ").map(|(at, _)| &answer[at + 9..at + 12]).collect();
            assert_eq!(statuses, ["200", "404", "200", "200", "404", "200"], "{answer}");
        })
        .await;
    fixture.end();
}

/// actix-http would decode and keep all that fit into 128 KiB: 6 kB for each.
#[tokio::test]
async fn requests_far_ahead_of_their_answers_end_the_connection() {
    const CONNECTIONS: usize = 20;
    let ask = "GET /healthz HTTP/1.1\r\nHost:a\r\n\r\n";
    let mut fixture = Fixture::serving("", INBOX).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            let last = "GET /healthz HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
            let answer = answers(fixture, format!("{}{last}", ask.repeat(32)).as_bytes()).await;
            assert_eq!(answer.matches("HTTP/1.1 200").count(), 33, "{answer}");
            let mut unread = Vec::new();
            for _ in 0..CONNECTIONS {
                let mut io = TcpStream::connect(fixture.address()).await.unwrap();
                // Waiting for a picture that never comes is the slowest answer there is.
                let first = "GET /streams/inbox/snapshot HTTP/1.1\r\nHost:a\r\n\r\n";
                let _ = io.write_all(format!("{first}{}", ask.repeat(3000)).as_bytes()).await;
                unread.push(io);
            }
            for mut io in unread {
                let mut answer = Vec::new();
                let _ = timeout(TIMEOUT, io.read_to_end(&mut answer)).await.expect("the relay closes");
            }
        })
        .await;
    assert_eq!(fixture.all().await["refused"]["malformed"], CONNECTIONS);
    fixture.end();
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
        "/streams/control%00",
        "/streams/control%0d%0aX-Injected:%20yes",
        "/streams/control/../../etc/passwd/snapshot",
        "/streams/%ff%fe",
        "/streams/%",
        "/streams/%zz",
        "/streams/CONTROL_STREAM",
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
    let mut fixture = Fixture::serving("", INBOX).await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for target in targets {
                let answer = Client::get(fixture.address(), target).await;
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
    fixture.end();
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
    let mut fixture = Fixture::serving("", "").await;
    fixture
        .assert_survives(MEMORY_KIB, async |fixture| {
            for (case, bytes) in &cases {
                let answer = answers(fixture, bytes.as_bytes()).await;
                // One that is cut off while it is still sent may not see its answer.
                let refused = answer.is_empty() || answer.starts_with("HTTP/1.1 4");
                assert!(refused, "{case}: {}", answer.lines().next().unwrap_or_default());
            }
        })
        .await;
    assert_eq!(fixture.all().await["refused"]["headers"], 2);
    fixture.end();
}
