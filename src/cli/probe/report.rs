//! The report about a camera for people, and the YAML to paste.

use std::time::Duration;

use url::Url;

use crate::{
    cli::url_argument::redacted,
    config::{HttpAuth, Login, RtspConfig, UpstreamConfig},
    media::{jpeg::JpegInfo, multipart::content_type::ContentKind},
    source::{
        camera::{
            probe::{BodyEnd, ProbeReport},
            rtsp::{VideoCodec, probe::RtspReport},
        },
        http_client::Response,
    },
};

/// The variable that the YAML has in place of the camera's user, which may be a key when it stands alone.
const USER_VARIABLE: &str = "CAMERA_USER";

/// Variable that the YAML has in place of the camera's password.
const PASSWORD_VARIABLE: &str = "CAMERA_PASSWORD";

/// Query parameters whose values the YAML shows, as cameras name them. All others may be credentials.
const OPEN_PARAMETERS: [&str; 24] = [
    "action",
    "camera",
    "cam",
    "channel",
    "ch",
    "chn",
    "codec",
    "compression",
    "format",
    "fps",
    "framerate",
    "h",
    "height",
    "mode",
    "profile",
    "quality",
    "rate",
    "res",
    "resolution",
    "rotation",
    "size",
    "stream",
    "subtype",
    "w",
];

/// Longest value of such a parameter that is shown, in bytes.
const MAX_OPEN_VALUE: usize = 16;

fn line(text: &mut String, name: &str, value: impl std::fmt::Display) {
    *text += &format!("  {name:<12}  {value}\n");
}

/// Returns the description of the response's head.
pub(super) fn head(url: &Url, response: &Response<'_>, after: Duration) -> String {
    let mut text = format!("{}\n", redacted(url));
    line(&mut text, "status", format_args!("{} after {} ms", response.status_text(), after.as_millis()));
    line(&mut text, "content type", response.content_type().unwrap_or("none"));
    if let ContentKind::Multipart { boundary, quoted } = ContentKind::from_header(response.content_type()) {
        let how = if quoted { " (quoted)" } else { "" };
        let boundary = boundary.as_deref().unwrap_or("none announced");
        line(&mut text, "boundary", format_args!("{boundary}{how}"));
    }
    let end = match response.content_length() {
        Some(length) => format!("after {length} bytes"),
        None if response.is_close_delimited() => "with the connection".to_owned(),
        None => "chunked".to_owned(),
    };
    line(&mut text, "body ends", end);
    text
}

/// Returns the description of the received body.
pub(super) fn seen(seen: &ProbeReport) -> String {
    let mut text = String::new();
    if seen.frames > 0 {
        frames(&mut text, seen);
    } else {
        line(&mut text, "frames", "none");
    }
    for (quirk, times) in &seen.quirks {
        let what = format_args!("{}: {}, {}", quirk.as_str(), quirk.describe(), counted(*times));
        line(&mut text, "quirk", what);
    }
    for (why, times) in &seen.discards {
        line(&mut text, "left out", format_args!("{why}, {}", counted(*times)));
    }
    match &seen.ended {
        Some(BodyEnd::Orderly) if !seen.is_snapshot() => {
            line(&mut text, "ended", "the camera closed the connection");
        }
        Some(BodyEnd::Broken(why)) if seen.frames > 0 => line(&mut text, "ended", why),
        _ => {}
    }
    text
}

fn frames(text: &mut String, seen: &ProbeReport) {
    let span = seen.span.map_or(Duration::ZERO, |(first, last)| last - first).as_secs_f64();
    if seen.is_snapshot() {
        line(text, "frames", "1, a single picture");
    } else if seen.repeats > 0 {
        let again = counted(seen.repeats);
        line(text, "frames", format_args!("{} in {span:.1} s, the same one again {again}", seen.frames));
    } else {
        line(text, "frames", format_args!("{} in {span:.1} s", seen.frames));
    }
    if let Some((fps, bytes)) = seen.rates() {
        line(text, "rate", format_args!("{fps:.1} frames/s, {:.0} kB/s", bytes / 1000.0));
    }
    let sizes: Vec<_> = seen.sizes.iter().map(|(width, height)| format!("{width}x{height}")).collect();
    let coding = seen.info.as_ref().map_or_else(|| "PNG".to_owned(), coding);
    line(text, "picture", format_args!("{}, {coding}", sizes.join(" and ")));
    if let Some(info) = seen.info {
        let tables = if info.has_huffman_tables { "Huffman tables included" } else { "no Huffman tables" };
        line(text, "tables", tables);
    }
    if seen.smallest == seen.largest {
        line(text, "frame size", format_args!("{} bytes", seen.largest));
    } else {
        line(text, "frame size", format_args!("{} to {} bytes", seen.smallest, seen.largest));
    }
}

