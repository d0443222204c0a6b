//! The parts of `User-Agent` that the log may contain: names of programs, with their versions.
//!
//! A credential can have any shape, that of a name or a word, too. To compare words with the credentials of
//! the configuration would answer guesses: before the response, and past the limits on guesses, its time or
//! its result tells which word is one. So nothing here knows a credential. A word is logged only if it is in
//! [`PROGRAMS`] or [`WORDS`], a number only as a version after such a word, and between words
//! only [`SEPARATORS`]. So the log does not reveal that a password is also the name of a browser.

use super::{REDACTED, cut, cut_before};

/// The maximum length of a `User-Agent` that is read, in bytes: that of a browser. This bounds the work, too:
/// each word is looked up in the two lists.
const MAX_AGENT: usize = 160;

/// The maximum number of numbers in a version.
const MAX_PARTS: usize = 4;

/// The maximum number of digits of a version's number: that of a build of Windows.
const MAX_DIGITS: usize = 5;

/// The maximum number of digits of a version's first number if it is not a year. A PIN has more.
const MAX_FIRST: usize = 3;

/// Names that are logged if a version follows: programs, libraries and parts of browsers. Sorted.
#[rustfmt::skip]
const PROGRAMS: [&str; 165] = [
    "AdsBot-Google", "Apache-HttpClient", "AppleCoreMedia", "AppleWebKit", "Assistant", "BlueIris", "Brave",
    "Build", "CFNetwork", "Caddy", "Chrome", "Chromium", "CriOS", "Dalvik", "Darwin", "Deno", "Dillo",
    "DuckDuckGo", "ELB-HealthChecker", "ELinks", "ESPHome", "Edg", "EdgA", "Edge", "EdgiOS", "Electron",
    "Emby", "Epiphany", "ExoPlayer", "ExoPlayerLib", "Exporter", "FFmpeg", "Falkon", "Firefox", "Frigate",
    "FxiOS", "GStreamer", "Gecko", "Go-http-client", "GoogleHC", "Grafana", "HAProxy", "HTTPie",
    "HeadlessChrome", "HomeAssistant", "Homebridge", "Insomnia", "Java", "Jellyfin", "KODI", "Kodi",
    "Konqueror", "Lavc", "Lavf", "LibVLC", "Links", "Lynx", "MPlayer", "Mobile", "MotionEye", "Mozilla",
    "Music_Player_Daemon", "NSPlayer", "Node.js", "NodeRED", "OPR", "OctoPrint", "OkHttp", "Opera", "Plex",
    "PostmanRuntime", "PowerShell", "Prometheus", "PycURL", "Python", "Python-urllib", "QtWebEngine",
    "QtWebKit", "QuickTime", "Roku", "Safari", "SamsungBrowser", "Scrypted", "Seamonkey", "Shinobi", "Silk",
    "SmartTV", "Snapclient", "Tasmota", "Traefik", "Trident", "UCBrowser", "Ubuntu", "Uptime-Kuma", "VLC",
    "Version", "Vivaldi", "WebKit", "WebKitGTK", "WebView", "Wget", "Wget2", "WindowsPowerShell",
    "YaBrowser", "Zabbix", "ZoneMinder", "aiohttp", "axios", "blackbox_exporter", "bun", "check_http",
    "curl", "dotnet", "esp-idf", "ffmpeg", "ffplay", "framecast", "frigate", "go2rtc", "gvfs", "hackney",
    "haproxy", "homebridge", "http.rb", "http_client", "httpie", "httpx", "hyper", "iOS", "kube-probe",
    "libVLC", "libcurl", "libcurl-agent", "libmpv", "libsoup", "libvlc", "libwww-perl", "lua-resty-http",
    "mediamtx", "motion", "mplayer", "mpv", "nginx", "node", "node-fetch", "ntfy", "okhttp", "openHAB",
    "python-httpx", "python-requests", "python-urllib3", "reqwest", "rest-client", "ruby", "souphttpsrc",
    "streamlink", "superagent", "tinyCam", "undici", "ureq", "urllib3", "uvicorn", "vlc", "wget", "xine",
];

