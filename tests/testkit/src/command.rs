//! The built program, run to its end.

use std::{
    io::Write,
    process::{Command, Output, Stdio},
};

use jpeg_encoder::{ColorType, Encoder};

use crate::binary;

/// The program, without what the developer's shell asks of it.
pub fn framecast(args: &[&str]) -> Command {
    let mut command = Command::new(binary::path());
    for variable in ["RUST_LOG", "FRAMECAST_CONFIG", "FRAMECAST_LOG_FORMAT", "FRAMECAST_TOKEN"] {
        command.env_remove(variable);
    }
    command.args(args).stdin(Stdio::null());
    command
}

/// The status and output of a run.
pub struct ProgramResult {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl From<Output> for ProgramResult {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).expect("it writes UTF-8"),
            stderr: String::from_utf8(output.stderr).expect("it writes UTF-8"),
        }
    }
}

impl ProgramResult {
    /// It failed with this code, saying all this on standard error.
    #[track_caller]
    pub fn assert_failed(&self, code: i32, says: &[&str]) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        for word in says {
            assert!(self.stderr.contains(word), "{word:?} is not in: {}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }

    /// It ended well; gives its standard output.
    #[track_caller]
    pub fn assert_success(&self) -> &str {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        &self.stdout
    }
}

/// Runs it to its end.
pub fn run_framecast(args: &[&str]) -> ProgramResult {
    framecast(args).output().expect("it can be started").into()
}

/// Runs it to its end with this on standard input.
pub fn run_framecast_with_input(args: &[&str], input: &[u8]) -> ProgramResult {
    let mut command = framecast(args);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be started");
    let mut stdin = child.stdin.take().expect("it is piped");
    stdin.write_all(input).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends").into()
}

/// A picture of its own for each `n`.
pub fn jpeg(n: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> = (0..32 * 16u32).map(|at| (at * 7) as u8 ^ n.wrapping_mul(37)).collect();
    Encoder::new(&mut jpeg, 80).encode(&pixels, 32, 16, ColorType::Luma).unwrap();
    jpeg
}
