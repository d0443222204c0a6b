//! Shows a camera's H.264: every access unit is decoded that another depends on, and those pictures are
//! encoded that the stream's and the source's rate want, both in one job of the CPU pool.
//!
//! After a lost packet, and at the start, nothing is shown until a keyframe. A pool that is too slow loses
//! whole groups of pictures, never single references.

use std::{future::Future, pin::Pin, time::Instant as Arrival};

use bytes::Bytes;
use tokio::time::Instant;

use super::{
    codec::VideoCodec,
    error::RtspError,
    picture::PictureFormat,
    session::{Event, Playing, SessionConfig, SessionEnd},
};
use crate::{
    bus::{DropReason, FrameRateLimiter, Ingest},
    imaging::{
        PoolError,
        codec::{
            CodecError,
            h264::{Framing, H264Decoder, H264Error},
        },
        cpu_pool::{LatestQueue, StreamQueue},
    },
    source::{error::SourceError, generated::error::RenderError},
};

/// Keyframes in a row that openh264 cannot decode, after which the video has something that it lacks.
const MAX_FAILED_KEYFRAMES: u32 = 2;

/// Maximum number of access units that wait while others are decoded: two seconds at 30 a second.
const MAX_WAITING: usize = 60;

/// The size that is assumed until a parameter set has come.
const USUAL_SIZE: (u32, u32) = (1920, 1080);

/// One picture's data, in Annex B.
struct AccessUnit {
    data: Vec<u8>,
    time: i64,
}

/// A job of the pool: the access units that have come since the last one.
struct Work {
    decoder: H264Decoder,
    units: Vec<AccessUnit>,
    /// The last picture is to be shown.
    is_wanted: bool,
    format: PictureFormat,
}

/// The result of a job.
struct Done {
    decoder: H264Decoder,
    /// Pictures that were decoded.
    decoded: u64,
    jpeg: Option<Result<Bytes, CodecError>>,
    error: Option<H264Error>,
}

impl Work {
    fn run(self) -> Done {
        let Self { mut decoder, units, is_wanted, format } = self;
        let memory = format.memory.clone();
        memory.with_scratch(|scratch| {
            let (mut decoded, mut jpeg, mut error) = (0, None, None);
            let last = units.len().saturating_sub(1);
            for (n, unit) in units.iter().enumerate() {
                let shown = is_wanted && n == last;
                let picture = shown.then_some(&mut scratch.planes);
                match decoder.decode((&unit.data, Framing::StartCodes), unit.time, picture) {
                    Ok(Some(_)) => {
                        decoded += 1;
                        jpeg = shown.then(|| format.encode(scratch));
                    }
                    Ok(None) => {}
                    Err(failed) => error = Some(failed),
                }
            }
            Done { decoder, decoded, jpeg, error }
        })
    }
}

/// Marks the stream as waiting for a keyframe for as long as it lives.
struct KeyframeWait<'a>(&'a Ingest);

impl<'a> KeyframeWait<'a> {
    fn begin(ingest: &'a Ingest) -> Self {
        ingest.bus().stats().set_keyframe_wait(Some(Arrival::now()));
        Self(ingest)
    }
}

impl Drop for KeyframeWait<'_> {
    fn drop(&mut self) {
        self.0.bus().stats().set_keyframe_wait(None);
    }
}

/// A running job, which holds the source's place in the pool.
type Job = Pin<Box<dyn Future<Output = (LatestQueue, Result<Done, PoolError>)>>>;

/// The state of showing one session.
struct Show<'a> {
    format: PictureFormat,
    ingest: &'a Ingest,
    limiter: FrameRateLimiter,
    waiting: Vec<AccessUnit>,
    max_waiting_bytes: usize,
    /// Data of pictures has come.
    has_data: bool,
    /// Everything up to the next keyframe is left out.
    needs_keyframe: bool,
    /// A packet has been lost since the last keyframe that was decoded.
    lost: bool,
    keyframe_wait: Option<KeyframeWait<'a>>,
}

