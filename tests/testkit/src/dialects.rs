//! The ways in which real cameras write a stream's body, as builders: the parser's tests cut them at every
//! byte, the camera tests send them over a socket.
//!
//! Each was reported by users of a peer. `render` always carries exactly the frames it is given, whole and in
//! order; what some dialects put between them (a cut JPEG, a PNG) must be dropped.

/// One way of writing the body of a camera's answer.
pub struct Dialect {
    /// Name of the dialect.
    pub name: &'static str,
    /// The value of the answer's `Content-Type`; without one the header is not sent.
    pub content_type: Option<&'static str>,
    /// The body that carries these JPEGs.
    pub render: fn(&[Vec<u8>]) -> Vec<u8>,
    /// `Quirk::as_str` of what the parser has to notice.
    pub quirk: Option<&'static str>,
}

const PLAIN: Option<&str> = Some("multipart/x-mixed-replace;boundary=cam");

const fn plain(
    name: &'static str,
    render: fn(&[Vec<u8>]) -> Vec<u8>,
    quirk: Option<&'static str>,
) -> Dialect {
    Dialect { name, content_type: PLAIN, render, quirk }
}

const fn typed(name: &'static str, content_type: &'static str, quirk: Option<&'static str>) -> Dialect {
    Dialect { name, content_type: Some(content_type), render: well_behaved, quirk }
}

const fn bare(name: &'static str, content_type: Option<&'static str>) -> Dialect {
    Dialect { name, content_type, render: concatenated, quirk: Some("bare-jpegs") }
}

/// All of them.
pub const DIALECTS: &[Dialect] = &[
    plain("as RFC 2046 has it", well_behaved, None),
    typed("multipart/mixed", "multipart/mixed; boundary=cam", None),
    typed(
        "parameters around the boundary",
        "multipart/x-mixed-replace; charset=utf-8; boundary=cam; x=\"a;b\"",
        None,
    ),
    typed("header in capitals", "MULTIPART/X-Mixed-Replace; BOUNDARY=cam", None),
    typed("quoted boundary", "multipart/x-mixed-replace; boundary=\"cam\"", Some("quoted-boundary")),
    typed("no boundary in the header", "multipart/x-mixed-replace", Some("no-boundary")),
    typed(
        "another boundary in the header",
        "multipart/x-mixed-replace; boundary=other",
        Some("other-boundary"),
    ),
    // Panasonic, Sony.
    typed(
        "dashes in the header, none added",
        "multipart/x-mixed-replace; boundary=--cam",
        Some("boundary-dashes"),
    ),
    Dialect {
        name: "dashes in the header, two more in the body",
        content_type: Some("multipart/x-mixed-replace; boundary=--cam"),
        render: four_dashes,
        quirk: Some("boundary-dashes"),
    },
    plain("no dashes in the body", no_dashes, Some("boundary-dashes")),
    // ESP32, Tasmota.
    plain("starts at the first part's headers", headers_first, Some("first-delimiter-missing")),
    plain("starts at SOI", soi_first, Some("first-delimiter-missing")),
    plain("text before the first delimiter", preamble, None),
    // Foscam.
    plain("every delimiter ends with dashes", every_delimiter_closes, Some("every-delimiter-closes")),
    plain("closing delimiter and an epilogue", closed, None),
    // Axis.
    plain("a newline for a delimiter, then headers", axis_headers, Some("delimiter-missing")),
    plain("a newline for a delimiter, then SOI", axis_soi, Some("delimiter-missing")),
    // Mobotix, FastAPI examples.
    plain("no Content-Length", no_length, Some("no-content-length")),
    plain("Content-Length padded with zeros and blanks", padded_length, None),
    plain("Content-Length twice, first one wrong", duplicate_length, Some("duplicate-content-length")),
    plain("Content-Length is not a number", wordy_length, Some("bad-content-length")),
    plain("Content-Length too small", short_length, Some("bad-content-length")),
    plain("Content-Length too large", long_length, Some("bad-content-length")),
    plain("Content-Length of four gigabytes", huge_length, Some("bad-content-length")),
    plain("Content-Length beyond 64 bits", endless_length, Some("bad-content-length")),
    plain("Content-Length counts the newline", counts_newline, Some("padded-part")),
    plain("zeros behind the JPEG", zero_padding, Some("padded-part")),
    plain("old memory behind the JPEG", dirty_padding, Some("padded-part")),
    // GoAhead.
    plain("header line without a colon", no_colon, Some("header-without-colon")),
    plain("bare newlines", bare_newlines, Some("bare-newlines")),
    plain("mixed newlines", mixed_newlines, Some("bare-newlines")),
    plain("no blank line before the JPEG", no_blank_line, Some("no-blank-line")),
    plain("two blank lines before the JPEG", two_blank_lines, None),
    plain("a blank line behind the delimiter", blank_after_delimiter, None),
    plain("no newline before the delimiter", no_newline, None),
    plain("image/jpeg with a charset", type_with_charset, None),
    plain("parts of application/octet-stream", octet_parts, Some("wrong-part-type")),
    plain("parts of image/jpg", jpg_parts, Some("wrong-part-type")),
    plain("parts without a type", untyped_parts, Some("wrong-part-type")),
    // D-Link.
    plain("long part headers", long_headers, Some("long-part-headers")),
    // ustreamer's advance_headers.
    plain("next part's headers sent ahead", advance_headers, Some("no-content-length")),
    plain("empty parts between", empty_parts, Some("empty-part")),
    plain("several JPEGs in one part", several_in_part, Some("several-jpegs-in-part")),
    plain("several start markers", several_sois, Some("repeated-soi")),
    plain("several start markers, no framing", bare_several_sois, Some("repeated-soi")),
    plain("cut JPEGs between, with their true length", cut_with_length, None),
    plain("cut JPEGs between, with their meant length", cut_with_meant_length, None),
    plain("cut JPEGs between, without length", cut_without_length, None),
    plain("JPEGs cut in their headers between", cut_in_headers, None),
    plain("garbage parts between", garbage_parts, Some("other-part")),
    plain("PNG parts between", png_parts, Some("other-part")),
    plain("text parts between", text_parts, Some("other-part")),
    bare("JPEGs end to end as image/jpeg", Some("image/jpeg")),
    bare("JPEGs end to end as octets", Some("application/octet-stream")),
    bare("JPEGs end to end as motion JPEG", Some("video/x-motion-jpeg")),
    bare("JPEGs end to end as multipart", PLAIN),
    bare("JPEGs end to end without a type", None),
    Dialect {
        name: "multipart without a type",
        content_type: None,
        render: well_behaved,
        quirk: Some("no-boundary"),
    },
    Dialect {
        name: "multipart called image/jpeg",
        content_type: Some("image/jpeg"),
        render: well_behaved,
        quirk: Some("no-boundary"),
    },
];

