//! The errors that end a source's run, each with two texts: one for all viewers, one for administrators.

mod printer;
mod reason;

use std::{borrow::Cow, fmt, time::Duration};

pub use printer::PrinterError;
pub use reason::Reason;

use super::{
    camera::rtsp::error::RtspError,
    generated::{chart::error::PollError, error::RenderError},
    http_client::head_repair::HeadError,
    images::error::ImagesError,
    mosaic::error::MosaicError,
    process::error::ProgramError,
};
use crate::{
    imaging::PoolError,
    media::{
        jpeg::JpegError,
        multipart::{
            parser::ParseError,
            sniff::{MediaType, PageTitle},
        },
        stream_name::StreamName,
    },
};

/// An error that ended a run of a source. `Display` names what failed, where, and what to do; never a
/// credential, and of a URL only host and port, since paths and queries contain tokens. The text may quote
/// the camera, so it is for administrators and the log; [`SourceError::public`] is for everybody.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The camera's host name cannot be resolved.
    #[error("cannot find the address of {host}: {reason}")]
    Resolve {
        /// Host name.
        host: String,
        /// The system's error message.
        reason: String,
    },
    /// The camera could not be reached.
    #[error("cannot connect to {host}: {reason}")]
    Connect {
        /// Host and port.
        host: String,
        /// The system's error message.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("cannot talk to {host} over TLS: {reason}")]
    Tls {
        /// Host and port.
        host: String,
        /// The error, and the setting that would help.
        reason: String,
    },
    /// The camera's TLS is older than any that current libraries speak.
    #[error("cannot talk to {host} over TLS: {OLD_TLS} ({reason}); {INSTEAD_OF_OLD_TLS}")]
    OldTls {
        /// Host and port.
        host: String,
        /// What shows it.
        reason: String,
    },
    /// The camera missed a deadline.
    #[error("{host} {waiting_for} within {} s", within.as_secs_f64())]
    Late {
        /// Host and port.
        host: String,
        /// The step that did not happen in time.
        waiting_for: Deadline,
        /// The configured time.
        within: Duration,
    },
    /// The head of the response cannot be repaired.
    #[error("{host} {source}")]
    Head {
        /// Host and port.
        host: String,
        /// The error in the head.
        source: HeadError,
    },
    /// The camera rejects the credentials, or requires some.
    #[error("{host} answered 401: user or password is wrong, or missing in the URL")]
    Unauthorized {
        /// Host and port.
        host: String,
    },
    /// The camera answered 401 and offered no scheme that framecast can answer.
    #[error(
        "{host} answered 401 and offers {offered}: framecast answers Basic and Digest; allow one of them in \
         the camera's settings"
    )]
    UnknownScheme {
        /// Host and port.
        host: String,
        /// Names of the schemes.
        offered: String,
    },
    /// The camera redirected to another server, which requires credentials.
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
        /// The reason why the redirect is not followed.
        reason: &'static str,
    },
    /// The status is not a success.
    #[error("{host} answered {status}{}{}", hint(status), unasked(status, *login_unused))]
    Status {
        /// Host and port.
        host: String,
        /// Code and reason.
        status: String,
        /// There are user and password, which were not sent: the camera did not ask for them.
        login_unused: bool,
    },
    /// The camera closed the connection in place of an answer, and user and password were not sent.
    #[error("{host} {}{UNASKED}", HeadError::NoAnswer)]
    ClosedUnasked {
        /// Host and port.
        host: String,
    },
    /// The response is something other than pictures.
    #[error(
        "{host} answered {}{} where {expected} was expected{}",
        labelled(content_type, *sniffed), titled(.title), advice(content_type, *sniffed, what)
    )]
    ContentType {
        /// Host and port.
        host: String,
        /// Content type that the camera declares; empty without one.
        content_type: String,
        /// The type that its first bytes show.
        sniffed: Option<MediaType>,
        /// The page's title, if it is a page.
        title: Option<PageTitle>,
        /// Content that was expected.
        expected: &'static str,
        /// `stream's` or `picture's`.
        what: &'static str,
    },
    /// The response's parts are something other than pictures.
    #[error("{host} sends {media} parts{}", parts_advice(*media))]
    OtherParts {
        /// Host and port.
        host: String,
        /// Type of the parts.
        media: MediaType,
    },
    /// A picture is larger than the limit.
    #[error("{host} sent a picture of more than {limit} bytes (max_frame_bytes)")]
    TooLarge {
        /// Host and port.
        host: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// One picture after another has more pixels than are allowed.
    #[error(
        "{host} sends pictures of {width}x{height} pixels, more than limits.max_frame_pixels: raise it, or \
         lower the camera's resolution"
    )]
    TooManyPixels {
        /// Host and port.
        host: String,
        /// Width of the last picture.
        width: u16,
        /// Height of the last picture.
        height: u16,
    },
    /// The camera closed the connection in an orderly way before the first frame.
    #[error("{host} closed the connection before the first frame")]
    Empty {
        /// Host and port.
        host: String,
    },
    /// The body contains no pictures, or none that are small enough.
    #[error("{host} sends no usable stream: {source}")]
    NoPictures {
        /// Host and port.
        host: String,
        /// The error of the parser.
        source: ParseError,
    },
    /// One picture after another is broken.
    #[error("{host} sends broken pictures only: {source}")]
    BrokenPictures {
        /// Host and port.
        host: String,
        /// The error of the last JPEG.
        source: JpegError,
    },
    /// The connection was lost, or the exchange failed.
    #[error("the connection to {host} broke: {reason}")]
    Broken {
        /// Host and port.
        host: String,
        /// The cause of the failure.
        reason: String,
    },
    /// A printer shows no pictures.
    #[error("{host} {source}")]
    Printer {
        /// Host and port.
        host: String,
        /// The error, and what helps.
        source: PrinterError,
    },
    /// An RTSP session failed.
    #[error(transparent)]
    Rtsp(#[from] RtspError),
    /// A program produced no frames.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// A renderer failed.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// A polled address returned no points.
    #[error(transparent)]
    Poll(#[from] PollError),
    /// The stream whose frames it shows has ended, or never existed.
    #[error("the source stream was removed")]
    OriginGone {
        /// Its name.
        name: StreamName,
    },
    /// The stream whose frames it shows has none, and another source may have.
    #[error("the source stream is offline: {reason}")]
    OriginAway {
        /// Its name.
        name: StreamName,
        /// The reason why it has no frames.
        reason: Reason,
    },
    /// The stream whose frames it shows has no new ones.
    #[error("the source stream has had no new frame for {} s", within.as_secs_f64())]
    OriginSilent {
        /// Its name.
        name: StreamName,
        /// The configured time.
        within: Duration,
    },
    /// A mosaic cannot be drawn.
    #[error(transparent)]
    Mosaic(#[from] MosaicError),
    /// An image sequence has no readable file.
    #[error(transparent)]
    Images(#[from] ImagesError),
}

/// A step that a camera must complete in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// The TCP connection and the TLS handshake.
    Connect,
    /// The head of a response.
    Head,
    /// The first whole frame after the head.
    FirstFrame,
    /// Each next frame.
    NextFrame,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "did not take the connection",
            Self::Head => "did not answer the request",
            Self::FirstFrame => "sent no whole frame after its answer began",
            Self::NextFrame => "sent no further whole frame",
        })
    }
}

