//! URLs as they are written, with variables and credentials.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::environment::{Environment, Piece, expand, is_variable};

/// Schemes that messages may name; any other word there could be a misplaced password.
pub(crate) const OTHER_SCHEMES: [&str; 9] =
    ["ftp", "ftps", "file", "rtmp", "rtsp", "rtsps", "tcp", "udp", "ws"];

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Puts variables into a URL. The part before the `@` is percent-encoded, so that any password fits.
pub(crate) fn expanded<'a>(
    pieces: &[Piece<'a>],
    environment: &'a Environment,
) -> Result<String, Vec<String>> {
    let login_ends = login_end(pieces);
    expand(pieces, environment, |number, value| {
        if number < login_ends { utf8_percent_encode(value, RESERVED).into() } else { Cow::Borrowed(value) }
    })
}

/// The number of the piece that holds the `@` of the authority; 0 without one.
fn login_end(pieces: &[Piece<'_>]) -> usize {
    let mut end = 0;
    let mut inside = false;
    for (number, piece) in pieces.iter().enumerate() {
        let &Piece::Literal(mut literal) = piece else { continue };
        if !inside {
            let Some((_, authority)) = literal.split_once("://") else { continue };
            (literal, inside) = (authority, true);
        }
        let authority_ends = literal.find(['/', '?', '#']);
        if literal[..authority_ends.unwrap_or(literal.len())].contains('@') {
            end = number;
        }
        if authority_ends.is_some() {
            break;
        }
    }
    end
}

/// Returns whether the text of a URL, as in the file, may be shown: a known scheme, no query or fragment, and
/// only variables before the `@`. A user alone may be a key.
pub(crate) fn is_harmless(raw: &str) -> bool {
    let Some((scheme, rest)) = raw.split_once("://") else { return false };
    let is_known = matches!(scheme, "http" | "https") || OTHER_SCHEMES.contains(&scheme);
    let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let is_open = |text: &str| text.is_empty() || is_variable(text);
    is_known && !raw.contains(['?', '#']) && is_open(user) && is_open(password)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_without_a_written_secret_are_harmless() {
        for text in ["ftp://host/x", "https://host", "http://${U}:${P}@host/", "http://${U}@host/"] {
            assert!(is_harmless(text), "{text}");
        }
        for text in [
            "http://u:p@host/",
            "http://u@host/",
            "http://u:${P}@host/",
            "http://host/#x",
            "u:p@host",
            "http://h/?pwd=x",
            "http://u:${P:-hunter2}@h/",
            "http://u:a@b@h/",
        ] {
            assert!(!is_harmless(text), "{text}");
        }
    }
}
