//! The mistakes in a configuration file, each with its position.

use std::{cell::RefCell, fmt};

/// Most mistakes shown of one file: past these it is the wrong file.
const MAX_SHOWN: usize = 100;

/// A place in a file, both counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// The position of what is not in the file but was added over HTTP.
pub(crate) const NOWHERE: Position = Position { line: 0, column: 0 };

/// One thing that is wrong. Its texts hold no credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The name of the file.
    pub file: String,
    /// The position; none when it is about the file as a whole.
    pub position: Option<Position>,
    /// Like `streams.door.source.url`; empty for the whole file.
    pub path: String,
    /// A description of what is wrong and what would be right.
    pub message: String,
    /// The line of the file with a mark beneath, values that could be secret left out.
    pub excerpt: Option<String>,
}

/// Every mistake of a file, from top to bottom; at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors {
    mistakes: Vec<Mistake>,
}

impl ConfigErrors {
    pub(crate) fn of_file(file: &str, message: String) -> Self {
        let mistake =
            Mistake { file: file.to_owned(), position: None, path: String::new(), message, excerpt: None };
        Self { mistakes: vec![mistake] }
    }

    /// The mistakes, from top to bottom.
    pub fn mistakes(&self) -> &[Mistake] {
        &self.mistakes
    }
}

/// Mistakes that other modules found in a configuration; at least one.
impl From<Vec<Mistake>> for ConfigErrors {
    fn from(mistakes: Vec<Mistake>) -> Self {
        Self { mistakes }
    }
}

impl std::error::Error for ConfigErrors {}

/// One line: `framecast.yaml:7:10: streams.door.source.url: scheme must be http or https, not ftp`.
impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        let place = |Position { line, column }| format!("{line}:{column}");
        parts.extend((!self.file.is_empty()).then(|| self.file.clone()));
        parts.extend(self.position.map(place));
        let places = parts.join(":");
        parts =
            [places, self.path.clone(), self.message.clone()].into_iter().filter(|s| !s.is_empty()).collect();
        f.write_str(&parts.join(": "))
    }
}

/// Each mistake with its excerpt beneath, for a terminal.
impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, mistake) in self.mistakes.iter().take(MAX_SHOWN).enumerate() {
            if number > 0 {
                writeln!(f)?;
            }
            write!(f, "{mistake}")?;
            if let Some(excerpt) = &mistake.excerpt {
                write!(f, "\n{excerpt}")?;
            }
        }
        match self.mistakes.len().saturating_sub(MAX_SHOWN) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more mistakes"),
        }
    }
}

/// Collects mistakes while a file is read.
#[derive(Default)]
pub(crate) struct Mistakes(RefCell<Vec<(Position, String, String)>>);

impl Mistakes {
    /// Notes one; a repetition (a default that several streams fall back on) counts once.
    pub(crate) fn add(&self, at: Position, path: impl Into<String>, message: impl Into<String>) {
        let found = (at, path.into(), message.into());
        let mut mistakes = self.0.borrow_mut();
        if !mistakes.contains(&found) {
            mistakes.push(found);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.borrow().is_empty()
    }

    pub(crate) fn finish(self, file: &str, excerpt: impl Fn(Position) -> Option<String>) -> ConfigErrors {
        let mut found = self.0.into_inner();
        found.sort_by_key(|(at, ..)| *at);
        let mistake = |(at, path, message)| Mistake {
            file: file.to_owned(),
            position: Some(at).filter(|at| *at != NOWHERE),
            path,
            message,
            excerpt: excerpt(at),
        };
        ConfigErrors { mistakes: found.into_iter().map(mistake).collect() }
    }
}

/// `parent.key`.
pub(crate) fn join(parent: &str, key: &str) -> String {
    if parent.is_empty() { key.to_owned() } else { format!("{parent}.{key}") }
}

/// A key as a message may show it: a URL with a password in a key's place is not shown.
pub(crate) fn printable_key(key: &str) -> String {
    /// No key is longer; a pasted file would be.
    const MAX_SHOWN: usize = 80;
    let harmless = |c: char| !c.is_control() && c != '@' && c != '?' && c != '=';
    if key.len() <= MAX_SHOWN && key.chars().all(harmless) { key.to_owned() } else { "***".to_owned() }
}
