//! A headless browser that a test drives, by way of browser.py.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::program::{python, test_file};

/// A running browser; it ends when this is dropped.
pub struct Browser {
    child: Child,
    /// Closing it ends the browser in peace.
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
}

impl Browser {
    pub fn chromium() -> Self {
        Self::start("chromium")
    }

    pub fn firefox() -> Self {
        Self::start("firefox")
    }

    pub fn webkit() -> Self {
        Self::start("webkit")
    }

    fn start(kind: &str) -> Self {
        let mut command = Command::new(python());
        command
            .args([&test_file("testkit/programs/browser.py"), kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().expect("python starts");
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().expect("stdout is piped"));
        Self { child, stdin, stdout }
    }

    /// Sends a command and returns its result; panics with the error of the browser.
    fn ask(&mut self, command: &Value) -> Value {
        let stdin = self.stdin.as_mut().expect("only dropping takes it");
        writeln!(stdin, "{command}").expect("the browser listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the browser answers");
        let answer: Value = serde_json::from_str(&line)
            .unwrap_or_else(|_| panic!("the browser ended at {command}; what it said stands above"));
        assert!(answer.get("failed").is_none(), "{command}: {}", answer["failed"]);
        answer["is"].clone()
    }

    /// Opens a page; does not wait for it.
    pub fn open(&mut self, url: &str) {
        self.ask(&json!({"do": "open", "url": url}));
    }

    /// Runs a script's body, and gives what it returns.
    pub fn run(&mut self, script: &str) -> Value {
        self.ask(&json!({"do": "run", "script": script}))
    }

    /// Looks again and again until the expression is true, and gives its value.
    pub fn wait_for(&mut self, expression: &str) -> Value {
        self.ask(&json!({"do": "wait_for", "script": format!("return {expression}")}))
    }

    /// Waits until so many elements on the screen have changed, by their pixels.
    pub fn wait_for_movement(&mut self, selector: &str, count: usize) {
        self.ask(&json!({"do": "moving", "selector": selector, "count": count}));
    }

    pub fn click(&mut self, selector: &str) {
        self.ask(&json!({"do": "click", "selector": selector}));
    }

    /// Types into an element; keys are those of WebDriver (`\u{e014}` is the right arrow).
    pub fn keys(&mut self, selector: &str, text: &str) {
        self.ask(&json!({"do": "type", "selector": selector, "text": text}));
    }

    pub fn drag(&mut self, start: &str, end: &str) {
        self.ask(&json!({"do": "drag", "start": start, "end": end}));
    }

    /// Makes the window so large.
    pub fn size(&mut self, width: u32, height: u32) {
        self.ask(&json!({"do": "size", "width": width, "height": height}));
    }

    /// The page is one that everybody can use, as far as axe-core can tell.
    pub fn assert_accessible(&mut self) {
        let found = self.ask(&json!({"do": "axe"}));
        assert_eq!(found, json!([]), "axe-core finds fault");
    }

    /// No script threw anything, and nothing was done that the content policy forbids.
    pub fn assert_no_errors(&mut self) {
        assert_eq!(self.errors(), json!([]));
    }

    /// Returns the errors of scripts and the refused requests since the last call.
    pub fn errors(&mut self) -> Value {
        self.ask(&json!({"do": "complaints"}))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends by itself then; what it ends with is nothing to the test.
        drop(self.child.wait());
    }
}
