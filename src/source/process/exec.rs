//! Programs that write JPEGs to standard output: `type: exec`, and its short forms `rtsp` and `v4l2`.
//!
//! One run is one program, from its start to its end; the stream's actor starts it again. What it writes is
//! read as a camera's body is: multipart or bare JPEGs, whatever comes. What it says on standard error goes
//! to the log. Programs come from the configuration file only, never over HTTP, and no shell is between.

use std::{
    borrow::Cow,
    io,
    path::{Path, PathBuf},
    process::ExitStatus,
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{ffmpeg, ffmpeg::FFMPEG, program::Program};
pub use super::{ffmpeg::explain, process_lock::Turn};
use crate::{
    bus::Sink,
    config::{ExecConfig, Limits, SourceConfig},
    media::{
        multipart::{
            boundary::ContentKind,
            parser::{ParseError, ParserLimits, PartParser},
        },
        stream_name::StreamName,
    },
    source::{Source, SourceError},
};

/// Why a program gives no frames. Of what it said, credentials are hidden.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// It is not installed.
    #[error("there is no program {program}: {advice}")]
    Absent {
        /// As configured.
        program: String,
        /// Advice for the user.
        advice: &'static str,
    },
    /// The system does not start it.
    #[error("cannot start {program}: {reason}")]
    Start {
        /// As configured.
        program: String,
        /// The system's words.
        reason: String,
    },
    /// The camera is not plugged in.
    #[error(
        "there is no {}: is the camera plugged in, and may framecast use it? ls /dev/video* shows what is \
         there",
        device.display()
    )]
    NoDevice {
        /// Its path.
        device: PathBuf,
    },
    /// It took too long.
    #[error(
        "{program} wrote no {} within {} s{}",
        if *.first { "whole frame after its start" } else { "further whole frame" },
        within.as_secs_f64(),
        quoted(.said)
    )]
    Late {
        /// As configured.
        program: String,
        /// Before its first frame.
        first: bool,
        /// The configured time.
        within: Duration,
        /// Its last words.
        said: String,
    },
    /// It ended.
    #[error(
        "{program} {}{}{}",
        ended(.status),
        if *.frames { "" } else { " without writing a frame" },
        quoted(.said)
    )]
    Ended {
        /// As configured.
        program: String,
        /// Exit status; none if the program only closed its output.
        status: Option<ExitStatus>,
        /// It gave some frames before.
        frames: bool,
        /// Its last words.
        said: String,
    },
    /// It writes something else than pictures.
    #[error("{program} writes no usable stream: {source}")]
    NoPictures {
        /// As configured.
        program: String,
        /// The error of the parser.
        source: ParseError,
    },
    /// Its pipe broke.
    #[error("cannot read from {program}: {reason}")]
    Broken {
        /// As configured.
        program: String,
        /// The system's words.
        reason: String,
    },
}

impl ProgramError {
    /// Returns a text for everybody, with neither the program's name nor any of its output.
    pub fn public(&self) -> Cow<'static, str> {
        let fixed: &'static str = match self {
            Self::Absent { .. } => "the program for its pictures is not installed",
            Self::Start { .. } => "the program for its pictures cannot be started",
            Self::NoDevice { .. } => "the camera is not plugged in",
            Self::Late { first, within, .. } => {
                let what = if *first { "whole frame after its start" } else { "further whole frame" };
                let within = within.as_secs_f64();
                return format!("the program for its pictures wrote no {what} within {within} s").into();
            }
            Self::Ended { status, frames, .. } => {
                let frames = if *frames { "" } else { " without writing a frame" };
                return format!("the program for its pictures {}{frames}", ended(status)).into();
            }
            Self::NoPictures { source, .. } => {
                return match source.media() {
                    Some(media) => format!("the program for its pictures wrote {media}"),
                    None => {
                        format!("the program for its pictures writes no usable stream: {}", source.public())
                    }
                }
                .into();
            }
            Self::Broken { .. } => "the program for its pictures cannot be read from",
        };
        fixed.into()
    }

    pub(super) fn start(program: &str, error: &io::Error) -> Self {
        let program = program.to_owned();
        if error.kind() != io::ErrorKind::NotFound {
            return Self::Start { program, reason: error.to_string() };
        }
        let advice = if program == FFMPEG {
            "install the package ffmpeg (apt install ffmpeg, apk add ffmpeg, dnf install ffmpeg-free)"
        } else {
            "install it, or give its full path"
        };
        Self::Absent { program, advice }
    }
}

