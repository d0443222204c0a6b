//! The line of a mistake with a mark beneath it, without what could be secret.

use std::{iter, ops::Range};

use super::error::Position;

/// Longest line shown, in characters: what a terminal holds without wrapping twice.
const MAX_LINE: usize = 160;

/// Shows a line. Bytes in `hidden` become `***` unless they are in `shown` too.
pub(super) fn excerpt(
    text: &str,
    hidden: &[Range<usize>],
    shown: &[Range<usize>],
    at: Position,
) -> Option<String> {
    let (start, line) = line(text, at.line)?;
    if line.trim().is_empty() || line.chars().count() > MAX_LINE {
        return None;
    }
    let secret = |byte: usize| {
        let holds = |ranges: &[Range<usize>]| ranges.iter().any(|range| range.contains(&byte));
        holds(hidden) && !holds(shown)
    };
    let mut written = String::new();
    let mut mark = None;
    let mut masking = false;
    for (number, (offset, c)) in line.char_indices().enumerate() {
        let was_masking = masking;
        masking = secret(start + offset) && (masking || c != ' ');
        if number + 1 == at.column {
            mark = Some(width(&written) - if was_masking && masking { 3 } else { 0 });
        }
        match (masking, was_masking) {
            (true, true) => {}
            (true, false) => written.push_str("***"),
            (false, _) => written.push(if c.is_control() { ' ' } else { c }),
        }
    }
    let number = at.line.to_string();
    let margin: String = iter::repeat_n(' ', number.len()).collect();
    let mark: String = iter::repeat_n(' ', mark.unwrap_or_else(|| width(written.trim_end()))).collect();
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

/// Cells on a terminal: Chinese, Japanese and Korean letters take two.
fn width(text: &str) -> usize {
    let wide = |c: char| matches!(c, '\u{1100}'..='\u{115f}' | '\u{2e80}'..='\u{a4cf}' | '\u{ac00}'..='\u{d7a3}' | '\u{f900}'..='\u{faff}' | '\u{fe30}'..='\u{fe6f}' | '\u{ff00}'..='\u{ff60}');
    text.chars().map(|c| if wide(c) { 2 } else { 1 }).sum()
}
