//! The smaller stream of a camera, by the URL patterns of makers.

/// Words of makers' URLs for the main stream, and for the smaller one: Dahua and Amcrest, Hikvision, Reolink,
/// Tapo and TP-Link.
const PATTERNS: [(&str, &str); 6] = [
    ("subtype=0", "subtype=1"),
    ("/Streaming/Channels/", ""),
    ("Preview_01_main", "Preview_01_sub"),
    ("Preview_02_main", "Preview_02_sub"),
    ("/stream1", "/stream2"),
    ("/av0_0", "/av0_1"),
];

/// Returns the URL of the smaller stream; none if the pattern is not known.
pub(super) fn substream(url: &str) -> Option<String> {
    for (main, sub) in PATTERNS {
        let Some(at) = url.rfind(main) else { continue };
        let (before, after) = (&url[..at], &url[at + main.len()..]);
        let next = if sub.is_empty() {
            // Hikvision: the camera's number, and 01 for the main stream: /Streaming/Channels/101.
            let digits = after.bytes().take_while(u8::is_ascii_digit).count();
            let camera = after[..digits].strip_suffix("01").filter(|camera| !camera.is_empty())?;
            format!("{before}{main}{camera}02{}", &after[digits..])
        } else {
            if after.starts_with(|next: char| next.is_ascii_alphanumeric()) {
                continue;
            }
            format!("{before}{sub}{after}")
        };
        return Some(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_stream_follows_from_the_makers_pattern() {
        for (main, sub) in [
            ("cam/cam/realmonitor?channel=1&subtype=0", Some("cam/cam/realmonitor?channel=1&subtype=1")),
            ("cam/cam/realmonitor?subtype=0&channel=1", Some("cam/cam/realmonitor?subtype=1&channel=1")),
            ("cam/Streaming/Channels/101", Some("cam/Streaming/Channels/102")),
            ("cam/Streaming/Channels/1601/?x=1", Some("cam/Streaming/Channels/1602/?x=1")),
            ("cam/Streaming/Channels/102", None),
            ("cam:554/h264Preview_01_main", Some("cam:554/h264Preview_01_sub")),
            ("cam/h265Preview_01_main", Some("cam/h265Preview_01_sub")),
            ("cam/stream1", Some("cam/stream2")),
            ("cam/stream10", None),
            ("cam/live/main", None),
        ] {
            let url = |rest: &str| format!("rtsp://user:stream1@{rest}");
            assert_eq!(substream(&url(main)), sub.map(url), "{main}");
        }
    }
}
