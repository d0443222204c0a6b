//! One session with a camera: `DESCRIBE`, `SETUP` of its video, `PLAY`, by `retina` through the tunnel.

use std::{future::Future, pin::pin, rc::Rc, time::Duration};

use futures_util::{
    StreamExt,
    future::{Either, select},
};
use retina::{
    client::{Demuxed, PlayOptions, Session, SessionOptions, SetupOptions, TeardownPolicy},
    codec::{CodecItem, FrameFormat, ParametersRef, VideoFrame},
};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::{
    codec::VideoCodec,
    error::RtspError,
    picture::PictureFormat,
    substream::substream,
    tunnel::{Progress, Target, Tunnel},
};
use crate::{
    bus::FrameRateLimiter,
    config::{Limits, Login, RtspConfig, RtspPreference, RtspTransport, Secret},
    imaging::cpu_pool::StreamQueue,
    source::error::{Deadline, SourceError},
};

/// Time after `PLAY` without a packet after which a camera is asked for UDP: some promise TCP and send
/// nothing over it.
const NO_PACKET_TIMEOUT: Duration = Duration::from_secs(5);

/// The end of a session that has to be tried in another way, or an error.
#[derive(Debug)]
pub(super) enum SessionEnd {
    /// An error for people.
    Failed(SourceError),
    /// The video is of a kind that framecast does not decode.
    Foreign {
        codec: VideoCodec,
        /// The decoder's words, if it has refused the video.
        refused: Option<String>,
        is_udp: bool,
    },
    /// Nothing came over TCP.
    NoPackets,
}

impl From<SourceError> for SessionEnd {
    fn from(error: SourceError) -> Self {
        Self::Failed(error)
    }
}

impl From<RtspError> for SessionEnd {
    fn from(error: RtspError) -> Self {
        Self::Failed(error.into())
    }
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub(super) struct SessionConfig {
    pub(super) url: Url,
    pub(super) login: Option<Login>,
    pub(super) rtsp: RtspConfig,
    pub(super) limits: Limits,
}

/// The deadlines of a run: for its first picture, and for each further one.
#[derive(Debug)]
pub(super) struct Deadlines {
    at: Instant,
    within: Duration,
    waiting_for: Deadline,
    frame_timeout: Duration,
}

impl Deadlines {
    /// Returns the moment until which the next picture has to come.
    pub(super) fn at(&self) -> Instant {
        self.at
    }

    /// Notes a whole picture.
    pub(super) fn on_frame(&mut self) {
        self.within = self.frame_timeout;
        self.at = Instant::now() + self.within;
        self.waiting_for = Deadline::NextFrame;
    }

    /// Returns whether no picture has come yet.
    pub(super) fn is_first(&self) -> bool {
        self.waiting_for == Deadline::FirstFrame
    }

    /// Returns the error for a missed deadline.
    pub(super) fn missed(&self, host: &str) -> SourceError {
        SourceError::late(host, self.waiting_for, self.within)
    }

    /// Returns the result of a session that the camera has ended.
    pub(super) fn ended(&self, host: &str) -> Result<(), SessionEnd> {
        if self.is_first() { Err(SourceError::Empty { host: host.to_owned() }.into()) } else { Ok(()) }
    }
}

/// A session whose video is on its way.
pub(super) struct Playing {
    demuxed: Demuxed,
    stream: usize,
    host: String,
    progress: Rc<Progress>,
    /// The moment until which the first packet has to come.
    first_packet: Option<Instant>,
    pub(super) codec: VideoCodec,
}

/// The next event of a session.
#[derive(Debug)]
pub(super) enum Event {
    /// A whole picture, or for H.264 the data of one.
    Frame(VideoFrame),
    /// The deadline has passed.
    Late,
    /// The camera has closed the connection.
    Ended,
}

impl SessionConfig {
    /// Returns the settings of a camera's sessions, or of its substream's.
    pub(super) fn new(config: &RtspConfig, limits: &Limits) -> Self {
        let sub = (config.prefer == RtspPreference::Sub).then(|| substream(config.url.reveal())).flatten();
        let url = sub.map_or_else(|| config.url.clone(), Secret::new);
        let rtsp = RtspConfig { url, ..config.clone() };
        let (url, login) = rtsp.target();
        Self { url, login, rtsp, limits: limits.clone() }
    }

    /// Returns the deadlines of a run that began at `started`.
    pub(super) fn deadlines(&self, started: Instant) -> Deadlines {
        let within = self.rtsp.first_frame_timeout;
        let frame_timeout = self.rtsp.frame_timeout;
        Deadlines { at: started + within, within, waiting_for: Deadline::FirstFrame, frame_timeout }
    }

    /// Returns the configured limit of the rate.
    pub(super) fn limiter(&self) -> FrameRateLimiter {
        FrameRateLimiter::new(self.rtsp.fps.map(|fps| Duration::from_secs_f64(1.0 / fps)))
    }

    /// Returns the configured format of pictures that are encoded.
    pub(super) fn format(&self, queue: &StreamQueue) -> PictureFormat {
        PictureFormat {
            size: self.rtsp.size,
            quality: self.rtsp.quality,
            max_pixels: self.limits.max_frame_pixels,
            memory: queue.pool().memory().clone(),
        }
    }