/// Words that are logged also without a version: systems, processors, and names. Sorted.
#[rustfmt::skip]
const WORDS: [&str; 70] = [
    "Android", "AppleTV", "BSD", "Blackbox", "CFNetwork", "CPU", "CrOS", "Debian", "ESP32HTTPClient",
    "ESP8266HTTPClient", "Fedora", "FreeBSD", "GStreamer", "Gecko", "GoogleTV", "HTTP", "Home", "Intel",
    "KHTML", "Linux", "MSIE", "Mac", "Macintosh", "Mobile", "NT", "NetBSD", "OS", "OpenBSD", "PlayStation",
    "Raspbian", "SMART-TV", "SmartTV", "SunOS", "TV", "Tablet", "Tizen", "Touch", "U", "Ubuntu", "WOW64",
    "Wayland", "Web0S", "Wget", "Win32", "Win64", "Windows", "X", "X11", "Xbox", "aarch64", "amd64",
    "arm64", "armv6l", "armv7l", "armv8l", "compatible", "i386", "i586", "i686", "iOS", "iPad", "iPhone",
    "iPod", "like", "macOS", "rv", "souphttpsrc", "wv", "x64", "x86_64",
];

/// Parts of browsers' versions that are the same in all of them.
const FROZEN: [&str; 2] = ["15E148", "20100101"];

/// Separators that are logged. Any other becomes a space.
const SEPARATORS: [&str; 13] = ["", " ", "/", ":", ";", ",", "(", ")", " (", ") ", ") (", "; ", ", "];

/// Returns the known names in `User-Agent`, and stars in place of anything else.
pub(in crate::web) fn agent(text: &str) -> String {
    let mut rest = cut_before(text, MAX_AGENT, char::is_whitespace);
    let mut agent = String::new();
    let mut is_after_name = false;
    loop {
        let separator;
        (separator, rest) = split_at(rest, |c| !is_separator(c));
        let separator = if SEPARATORS.contains(&separator) { separator } else { " " };
        if rest.is_empty() {
            agent += separator.trim_end();
            break;
        }
        let word;
        (word, rest) = split_at(rest, is_separator);
        let is_name = is_name(word, rest);
        let is_versions_place = is_after_name && ["/", " ", ":"].contains(&separator);
        if is_name || (is_versions_place && is_version(word)) {
            agent += separator;
            agent += word;
        } else if !agent.ends_with(REDACTED) {
            // How many words are hidden says nothing.
            agent += separator;
            agent += REDACTED;
        }
        is_after_name = is_name;
    }
    if agent.is_empty() { REDACTED.to_owned() } else { cut(&agent, MAX_AGENT).to_owned() }
}

/// Returns whether a word names a program. `rest` is the text after it.
fn is_name(word: &str, rest: &str) -> bool {
    let has_version = || match rest.strip_prefix(' ') {
        Some(rest) => is_version(split_at(rest, is_separator).0),
        None => rest.starts_with('/'),
    };
    WORDS.binary_search(&word).is_ok() || (PROGRAMS.binary_search(&word).is_ok() && has_version())
}

/// Returns whether this is a version: numbers, of which the first one is short, or the year before others.
fn is_version(text: &str) -> bool {
    let is_number =
        |part: &str| (1..=MAX_DIGITS).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let (first, others) = text.split_once(['.', '_']).unwrap_or((text, ""));
    let is_first =
        first.len() <= MAX_FIRST || (first.len() == 4 && first.starts_with("20") && !others.is_empty());
    let mut parts = text.split(['.', '_']);
    FROZEN.contains(&text) || (is_first && parts.clone().count() <= MAX_PARTS && parts.all(is_number))
}

fn is_separator(c: char) -> bool {
    " \t/:;,()".contains(c)
}

