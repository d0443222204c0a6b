//! Fuzz targets for the responses of cameras; see `crate::fuzzing`.

use actix_http::header::HeaderValue;

use super::{
    auth::{Authorization, Authorizer, Verdict},
    head_repair::HeadReader,
};
use crate::config::{HttpAuth, Login, Secret};

const LIMIT: usize = 2048;

/// Returns the repaired head of `bytes` with everything after it; none if the head is not complete.
fn repaired(bytes: &[u8], piece: usize) -> Result<Option<Vec<u8>>, String> {
    let mut reader = HeadReader::new(LIMIT);
    let mut out: Option<Vec<u8>> = None;
    for piece in bytes.chunks(piece) {
        match &mut out {
            Some(out) => out.extend_from_slice(piece),
            None => {
                let head = reader.push(piece).map_err(|error| error.to_string())?;
                out = head.map(|head| {
                    assert!(head.head_len <= head.answer.len());
                    head.answer.to_vec()
                });
            }
        }
    }
    Ok(out)
}

/// Checks the head of a response: it is the same however it is split, and actix-http's parser accepts it. The
/// first byte sets the length of the pieces.
pub fn head(input: &[u8]) {
    let [piece, bytes @ ..] = input else { return };
    let whole = repaired(bytes, bytes.len().max(1));
    assert_eq!(repaired(bytes, usize::from(*piece) + 1), whole);
    if let Ok(Some(answer)) = whole {
        let mut headers = [httparse::EMPTY_HEADER; 96];
        let parsed = httparse::Response::new(&mut headers).parse(&answer);
        assert!(matches!(parsed, Ok(httparse::Status::Complete(_))), "{parsed:?}");
    }
}

/// Checks challenges, one `WWW-Authenticate` value a line: the answer is a valid header, the password is
/// never part of a digest, and the number of answers is bounded.
pub fn challenge(input: &[u8]) {
    /// Maximum number of answers to a camera that rejects each: basic, and the digests of one request.
    const MOST_ANSWERS: usize = 6;
    // The head's reader lets nothing else pass, and actix-http accepts only such values.
    let visible = |line: &[u8]| line.iter().all(|byte| (b' '..0x7f).contains(byte));
    let lines: Vec<_> = input.split(|&byte| byte == b'\n').filter(|line| visible(line)).collect();
    let values: Vec<_> = lines.iter().filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let login = Login { user: "door\"\\".into(), password: Secret::new("hunter2-hunter2") };
    let mut authorizer = Authorizer::new(Some(login), HttpAuth::Auto);
    authorizer.begin_request(true);
    let mut answers = 0;
    while authorizer.on_challenge(&values) == Verdict::TryAgain {
        answers += 1;
        assert!(answers <= MOST_ANSWERS, "it answers for ever");
        if let Authorization::Digest(answer) = authorizer.authorization("/video?a=1") {
            assert!(HeaderValue::from_str(&answer).is_ok(), "{answer:?}");
            assert!(!answer.contains("hunter2"), "{answer:?}");
        }
    }
}
