//! The errors of programs that write frames.

use std::{borrow::Cow, io, path::PathBuf, process::ExitStatus, time::Duration};

use super::ffmpeg::FFMPEG;
use crate::media::multipart::parser::ParseError;

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
