//! The words and marks of a Rust file, with their lines.

/// Line, from 1, and text.
pub(crate) type Token = (usize, String);

/// Returns words and marks; `::` is one mark. Comments, texts and characters are left out, except for a path
/// as the text of an attribute, as in `#[serde(with = "crate::units")]`.
pub(crate) fn tokens(text: &str) -> Vec<Token> {
    let mut out: Vec<Token> = Vec::new();
    // Depth of brackets since the `#` of an attribute.
    let mut attribute = 0_usize;
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => {
                let length = quoted(rest);
                if attribute > 0 {
                    out.extend(path_in(&rest[..length]).into_iter().map(|word| (line, word)));
                }
                length
            }
            '\'' => character(rest),
            'r' | 'b' | 'c' if raw_text(rest).is_some() => raw_text(rest).unwrap_or(1),
            ':' if rest.starts_with("::") => {
                out.push((line, "::".to_owned()));
                2
            }
            c if c.is_alphanumeric() || c == '_' => {
                let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                out.push((line, rest[..end].to_owned()));
                end
            }
            c => {
                let before = |n: usize| out.len().checked_sub(n).map_or("", |at| out[at].1.as_str());
                let begins = before(1) == "#" || (before(1), before(2)) == ("!", "#");
                match c {
                    '[' if attribute > 0 || begins => attribute += 1,
                    ']' => attribute = attribute.saturating_sub(1),
                    _ => {}
                }
                if !c.is_whitespace() {
                    out.push((line, c.to_string()));
                }
                c.len_utf8()
            }
        };
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    out
}

/// Returns the words and marks of a quoted text if it is a path of several words.
fn path_in(quoted: &str) -> Vec<String> {
    let words: Vec<_> = quoted.trim_matches('"').split("::").collect();
    let is_word = |word: &&str| {
        word.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_alphanumeric() || c == '_')
    };
    if words.len() < 2 || !words.iter().all(is_word) {
        return Vec::new();
    }
    words.join(" :: ").split(' ').map(str::to_owned).collect()
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        match rest {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime, of which only the mark is taken.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match (chars.next(), chars.next()) {
        (Some((_, '\\')), Some(_)) => chars.find(|(_, c)| *c == '\'').map_or(text.len(), |(at, _)| at + 1),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

/// Returns the length of a raw text such as `r#"…"#`, if one starts here.
fn raw_text(text: &str) -> Option<usize> {
    let after =
        text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = body.find(&end).unwrap_or(body.len());
    Some((text.len() - body.len() + inside + end.len()).min(text.len()))
}
