//! A running program and its children, in a process group of their own.
//!
//! However its run ends (failure, cancellation, panic, shutdown), the whole group is told to terminate, and
//! killed if it does not. If framecast itself is killed, it cannot do that: then the program ends at its next
//! write to a pipe without a reader (`SIGPIPE`), which for a camera's program is soon.

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

use super::{error::ProgramError, process_lock::ProcessPermit, redact::Redactor, stderr};
use crate::{
    config::{ADMIN_VARIABLE, ExecConfig},
    media::stream_name::StreamName,
};

/// Time for a program to terminate: an RTSP session is closed in a round trip or two.
const GRACE: Duration = Duration::from_secs(2);

/// Time for a killed program to disappear, unless it hangs in the kernel; then the next one starts beside it.
const KILL_TIMEOUT: Duration = Duration::from_secs(1);

/// Time after the end of the output for the exit status and the rest of standard error, which mostly come at
/// once.
const EXIT_WITHIN: Duration = Duration::from_millis(500);

/// A running program. Dropping it terminates it, in the background.
#[derive(Debug)]
pub(super) struct Program {
    running: Option<Running>,
    last_line: stderr::LastLine,
}

#[derive(Debug)]
struct Running {
    child: Child,
    stdout: ChildStdout,
    stderr_task: JoinHandle<()>,
    permit: ProcessPermit,
}

impl Program {
    /// Starts a program, without a shell and with empty standard input.
    pub(super) fn start(
        config: &ExecConfig,
        stream: &StreamName,
        permit: ProcessPermit,
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
            permit.set_group(group);
        }
        let stdout = child.stdout.take().expect("it is piped");
        let stderr = child.stderr.take().expect("it is piped");
        let last_line = stderr::LastLine::default();
        let logger = stderr::StderrLogger::new(
            stream.clone(),
            &config.program,
            Redactor::for_program(config),
            last_line.clone(),
        );
        let stderr_task = tokio::spawn(logger.run(stderr));
        Ok(Self { running: Some(Running { child, stdout, stderr_task, permit }), last_line })
    }

    /// Appends bytes that the program has written to `buffer`; 0 is the end.
    pub(super) async fn read(&mut self, buffer: &mut BytesMut) -> io::Result<usize> {
        match &mut self.running {
            Some(running) => running.stdout.read_buf(buffer).await,
            None => Ok(0),
        }
    }

    /// Returns the last line that the program wrote to standard error.
    pub(super) fn last_line(&self) -> String {
        self.last_line.get()
    }

    /// Returns the exit status, and the last line on standard error. Call it after the end of the output; the
    /// status is none when the program closed its output and keeps running.
    pub(super) async fn finish(&mut self) -> (Option<ExitStatus>, String) {
        let mut status = None;
        if let Some(running) = &mut self.running {
            let both = async {
                status = running.child.wait().await.ok();
                // An error means that the task panicked; then nothing more is read.
                let _ = (&mut running.stderr_task).await;
            };
            // A child may hold the pipe open: the lines read so far have to do.
            let _ = timeout(EXIT_WITHIN, both).await;
        }
        (status, self.last_line.get())
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.permit.terminate();
        // Without a runtime, or one that ends, the future is dropped, and with it `Running`, which kills.
        if let Ok(runtime) = Handle::try_current() {
            runtime.spawn(running.end());
        }
    }
}

impl Running {
    /// Waits until the group has terminated, and kills the rest.
    async fn end(mut self) {
        let gone = async {
            // Read on: a program that waits for space in its pipe would not come to its end. The pipe closes
            // when the last process of the group has ended.
            let mut rest = [0; 16 * 1024];
            while matches!(self.stdout.read(&mut rest).await, Ok(1..)) {}
            self.child.wait().await
        };
        let in_time = timeout(GRACE, gone).await.is_ok();
        // Processes without the pipe too. The group's number was in use a moment ago, so it is not reused
        // yet.
        self.permit.kill();
        if !in_time {
            // Late: tokio reaps what is left of it.
            let _ = timeout(KILL_TIMEOUT, self.child.wait()).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.permit.kill();
        self.stderr_task.abort();
    }
}
