//! Imports between the modules of `src/` go one way.
//!
//! Reads the code of every file (not its comments and texts) for paths that start at the crate's root, and
//! fails on one that leads to a module further along than the file's own. Test modules count too: a test that
//! needs a later module belongs to that module, or into `tests/`.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

/// The modules, in the order in which a frame passes through them. A module may use itself and those of
/// earlier lines; modules of one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["sync"],
    &["media"],
    &["config"],
    &["atomic_file", "file_watch", "limits"],
    &["auth", "observability", "bus"],
    &["imaging"],
    &["source"],
    &["stream"],
    &["registry", "viewer", "recording"],
    &["webhooks"],
    &["web"],
    &["app"],
    &["cli"],
    // Only when tested or fuzzed: what must hold of every input.
    &["fuzzing"],
];

/// The crate's two roots are above all modules.
const ROOTS: &[&str] = &["lib", "main"];

#[test]
fn imports_between_modules_go_one_way() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = rust_files(&src);
    assert!(files.len() > 5, "only {} files under {}: is this the source?", files.len(), src.display());
    let mut wrong = Vec::new();
    for path in &files {
        let text = fs::read_to_string(path).expect("a source file is readable text");
        let inside = path.strip_prefix(&src).expect("it was found under src");
        wrong.extend(check(inside, &text));
    }
    let lines: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "forbidden imports (see LAYERS in tests/layering.rs):\n{}", lines.join("\n"));
}

#[test]
fn a_forbidden_arrow_is_named_with_file_line_and_modules() {
    let text = "use std::fmt;\n\nfn f() { crate::web::serve(); }\n";
    let found = check(Path::new("bus/ingest.rs"), text);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].to_string(), "  src/bus/ingest.rs:3: bus → web");
}

#[test]
fn every_way_of_writing_a_path_is_seen() {
    let cases = [
        ("bus/mod.rs", "use crate::{media::Frame, source::Source};", "bus → source"),
        ("bus/mod.rs", "use crate::{\n  media::{Frame, name::{A, B}},\n  stream,\n};", "bus → stream"),
        ("bus/mod.rs", "pub(crate) use crate :: web :: Thing;", "bus → web"),
        ("bus/mod.rs", "#[cfg(test)] mod tests { use crate::app::Relay; }", "bus → app"),
        ("bus/mod.rs", "use super::web::Thing;", "bus → web"),
        ("bus/ingest.rs", "use super::super::web::Thing;", "bus → web"),
        ("bus/mod.rs", "mod tests { use super::super::{media::Frame, web::Thing}; }", "bus → web"),
        ("bus.rs", "fn f() { let _ = \"//\"; super::cli::run() }", "bus → cli"),
        ("media/mod.rs", "use crate::config::Limits;", "media → config"),
        ("media/mod.rs", "const X: char = '\"'; use crate::bus::Bus;", "media → bus"),
        ("media/mod.rs", "fn f<'a>(x: &'a str) { crate::bus::b(x) }", "media → bus"),
        ("media/mod.rs", "use crate::*;", "media → the whole crate"),
        ("media/mod.rs", "use crate::{self as all};", "media → the whole crate"),
        ("media/mod.rs", "use crate as all;", "media → the whole crate"),
        ("media/mod.rs", "use crate::loft::Thing;", "media → loft, which is in no layer"),
        ("loft/mod.rs", "use crate::media::Frame;", "loft is in no layer"),
    ];
    for (file, text, expected) in cases {
        let found: Vec<_> = check(Path::new(file), text).iter().map(ToString::to_string).collect();
        assert!(
            found.len() == 1 && found[0].ends_with(expected),
            "{file}: {text}\nfound {found:?}, not {expected}"
        );
    }
}

#[test]
fn what_is_allowed_passes() {
    let cases = [
        ("bus/mod.rs", "use crate::{media::Frame, limits, bus::ingest};"),
        (
            "bus/mod.rs",
            "//! See [`crate::web`].\n/// `crate::cli`\nfn f() {} // crate::web\n/* crate::web /* in */ \
             crate::web */",
        ),
        (
            "bus/mod.rs",
            "const T: &str = \"crate::web \\\" crate::web\"; const R: &str = r#\"crate::web\" crate::web\"#;",
        ),
        ("bus/mod.rs", "mod tests { use super::*; use super::web; }"),
        ("bus/ingest.rs", "use super::web;"),
        ("main.rs", "use framecast::cli; fn main() { cli::run() }"),
        ("lib.rs", "pub use crate::app::Relay;"),
        ("app.rs", "use crate::{web, registry, viewer};"),
        ("bus/mod.rs", "pub(crate) struct X; pub(in crate::bus) struct Y;"),
    ];
    for (file, text) in cases {
        let found = check(Path::new(file), text);
        assert!(found.is_empty(), "{file}: {text}\nfound {found:?}");
    }
}

