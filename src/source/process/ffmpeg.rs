//! The ffmpeg command lines of the short forms `rtsp` and `v4l2`.

use std::time::Duration;

use super::redact::Redactor;
use crate::config::{ExecConfig, RtspConfig, RtspTransport, Secret, Size, SourceConfig, V4l2Config};

/// Name of the program, which is looked up on `PATH`.
pub(super) const FFMPEG: &str = "ffmpeg";

/// JPEG quality for devices that deliver no JPEGs.
const V4L2_QUALITY: u8 = 85;

/// The best and the worst value of ffmpeg's quantiser scale.
const BEST_QUANTISER: u8 = 2;
const WORST_QUANTISER: u8 = 31;

/// Returns the programs for `source`, to be tried in order until one writes frames; none if it is not a
/// program.
pub(super) fn programs(source: &SourceConfig) -> Option<Vec<ExecConfig>> {
    match source {
        SourceConfig::Exec(exec) => Some(vec![exec.clone()]),
        SourceConfig::Rtsp(rtsp) => Some(vec![rtsp_command(rtsp)]),
        SourceConfig::V4l2(v4l2) => Some(vec![v4l2_command(v4l2, true), v4l2_command(v4l2, false)]),
        _ => None,
    }
}

/// Returns the command line of a short form, without credentials.
pub fn explain(source: &SourceConfig) -> Option<String> {
    if matches!(source, SourceConfig::Exec(_)) || !source.starts_program() {
        return None;
    }
    let program = programs(source)?.into_iter().next()?;
    let redactor = Redactor::for_program(&program);
    let words = std::iter::once(program.program.as_str()).chain(program.arguments.iter().map(Secret::reveal));
    Some(words.map(|word| redactor.redact(word)).collect::<Vec<_>>().join(" "))
}

fn rtsp_command(config: &RtspConfig) -> ExecConfig {
    let mut arguments = Arguments::new();
    // Nothing is buffered before the first picture is written.
    arguments.add(["-fflags", "nobuffer", "-flags", "low_delay"]);
    let transport = if config.transport == RtspTransport::Udp { "udp" } else { "tcp" };
    arguments.add(["-rtsp_transport", transport]);
    // Whatever the URL and the camera's responses contain, nothing else is opened: no file, no `concat:`, no
    // HTTP.
    arguments.add(["-protocol_whitelist", protocols(config)]);
    arguments.add(["-i", config.url.reveal(), "-an", "-sn"]);
    arguments.encoded(config.size, config.fps, config.quality);
    arguments.finish(config.first_frame_timeout, config.frame_timeout)
}

/// Returns the protocols that ffmpeg may use for a camera's sessions and media.
fn protocols(config: &RtspConfig) -> &'static str {
    let secured = config.url.reveal().starts_with("rtsps:");
    match (config.transport, secured) {
        (RtspTransport::Auto | RtspTransport::Tcp, false) => "rtsp,tcp",
        (RtspTransport::Auto | RtspTransport::Tcp, true) => "rtsp,tls,tcp",
        (RtspTransport::Udp, false) => "rtsp,rtp,udp,tcp",
        (RtspTransport::Udp, true) => "rtsp,rtp,srtp,udp,tls,tcp",
    }
}

fn v4l2_command(config: &V4l2Config, copy: bool) -> ExecConfig {
    let mut arguments = Arguments::new();
    // A kernel device is opened without any of ffmpeg's protocols.
    arguments.add(["-f", "v4l2", "-protocol_whitelist", "none"]);
    if copy {
        arguments.add(["-input_format", "mjpeg"]);
    }
    if let Some(size) = config.size {
        arguments.add(["-video_size", &size.to_string()]);
    }
    if let Some(fps) = config.fps {
        arguments.add(["-framerate", &fps.to_string()]);
    }
    arguments.add(["-i", &config.device.to_string_lossy()]);
    if copy {
        arguments.add(["-c:v", "copy"]);
    } else {
        arguments.encoded(None, None, V4L2_QUALITY);
    }
    arguments.finish(config.first_frame_timeout, config.frame_timeout)
}

struct Arguments(Vec<Secret>);

impl Arguments {
    fn new() -> Self {
        let mut arguments = Self(Vec::new());
        arguments.add(["-nostdin", "-hide_banner", "-loglevel", "error"]);
        arguments
    }