fn ended(status: &Option<ExitStatus>) -> String {
    status.map_or_else(|| "closed its output".to_owned(), |status| format!("ended ({status})"))
}

fn quoted(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {said}") }
}

/// Runs a program and shows what it writes.
#[derive(Debug)]
pub struct ExecSource {
    stream: StreamName,
    /// One is run after the other until one gives frames.
    programs: Vec<ExecConfig>,
    device: Option<PathBuf>,
    limits: ParserLimits,
    turn: Turn,
}

impl ExecSource {
    /// A source of a stream that is a program; none if it is not.
    pub(in crate::source) fn new(
        stream: &StreamName,
        source: &SourceConfig,
        limits: &Limits,
        turn: Turn,
    ) -> Option<Self> {
        let device = match source {
            SourceConfig::V4l2(v4l2) => Some(v4l2.device.clone()),
            _ => None,
        };
        Some(Self {
            stream: stream.clone(),
            programs: ffmpeg::programs(source)?,
            device,
            limits: ParserLimits {
                max_frame_bytes: limits.max_frame_bytes,
                max_header_bytes: limits.max_header_bytes,
            },
            turn,
        })
    }

    async fn run_each(&self, sink: &Sink) -> Result<(), ProgramError> {
        if let Some(device) = self.device.as_deref().filter(|device| !Path::exists(device)) {
            return Err(ProgramError::NoDevice { device: device.to_owned() });
        }
        let mut result = Ok(());
        for program in &self.programs {
            result = self.run_one(program, sink).await;
            // Only one that refused what was asked of it may do better when asked otherwise.
            if !matches!(result, Err(ProgramError::Ended { frames: false, .. })) {
                break;
            }
        }
        result
    }

    async fn run_one(&self, config: &ExecConfig, sink: &Sink) -> Result<(), ProgramError> {
        let taken = self.turn.take().await;
        let mut program = Program::start(config, &self.stream, taken)?;
        let mut parser = PartParser::new(ContentKind::Missing, self.limits);
        let mut frames = false;
        let result = show(&mut program, config, &mut parser, sink, &mut frames).await;
        sink.parsed(&parser.take_events());
        let name = || config.program.clone();
        match result {
            Err(Failure::Parse(source)) if !matches!(source, ParseError::Ended { bytes: 0, .. }) => {
                Err(ProgramError::NoPictures { program: name(), source })
            }
            Err(Failure::Late(within)) => {
                let said = program.said();
                Err(ProgramError::Late { program: name(), first: !frames, within, said })
            }
            Err(Failure::Read(error)) => {
                Err(ProgramError::Broken { program: name(), reason: error.to_string() })
            }
            Ok(()) | Err(Failure::Parse(_)) => {
                let (status, said) = program.last_words().await;
                if frames && status.is_none_or(|status| status.success()) {
                    return Ok(());
                }
                Err(ProgramError::Ended { program: name(), status, frames, said })
            }
        }
    }
}

enum Failure {
    Read(io::Error),
    Late(Duration),
    Parse(ParseError),
}

impl From<ParseError> for Failure {
    fn from(error: ParseError) -> Self {
        Self::Parse(error)
    }
}

/// Shows the program's frames until its output ends; `frames` tells whether there were any.
async fn show(
    program: &mut Program,
    config: &ExecConfig,
    parser: &mut PartParser,
    sink: &Sink,
    frames: &mut bool,
) -> Result<(), Failure> {
    let mut within = config.first_frame_timeout;
    let mut deadline = Instant::now() + within;
    loop {
        let read = timeout_at(deadline, program.read(parser.space())).await;
        if read.map_err(|_| Failure::Late(within))?.map_err(Failure::Read)? == 0 {
            break;
        }
        while let Some(part) = parser.next_part()? {
            within = config.frame_timeout;
            deadline = Instant::now() + within;
            *frames = true;
            sink.part(part);
            // As for a camera: its thread is others' too.
            yield_now().await;
        }
        sink.parsed(&parser.take_events());
    }
    while let Some(part) = parser.finish()? {
        *frames = true;
        sink.part(part);
        yield_now().await;
    }
    Ok(())
}

impl Source for ExecSource {
    fn run<'a>(&'a mut self, sink: &'a Sink) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move { Ok(self.run_each(sink).await?) })
    }
}