/// One arrow against the order.
#[derive(Debug)]
struct Violation {
    file: PathBuf,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "  src/{}:{}: {}", self.file.display(), self.line, self.what)
    }
}

/// `file` is relative to `src/`.
fn check(file: &Path, text: &str) -> Vec<Violation> {
    let own = module_of(file);
    if ROOTS.contains(&own.as_str()) {
        return Vec::new();
    }
    let report = |line, what| Violation { file: file.to_path_buf(), line, what };
    let Some(own_layer) = layer_of(&own) else {
        return vec![report(1, format!("{own} is in no layer"))];
    };
    let arrows = root_paths(&tokens(text), module_depth(file)).into_iter();
    arrows
        .filter_map(|(line, target)| match target {
            None => Some(report(line, format!("{own} → the whole crate"))),
            Some(module) if module == own => None,
            Some(module) => match layer_of(&module) {
                None => Some(report(line, format!("{own} → {module}, which is in no layer"))),
                Some(layer) if layer < own_layer => None,
                Some(_) => Some(report(line, format!("{own} → {module}"))),
            },
        })
        .collect()
}

fn module_of(file: &Path) -> String {
    let first = file.components().next().expect("a file has a name");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

fn layer_of(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

/// Returns the number of modules between the crate's root and the code of this file: `bus/mod.rs` 1,
/// `bus/ingest.rs` 2.
fn module_depth(file: &Path) -> usize {
    file.components().count() - usize::from(file.ends_with("mod.rs"))
}

type Token = (usize, String);

/// Where paths that start at the crate's root lead: the line, and the module, or `None` for the crate itself.
fn root_paths(tokens: &[Token], file_depth: usize) -> Vec<(usize, Option<String>)> {
    let word = |i: usize| tokens.get(i).map_or("", |(_, text)| text.as_str());
    let mut found = Vec::new();
    let mut braces = Vec::new();
    let mut i = 0;
    while i < tokens.len() {
        let at = i;
        i += 1;
        match word(at) {
            "{" => braces.push(at >= 2 && word(at - 2) == "mod"),
            "}" => drop(braces.pop()),
            "crate" if word(i) == "::" => targets(tokens, i + 1, &mut found),
            "crate" if word(i) == "as" => found.push((tokens[at].0, None)),
            "super" if at == 0 || word(at - 1) != "::" || word(at.saturating_sub(2)) == "self" => {
                let mut ups = 1;
                while word(i) == "::" && word(i + 1) == "super" {
                    ups += 1;
                    i += 2;
                }
                let depth = file_depth + braces.iter().filter(|is_module| **is_module).count();
                if ups >= depth && word(i) == "::" {
                    targets(tokens, i + 1, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

/// The first names after `crate::`: one, or those at the top of a group in braces.
fn targets(tokens: &[Token], start: usize, found: &mut Vec<(usize, Option<String>)>) {
    let mut push = |(line, word): &Token| {
        let whole = matches!(word.as_str(), "*" | "self");
        found.push((*line, (!whole).then(|| word.clone())));
    };
    let Some(first) = tokens.get(start) else { return };
    if first.1 != "{" {
        return push(first);
    }
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(start) {
        match token.1.as_str() {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ if depth == 1 && matches!(tokens[i - 1].1.as_str(), "{" | ",") => push(token),
            _ => {}
        }
        if depth == 0 {
            return;
        }
    }
}

/// Words and marks with their lines; comments, texts and characters are left out, `::` is one mark.
fn tokens(text: &str) -> Vec<Token> {
    let mut out = Vec::new();
    let mut line = 1;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => quoted(rest),
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

/// Length of a raw text such as `r#"…"#`, if one starts here.
fn raw_text(text: &str) -> Option<usize> {
    let after =
        text.strip_prefix("br").or_else(|| text.strip_prefix("cr")).or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let inside = body.find(&end).unwrap_or(body.len());
    Some((text.len() - body.len() + inside + end.len()).min(text.len()))
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("src is a readable folder") {
        let path = entry.expect("src is a readable folder").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
