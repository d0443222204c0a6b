//! URLs as they are written, with variables and credentials.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use super::environment::{Environment, Piece, expand, is_variable};

/// Schemes that messages may name; any other word there could be a misplaced password.
pub(crate) const OTHER_SCHEMES: [&str; 9] =
    ["ftp", "ftps", "file", "rtmp", "rtsp", "rtsps", "tcp", "udp", "ws"];

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Puts variables into a URL. One before the `@` is percent-encoded, and one that is the whole value of a
/// query parameter, so that any password fits. Names those whose values look as if they were encoded already.
pub(crate) fn expanded<'a>(
    pieces: &[Piece<'a>],
    environment: &'a Environment,
    mut on_encoded: impl FnMut(&'a str),
) -> Result<String, Vec<String>> {
    let login_ends = login_end(pieces);
    let is_encoded = |number| number < login_ends || is_query_value(pieces, number);
    for (number, piece) in pieces.iter().enumerate() {
        if let Piece::Variable { name, .. } = piece
            && is_encoded(number)
            && environment.get(name).is_some_and(has_escape)
        {
            on_encoded(name);
        }
    }
    expand(pieces, environment, |number, value| {
        if is_encoded(number) { utf8_percent_encode(value, RESERVED).into() } else { Cow::Borrowed(value) }
    })
}

/// Returns whether a text contains `%` and two hexadecimal digits.
fn has_escape(text: &str) -> bool {
    let is_escape = |three: &[u8]| three[0] == b'%' && three[1..].iter().all(u8::is_ascii_hexdigit);
    text.as_bytes().windows(3).any(is_escape)
}

/// Returns whether a piece is the whole value of one query parameter: `?name=${VARIABLE}`.
fn is_query_value(pieces: &[Piece<'_>], number: usize) -> bool {
    // A variable stands for a character that ends nothing.
    let text = |pieces: &[Piece<'_>]| -> String {
        let text = |piece: &Piece<'_>| if let Piece::Literal(text) = piece { *text } else { "\0" }.to_owned();
        pieces.iter().map(text).collect()
    };
    let (before, behind) = (text(&pieces[..number]), text(&pieces[number + 1..]));
    let parameter = before.split_once('?').map(|(_, query)| query.rsplit('&').next().unwrap_or(query));
    let is_whole = parameter.and_then(|text| text.split_once('=')).is_some_and(|(_, value)| value.is_empty());
    is_whole && !before.contains('#') && (behind.is_empty() || behind.starts_with(['&', '#']))
}

/// Returns why the user and password of a URL cannot be told from the rest, if they cannot. A character such
/// as `/` in a password ends them, and the rest of it becomes host, port, path or fragment.
pub(crate) fn unclear_login(text: &str, parsed: Option<&Url>) -> Option<String> {
    const CURE: &str = "write %40 for @, %2F for /, %3F for ?, %23 for #, %5C for \\ and %25 for % in them, \
                        or take them from variables (${USER}:${PASSWORD}@host), which need no escapes";
    let (_, rest) = text.split_once("://")?;
    let (authority, behind) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    let Some((login, _)) = authority.rsplit_once('@') else {
        let fragment = parsed.and_then(Url::fragment).unwrap_or_default();
        // A host's name and a port, or the first part of a password.
        let is_cut = behind.contains('@') && (parsed.is_none() || fragment.contains('@'));
        return is_cut.then(|| format!("has an @ behind the end of its host: for user and password, {CURE}"));
    };
    let is_text = percent_decode_str(login).decode_utf8().is_ok();
    (!is_text).then(|| format!("has a user or password that cannot be decoded: {CURE}"))
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
    use crate::config::environment::pieces;

    #[test]
    fn a_variable_is_encoded_where_it_is_a_login_or_one_whole_query_value() {
        let secret = "a#b%c&d+e f/@";
        let encoded = "a%23b%25c%26d%2Be%20f%2F%40";
        let environment: Environment = [("P", secret), ("E", "a%20b"), ("H", "h")].into_iter().collect();
        let put = |text: &str| expanded(&pieces(text).unwrap(), &environment, |_| {}).unwrap();
        for text in [
            "http://u:${P}@h/",
            "http://h/?pwd=${P}",
            "http://h/v?a=1&pwd=${P}&b=2",
            "http://h/?pwd=${P}#x",
            "rtsp://h:1/v?${H}=${P}",
            "${H}/v?pwd=${P}",
        ] {
            assert_eq!(put(text), text.replace("${P}", encoded).replace("${H}", "h"), "{text}");
        }
        for text in [
            "${P}",
            "http://${P}/",
            "http://h/${P}?x=1",
            "http://h/?${P}",
            "http://h/?a=1&${P}",
            "http://h/?a=1${P}",
            "http://h/?a=${P}1",
            "http://h/?a=${H}${P}",
            "http://h/?a=b=${P}",
            "http://h/a=${P}",
            "http://h/#?a=${P}",
        ] {
            assert_eq!(put(text), text.replace("${P}", secret).replace("${H}", "h"), "{text}");
        }
        let warned = |text: &str| {
            let mut names = Vec::new();
            expanded(&pieces(text).unwrap(), &environment, |name| names.push(name.to_owned())).unwrap();
            names
        };
        assert_eq!(warned("http://${E}:${P}@h/${E}?a=${E}&b=${H}"), ["E", "E"]);
        assert_eq!(warned("http://h/${E}?${E}"), [""; 0]);
    }

    #[test]
    fn a_login_that_ends_too_soon_is_found() {
        let unclear = |text: &str| unclear_login(text, Url::parse(text).ok().as_ref()).is_some();
        for text in [
            "http://admin:pa/ss@host/",
            "http://admin:pa#ss@host/",
            "http://admin:pa?ss@host/",
            "http://admin:pa\\ss@host/",
            "http://admin:12#3@host/",
            "http://admin:%ff@host/",
        ] {
            assert!(unclear(text), "{text}");
        }
        for text in [
            "http://admin:p@ss@host/",
            "http://admin:p%40ss@host/",
            "http://admin:100%@host/",
            "http://host/?mail=a@b",
            "http://host:80/@me",
            "http://host:port/",
        ] {
            assert!(!unclear(text), "{text}");
        }
    }

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
