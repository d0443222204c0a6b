//! Frames of HTTP/2, made by hand (RFC 9113): also those that no client library would send.

pub const DATA: u8 = 0;
pub const HEADERS: u8 = 1;
pub const PRIORITY: u8 = 2;
pub const RST_STREAM: u8 = 3;
pub const SETTINGS: u8 = 4;
pub const PUSH_PROMISE: u8 = 5;
pub const PING: u8 = 6;
pub const GOAWAY: u8 = 7;
pub const WINDOW_UPDATE: u8 = 8;
pub const CONTINUATION: u8 = 9;
/// A type that no specification knows; receivers ignore it.
pub const UNKNOWN: u8 = 0x2a;

pub const END_STREAM: u8 = 1;
pub const END_HEADERS: u8 = 4;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The setting of how much each stream may be sent before more is allowed.
const INITIAL_WINDOW_SIZE: u16 = 4;

/// The beginning of a connection whose streams may be sent `window` bytes each.
pub fn preface(window: u32) -> Vec<u8> {
    let setting = [&INITIAL_WINDOW_SIZE.to_be_bytes()[..], &window.to_be_bytes()].concat();
    [PREFACE, &frame(SETTINGS, 0, 0, &setting)].concat()
}

/// A frame with its header.
pub fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame has 24 bits of length");
    let mut frame = length.to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The header block of a request, literal and without Huffman codes (RFC 7541); `method` is `GET` or `POST`.
pub fn fields(method: &str, target: &str) -> Vec<u8> {
    let method = if method == "GET" { 0x82 } else { 0x83 };
    // `:scheme: https`, `:path` and `:authority`.
    let length = u8::try_from(target.len()).expect("these targets are short");
    let mut fields = vec![method, 0x87, 0x04, length];
    fields.extend(target.as_bytes());
    fields.extend(b"\x01\x09localhost");
    fields
}

/// A request without a body.
pub fn get(stream: u32, target: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | END_STREAM, stream, &fields("GET", target))
}

/// The head of a request whose body follows.
pub fn post(stream: u32, target: &str) -> Vec<u8> {
    frame(HEADERS, END_HEADERS, stream, &fields("POST", target))
}

/// The number of a client's nth stream.
pub fn nth(n: usize) -> u32 {
    u32::try_from(2 * n + 1).expect("a connection has 31 bits of streams")
}