impl SourceError {
    /// Returns the text for everybody: it contains nothing that a camera, a program, the configuration or
    /// another stream's name contains.
    pub fn public(&self) -> Cow<'static, str> {
        let fixed: &'static str = match self {
            Self::Resolve { .. } => "cannot find the camera's address",
            Self::Connect { reason, .. } => return format!("cannot connect to the camera: {reason}").into(),
            Self::Tls { .. } => "cannot talk to the camera over TLS",
            Self::OldTls { .. } => {
                return format!("cannot talk to the camera over TLS: {OLD_TLS}; {INSTEAD_OF_OLD_TLS}").into();
            }
            Self::Late { waiting_for, within, .. } => {
                return format!("the camera {waiting_for} within {} s", within.as_secs_f64()).into();
            }
            Self::Head { source, .. } => return format!("the camera {source}").into(),
            Self::Unauthorized { .. } => {
                "the camera answered 401: user or password is wrong, or missing in the URL"
            }
            Self::UnknownScheme { .. } => {
                "the camera answered 401 with a scheme that framecast cannot answer: allow Basic or Digest \
                 in the camera's settings"
            }
            Self::UnauthorizedElsewhere { .. } => {
                "the camera answered 401 after a redirect; credentials are not sent to another origin"
            }
            Self::Redirect { reason, .. } => return format!("the camera redirects {reason}").into(),
            Self::Status { status, login_unused, .. } => {
                let unasked = unasked(status, *login_unused);
                return format!("the camera answered {status}{}{unasked}", hint(status)).into();
            }
            Self::ClosedUnasked { .. } => {
                return format!("the camera {}{UNASKED}", HeadError::NoAnswer).into();
            }
            Self::ContentType { content_type, sniffed, what, .. } => {
                let media = sniffed.or_else(|| MediaType::from_header(content_type));
                let sent = media.map_or("something else than pictures", MediaType::as_str);
                return format!("the camera sent {sent}{}", advice(content_type, *sniffed, what)).into();
            }
            Self::OtherParts { media, .. } => {
                return format!("the camera sends {media} parts{}", parts_advice(*media)).into();
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
            Self::Printer { source, .. } => return format!("the printer {}", source.public()).into(),
            Self::Rtsp(error) => return error.public(),
            Self::Program(error) => return error.public(),
            Self::Render(RenderError::Pool(PoolError::Memory { .. }))
            | Self::Mosaic(MosaicError::Memory(_) | MosaicError::Pool(PoolError::Memory { .. })) => {
                "drawing it takes more memory than limits.max_decode_bytes allows"
            }
            Self::Render(_) => "it cannot be drawn",
            Self::Poll(error) => error.public(),
            Self::OriginGone { .. } => "the source stream was removed",
            Self::OriginAway { reason, .. } => {
                return format!("the source stream is offline: {}", reason.public()).into();
            }
            Self::OriginSilent { within, .. } => {
                let within = within.as_secs_f64();
                return format!("the source stream has had no new frame for {within} s").into();
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

    /// Creates the error for a deadline that `host` missed.
    pub(crate) fn late(host: &str, waiting_for: Deadline, within: Duration) -> Self {
        Self::Late { host: host.to_owned(), waiting_for, within }
    }
}

impl From<&SourceError> for Reason {
    fn from(error: &SourceError) -> Self {
        Self::with_detail(error.public(), &error.detailed())
    }
}

/// Returns `text/html`, `text/html labelled image/jpeg`, or `text/html without a type`.
fn labelled(label: &str, sniffed: Option<MediaType>) -> String {
    match sniffed.map(MediaType::as_str) {
        Some(media) if label.is_empty() => format!("{media} without a type"),
        Some(media) if media != label => format!("{media} labelled {label}"),
        _ if label.is_empty() => "a body without a type".to_owned(),
        _ => label.to_owned(),
    }
}

/// Returns what to do about a body of this type, after a colon or semicolon.
fn advice(label: &str, sniffed: Option<MediaType>, what: &str) -> String {
    match sniffed.or_else(|| MediaType::from_header(label)).and_then(MediaType::advice) {
        Some(advice) => format!("; {advice}"),
        None => format!(": is this the {what} URL?"),
    }
}

/// Returns what to do about parts of this type.
fn parts_advice(media: MediaType) -> String {
    match media.advice() {
        Some(advice) => format!("; {advice}"),
        None => "; framecast takes JPEG: is this the stream's URL?".to_owned(),
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

/// The state of a camera's TLS, and what to do about it.
const OLD_TLS: &str =
    "its TLS is too old for framecast's library, which speaks TLS 1.2 with ECDHE and GCM, and newer";
const INSTEAD_OF_OLD_TLS: &str = "use its http:// address, new firmware, or a program in between that speaks \
                                  old TLS (docs/cameras.md, Old TLS)";

/// Advice for cameras that refuse without a challenge.
const UNASKED: &str = "; if it wants user and password without asking for them, set `auth: basic`";

/// Returns [`UNASKED`] for a status with which such cameras refuse.
fn unasked(status: &str, login_unused: bool) -> &'static str {
    let refuses = ["403", "404"].iter().any(|code| status.starts_with(code));
    if refuses && login_unused { UNASKED } else { "" }
}
