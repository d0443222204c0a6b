//! Where frames come from. Each kind of source is one file; all are run the same way.
//!
//! A [`Source`] runs until it fails or ends, giving frames to its [`Sink`]. It does not retry: the stream's
//! actor decides when it runs again. A source that is dropped (its future is) lets go of every socket and
//! file at once.

pub mod http_client;
pub mod images;
mod context;
pub mod mosaic;
pub mod probe;
pub mod push;
pub mod reason;
pub mod generated;
pub mod rendition;
pub mod offline_image;
pub mod process;
pub mod camera;

use std::{any::Any, borrow::Cow, fmt, sync::Arc, time::Duration};

pub use context::Lasting;
use futures_util::future::LocalBoxFuture;
use generated::{RenderError, chart::points::Points};
use mosaic::MosaicError;
pub use reason::Reason;

use crate::{
    bus::{Sink, Subscriber},
    config::{Limits, SourceConfig, StreamConfig},
    imaging::{PoolError, cpu_pool::Pool},
    media::{
        jpeg::JpegError,
        multipart::{
            content::{MediaType, PageTitle},
            parser::ParseError,
        },
        stream_name::StreamName,
    },
    source::{
        camera::{mjpeg, snapshot},
        process::exec,
    },
};

/// Gives frames until it ends.
pub trait Source {
    /// Runs once: one connection of a camera, one life of a renderer. Returns when the source ended (`Ok` for
    /// an upstream that closed in an orderly way) or failed. Cancelled by dropping the future.
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>>;
}

/// The other streams, for sources that show what these show.
pub trait Upstreams: Send + Sync + fmt::Debug {
    /// Joins the stream of this name; none when there is none.
    fn join(&self, name: &StreamName) -> Option<Upstream>;
}

/// No other streams.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoUpstreams;

impl Upstreams for NoUpstreams {
    fn join(&self, _: &StreamName) -> Option<Upstream> {
        None
    }
}

/// The state of another stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Frames come.
    Live,
    /// Its source runs and has not given a frame yet.
    Starting,
    /// Its source is away, for this reason.
    Away(Reason),
}

/// Another stream, which is wanted to run for as long as this lives.
pub struct Upstream {
    /// Title of the stream, for people.
    pub title: String,
    /// Tells how it is now.
    pub health: Box<dyn Fn() -> Health + Send>,
    /// Subscriber to the frames of the stream.
    pub shows: Subscriber,
    /// Guard that keeps the stream running; it is only dropped.
    pub wanted: Box<dyn Any + Send>,
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").finish_non_exhaustive()
    }
}

/// The source at `position` of those that a stream's configuration lists, for one run; `lasting` is what its
/// runs share.
pub fn build(
    (config, position): (&StreamConfig, usize),
    limits: &Limits,
    pool: &Arc<Pool>,
    lasting: &Lasting,
) -> Box<dyn Source> {
    let queue = pool.queue(&config.name);
    match config.sources().nth(position).unwrap_or_else(|| config.source()) {
        SourceConfig::Mjpeg(upstream) => Box::new(mjpeg::UpstreamSource::new(upstream.clone(), limits)),
        SourceConfig::Snapshot(config) => {
            Box::new(snapshot::SnapshotSource::new(config.upstream(), config.interval, limits))
        }
        source @ (SourceConfig::Exec(_) | SourceConfig::Rtsp(_) | SourceConfig::V4l2(_)) => Box::new(
            exec::ExecSource::new(&config.name, source, limits, lasting.turn(position))
                .expect("each of these three is a program"),
        ),
        SourceConfig::Push { .. } => Box::new(push::PushSource),
        SourceConfig::Chart(chart) => {
            let points = lasting.points().cloned().unwrap_or_else(|| Arc::new(Points::new(chart)));
            Box::new(generated::chart::ChartSource::new(chart, &config.title, limits, points, queue))
        }
        SourceConfig::Text(text) => Box::new(generated::text::TextSource::new(text.clone(), queue)),
        SourceConfig::Pattern { size, fps } => {
            Box::new(generated::pattern::PatternSource::new(*size, *fps, queue))
        }
        SourceConfig::Images { path, fps } => {
            Box::new(images::ImagesSource::new(path.clone(), *fps, limits.into(), queue))
        }
        SourceConfig::Mosaic(mosaic) => {
            Box::new(mosaic::MosaicSource::new(mosaic.clone(), limits, &queue, lasting.upstreams().clone()))
        }
        SourceConfig::Rendition { of, frame_timeout } => {
            let source = rendition::RenditionSource::new(of.clone(), lasting.upstreams().clone());
            let source = source.away_after(*frame_timeout);
            Box::new(if config.has_fallbacks() { source.or_another() } else { source })
        }
    }
}