fn coding(info: &JpegInfo) -> String {
    let colour = if info.components == 1 { "grey" } else { "colour" };
    let coding = if info.progressive { "progressive" } else { "baseline" };
    format!("{colour}, {coding}")
}

fn counted(times: u64) -> String {
    match times {
        1 => "once".to_owned(),
        _ => format!("{times} times"),
    }
}

/// Returns the description of an RTSP camera's session.
pub(super) fn rtsp(camera: &RtspConfig, seen: &RtspReport) -> String {
    let mut text = format!("{}\n", redacted(&camera.target().0));
    if let Some(codec) = seen.codec {
        line(&mut text, "codec", codec);
    }
    line(&mut text, "transport", if seen.is_udp { "UDP" } else { "TCP" });
    if seen.frames > 0 {
        line(&mut text, "frames", format_args!("{} in {:.1} s", seen.frames, seen.span_s));
    }
    if let Some((fps, bytes)) = seen.rates() {
        line(&mut text, "rate", format_args!("{fps:.1} frames/s, {:.0} kB/s", bytes / 1000.0));
    }
    if let Some((width, height)) = seen.size {
        line(&mut text, "picture", format_args!("{width}x{height}"));
    }
    match seen.keyframe_interval_s {
        Some(interval) => line(&mut text, "keyframes", format_args!("one each {interval:.1} s")),
        None if seen.codec == Some(VideoCodec::H264) && seen.frames > 0 => {
            line(&mut text, "keyframes", "fewer than two");
        }
        None => {}
    }
    if seen.frames > 0 {
        line(&mut text, "frame size", format_args!("at most {} bytes", seen.largest));
    }
    text
}

/// Returns the YAML of an RTSP camera to paste into the configuration, without its password.
pub(super) fn rtsp_yaml(camera: &RtspConfig, is_udp: bool) -> String {
    let (url, login) = camera.target();
    let mut text = yaml_of("rtsp", &url, login.as_ref());
    if is_udp {
        text += "      transport: udp\n";
    }
    text
}

/// Returns the YAML to paste into the configuration. It does not contain the password, nor values that may be
/// one: they are taken from the environment.
pub(super) fn yaml(upstream: &UpstreamConfig, snapshot: bool) -> String {
    let kind = if snapshot { "snapshot" } else { "mjpeg" };
    let mut text = yaml_of(kind, &upstream.url, upstream.login.as_ref());
    if upstream.auth == HttpAuth::Basic {
        text += "      auth: basic\n";
    }
    if upstream.insecure {
        text += "      insecure: true\n";
    }
    text
}

fn yaml_of(kind: &str, url: &Url, login: Option<&Login>) -> String {
    let (url, variables) = url_with_variables(url, login);
    let mut text = "\nIn the configuration:\n\n".to_owned();
    if !variables.is_empty() {
        text += &format!("# from the environment: {}\n", variables.join(", "));
    }
    text += &format!("streams:\n  camera:\n    source:\n      type: {kind}\n      url: \"{url}\"\n");
    text
}

/// Returns the URL as the configuration writes it, and the variables in it. A URL holds no character that a
/// quoted YAML text would have to escape.
fn url_with_variables(url: &Url, login: Option<&Login>) -> (String, Vec<String>) {
    let mut variables = Vec::new();
    let mut text = format!("{}://", url.scheme());
    if let Some(login) = login {
        text += &format!("${{{USER_VARIABLE}}}");
        variables.push(USER_VARIABLE.to_owned());
        if !login.password.reveal().is_empty() {
            text += &format!(":${{{PASSWORD_VARIABLE}}}");
            variables.push(PASSWORD_VARIABLE.to_owned());
        }
        text.push('@');
    }
    text += url.host_str().unwrap_or_default();
    if let Some(port) = url.port() {
        text += &format!(":{port}");
    }
    text += &escaped(url.path());
    if let Some(query) = url.query() {
        let pairs = query.split('&').enumerate();
        let pairs: Vec<_> = pairs.map(|(n, pair)| public_pair(n + 1, pair, &mut variables)).collect();
        text += &format!("?{}", pairs.join("&"));
    }
    (text, variables)
}

