//! The line of a mistake with a mark beneath it, without what could be secret.

use std::{iter, ops::Range};

use unicode_width::UnicodeWidthStr;

use crate::config::{
    error::{Position, printable_key},
    schema,
    yaml::{Kind, Node},
};

/// Longest line shown, in characters: what a terminal holds without wrapping twice.
const MAX_LINE: usize = 160;

/// The parts of a text that may be shown.
#[derive(Default)]
pub(crate) struct Visible {
    /// Scalars and keys.
    words: Vec<Range<usize>>,
    /// The words that hold no secret.
    harmless: Vec<Range<usize>>,
    is_parsed: bool,
}

impl Visible {
    /// Of a text whose tree is known, if it is YAML; `harmless` are the values that hold no secret.
    pub(crate) fn new(root: Option<&Node>, harmless: Vec<Range<usize>>) -> Self {
        let mut visible = Self { words: Vec::new(), harmless, is_parsed: root.is_some() };
        if let Some(root) = root {
            visible.add(root);
        }
        visible
    }

    fn add(&mut self, node: &Node) {
        match &node.kind {
            Kind::Text { .. } => self.words.push(node.span.clone()),
            Kind::Seq(items) => items.iter().for_each(|item| self.add(item)),
            Kind::Map(entries) => {
                for entry in entries {
                    self.words.push(entry.key_span.clone());
                    if printable_key(&entry.key) == entry.key {
                        self.harmless.push(entry.key_span.clone());
                    }
                    self.add(&entry.value);
                }
            }
            Kind::Null => {}
        }
    }

    /// The first byte of a line from which on nothing is shown: a comment, or what was not understood.
    fn end(&self, start: usize, line: &str) -> usize {
        if !self.is_parsed {
            let word = line.trim_start_matches([' ', '-']);
            let key = word.split(':').next().unwrap_or_default();
            let is_key = key.len() < word.len() && schema::is_key(key);
            return start + line.len() - word.len() + if is_key { key.len() + 1 } else { 0 };
        }
        let comment = line.char_indices().find(|(at, c)| {
            let after_blank = line[..*at].chars().next_back().is_none_or(char::is_whitespace);
            *c == '#' && after_blank && !holds(&self.words, start + at)
        });
        start + comment.map_or(line.len(), |(at, _)| at)
    }

    fn shows(&self, byte: usize, c: char) -> bool {
        match holds(&self.words, byte) {
            true => holds(&self.harmless, byte),
            false => !self.is_parsed || " \t{}[],:-?'\"".contains(c),
        }
    }
}

fn holds(ranges: &[Range<usize>], byte: usize) -> bool {
    ranges.iter().any(|range| range.contains(&byte))
}

/// Shows a line. What is not visible becomes `***`.
pub(crate) fn excerpt(text: &str, visible: &Visible, at: Position) -> Option<String> {
    let (start, line) = line(text, at.line)?;
    if line.trim().is_empty() || line.chars().count() > MAX_LINE {
        return None;
    }
    let end = visible.end(start, line);
    let mut written = String::new();
    let mut mark = None;
    let mut masking = false;
    for (number, (offset, c)) in line.char_indices().enumerate() {
        let was_masking = masking;
        let is_shown = start + offset < end && visible.shows(start + offset, c);
        masking = !is_shown && (masking || c != ' ');
        if number + 1 == at.column {
            mark = Some(written.width() - if was_masking && masking { 3 } else { 0 });
        }
        match (masking, was_masking) {
            (true, true) => {}
            (true, false) => written.push_str("***"),
            (false, _) => written.push(if c.is_control() { ' ' } else { c }),
        }
    }
    let number = at.line.to_string();
    let margin: String = iter::repeat_n(' ', number.len()).collect();
    let mark: String = iter::repeat_n(' ', mark.unwrap_or_else(|| written.trim_end().width())).collect();
    Some(format!("  {number} | {}\n  {margin} | {mark}^", written.trim_end()))
}

/// A line without its end, and its first byte.
fn line(text: &str, number: usize) -> Option<(usize, &str)> {
    let mut start = 0;
    for (count, line) in text.split_inclusive('\n').enumerate() {
        if count + 1 == number {
            return Some((start, line.trim_end_matches(['\n', '\r'])));
        }
        start += line.len();
    }
    None
}
