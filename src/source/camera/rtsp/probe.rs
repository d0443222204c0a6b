//! Examines an RTSP camera, with the session that the relay uses. Keeps only one picture and counters.

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    codec::VideoCodec,
    error::RtspError,
    session::{Event, Playing, SessionConfig, SessionEnd},
};
use crate::{
    config::{Limits, RtspConfig, RtspTransport},
    media::frame::Frame,
    source::{
        camera::probe::ProbeLimits,
        error::{Deadline, SourceError},
    },
};

/// The observed properties of a session.
#[derive(Debug, Default)]
pub struct RtspReport {
    /// Kind of the video.
    pub codec: Option<VideoCodec>,
    /// Whether the pictures come over UDP.
    pub is_udp: bool,
    /// Width and height.
    pub size: Option<(u32, u32)>,
    /// Number of pictures, decoded or not.
    pub frames: u64,
    /// Size of all of them together, as they were sent.
    pub bytes: u64,
    /// Size of the largest one.
    pub largest: usize,
    /// Seconds from the first to the last, by the camera's clock.
    pub span_s: f64,
    /// Seconds from one keyframe to the next, at most; none while there was only one.
    pub keyframe_interval_s: Option<f64>,
    /// One picture, as JPEG.
    pub picture: Bytes,
    /// The reason for which there is no picture.
    pub problem: Option<String>,
}

impl RtspReport {
    /// Returns the rates of pictures and of bytes per second; none for a single picture.
    pub fn rates(&self) -> Option<(f64, f64)> {
        let is_known = self.frames > 1 && self.span_s > 0.0;
        is_known.then(|| ((self.frames - 1) as f64 / self.span_s, self.bytes as f64 / self.span_s))
    }
}

/// Opens a session and observes it.
///
/// # Errors
/// The reason that a source would have.
pub async fn probe(
    config: &RtspConfig,
    bounds: ProbeLimits,
    limits: &Limits,
) -> Result<RtspReport, SourceError> {
    let session = SessionConfig::new(config, limits);
    let observe = |playing: Playing| observe(playing, &session, bounds);
    let seen = match session.run(session.rtsp.transport, observe).await {
        Err(SessionEnd::NoPackets) => session.run(RtspTransport::Udp, observe).await,
        other => other,
    };
    match seen {
        Ok(report) => Ok(report),
        Err(SessionEnd::Failed(error)) => Err(error),
        Err(SessionEnd::NoPackets) => Err(session.silent()),
        Err(SessionEnd::Foreign { codec, is_udp, .. }) => {
            let problem = RtspError::Codec { host: session.host(), codec }.to_string();
            Ok(RtspReport { codec: Some(codec), is_udp, problem: Some(problem), ..RtspReport::default() })
        }
    }
}

async fn observe(
    mut playing: Playing,
    config: &SessionConfig,
    bounds: ProbeLimits,
) -> Result<RtspReport, SessionEnd> {
    let deadline = Instant::now() + bounds.within;
    let mut report = RtspReport { codec: Some(playing.codec), ..RtspReport::default() };
    let (mut first, mut keyframe) = (None, None);
    let mut group: Option<Vec<u8>> = None;
    while report.frames < bounds.frames {
        let frame = match playing.next(deadline).await? {
            Event::Frame(frame) => frame,
            Event::Ended | Event::Late => break,
        };
        let at = frame.timestamp().elapsed_secs();
        report.span_s = at - *first.get_or_insert(at);
        report.frames += 1;
        report.bytes += frame.data().len() as u64;
        report.largest = report.largest.max(frame.data().len());
        if frame.is_random_access_point() {
            if let Some(before) = keyframe.replace(at) {
                report.keyframe_interval_s =
                    Some(report.keyframe_interval_s.unwrap_or(0.0_f64).max(at - before));
            }
            group = Some(frame.into_data());
        }
    }
    report.is_udp = playing.is_udp();
    report.size = playing.parameters().map(|(size, _)| size);
    let Some(data) = group else {
        let host = playing.host().to_owned();
        report.problem = Some(match report.frames {
            0 => SourceError::late(&host, Deadline::FirstFrame, bounds.within).to_string(),
            _ => RtspError::NoKeyframe { host, within: bounds.within }.to_string(),
        });
        return Ok(report);
    };
    if playing.codec == VideoCodec::Jpeg {
        report.keyframe_interval_s = None;
        match Frame::from_jpeg(data.into()) {
            Ok(frame) => report.picture = frame.jpeg().clone(),
            Err(error) => report.problem = Some(format!("{} sends broken pictures: {error}", playing.host())),
        }
        return Ok(report);
    }
    let max_pixels = config.limits.max_frame_pixels;
    // For one picture; probes are few.
    let decoded = tokio::task::spawn_blocking(move || decode(&data, max_pixels)).await;
    match decoded.unwrap_or_else(|_| Err("the decoder failed inside framecast, which is a bug".to_owned())) {
        Ok(picture) => report.picture = picture,
        Err(reason) => {
            let host = playing.host().to_owned();
            report.problem = Some(RtspError::Undecodable { host, reason }.to_string());
        }
    }
    Ok(report)
}

/// Decodes a keyframe with its parameter sets, and encodes it as JPEG.
#[cfg(feature = "h264")]
fn decode(keyframe: &[u8], max_pixels: u64) -> Result<Bytes, String> {
    use crate::imaging::{
        PictureMemory, Quality,
        codec::{
            codec,
            h264::{Framing, H264Decoder},
        },
        ycbcr::Planes,
    };
    let memory = std::sync::Arc::<PictureMemory>::default();
    let mut decoder = H264Decoder::new(max_pixels, Box::new(move |bytes| memory.reserve_kept(bytes)));
    let mut planes = Planes::default();
    let decoded = decoder.decode((keyframe, Framing::StartCodes), 0, Some(&mut planes));
    match decoded.map_err(|error| error.to_string())? {
        Some(_) => {
            codec().encode_planes(&planes, Quality::PICTURE.percent).map_err(|error| error.to_string())
        }
        None => Err("its first picture comes out late".to_owned()),
    }
}

#[cfg(not(feature = "h264"))]
fn decode(_: &[u8], _: u64) -> Result<Bytes, String> {
    Err("this build has no decoder for H.264".to_owned())
}