/// Escapes `$`, with which a variable begins.
fn escaped(text: &str) -> String {
    text.replace("${", "$${")
}

/// Returns pair `number` of the query, with a variable in place of a value that may be a credential.
fn public_pair(number: usize, pair: &str, variables: &mut Vec<String>) -> String {
    let mut hidden = |shown: String, variable: String| {
        let pair = format!("{shown}${{{variable}}}");
        variables.push(variable);
        pair
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    match pair.split_once('=') {
        None if pair.is_empty() => String::new(),
        // It may be a key.
        None => hidden(String::new(), format!("CAMERA_QUERY_{number}")),
        Some((name, value))
            if OPEN_PARAMETERS.iter().any(|open| open.eq_ignore_ascii_case(name))
                && value.len() <= MAX_OPEN_VALUE
                && value.chars().all(is_plain) =>
        {
            pair.to_owned()
        }
        Some((name, _)) if name.is_empty() || !name.chars().all(is_plain) => {
            hidden(String::new(), format!("CAMERA_QUERY_{number}"))
        }
        Some((name, _)) => {
            let letters =
                name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
            hidden(format!("{name}="), format!("CAMERA_{}", letters.collect::<String>()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Environment, SourceConfig, parse};

    fn upstream(url: &str) -> UpstreamConfig {
        let json = serde_json::to_string(&url.replace("${", "$${")).unwrap();
        let text = format!("streams: {{a: {{source: {{type: mjpeg, url: {json}}}}}}}");
        let config = parse(&text, "test", &Environment::default()).unwrap();
        match config.streams.into_iter().next().unwrap().sources.remove(0) {
            SourceConfig::Mjpeg(upstream) => upstream,
            _ => unreachable!("the text says mjpeg"),
        }
    }

    #[test]
    fn the_yaml_leads_to_the_same_camera_and_shows_no_secret() {
        for (url, variables) in [
            ("http://192.168.1.20/video.mjpg", &[][..]),
            ("https://camera.example:8443/a%20b/?x=1&fps=2", &[("CAMERA_X", "1")]),
            (
                "http://door:s3cret@[::1]:81/video?user=door&pwd=s3cret&channel=1",
                &[
                    ("CAMERA_USER", "door"),
                    ("CAMERA_PASSWORD", "s3cret"),
                    ("CAMERA_USER", "door"),
                    ("CAMERA_PWD", "s3cret"),
                ],
            ),
            ("http://s3cret@camera/?s3cret", &[("CAMERA_USER", "s3cret"), ("CAMERA_QUERY_1", "s3cret")]),
            ("http://camera/?fps=s3cret-s3cret-s3cret", &[("CAMERA_FPS", "s3cret-s3cret-s3cret")]),
            (
                "http://d%40or:s3cret@camera/${NOT_A_VARIABLE}?q=${NOR_THIS}&'#x",
                &[
                    ("CAMERA_USER", "d@or"),
                    ("CAMERA_PASSWORD", "s3cret"),
                    ("CAMERA_Q", "${NOR_THIS}"),
                    ("CAMERA_QUERY_2", "%27"),
                ],
            ),
        ] {
            let before = upstream(url);
            let text = yaml(&before, false);
            assert!(!text.contains("s3cret") && !text.contains("door"), "{text}");
            let (_, pasted) = text.split_once(":\n\n").unwrap();
            let variables: Environment = variables.iter().copied().collect();
            let config = parse(pasted, "pasted", &variables).unwrap_or_else(|e| panic!("{e}\n{text}"));
            let mut before = before;
            before.url.set_fragment(None);
            let [SourceConfig::Mjpeg(after)] = &*config.streams[0].sources else { panic!("{text}") };
            // A variable in the query is escaped, which changes no value.
            let pairs = |url: &Url| url.query_pairs().into_owned().collect::<Vec<_>>();
            assert_eq!(pairs(&after.url), pairs(&before.url), "{text}");
            before.url.set_query(after.url.query());
            assert_eq!(*after, before, "{text}");
        }
    }
}