/// Shows the pictures of a session until it ends.
pub(super) async fn show(
    mut playing: Playing,
    config: &SessionConfig,
    queue: &StreamQueue,
    (started, ingest): (Instant, &Ingest),
) -> Result<(), SessionEnd> {
    let memory = queue.pool().memory().clone();
    let decoder =
        H264Decoder::new(config.limits.max_frame_pixels, Box::new(move |bytes| memory.reserve_kept(bytes)));
    let mut show = Show {
        format: config.format(queue),
        ingest,
        limiter: config.limiter(),
        waiting: Vec::new(),
        max_waiting_bytes: config.limits.max_frame_bytes,
        has_data: false,
        needs_keyframe: true,
        lost: false,
        keyframe_wait: Some(KeyframeWait::begin(ingest)),
    };
    let mut deadlines = config.deadlines(started);
    let mut idle = Some((decoder, queue.pool().latest_queue()));
    let mut job: Option<Job> = None;
    loop {
        if !show.waiting.is_empty()
            && let Some(idle) = idle.take()
        {
            job = Some(show.start(idle));
        }
        tokio::select! {
            biased;
            (place, done) = async { job.as_mut().expect("it is some").await }, if job.is_some() => {
                job = None;
                let done = done.map_err(|error| SourceError::Render(RenderError::Pool(error)))?;
                if done.decoded > 0 {
                    deadlines.on_frame();
                }
                idle = Some((show.finish(done, &playing)?, place));
            }
            event = playing.next(deadlines.at()) => match event? {
                Event::Frame(frame) => show.take(frame),
                Event::Ended => {
                    // The pictures that have come are shown.
                    if let Some(job) = job.take() {
                        let (_, done) = job.await;
                        let done = done.map_err(|error| SourceError::Render(RenderError::Pool(error)))?;
                        if done.decoded > 0 {
                            deadlines.on_frame();
                        }
                        show.finish(done, &playing)?;
                    }
                    return deadlines.ended(playing.host());
                }
                Event::Late if deadlines.is_first() && show.has_data && show.needs_keyframe => {
                    let (host, within) = (playing.host().to_owned(), config.rtsp.first_frame_timeout);
                    return Err(RtspError::NoKeyframe { host, within }.into());
                }
                Event::Late => return Err(deadlines.missed(playing.host()).into()),
            }
        }
    }
}

impl<'a> Show<'a> {
    /// Takes an access unit of the camera.
    fn take(&mut self, frame: retina::codec::VideoFrame) {
        if frame.loss() > 0 {
            self.needs_keyframe = true;
            self.lost = true;
        }
        self.has_data = true;
        let is_keyframe = frame.is_random_access_point();
        let bytes: usize = self.waiting.iter().map(|unit| unit.data.len()).sum();
        let is_full =
            self.waiting.len() >= MAX_WAITING || bytes + frame.data().len() > self.max_waiting_bytes;
        if is_keyframe || is_full {
            // Nothing depends on them after a keyframe, and the rest of the group is of no use without them.
            (0..self.waiting.len()).for_each(|_| self.ingest.count_drop(DropReason::Busy));
            self.waiting.clear();
            self.needs_keyframe = !is_keyframe;
        }
        if self.needs_keyframe {
            return self.ingest.count_drop(DropReason::Invalid);
        }
        if frame.is_disposable() && !is_keyframe && !self.is_wanted() {
            return self.ingest.skip_frame();
        }
        let time = frame.timestamp().elapsed();
        self.waiting.push(AccessUnit { data: frame.into_data(), time });
    }

    fn is_wanted(&self) -> bool {
        self.limiter.is_due(Arrival::now()) && self.ingest.wants_frame()
    }

    /// Starts decoding what has come.
    fn start(&mut self, (decoder, mut place): (H264Decoder, LatestQueue)) -> Job {
        let (units, is_wanted) = (std::mem::take(&mut self.waiting), self.is_wanted());
        if is_wanted {
            self.limiter.admits(Arrival::now());
        }
        let size = decoder.size().map_or(USUAL_SIZE, |(width, height)| (width.into(), height.into()));
        let bytes = self.format.bytes_to_encode(size);
        let work = Work { decoder, units, is_wanted, format: self.format.clone() };
        Box::pin(async move {
            let done = place.run(bytes, move || work.run()).await;
            (place, done)
        })
    }

    /// Shows the result of a job, and returns the decoder.
    fn finish(&mut self, done: Done, playing: &Playing) -> Result<H264Decoder, SessionEnd> {
        let Done { decoder, decoded, jpeg, error } = done;
        let is_shown = jpeg.is_some();
        (u64::from(is_shown)..decoded).for_each(|_| self.ingest.skip_frame());
        match jpeg {
            // A picture of our own encoder is valid; if not, the ingest counts it.
            Some(Ok(jpeg)) => drop(self.ingest.push_jpeg(jpeg)),
            Some(Err(_)) => self.ingest.count_drop(DropReason::Invalid),
            None => {}
        }
        if decoded > 0 {
            self.keyframe_wait = None;
            self.lost = false;
        }
        let Some(error) = error else { return Ok(decoder) };
        self.ingest.count_drop(DropReason::Invalid);
        let foreign = || SessionEnd::Foreign {
            codec: VideoCodec::H264,
            refused: Some(error.to_string()),
            is_udp: playing.is_udp(),
        };
        match error {
            H264Error::TooManyPixels { width, height, .. } => {
                let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
                let host = playing.host().to_owned();
                Err(SourceError::TooManyPixels { host, width: side(width), height: side(height) }.into())
            }
            H264Error::Memory(_) => {
                let host = playing.host().to_owned();
                Err(RtspError::Memory { host, reason: error.to_string() }.into())
            }
            _ if error.is_unsupported() => Err(foreign()),
            _ if decoder.failed_keyframes() >= MAX_FAILED_KEYFRAMES && !self.lost => Err(foreign()),
            _ => {
                self.needs_keyframe = true;
                Ok(decoder)
            }
        }
    }
}
