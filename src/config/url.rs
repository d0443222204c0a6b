//! The URL of a camera: checked, and its credentials taken out.

use std::borrow::Cow;

use url::Url;

use super::{
    Login, Secret,
    environment::{Environment, Piece, expand, is_variable},
    reader::{self, SECRET},
    values::{Wrong, scalar},
};

/// Schemes that messages may name; any other word there could be a misplaced password.
const OTHER_SCHEMES: [&str; 9] = ["ftp", "ftps", "file", "rtmp", "rtsp", "rtsps", "tcp", "udp", "ws"];

scalar!(
    /// The URL of a camera, with credentials, which [`camera`] takes out.
    CameraUrl => Url, "http or https URL", reader::URL, |text| {
        camera(text)?;
        Url::parse(text).map_err(|error| Wrong::hidden(error.to_string()))
    }
);

scalar!(
    /// The URL of an RTSP camera.
    RtspUrl => Secret, "rtsp or rtsps URL", reader::URL, rtsp
);

scalar!(
    /// A URL that may be a secret as a whole.
    SecretUrl => Secret, "http or https URL", SECRET, |text| camera(text).map(|_| Secret::new(text))
);

/// Checks a URL and moves its credentials out of it. No message holds any part of it but a scheme.
pub(super) fn camera(text: &str) -> Result<(Url, Option<Login>), Wrong> {
    let Some((scheme, _)) = text.split_once("://") else {
        return Err(Wrong::hidden("must begin with http:// or https://"));
    };
    if !matches!(&*scheme.to_ascii_lowercase(), "http" | "https") {
        let want = "scheme must be http or https";
        let not = if OTHER_SCHEMES.contains(&scheme) { format!(", not {scheme}") } else { String::new() };
        return Err(Wrong::hidden(format!("{want}{not}")));
    }
    let mut url = Url::parse(text).map_err(|error| {
        Wrong::hidden(format!("is not a URL ({error}): it must be like http://user:password@host:port/path"))
    })?;
    let login = (!url.username().is_empty() || url.password().is_some()).then(|| Login {
        user: decoded(url.username()),
        password: Secret::new(decoded(url.password().unwrap_or_default())),
    });
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| Wrong::hidden("must name a host after http:// or https://"))?;
    Ok((url, login))
}

/// Checks the URL of a camera that ffmpeg is to ask, which takes its credentials in it.
pub(super) fn rtsp(text: &str) -> Result<Secret, Wrong> {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if !matches!(scheme, Some("rtsp" | "rtsps")) {
        return Err(Wrong::hidden("must begin with rtsp:// or rtsps://"));
    }
    let url = Url::parse(text).map_err(|error| {
        Wrong::hidden(format!("is not a URL ({error}): it must be like rtsp://user:password@host:port/path"))
    })?;
    let fine = url.host_str().is_some_and(|host| !host.is_empty()) && !text.contains(char::is_control);
    if fine { Ok(Secret::new(text)) } else { Err(Wrong::hidden("must name a host after rtsp://")) }
}

/// Puts variables into a URL. What stands before the `@` is percent-encoded, so that any password fits.
pub(super) fn expanded<'a>(
    pieces: &[Piece<'a>],
    environment: &'a Environment,
) -> Result<String, Vec<String>> {
    let login_ends = login_end(pieces);
    expand(pieces, environment, |number, value| {
        if number < login_ends { percent_encoded(value).into() } else { Cow::Borrowed(value) }
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
pub(super) fn harmless(raw: &str) -> bool {
    let Some((scheme, rest)) = raw.split_once("://") else { return false };
    let known = matches!(scheme, "http" | "https") || OTHER_SCHEMES.contains(&scheme);
    let login = rest.rsplit_once('@').map_or("", |(login, _)| login);
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let is_open = |text: &str| text.is_empty() || is_variable(text);
    known && !raw.contains(['?', '#']) && is_open(user) && is_open(password)
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let digits = (first == b'%').then(|| tail.get(..2)).flatten();
        let byte =
            digits.and_then(|d| std::str::from_utf8(d).ok()).and_then(|d| u8::from_str_radix(d, 16).ok());
        bytes.push(byte.unwrap_or(first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::{super::environment::pieces, *};

    #[test]
    fn credentials_are_taken_out_and_decoded() {
        let (url, login) = camera("http://ad%40min:p%3A%2Fss@192.168.1.20:81/video.mjpg?x=1").unwrap();
        assert_eq!(url.as_str(), "http://192.168.1.20:81/video.mjpg?x=1");
        let login = login.unwrap();
        assert_eq!((&*login.user, login.password.reveal()), ("ad@min", "p:/ss"));
        assert_eq!(camera("https://host/").unwrap().1, None);
    }

    #[test]
    fn a_password_from_a_variable_may_hold_any_character() {
        let secret = "p@s/s:#?% ${X}ä";
        let environment: Environment =
            [("P", secret), ("HOST", "cam.local:81"), ("PATH_", "a/b")].into_iter().collect();
        let text = expanded(&pieces("http://u:${P}@${HOST}/${PATH_}").unwrap(), &environment).unwrap();
        let (url, login) = camera(&text).unwrap();
        assert_eq!(url.as_str(), "http://cam.local:81/a/b");
        assert_eq!(login.unwrap().password.reveal(), secret);
    }

    #[test]
    fn bad_urls_are_refused_without_showing_them() {
        for (text, want) in [
            ("ftp://u:hunter2@host/", "scheme must be http or https"),
            ("u:hunter2@host/", "must begin with http:// or https://"),
            ("http://u:hunter2@/", "is not a URL"),
            ("http://u:hunter2@ho st/", "is not a URL"),
            ("http://", "is not a URL"),
            ("http://host:99999/", "is not a URL"),
            ("", "must begin with"),
            ("hunter2hunter2://host", "scheme must be"),
        ] {
            let wrong = camera(text).unwrap_err();
            assert!(wrong.want.starts_with(want), "{text}: {wrong:?}");
            assert!(!format!("{wrong:?}").contains("hunter2"), "{text}: {wrong:?}");
        }
    }

    #[test]
    fn an_rtsp_url_keeps_its_credentials_and_shows_none() {
        let text = "rtsp://u:hunter2@192.168.1.30:554/stream1";
        assert_eq!(rtsp(text).unwrap().reveal(), text);
        for text in [
            "http://u:hunter2@host/",
            "hunter2",
            "rtsp://",
            "rtsp:///hunter2",
            "rtsp://u:hunter2@/x",
            // What ffmpeg would take for an option, a file, or several of them.
            "-i",
            "-rtsp://h/hunter2",
            "file:///hunter2",
            "file://rtsp://h/hunter2",
            "concat:rtsp://h/hunter2|/etc/passwd",
            "subfile,,start,0,end,9,,:/hunter2",
            "RTSP://h/hunter2",
            "rtsp://h:hunter2/",
        ] {
            let wrong = format!("{:?}", rtsp(text).unwrap_err());
            assert!(!wrong.contains("hunter2"), "{text}: {wrong}");
        }
    }

    #[test]
    fn only_urls_without_a_written_secret_are_harmless() {
        for text in ["ftp://host/x", "https://host", "http://${U}:${P}@host/", "http://${U}@host/"] {
            assert!(harmless(text), "{text}");
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
            assert!(!harmless(text), "{text}");
        }
    }
}