/// A body of parts; `part` writes the `n`th.
fn parts(jpegs: &[Vec<u8>], part: impl Fn(&mut Vec<u8>, usize, &[u8])) -> Vec<u8> {
    let mut body = Vec::new();
    for (n, jpeg) in jpegs.iter().enumerate() {
        part(&mut body, n, jpeg);
    }
    body
}

/// Writes one part: `before` with `{len}` replaced, the JPEG, `after`.
fn part(body: &mut Vec<u8>, before: &str, jpeg: &[u8], after: &str) {
    body.extend_from_slice(before.replace("{len}", &jpeg.len().to_string()).as_bytes());
    body.extend_from_slice(jpeg);
    body.extend_from_slice(after.as_bytes());
}

const HEADERS: &str = "Content-Type: image/jpeg\r\nContent-Length: {len}\r\n\r\n";
const HEAD: &str = "--cam\r\nContent-Type: image/jpeg\r\nContent-Length: {len}\r\n\r\n";

fn with_head(jpegs: &[Vec<u8>], head: &str) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, head, jpeg, "\r\n"))
}

fn well_behaved(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, HEAD)
}

fn four_dashes(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("--cam", "----cam"))
}

fn no_dashes(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("--cam", "cam"))
}

fn headers_first(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, HEADERS, jpeg, "\r\n--cam\r\n"))
}

fn soi_first(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, n, jpeg| part(body, if n == 0 { "" } else { HEAD }, jpeg, "\r\n"))
}

fn preamble(jpegs: &[Vec<u8>]) -> Vec<u8> {
    [b"This is a message in several parts.\r\nOld clients\r\n\r\n".to_vec(), well_behaved(jpegs)].concat()
}

fn every_delimiter_closes(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("--cam", "--cam--"))
}

fn closed(jpegs: &[Vec<u8>]) -> Vec<u8> {
    [well_behaved(jpegs), b"--cam--\r\nGood bye.\r\n".to_vec()].concat()
}

fn axis_headers(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, n, jpeg| part(body, if n == 0 { HEAD } else { HEADERS }, jpeg, "\r\n"))
}

fn axis_soi(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, n, jpeg| part(body, if n == 0 { HEAD } else { "" }, jpeg, "\r\n"))
}

fn no_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, "--cam\r\nContent-Type: image/jpeg\r\n\r\n")
}

fn padded_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, "--cam\r\nContent-type: image/jpeg\r\ncontent-length :  000{len}  \r\n\r\n")
}

fn duplicate_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("Content-Type", "Content-Length: 77\r\nContent-Type"))
}

fn wordy_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("{len}", "unknown"))
}

fn short_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("{len}", "100"))
}

fn long_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("{len}", "3{len}"))
}

fn huge_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("{len}", "4294967295"))
}

fn endless_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("{len}", "99999999999999999999999"))
}

fn counts_newline(jpegs: &[Vec<u8>]) -> Vec<u8> {
    padded(jpegs, b"\r\n", "")
}

fn zero_padding(jpegs: &[Vec<u8>]) -> Vec<u8> {
    padded(jpegs, &[0; 13], "\r\n")
}