/// Why a source ended. The texts name what failed, where, and what would be right; never a credential, and of
/// a URL only host and port, since paths and queries contain tokens. They may quote the camera, so they are
/// for administrators and the log; [`SourceError::public`] is for everybody.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The camera's name has no address.
    #[error("cannot find the address of {host}: {reason}")]
    Resolve {
        /// The name.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// The camera could not be reached.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's words.
        reason: String,
    },
    /// No secured connection came about.
    #[error("cannot talk to {host} over TLS: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// The error, and the correct setting.
        reason: String,
    },
    /// The camera took too long.
    #[error("{host} {waiting_for} within {} s", within.as_secs_f64())]
    Late {
        /// Host and port.
        host: String,
        /// The step of the camera that did not happen in time.
        waiting_for: Deadline,
        /// The configured time.
        within: Duration,
    },
    /// The head of the answer is beyond repair.
    #[error("{host} {source}")]
    Head {
        /// Host and port.
        host: String,
        /// The error in the head.
        source: http_client::head_repair::HeadError,
    },
    /// The camera wants other credentials.
    #[error("{host} answered 401: user or password is wrong, or missing in the URL")]
    Unauthorized {
        /// Host and port.
        host: String,
    },
    /// The camera redirected to a place that wants credentials.
    #[error(
        "{host} answered 401 after a redirect to it; credentials are not sent to another origin: configure \
         its URL"
    )]
    UnauthorizedElsewhere {
        /// Host and port.
        host: String,
    },
    /// A redirect that is not followed.
    #[error("{host} redirects {reason}")]
    Redirect {
        /// Host and port.
        host: String,
        /// Why not.
        reason: &'static str,
    },
    /// Any other status than success.
    #[error("{host} answered {status}{}", hint(status))]
    Status {
        /// Host and port.
        host: String,
        /// Code and reason.
        status: String,
    },
    /// The answer is something else than pictures.
    #[error(
        "{host} answered {content_type}{} where {expected} was expected: is this the {what} URL?",
        titled(.title)
    )]
    ContentType {
        /// Host and port.
        host: String,
        /// Content type that the camera declares, or that its first bytes show.
        content_type: String,
        /// The page's title, if it is a page.
        title: Option<PageTitle>,
        /// Content that was expected.
        expected: &'static str,
        /// `stream's` or `picture's`.
        what: &'static str,
    },
    /// A picture above the limit.
    #[error("{host} sent a picture of more than {limit} bytes (max_frame_bytes)")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit.
        limit: usize,
    },
    /// One picture after the other of more pixels than are taken.
    #[error(
        "{host} sends pictures of {width}x{height} pixels, more than limits.max_frame_pixels: raise it, or \
         lower the camera's resolution"
    )]
    TooManyPixels {
        /// Host and port.
        host: String,
        /// Of the last one.
        width: u16,
        /// Of the last one.
        height: u16,
    },
    /// The camera closed in an orderly way before it gave anything.
    #[error("{host} closed the connection before the first frame")]
    Empty {
        /// Host and port.
        host: String,
    },
    /// The body holds no pictures, or none that are small enough.
    #[error("{host} sends no usable stream: {source}")]
    NoPictures {
        /// Host and port.
        host: String,
        /// The error of the parser.
        source: ParseError,
    },
    /// One broken picture after the other.
    #[error("{host} sends broken pictures only: {source}")]
    BrokenPictures {
        /// Host and port.
        host: String,
        /// The error of the last JPEG.
        source: JpegError,
    },
    /// The connection or the exchange broke.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// The cause.
        reason: String,
    },
    /// A program gave no frames.
    #[error(transparent)]
    Program(#[from] exec::ProgramError),
    /// A renderer failed.
    #[error(transparent)]
    Render(#[from] generated::RenderError),
    /// A polled address gives no points.
    #[error(transparent)]
    Poll(#[from] generated::chart::PollError),
    /// The stream whose pictures it shows has ended, or was never there.
    #[error("the stream whose pictures it shows is gone")]
    NoOrigin {
        /// Its name.
        name: StreamName,
    },
    /// The stream whose pictures it shows has none, and another source may have.
    #[error("the stream whose pictures it shows is away: {reason}")]
    OriginAway {
        /// Its name.
        name: StreamName,
        /// Why.
        reason: Reason,
    },
    /// The stream whose pictures it shows has no new ones.
    #[error("the stream whose pictures it shows has shown no new picture for {} s", within.as_secs_f64())]
    OriginSilent {
        /// Its name.
        name: StreamName,
        /// The configured time.
        within: Duration,
    },
    /// A mosaic cannot be drawn.
    #[error(transparent)]
    Mosaic(#[from] mosaic::MosaicError),
    /// A picture sequence has no picture.
    #[error(transparent)]
    Images(#[from] images::ImagesError),
}

/// A step that a camera must complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// TCP and TLS.
    Connect,
    /// The head of an answer.
    Head,
    /// The first whole frame after the head.
    FirstFrame,
    /// Each next frame.
    NextFrame,
}

impl std::fmt::Display for Deadline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connect => "did not take the connection",
            Self::Head => "did not answer the request",
            Self::FirstFrame => "sent no whole frame after its answer began",
            Self::NextFrame => "sent no further whole frame",
        })
    }
}

