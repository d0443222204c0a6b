//! Runs a source to its end and collects the outcome.

use std::{sync::Arc, time::Duration};

use framecast::{
    bus::{Bus, DropReason, Ingest},
    config::{HttpAuth, Limits, Login, Secret, UpstreamConfig},
    source::{
        Source, SourceError,
        camera::{mjpeg::MjpegSource, snapshot::SnapshotSource},
    },
};
use jpeg_encoder::{ColorType, Encoder};

/// Returns a configuration with long deadlines, so that a slow machine fails no test.
pub(crate) fn config(url: &str) -> UpstreamConfig {
    let long = Duration::from_secs(60);
    UpstreamConfig {
        url: url.parse().unwrap(),
        login: None,
        auth: HttpAuth::Auto,
        headers: Vec::new(),
        insecure: false,
        connect_timeout: long,
        head_timeout: long,
        first_frame_timeout: long,
        frame_timeout: long,
    }
}

/// Returns the configuration for `url` with user `door` and password `s3cret`.
pub(crate) fn config_with_login(url: &str) -> UpstreamConfig {
    let login = Login { user: "door".into(), password: Secret::new("s3cret") };
    UpstreamConfig { login: Some(login), ..config(url) }
}

/// The result of one run.
pub(crate) struct Outcome {
    pub(crate) result: Result<(), SourceError>,
    /// Every frame shown, in order.
    pub(crate) frames: Vec<Vec<u8>>,
    pub(crate) bus: Arc<Bus>,
}

impl Outcome {
    /// Returns the error's text; panics when there is none.
    pub(crate) fn error(&self) -> String {
        self.result.as_ref().expect_err("the run fails").to_string()
    }

    /// Returns the number of frames dropped for `reason`.
    pub(crate) fn dropped(&self, reason: DropReason) -> u64 {
        self.bus.stats().dropped().find(|(r, _)| *r == reason).map_or(0, |(_, count)| count)
    }

    /// Returns how often the quirk of that name was counted.
    pub(crate) fn quirk(&self, name: &str) -> u64 {
        self.bus.stats().quirks().find(|(quirk, _)| quirk.as_str() == name).map_or(0, |(_, count)| count)
    }

    /// Asserts that the run ended in an orderly way with exactly these frames.
    #[track_caller]
    pub(crate) fn assert_frames(&self, expected: &[Vec<u8>], case: &str) {
        assert!(self.result.is_ok(), "{case}: {}", self.error());
        self.assert_shown(expected, case);
    }

    /// Asserts that exactly these frames were shown, however it ended.
    #[track_caller]
    pub(crate) fn assert_shown(&self, expected: &[Vec<u8>], case: &str) {
        let sizes = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).collect::<Vec<_>>();
        assert_eq!(sizes(&self.frames), sizes(expected), "{case}: sizes of the frames shown");
        assert!(self.frames == expected, "{case}: frames differ in their bytes");
    }
}

/// Returns limits for small pictures.
pub(crate) fn limits() -> Limits {
    Limits { max_frame_bytes: 256 * 1024, ..Limits::default() }
}

/// Runs an `mjpeg` source once.
pub(crate) async fn watch(config: UpstreamConfig) -> Outcome {
    watch_within(config, &limits()).await
}

/// Runs an `mjpeg` source once, with other limits.
pub(crate) async fn watch_within(config: UpstreamConfig, limits: &Limits) -> Outcome {
    watch_source(&mut MjpegSource::new(config, limits)).await
}

/// Runs any source once.
pub(crate) async fn watch_source(source: &mut dyn Source) -> Outcome {
    let bus = Arc::new(Bus::default());
    let ingest = Ingest::new(Arc::clone(&bus), None);
    let mut reader = bus.subscribe();
    let mut frames = Vec::new();
    let result = {
        let mut run = source.run(&ingest);
        // The reader shares the thread with the source: it sees every frame only if the source lets others
        // run.
        loop {
            tokio::select! {
                biased;
                changed = reader.changed() => {
                    changed.unwrap();
                    take(&mut reader, &mut frames);
                }
                result = &mut run => break result,
            }
        }
    };
    if reader.has_changed().unwrap() {
        take(&mut reader, &mut frames);
    }
    Outcome { result, frames, bus }
}

fn take(reader: &mut framecast::bus::BusReader, frames: &mut Vec<Vec<u8>>) {
    let newest = reader.borrow_and_update().frame.clone();
    frames.extend(newest.map(|published| published.frame.jpeg().to_vec()));
}

/// Creates a `snapshot` source.
pub(crate) fn snapshots(config: UpstreamConfig, interval: Duration) -> SnapshotSource {
    SnapshotSource::new(config, interval, &limits())
}

/// Returns a different picture for each `n`.
pub(crate) fn jpeg(n: u8) -> Vec<u8> {
    jpeg_of_size(n, 16, 16)
}

/// Returns a picture of that size.
pub(crate) fn jpeg_of_size(n: u8, width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> =
        (0..u32::from(width) * u32::from(height)).map(|at| (at * 7) as u8 ^ n.wrapping_mul(37)).collect();
    Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
    jpeg
}

/// Returns three pictures.
pub(crate) fn three() -> Vec<Vec<u8>> {
    (1..=3).map(jpeg).collect()
}

/// Returns a body according to RFC 2046, with the boundary `cam`.
pub(crate) fn body(jpegs: &[Vec<u8>]) -> Vec<u8> {
    let mut body = Vec::new();
    for jpeg in jpegs {
        let head = format!("--cam\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", jpeg.len());
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(jpeg);
        body.extend_from_slice(b"\r\n");
    }
    body
}

/// The head that belongs to [`body`], which ends with the connection.
pub(crate) const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=cam\r\n\r\n";

/// Returns head and body in one.
pub(crate) fn answer(head: &str, body: &[u8]) -> Vec<u8> {
    [head.as_bytes(), body].concat()
}