/// Splits a text before the first character that is one of those.
fn split_at(text: &str, is_one: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(is_one).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted_for_the_search_in_them() {
        assert!(PROGRAMS.is_sorted_by(|a, b| a < b) && WORDS.is_sorted_by(|a, b| a < b));
        assert!(PROGRAMS.iter().chain(&WORDS).all(|word| !word.contains(is_separator) && *word != REDACTED));
    }

    #[test]
    fn agents_of_usual_programs_are_shown_whole() {
        for text in [
            "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
             Chrome/131.0.0.0 Safari/537.36 Edg/131.0.0.0",
            "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 Mobile/15E148 Safari/604.1",
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) \
             Version/17.4 Safari/605.1.15",
            "Mozilla/5.0 (Linux; Android 10; wv) Chrome/131.0.6778.135 Mobile Safari/537.36",
            "Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2)",
            "HomeAssistant/2026.11.1 aiohttp/3.9.5 Python/3.13",
            "VLC/3.0.18 LibVLC/3.0.18",
            "Lavf/59",
            "Lavf/60.16.100",
            "GStreamer souphttpsrc 1.24.10 libsoup/3.6.4",
            "curl/7.88.1",
            "python-requests/2.32.3",
            "mpv 0.35.0",
            "go2rtc/1.9.8",
            "framecast/0.1.0",
            "okhttp/4.12.0",
            "ESP32HTTPClient",
        ] {
            assert_eq!(agent(text), text);
        }
    }

    #[test]
    fn of_an_agent_only_known_names_and_their_versions_are_shown() {
        for (text, shown) in [
            ("", "***"),
            (" ();", "***"),
            ("hunter2", "***"),
            ("curl", "***"),
            ("firefox", "***"),
            ("a wall", "***"),
            ("curl hunter2", "***"),
            ("curl/hunter2", "curl/***"),
            ("curl:hunter2", "***"),
            ("hunter2/7.88.1", "***"),
            ("4711", "***"),
            ("12345678", "***"),
            ("12.11.2004", "***"),
            ("VLC/4711", "VLC/***"),
            ("VLC/12345678", "VLC/***"),
            ("VLC/1.2.3.4.5", "VLC/***"),
            ("VLC/4711.1", "VLC/***"),
            ("VLC/2026", "VLC/***"),
            ("VLC/1.123456", "VLC/***"),
            ("VLC/1..2", "VLC/***"),
            ("VLC/3.0.18 (hunter2) LibVLC/3.0.18", "VLC/3.0.18 (***) LibVLC/3.0.18"),
            ("VLC/3.0.18 (correct/horse) LibVLC/3.0.18", "VLC/3.0.18 (***) LibVLC/3.0.18"),
            ("VLC/3.0.18 of two/words and more", "VLC/3.0.18 ***"),
            ("VLC/3.0.18 3.0.18", "VLC/3.0.18 ***"),
            ("VLC/3.0.18\tlike=4711", "VLC/3.0.18 ***"),
            ("(token=hunter2)", "(***)"),
            ("\"correct/horse\",x cam", "***"),
            ("Bearer short", "***"),
            ("cam Authorization: Basic YWI6Yw==", "***"),
            ("YWxpY2U6Yw", "***"),
            ("http://alice:secret@cam/", "***/"),
            ("0123456789abcdef0123456789abcdef", "***"),
            ("h%75nter2 VLC/3.0.18", "*** VLC/3.0.18"),
            ("a1b2c3d4e5f6", "***"),
            ("pin=12345678 rv:1.2", "*** rv:1.2"),
            ("Linux;;(;)Linux", "Linux Linux"),
            ("Linux\u{a0}\u{e9}\u{1f511} Android 10", "*** Android 10"),
            (
                "Mozilla/5.0 (Linux; Android 10; SM-G998B Build/QP1A.190711.020; wv) Chrome/131.0.6778.135",
                "Mozilla/5.0 (Linux; Android 10; *** Build/***; wv) Chrome/131.0.6778.135",
            ),
            ("HomeAssistant/2026.11.0b3 aiohttp/3.9.5", "HomeAssistant/*** aiohttp/3.9.5"),
            ("Home Assistant/2026.11.1-15432 (Android 15; Pixel 8)", "Home Assistant/*** (Android 15; ***)"),
        ] {
            assert_eq!(agent(text), shown, "{text}");
        }
    }

    #[test]
    fn a_long_agent_is_cut_between_words() {
        let long = agent(&"Mozilla/5.0 ".repeat(100));
        assert!(long.len() <= MAX_AGENT && long.ends_with("Mozilla/5.0"), "{long}");
        for before in MAX_AGENT - 8..MAX_AGENT {
            let text = format!("{}{} VLC/3.0.18", "U ".repeat(before / 2), "U".repeat(before % 2));
            let shown = agent(&text);
            assert!(!shown.contains("VLC/3") || shown.ends_with(" VLC/3.0.18"), "{shown}");
        }
        assert_eq!(agent(&"x".repeat(500)), REDACTED);
        assert!(agent(&"x U ".repeat(100)).len() <= MAX_AGENT);
    }
}
