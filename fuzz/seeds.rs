//! The seeds of the fuzzer and of the tests of `src/fuzzing/mod.rs`: real pictures, and bytes that cameras,
//! viewers and publishers send. Used by both: `scripts/fuzz` writes them to files.

use super::dialects;

const PICTURES: [&[u8]; 5] = [
    include_bytes!("../tests/fixtures/jpeg/lossless-gray.jpg"),
    include_bytes!("../tests/fixtures/jpeg/lossless-422-no-tables.jpg"),
    include_bytes!("../tests/fixtures/jpeg/lossless-420-exif-6.jpg"),
    include_bytes!("../tests/fixtures/jpeg/lossless-progressive.jpg"),
    include_bytes!("../tests/fixtures/jpeg/lossless-420-restart.jpg"),
];

/// A 1x1 picture each, as other programs write them.
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\n\
    IDATx\x9cc`\0\0\0\x02\0\x01H\xaf\xa4q\0\0\0\0IEND\xaeB`\x82";
const BMP: &[u8] =
    b"BM:\0\0\0\0\0\0\x006\0\0\0(\0\0\0\x01\0\0\0\x01\0\0\0\x01\0\x18\0\0\0\0\0\x04\0\0\0\x13\x0b\0\0\
    \x13\x0b\0\0\0\0\0\0\0\0\0\0\xff\xff\xff\0";

/// What RTSP cameras send.
const RTSP: [&str; 4] = [
    "RTSP/1.0 200 OK\r\nCSeq: 1\r\nContent-Type: application/sdp\r\nContent-Length: 8\r\n\r\nv=0\r\nm=\n",
    "RTSP/1.0 401 Unauthorized\r\nCSeq: 1\r\nWWW-Authenticate: Digest realm=\"cam\", nonce=\"1\"\r\n\r\n",
    "$\0\0\x02ab$\x01\0\0RTSP/1.0 200 OK\nCSeq: 2\n\n$\0\0\x01c",
    "OPTIONS rtsp://viewer/ RTSP/1.0\r\nCSeq: 9\r\n\r\n\r\n$\0\x01\0cut off",
];

const HEADS: [&str; 8] = [
    "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n--cam\r\n",
    "HTTP/1.0 200 OK\nServer: x\nContent-Type: image/jpeg\nContent-Length: 12\n\nbody",
    "ICY 200 OK\r\nGoAhead-Webs\r\nContent-Type: multipart/x-mixed-replace; boundary=\"a b\"\r\n--a b\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Digest realm=\"cam\",\r\n \
     nonce=\"1\"\r\nWWW-Authenticate: Basic realm=cam\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: http://other/\r\nContent-Length: 0, 0\r\nConnection: keep-alive\r\n\r\n",
    "HTTP/1.1 200\r\nTransfer-Encoding: gzip, chunked\r\nProxy-Connection: \
     close\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "HTTP 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nContent-Length: 0\r\n\u{ff}\u{d8}",
    "HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\nLast-Modified: today\r\n\r\n",
];

const CHALLENGES: [&str; 6] = [
    "Digest realm=\"cam\", nonce=\"n1\", qop=\"auth\", algorithm=MD5",
    "Basic realm=\"a, b\", digest realm=\"c, Basic\", nonce=\"x\", opaque=\"\\\"\", stale=TRUE",
    "Digest realm=\"c\", nonce=\"x\", algorithm=SHA-256, qop=\"auth,auth-int\"\nDigest realm=\"c\", \
     nonce=\"y\", algorithm=MD5-sess",
    "Digest realm=\"c\", nonce=\"x\", algorithm=SHA-512-256, userhash=true, charset=UTF-8, domain=\"/ /a\"",
    "Negotiate\nNTLM\nBasic",
    "Bearer error=\"invalid_token\", Digest nonce=x",
];

const SAID: [&str; 4] = [
    r#"{"type":"subscribe","id":1,"stream":"door","width":320,"height":180,"fps":5}"#,
    r#"{"type":"unsubscribe","id":4294967295}"#,
    r#"{"type":"ack","id":1,"seq":7}"#,
    r#"{"type":"mjpeg"}"#,
];

const CONTENT_TYPES: [&str; 6] = [
    "multipart/x-mixed-replace;boundary=cam",
    "Multipart/X-Mixed-Replace ;BOUNDARY = \"a;\\\"b\" ; x=y",
    "multipart/mixed; charset=utf-8; boundary=--cam; x=\"a;b\"",
    "multipart/x-mixed-replace; boundary=",
    "image/jpeg; x=y",
    "text/html; charset=utf-8",
];

