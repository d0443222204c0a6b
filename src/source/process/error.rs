//! The errors of programs that write frames.

use std::{borrow::Cow, io, path::PathBuf, process::ExitStatus, time::Duration};

use super::ffmpeg::FFMPEG;
use crate::media::multipart::parser::ParseError;

/// An error of a program that should write frames. Credentials in the program's output are redacted.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// The program is not installed.
    #[error("there is no program {program}: {advice}")]
    Absent {
        /// The program, as configured.
        program: String,
        /// Advice for the user.
        advice: &'static str,
    },
    /// The program cannot be started.
    #[error("cannot start {program}: {reason}")]
    Start {
        /// The program, as configured.
        program: String,
        /// The system's error message.
        reason: String,
    },
    /// The camera is not plugged in.
    #[error(
        "there is no {}: is the camera plugged in, and may framecast use it? ls /dev/video* shows what is \
         there",
        device.display()
    )]
    NoDevice {
        /// Path of the device.
        device: PathBuf,
    },
    /// The program missed a deadline.
    #[error(
        "{program} wrote no {} within {} s{}",
        if *.first { "whole frame after its start" } else { "further whole frame" },
        within.as_secs_f64(),
        quoted(.said)
    )]
    Late {
        /// The program, as configured.
        program: String,
        /// It was the deadline of the first frame.
        first: bool,
        /// The configured time.
        within: Duration,
        /// The last line on standard error.
        said: String,
    },
    /// The program ended.
    #[error(
        "{program} {}{}{}",
        ended(.status),
        if *.frames { "" } else { " without writing a frame" },
        quoted(.said)
    )]
    Ended {
        /// The program, as configured.
        program: String,
        /// Exit status; none if the program only closed its output.
        status: Option<ExitStatus>,
        /// It had written frames before.
        frames: bool,
        /// The last line on standard error.
        said: String,
    },
    /// The program writes something other than pictures.
    #[error("{program} writes no usable stream: {source}")]
    NoPictures {
        /// The program, as configured.
        program: String,
        /// The error of the parser.
        source: ParseError,
    },
    /// The program's output cannot be read.
    #[error("cannot read from {program}: {reason}")]
    Broken {
        /// The program, as configured.
        program: String,
        /// The system's error message.
        reason: String,
    },
}

impl ProgramError {
    /// Returns the text for everybody, without the program's name or output.
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