    fn add<const N: usize>(&mut self, words: [&str; N]) {
        self.0.extend(words.map(Secret::new));
    }

    fn encoded(&mut self, size: Option<Size>, fps: Option<f64>, quality: u8) {
        let fps = fps.map(|fps| format!("fps={fps}"));
        let scale = size.map(|size| format!("scale={}:{}", size.width, size.height));
        let filters: Vec<_> = fps.into_iter().chain(scale).collect();
        if !filters.is_empty() {
            self.add(["-vf", &filters.join(",")]);
        }
        self.add(["-c:v", "mjpeg", "-q:v", &quantiser(quality).to_string()]);
    }

    fn finish(mut self, first_frame_timeout: Duration, frame_timeout: Duration) -> ExecConfig {
        // Each picture is written when it is whole, not when a buffer is full.
        self.add(["-flush_packets", "1", "-f", "mpjpeg", "-"]);
        ExecConfig {
            program: FFMPEG.to_owned(),
            arguments: self.0,
            environment: Vec::new(),
            folder: None,
            first_frame_timeout,
            frame_timeout,
        }
    }
}

/// Converts a quality of 1 to 100 to ffmpeg's quantiser scale.
fn quantiser(quality: u8) -> u8 {
    let lost = 100 - u32::from(quality.min(100));
    let steps = u32::from(WORST_QUANTISER - BEST_QUANTISER);
    BEST_QUANTISER + u8::try_from((lost * steps + 50) / 100).unwrap_or(WORST_QUANTISER - BEST_QUANTISER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{self, Environment};

    fn explained(source: &str) -> String {
        let yaml = format!("streams: {{a: {{source: {source}}}}}");
        let config = config::parse(&yaml, "test", &Environment::default()).unwrap();
        explain(config.streams[0].source()).unwrap()
    }

    #[test]
    fn a_camera_over_rtsp_is_asked_as_configured_and_its_password_is_not_shown() {
        assert_eq!(
            explained("{type: rtsp, url: \"rtsp://u:hunter2@cam:554/s\"}"),
            "ffmpeg -nostdin -hide_banner -loglevel error -fflags nobuffer -flags low_delay -rtsp_transport \
             tcp \
             -protocol_whitelist rtsp,tcp -i rtsp://cam:554/*** -an -sn -c:v mjpeg -q:v 6 -flush_packets 1 \
             -f mpjpeg -"
        );
        let all = explained(
            "{type: rtsp, url: \"rtsp://cam/s\", transport: udp, size: 640x360, fps: 2.5, quality: 100}",
        );
        assert!(all.contains("-rtsp_transport udp -protocol_whitelist rtsp,rtp,udp,tcp -i"), "{all}");
        let secured = explained("{type: rtsp, url: \"rtsps://cam/s\"}");
        assert!(secured.contains("-protocol_whitelist rtsp,tls,tcp -i rtsps://cam/"), "{secured}");
        assert!(all.contains("-vf fps=2.5,scale=640:360 -c:v mjpeg -q:v 2 "), "{all}");
    }

    #[test]
    fn a_usb_camera_gives_its_own_jpegs_if_it_can_and_is_encoded_if_not() {
        let yaml = "streams: {a: {source: {type: v4l2, device: /dev/video0, size: 1280x720, fps: 30}}}";
        let config = config::parse(yaml, "test", &Environment::default()).unwrap();
        let programs = programs(config.streams[0].source()).unwrap();
        let lines: Vec<_> = programs
            .iter()
            .map(|program| program.arguments.iter().map(Secret::reveal).collect::<Vec<_>>().join(" "))
            .collect();
        assert!(
            lines[0].contains(
                "-f v4l2 -protocol_whitelist none -input_format mjpeg -video_size 1280x720 -framerate 30 \
                 -i /dev/video0 -c:v copy "
            ),
            "{lines:?}"
        );
        assert!(
            lines[1].contains(
                "-f v4l2 -protocol_whitelist none -video_size 1280x720 -framerate 30 -i /dev/video0 \
                 -c:v mjpeg -q:v 6 "
            ),
            "{lines:?}"
        );
    }

    #[test]
    fn quality_runs_over_all_of_ffmpegs_scale() {
        assert_eq!([100, 85, 50, 1].map(quantiser), [2, 6, 17, 31]);
    }
}