/// The seeds of a target; none of one that there is not.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let texts = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect::<Vec<_>>();
    let led_by = |bytes: &[u8], all: Vec<Vec<u8>>| -> Vec<_> {
        all.into_iter().map(|seed| [bytes, &seed].concat()).collect()
    };
    match target {
        "multipart" => {
            let jpegs = [PICTURES[0].to_vec(), PICTURES[1].to_vec()];
            let bodies = dialects::DIALECTS.iter().map(|dialect| (dialect.render)(&jpegs)).collect();
            led_by(&[255, 0], bodies)
        }
        "h264" => {
            let video: [&[u8]; 2] = [
                include_bytes!("../tests/fixtures/h264/baseline.h264"),
                include_bytes!("../tests/fixtures/h264/main.h264"),
            ];
            led_by(&[0], video.map(<[u8]>::to_vec).into())
        }
        "boundary" => texts(&CONTENT_TYPES),
        "head" => led_by(&[9], texts(&HEADS)),
        "rtsp" => led_by(&[9], texts(&RTSP)),
        "jpeg" => led_by(&[63], PICTURES.map(<[u8]>::to_vec).into()),
        "challenge" => texts(&CHALLENGES),
        "yaml" => texts(&[
            include_str!("../config/framecast.yaml"),
            include_str!("../config/demo.yaml"),
            "x-a: &a {type: pattern}\nstreams: {a: {source: *a}, b: {<<: {title: x}, source: *a}}",
        ]),
        "picture" => [&PICTURES[..], &[GIF, PNG, BMP]].concat().into_iter().map(<[u8]>::to_vec).collect(),
        "printer" => {
            let head = |length: usize| {
                let length = u32::try_from(length).expect("a short picture").to_le_bytes();
                [&length[..], &[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]].concat()
            };
            let framed = |picture: &[u8]| [&head(picture.len())[..], picture].concat();
            let good = [framed(PICTURES[0]), framed(PICTURES[2])].concat();
            let mixed = [framed(PICTURES[0]), framed(b"no JPEG"), framed(PICTURES[1])].concat();
            let lost = [framed(b"no JPEG"), b"no head either, but long".to_vec()].concat();
            led_by(&[50], vec![good, mixed, lost, head(0), head(16 * 1024 + 1)])
        }
        "form" => {
            let part = "--x\r\nContent-Disposition: form-data; name=\"file\"; \
                filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n";
            let field = "--x\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nhello\r\n";
            let form =
                |fields: &str| [fields.as_bytes(), part.as_bytes(), PICTURES[0], b"\r\n--x--\r\n"].concat();
            led_by(&[0], vec![form(""), form(field)])
        }
        "http2" => frames_of_http_2(),
        "web_socket" => texts(&SAID).into_iter().flat_map(|text| [masked(&text), text]).collect(),
        _ => Vec::new(),
    }
}

/// Frames as `src/web/server/http2/fuzzing.rs` reads them: requests, and floods of every type.
fn frames_of_http_2() -> Vec<Vec<u8>> {
    const NEXT_STREAM: u8 = 0x80;
    let step = |kind: u8, flags: u8, stream: u8, doublings: u8, payload: &[u8]| {
        let length = u8::try_from(payload.len()).expect("a short payload");
        [&[kind, flags, stream, doublings, length], payload].concat()
    };
    // `:method`, `:scheme: https`, `:path` and `:authority` (RFC 7541).
    let fields = |method: u8, path: &str| {
        let length = u8::try_from(path.len()).expect("a short path");
        [&[method, 0x87, 0x04, length], path.as_bytes(), b"\x01\x01x"].concat()
    };
    let (get, post) = (|path| fields(0x82, path), |path| fields(0x83, path));
    let many = |doublings, path| step(1, 5, NEXT_STREAM | 1, doublings, &get(path));
    let mut scripts = vec![
        [many(0, "/large"), many(8, "/endless")].concat(),
        [many(9, "/hold"), step(3, 0, NEXT_STREAM | 1, 9, &[0, 0, 0, 8])].concat(),
        [step(1, 4, 1, 0, &post("/read")), step(0, 0, 1, 12, b"points"), step(0, 1, 1, 0, b"")].concat(),
        [step(1, 4, 1, 0, &post("/hold")), step(0, 0, 1, 10, &[7; 200]), step(8, 0, 1, 0, &[0, 0, 0, 9])]
            .concat(),
        [step(1, 4, NEXT_STREAM | 1, 8, &post("/hold")), step(0, 0, NEXT_STREAM | 1, 8, b"x")].concat(),
        [step(1, 0, 1, 0, &get("/large")), step(9, 0, 1, 6, b""), step(9, 4, 1, 0, b"")].concat(),
        [many(0, "/large"), step(8, 0, 0, 12, &[0, 0, 0, 1]), step(8, 0, 1, 12, &[0, 0, 0, 1])].concat(),
    ];
    for kind in (0..=12).chain([0x42, 0xff]) {
        for payload in [&[][..], &[0, 0, 0, 1], &[0, 0, 0, 1, 0, 0, 0, 1], &[9; 200]] {
            scripts.push([step(1, 4, 1, 0, &post("/hold")), step(kind, 0, kind % 2, 12, payload)].concat());
        }
    }
    scripts.into_iter().enumerate().map(|(n, script)| [&[n as u8][..], &script].concat()).collect()
}

/// A client's frame: final, text, masked by zeros (RFC 6455, section 5.2).
fn masked(text: &[u8]) -> Vec<u8> {
    let head = [0x81, 0x80 | u8::try_from(text.len()).expect("a short text"), 0, 0, 0, 0];
    [&head, text].concat()
}
