//! One running program with all that it starts, in a process group of its own.
//!
//! However it is let go of (its source failed, was cancelled, panicked, the relay stops), the whole group is
//! asked to end, and killed when it does not. Only when framecast itself is killed nobody can do that: then
//! the program ends when it writes its next picture to a pipe that nobody reads (`SIGPIPE`), which for a
//! camera's program is soon.

use std::{
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use bytes::BytesMut;
use rustix::process::Pid;
use tokio::{
    io::AsyncReadExt,
    process::{Child, ChildStdout, Command},
    runtime::Handle,
    task::JoinHandle,
    time::timeout,
};

use super::{error::ProgramError, process_lock::Taken, redact::Hidden, stderr};
use crate::{
    config::{ADMIN_VARIABLE, ExecConfig},
    media::stream_name::StreamName,
};

/// A program that is asked to end gets so long for it: an RTSP session is closed in a round trip or two.
const GRACE: Duration = Duration::from_secs(2);

/// One that was killed is gone within this, unless it hangs in the kernel; then the next one starts beside
/// it.
const KILLED_WITHIN: Duration = Duration::from_secs(1);

/// Behind the end of its output a program's exit status and last words come within this, mostly at once.
const LAST_WORDS_WITHIN: Duration = Duration::from_millis(500);

/// A running program. Dropping it ends it, in the background.
#[derive(Debug)]
pub(super) struct Program {
    running: Option<Running>,
    said: stderr::LastLine,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdout: ChildStdout,
    listening: JoinHandle<()>,
    taken: Taken,
}

impl Program {
    /// Starts it. Without a shell; its standard input is empty.
    pub(super) fn start(
        config: &ExecConfig,
        stream: &StreamName,
        taken: Taken,
    ) -> Result<Self, ProgramError> {
        let mut command = Command::new(&config.program);
        command
            .args(config.arguments.iter().map(|argument| argument.reveal()))
            .env_remove(ADMIN_VARIABLE)
            .envs(config.environment.iter().map(|(name, value)| (name, value.reveal())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        if let Some(folder) = &config.folder {
            command.current_dir(folder);
        }
        let failed = |error: io::Error| ProgramError::start(&config.program, &error);
        let mut child = command.spawn().map_err(failed)?;
        if let Some(group) = child.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            taken.runs(group);
        }
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let said = stderr::LastLine::default();
        let listener =
            stderr::Listener::new(stream.clone(), &config.program, Hidden::of(config), said.clone());
        let listening = tokio::spawn(listener.listen(stderr));
        Ok(Self { running: Some(Running { child, stdout, listening, taken }), said })
    }

    /// Adds what it has written to `buffer`; 0 is the end.
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match &mut self.running {
            Some(running) => running.stdout.read_buf(buffer).await,
            None => Ok(0),
        }
    }

    /// Returns the last line that the program wrote to standard error.
    pub(super) fn said(&self) -> String {
        self.said.get()
    }

    /// Returns the exit status, and the last line on standard error. Call it after the end of the output; the
    /// status is none when the program closed its output and keeps running.
    pub(super) async fn last_words(&mut self) -> (Option<ExitStatus>, String) {
        let mut status = None;
        if let Some(running) = &mut self.running {
            let both = async {
                status = running.child.wait().await.ok();
                // An error means that listening panicked; then nothing more is said.
                let _ = (&mut running.listening).await;
            };
            // What it started may hold the pipe open: what was said so far has to do.
            let _ = timeout(LAST_WORDS_WITHIN, both).await;
        }
        (status, self.said.get())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.taken.terminate();
        // Without a runtime, or one that ends, the future is dropped, and with it `Running`, which kills.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(running.end());
        }
    }
}

impl Running {
    /// Waits until all is gone that was asked to end, and kills the rest.
    async fn end(mut self) {
        let gone = async {
            // Read on: a program that waits for room in its pipe would not come to its end. The pipe closes
            // when the last of the group has ended.
            let mut rest = [0; 16 * 1024];
            while matches!(self.stdout.read(&mut rest).await, Ok(1..)) {}
            self.child.wait().await
        };
        let in_time = timeout(GRACE, gone).await.is_ok();
        // Those too that hold no pipe. The group's number was in use a moment ago, so it is nobody else's
        // yet.
        self.taken.kill();
        if !in_time {
            // Late: tokio collects what is left of it.
            let _ = timeout(KILLED_WITHIN, self.child.wait()).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.taken.kill();
        self.listening.abort();
    }
}