    /// Returns host and port of the camera.
    pub(super) fn host(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Returns the error for a camera that sends nothing over any transport.
    pub(super) fn silent(&self) -> SourceError {
        SourceError::late(&self.host(), Deadline::FirstFrame, self.rtsp.first_frame_timeout)
    }

    /// Opens a session over `transport` and runs `watch` with it.
    pub(super) async fn run<T, F>(
        &self,
        transport: RtspTransport,
        watch: impl FnOnce(Playing) -> F,
    ) -> Result<T, SessionEnd>
    where
        F: Future<Output = Result<T, SessionEnd>>,
    {
        let progress = Rc::<Progress>::default();
        let target = Target {
            url: &self.url,
            login: self.login.clone(),
            transport,
            connect_timeout: self.rtsp.connect_timeout,
        };
        let tunnel = Tunnel::open(target, &self.limits, progress.clone()).await?;
        let (url, token, host) = (tunnel.url(), tunnel.token().to_owned(), tunnel.host().to_owned());
        let session = pin!(async {
            let playing = self.open((url, token), &host, (transport, progress)).await?;
            watch(playing).await
        });
        // The tunnel is polled first: it has the reason for what the library sees as an end only.
        match select(pin!(tunnel.run()), session).await {
            Either::Left((Ok(()), session)) => session.await.map_err(|end| match end {
                SessionEnd::Failed(SourceError::Rtsp(RtspError::Session { .. })) => {
                    SourceError::Empty { host: host.clone() }.into()
                }
                other => other,
            }),
            Either::Left((Err(error), _)) => Err(error.into()),
            Either::Right((result, _)) => result,
        }
    }

    async fn open(
        &self,
        (url, token): (Url, String),
        host: &str,
        (transport, progress): (RtspTransport, Rc<Progress>),
    ) -> Result<Playing, SessionEnd> {
        let options = SessionOptions::default().user_agent(token).teardown(TeardownPolicy::Never);
        let mut session = self.answered(host, Session::describe(url, options)).await?;
        let videos = session
            .streams()
            .iter()
            .enumerate()
            .filter(|(_, stream)| matches!(stream.media(), "video" | "image"));
        let videos = videos.map(|(n, stream)| (n, VideoCodec::from_encoding_name(stream.encoding_name())));
        // The first that can be shown, of several.
        let (stream, codec) = videos
            .min_by_key(|(_, codec)| !codec.is_native())
            .ok_or_else(|| RtspError::NoVideo { host: host.to_owned() })?;
        if !codec.is_native() {
            return Err(SessionEnd::Foreign { codec, refused: None, is_udp: progress.is_udp.get() });
        }
        let setup = SetupOptions::default().frame_format(FrameFormat::SIMPLE);
        self.answered(host, session.setup(stream, setup)).await?;
        let playing = self.answered(host, session.play(PlayOptions::default())).await?;
        let demuxed = playing.demuxed().map_err(|error| session_error(host, &error))?;
        let may_switch = transport == RtspTransport::Auto && !progress.is_udp.get();
        let first_packet = may_switch.then(|| Instant::now() + NO_PACKET_TIMEOUT);
        Ok(Playing { demuxed, stream, host: host.to_owned(), progress, first_packet, codec })
    }

    async fn answered<T>(
        &self,
        host: &str,
        answer: impl Future<Output = Result<T, retina::Error>>,
    ) -> Result<T, SourceError> {
        let within = self.rtsp.head_timeout;
        let answered = timeout(within, answer).await;
        let answered = answered.map_err(|_| SourceError::late(host, Deadline::Head, within))?;
        answered.map_err(|error| session_error(host, &error).into())
    }
}

impl Playing {
    /// Returns host and port of the camera.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Returns whether the pictures come over UDP.
    pub(super) fn is_udp(&self) -> bool {
        self.progress.is_udp.get()
    }

    /// Waits for the next frame. Cancel-safe.
    pub(super) async fn next(&mut self, deadline: Instant) -> Result<Event, SessionEnd> {
        loop {
            let until = self.first_packet.map_or(deadline, |first| first.min(deadline));
            match timeout_at(until, self.demuxed.next()).await {
                Err(_) if until == deadline => return Ok(Event::Late),
                Err(_) if self.progress.packets.get() == 0 => return Err(SessionEnd::NoPackets),
                Err(_) => self.first_packet = None,
                Ok(None) => return Ok(Event::Ended),
                Ok(Some(Err(error))) => return Err(session_error(&self.host, &error).into()),
                Ok(Some(Ok(CodecItem::VideoFrame(frame)))) => {
                    self.first_packet = None;
                    self.progress.unclaimed.set(0);
                    return Ok(Event::Frame(frame));
                }
                Ok(Some(Ok(_))) => {}
            }
        }
    }

    /// Returns the size that the stream's parameters declare, and their profile (`avc1.64001f`).
    pub(super) fn parameters(&self) -> Option<((u32, u32), &str)> {
        match self.demuxed.streams().get(self.stream)?.parameters()? {
            ParametersRef::Video(video) => Some((video.pixel_dimensions(), video.rfc6381_codec())),
            _ => None,
        }
    }
}

fn session_error(host: &str, error: &retina::Error) -> RtspError {
    // What follows the first line are addresses and the bytes around the error.
    let text = error.to_string();
    RtspError::Session {
        host: host.to_owned(),
        reason: text.lines().next().unwrap_or_default().trim().to_owned(),
    }
}