impl SourceError {
    /// Returns a text for everybody: it contains nothing that a camera, a program, the configuration or
    /// another stream's name contains.
    pub fn public(&self) -> Cow<'static, str> {
        let fixed: &'static str = match self {
            Self::Resolve { .. } => "cannot find the camera's address",
            Self::Connect { reason, .. } => return format!("cannot connect to the camera: {reason}").into(),
            Self::Tls { .. } => "cannot talk to the camera over TLS",
            Self::Late { waiting_for, within, .. } => {
                return format!("the camera {waiting_for} within {} s", within.as_secs_f64()).into();
            }
            Self::Head { source, .. } => return format!("the camera {source}").into(),
            Self::Unauthorized { .. } => {
                "the camera answered 401: user or password is wrong, or missing in the URL"
            }
            Self::UnauthorizedElsewhere { .. } => {
                "the camera answered 401 after a redirect; credentials are not sent to another origin"
            }
            Self::Redirect { reason, .. } => return format!("the camera redirects {reason}").into(),
            Self::Status { status, .. } => {
                return format!("the camera answered {status}{}", hint(status)).into();
            }
            Self::ContentType { content_type, what, .. } => {
                let sent =
                    MediaType::named(content_type).map_or("something else than pictures", MediaType::as_str);
                return format!("the camera sent {sent}: is this the {what} URL?").into();
            }
            Self::TooLarge { limit, .. } => {
                return format!("the camera sent a picture of more than {limit} bytes (max_frame_bytes)")
                    .into();
            }
            Self::TooManyPixels { width, height, .. } => {
                return format!(
                    "the camera sends pictures of {width}x{height} pixels, more than limits.max_frame_pixels"
                )
                .into();
            }
            Self::Empty { .. } => "the camera closed the connection before the first frame",
            Self::NoPictures { source, .. } => {
                return match source.media() {
                    Some(media) => format!("the camera sent {media}: is this the stream's URL?"),
                    None => format!("the camera sends no usable stream: {}", source.public()),
                }
                .into();
            }
            Self::BrokenPictures { source, .. } => {
                return format!("the camera sends broken pictures only: {source}").into();
            }
            Self::Broken { .. } => "the connection to the camera broke",
            Self::Program(error) => return error.public(),
            Self::Render(RenderError::Pool(PoolError::Memory { .. }))
            | Self::Mosaic(MosaicError::Memory(_) | MosaicError::Pool(PoolError::Memory { .. })) => {
                "drawing it takes more memory than limits.max_decode_bytes allows"
            }
            Self::Render(_) => "it cannot be drawn",
            Self::Poll(error) => error.public(),
            Self::NoOrigin { .. } => "the stream whose pictures it shows is gone",
            Self::OriginAway { reason, .. } => {
                return format!("the stream whose pictures it shows is away: {}", reason.public()).into();
            }
            Self::OriginSilent { within, .. } => {
                let within = within.as_secs_f64();
                return format!("the stream whose pictures it shows has shown no new picture for {within} s")
                    .into();
            }
            Self::Mosaic(_) => "the mosaic cannot be drawn",
            Self::Images(error) => error.public(),
        };
        fixed.into()
    }

    /// Returns the text for administrators and the log.
    fn detailed(&self) -> String {
        match self {
            Self::OriginAway { name, reason } => format!("the stream {name} is away: {}", reason.detailed()),
            other => other.to_string(),
        }
    }

    /// `host` was late with `waiting_for`.
    pub(crate) fn late(host: &str, waiting_for: Deadline, within: Duration) -> Self {
        Self::Late { host: host.to_owned(), waiting_for, within }
    }
}

/// Returns ` ("Log in")`, or an empty text.
fn titled(title: &Option<PageTitle>) -> String {
    title.as_ref().map_or_else(String::new, |title| format!(" (\"{title}\")"))
}

/// Returns advice for a status, where there is any.
fn hint(status: &str) -> &'static str {
    match status.split(' ').next().unwrap_or_default() {
        "403" => ": this user may not see it, or the camera allows other addresses only",
        "404" => ": is the URL's path right?",
        "429" | "503" => ": the camera is busy; does it serve another viewer?",
        _ => "",
    }
}
