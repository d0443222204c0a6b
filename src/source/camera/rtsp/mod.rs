//! Cameras that speak RTSP: `type: rtsp`.
//!
//! One run is one session: JPEGs are passed as the camera encoded them, H.264 is decoded in the CPU pool.
//! What framecast does not decode goes to ffmpeg, where it is installed. The session is `retina`'s;
//! `tunnel` bounds and authorizes what it exchanges with the camera.

mod codec;
pub(in crate::source) mod error;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
#[cfg(feature = "h264")]
mod h264;
mod jpeg;
mod picture;
pub mod probe;
mod session;
mod substream;
mod tunnel;

use futures_util::future::LocalBoxFuture;
use tokio::time::Instant;
use tracing::{debug, info};

use crate::{
    bus::Ingest,
    config::{Limits, RtspConfig, RtspDecoder, RtspTransport},
    imaging::cpu_pool::StreamQueue,
    source::{error::SourceError, traits::Source},
};
pub use codec::VideoCodec;
use error::RtspError;
use session::{Playing, SessionConfig, SessionEnd};

/// Builds the source that shows a camera through ffmpeg.
pub(in crate::source) type FfmpegSource = Box<dyn Fn(RtspConfig) -> Box<dyn Source>>;

/// A camera that speaks RTSP.
pub struct RtspSource {
    session: SessionConfig,
    queue: StreamQueue,
    ffmpeg: FfmpegSource,
}

impl RtspSource {
    /// Creates a source that opens a session at each run; `ffmpeg` builds the one for other codecs.
    pub(in crate::source) fn new(
        config: &RtspConfig,
        limits: &Limits,
        queue: StreamQueue,
        ffmpeg: FfmpegSource,
    ) -> Self {
        let session = SessionConfig::new(config, limits);
        if session.url.scheme() == "rtsps" {
            info!(host = session.host(), "the certificate of this camera is not checked (rtsps)");
        }
        Self { session, queue, ffmpeg }
    }

    async fn run_once(&self, ingest: &Ingest) -> Result<(), SourceError> {
        let SessionConfig { rtsp, .. } = &self.session;
        if rtsp.decoder == RtspDecoder::Ffmpeg {
            return (self.ffmpeg)(rtsp.clone()).run(ingest).await;
        }
        let before = *ingest.received().borrow();
        let host = self.session.host();
        let (transport, error) = match self.watch(ingest).await {
            Ok(()) => return Ok(()),
            Err(SessionEnd::NoPackets) => return Err(self.session.silent()),
            Err(SessionEnd::Foreign { codec, refused, is_udp }) => {
                let error = match refused {
                    Some(reason) => RtspError::Undecodable { host, reason },
                    None => RtspError::Codec { host, codec },
                };
                (if is_udp { RtspTransport::Udp } else { RtspTransport::Tcp }, error)
            }
            // A camera whose dialect the library does not understand from the start.
            Err(SessionEnd::Failed(SourceError::Rtsp(error @ RtspError::Session { .. })))
                if *ingest.received().borrow() == before =>
            {
                (rtsp.transport, error)
            }
            Err(SessionEnd::Failed(error)) => return Err(error),
        };
        if rtsp.decoder == RtspDecoder::Auto && is_installed("ffmpeg") {
            debug!("left to ffmpeg: {error}");
            return (self.ffmpeg)(RtspConfig { transport, ..rtsp.clone() }).run(ingest).await;
        }
        Err(error.into())
    }

    /// Shows the camera's pictures; with `transport: auto` over UDP where nothing comes over TCP.
    async fn watch(&self, ingest: &Ingest) -> Result<(), SessionEnd> {
        let started = Instant::now();
        let watch = |playing: Playing| self.show(playing, started, ingest);
        match self.session.run(self.session.rtsp.transport, watch).await {
            Err(SessionEnd::NoPackets) => self.session.run(RtspTransport::Udp, watch).await,
            other => other,
        }
    }

    async fn show(&self, playing: Playing, started: Instant, ingest: &Ingest) -> Result<(), SessionEnd> {
        debug!(udp = playing.is_udp(), "the camera sends {}", playing.codec);
        match playing.codec {
            VideoCodec::Jpeg => jpeg::show(playing, &self.session, &self.queue, (started, ingest)).await,
            #[cfg(feature = "h264")]
            VideoCodec::H264 => h264::show(playing, &self.session, &self.queue, (started, ingest)).await,
            codec => Err(SessionEnd::Foreign { codec, refused: None, is_udp: playing.is_udp() }),
        }
    }
}

impl Source for RtspSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(self.run_once(ingest))
    }
}

/// Returns whether a program of this name is on `PATH`.
fn is_installed(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(name).is_file())
}
