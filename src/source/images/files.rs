//! Lists the files that match a pattern, in natural order: `2.jpg` before `10.jpg`.

use std::{cmp::Ordering, path::PathBuf};

use glob::{MatchOptions, PatternError};

/// Maximum number of files in a round: a day of pictures at one a second. More are left out, in the order of
/// the folder.
const MAX_FILES: usize = 86_400;

/// Returns the files that match now. Hidden files (a leading dot) only match a pattern with that dot: writers
/// put their unfinished files there.
pub(super) fn list(pattern: &str) -> Result<Vec<PathBuf>, PatternError> {
    let options = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
    // A folder without read permission is like an empty one: the caller reports the pattern.
    let found = glob::glob_with(pattern, options)?.filter_map(Result::ok);
    let mut files: Vec<_> = found.filter(|path| !path.is_dir()).take(MAX_FILES).collect();
    files.sort_by(|a, b| natural(&a.to_string_lossy(), &b.to_string_lossy()));
    Ok(files)
}

/// Compares with runs of digits as numbers; equal numbers of unequal length (`01`, `1`) by their text.
fn natural(a: &str, b: &str) -> Ordering {
    let (mut left, mut right) = (a, b);
    loop {
        let (Some(l), Some(r)) = (left.chars().next(), right.chars().next()) else {
            return left.len().cmp(&right.len()).then_with(|| a.cmp(b));
        };
        if l.is_ascii_digit() && r.is_ascii_digit() {
            let (number_l, rest_l) = number(left);
            let (number_r, rest_r) = number(right);
            // Without leading zeros the longer number is the larger one; no number is too long for that.
            let order = number_l.len().cmp(&number_r.len()).then_with(|| number_l.cmp(number_r));
            if order.is_ne() {
                return order;
            }
            (left, right) = (rest_l, rest_r);
        } else if l == r {
            (left, right) = (&left[l.len_utf8()..], &right[r.len_utf8()..]);
        } else {
            return l.cmp(&r);
        }
    }
}

/// Splits off the digits at the start, without leading zeros.
fn number(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (text[..end].trim_start_matches('0'), &text[end..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_names_count_as_numbers() {
        let mut names =
            ["b1.jpg", "10.jpg", "1.jpg", "a.jpg", "2.jpg", "01.jpg", "é2", "é10", "1-10", "1-9", ""];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(
            names,
            ["", "1-9", "1-10", "01.jpg", "1.jpg", "2.jpg", "10.jpg", "a.jpg", "b1.jpg", "é2", "é10"]
        );
        let huge = ["99999999999999999999999999", "100000000000000000000000000"];
        assert_eq!(natural(huge[0], huge[1]), Ordering::Less);
    }

    #[test]
    fn hidden_files_and_folders_are_left_out() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["10.jpg", "9.jpg", ".half.jpg"] {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        std::fs::create_dir(dir.path().join("5.jpg")).unwrap();
        let listed = list(&format!("{}/*", dir.path().display())).unwrap();
        let names: Vec<_> = listed.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["9.jpg", "10.jpg"]);
        assert!(list("a/***").is_err());
    }
}