/// A driver's buffer that still holds the tail of an older, larger frame, and the start of another.
fn dirty_padding(jpegs: &[Vec<u8>]) -> Vec<u8> {
    padded(jpegs, b"\x12\x34\n\xff\xd8\xff\xe0\x00\x10JFIF\x56\xff\xd9", "\r\n")
}

fn padded(jpegs: &[Vec<u8>], padding: &[u8], after: &str) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, HEAD, &[jpeg, padding].concat(), after))
}

fn no_colon(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("Content-Length", "GoAhead\r\nContent-Length"))
}

fn bare_newlines(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, &HEAD.replace('\r', ""), jpeg, "\n"))
}

fn mixed_newlines(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("jpeg\r\n", "jpeg\n"))
}

fn no_blank_line(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("\r\n\r\n", "\r\n"))
}

fn two_blank_lines(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, &format!("{HEAD}\r\n"), jpeg, "\r\n\r\n"))
}

fn blank_after_delimiter(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("--cam\r\n", "--cam\r\n\r\n"))
}

fn no_newline(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| part(body, HEAD, jpeg, ""))
}

fn type_with_charset(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("image/jpeg", "Image/JPEG; charset=ISO-8859-1"))
}

fn octet_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("image/jpeg", "application/octet-stream"))
}

fn jpg_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, &HEAD.replace("image/jpeg", "image/jpg"))
}

fn untyped_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    with_head(jpegs, "--cam\r\nContent-Length: {len}\r\n\r\n")
}

fn long_headers(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let more: String = (0..40).map(|n| format!("X-Motion-Area-{n}: 0,0,0,0,0,0,0,0,0,0,0,0\r\n")).collect();
    with_head(jpegs, &HEAD.replace("--cam\r\n", &format!("--cam\r\n{more}")))
}

fn advance_headers(jpegs: &[Vec<u8>]) -> Vec<u8> {
    const AHEAD: &str = "\r\n--cam\r\nContent-Type: image/jpeg\r\nX-Timestamp: 1.0\r\n\r\n";
    parts(jpegs, |body, n, jpeg| part(body, if n == 0 { &AHEAD[2..] } else { "" }, jpeg, AHEAD))
}

fn empty_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| {
        part(body, HEAD, b"", "\r\n");
        part(body, HEAD, jpeg, "\r\n");
    })
}

fn several_in_part(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for pair in jpegs.chunks(2) {
        part(&mut body, HEAD, &pair.concat(), "\r\n");
    }
    body
}

fn several_sois(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, n, jpeg| part(body, HEAD, &[&b"\xff\xd8".repeat(n + 1), jpeg].concat(), "\r\n"))
}

fn bare_several_sois(jpegs: &[Vec<u8>]) -> Vec<u8> {
    parts(jpegs, |body, n, jpeg| part(body, "", &[&b"\xff\xd8".repeat(n + 1), jpeg].concat(), ""))
}

fn concatenated(jpegs: &[Vec<u8>]) -> Vec<u8> {
    jpegs.concat()
}

/// A part that must be dropped before each good one.
fn spoiled(jpegs: &[Vec<u8>], bad: impl Fn(&mut Vec<u8>, &[u8])) -> Vec<u8> {
    parts(jpegs, |body, _, jpeg| {
        bad(body, jpeg);
        part(body, HEAD, jpeg, "\r\n");
    })
}

fn cut_with_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    spoiled(jpegs, |body, jpeg| part(body, HEAD, &jpeg[..jpeg.len() - 20], "\r\n"))
}

fn cut_with_meant_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    spoiled(jpegs, |body, jpeg| {
        let head = HEAD.replace("{len}", &jpeg.len().to_string());
        part(body, &head, &jpeg[..jpeg.len() - 20], "\r\n");
    })
}

fn cut_without_length(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let head = HEAD.replace("Content-Length: {len}\r\n", "");
    spoiled(jpegs, |body, jpeg| part(body, &head, &jpeg[..jpeg.len() - 20], "\r\n"))
}

/// In the middle of the quantisation tables, so that their length reaches into the next part.
fn cut_in_headers(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let head = HEAD.replace("Content-Length: {len}\r\n", "");
    spoiled(jpegs, |body, jpeg| part(body, &head, &jpeg[..40], "\r\n"))
}

fn garbage_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let garbage: Vec<u8> = (0..500u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    spoiled(jpegs, |body, _| part(body, HEAD, &garbage, "\r\n"))
}

fn png_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    // Compressed data may hold anything, also what looks like a JPEG's start.
    let png = b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR\x00\x00\x00\x01\xff\xd8\xff\xe0\x00\x02\xff\xda";
    let head = HEAD.replace("image/jpeg", "image/png");
    spoiled(jpegs, |body, _| part(body, &head, png, "\r\n"))
}

fn text_parts(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let head = HEAD.replace("image/jpeg", "text/plain");
    spoiled(jpegs, |body, _| part(body, &head, b"motion: none\r\n\r\nlight: 3\r\n", "\r\n"))
}
