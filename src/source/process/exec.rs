//! Programs that write JPEGs to standard output: `type: exec`, and its short forms `rtsp` and `v4l2`.
//!
//! One run is one process, from its start to its end; the stream's actor starts it again. Its output is
//! parsed like a camera's body: multipart or bare JPEGs. Its standard error goes to the log. Programs come
//! from the configuration file only, never over HTTP, and are started without a shell.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use futures_util::future::LocalBoxFuture;
use tokio::{
    task::yield_now,
    time::{Instant, timeout_at},
};

use super::{error::ProgramError, ffmpeg, program::Program};
pub use super::{ffmpeg::explain, process_lock::ProcessLock};
use crate::{
    bus::Ingest,
    config::{ExecConfig, Limits, SourceConfig},
    media::{
        multipart::{
            content_type::ContentKind,
            parser::{ParseError, ParserLimits, PartParser},
        },
        stream_name::StreamName,
    },
    source::{error::SourceError, traits::Source},
};

/// A source that runs a program and publishes the frames it writes.
#[derive(Debug)]
pub struct ExecSource {
    stream: StreamName,
    /// Programs to try in order until one writes frames.
    programs: Vec<ExecConfig>,
    device: Option<PathBuf>,
    limits: ParserLimits,
    lock: ProcessLock,
}

impl ExecSource {
    /// Creates the source for a configured program; none if `source` is not a program.
    pub(in crate::source) fn new(
        stream: &StreamName,
        source: &SourceConfig,
        limits: &Limits,
        lock: ProcessLock,
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
            lock,
        })
    }

    async fn run_each(&self, ingest: &Ingest) -> Result<(), ProgramError> {
        if let Some(device) = self.device.as_deref().filter(|device| !Path::exists(device)) {
            return Err(ProgramError::NoDevice { device: device.to_owned() });
        }
        let mut result = Ok(());
        for program in &self.programs {
            result = self.run_one(program, ingest).await;
            // Only a program that failed without a frame may do better with other arguments.
            if !matches!(result, Err(ProgramError::Ended { frames: false, .. })) {
                break;
            }
        }
        result
    }

    async fn run_one(&self, config: &ExecConfig, ingest: &Ingest) -> Result<(), ProgramError> {
        let permit = self.lock.acquire().await;
        let mut program = Program::start(config, &self.stream, permit)?;
        let mut parser = PartParser::new(ContentKind::Missing, self.limits);
        let mut frames = false;
        let result = show(&mut program, config, &mut parser, ingest, &mut frames).await;
        ingest.count_events(&parser.take_events());
        let name = || config.program.clone();
        match result {
            Err(Failure::Parse(source)) if !matches!(source, ParseError::Ended { bytes: 0, .. }) => {
                Err(ProgramError::NoPictures { program: name(), source })
            }
            Err(Failure::Late(within)) => {
                let said = program.last_line();
                Err(ProgramError::Late { program: name(), first: !frames, within, said })
            }
            Err(Failure::Read(error)) => {
                Err(ProgramError::Broken { program: name(), reason: error.to_string() })
            }
            Ok(()) | Err(Failure::Parse(_)) => {
                let (status, said) = program.finish().await;
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

/// Publishes the program's frames until its output ends. Sets `frames` at the first one.
async fn show(
    program: &mut Program,
    config: &ExecConfig,
    parser: &mut PartParser,
    ingest: &Ingest,
    frames: &mut bool,
) -> Result<(), Failure> {
    let mut within = config.first_frame_timeout;
    let mut deadline = Instant::now() + within;
    loop {
        let read = timeout_at(deadline, program.read(parser.buffer_mut())).await;
        if read.map_err(|_| Failure::Late(within))?.map_err(Failure::Read)? == 0 {
            break;
        }
        while let Some(part) = parser.next_part()? {
            within = config.frame_timeout;
            deadline = Instant::now() + within;
            *frames = true;
            ingest.push_part(part);
            // As for a camera: the thread serves other tasks too.
            yield_now().await;
        }
        ingest.count_events(&parser.take_events());
    }
    while let Some(part) = parser.finish()? {
        *frames = true;
        ingest.push_part(part);
        yield_now().await;
    }
    Ok(())
}

impl Source for ExecSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        Box::pin(async move { Ok(self.run_each(ingest).await?) })
    }
}
