//! Imports in `src/` go one way: between its modules, and between the files of each. And its folders stay
//! small enough to be read.
//!
//! The order between modules: reads the code of every file (not its comments and texts) for paths that start
//! at the crate's root, and fails on one that leads to a module further along than the file's own. Test
//! modules count too: a test that needs a later module belongs to that module, or into `tests/`.
//!
//! The files of a module: see [`circles`] for what counts as an import, and where it leads.

mod circles;
mod module_tree;
mod tokens;

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use circles::{Circle, circles};
use tokens::{Token, tokens};

/// The modules, in the order in which a frame passes through them. A module may use itself and those of
/// earlier lines; modules of one line do not know each other.
const LAYERS: &[&[&str]] = &[
    &["platform"],
    &["media"],
    &["config"],
    &["limits"],
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

/// Most entries of a folder below `src`.
const MOST_ENTRIES: usize = 14;

/// The crate's two roots are above all modules.
const ROOTS: &[&str] = &["lib", "main"];

#[test]
fn imports_between_modules_go_one_way() {
    let wrong: Vec<_> = sources().iter().flat_map(|(file, text)| check(file, text)).collect();
    let lines: Vec<_> = wrong.iter().map(ToString::to_string).collect();
    assert!(lines.is_empty(), "forbidden imports (see LAYERS in tests/layering):\n{}", lines.join("\n"));
}

#[test]
fn the_files_of_a_module_do_not_import_each_other_in_circles() {
    let sources = sources();
    let files = sources.iter().map(|(file, text)| (file.as_path(), text.as_str()));
    let lines: String = circles(files).iter().map(Circle::lines).collect();
    assert!(lines.is_empty(), "import circles:\n{lines}");
}

#[test]
fn no_folder_below_src_has_too_many_entries() {
    let large = large_folders(&source_folder(), MOST_ENTRIES);
    assert!(large.is_empty(), "folders of more than {MOST_ENTRIES} entries: {large:?}");
}

#[test]
fn a_folder_of_too_many_entries_is_named_at_any_depth() {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let inner = folder.path().join("web/ui");
    fs::create_dir_all(inner.join("assets")).expect("a folder can be made");
    for file in ["a.rs", "b.rs"] {
        fs::write(inner.join(file), "").expect("a file can be written");
    }
    assert!(large_folders(folder.path(), 3).is_empty());
    assert_eq!(large_folders(folder.path(), 2), [(PathBuf::from("web/ui"), 3)]);
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

/// Returns all Rust files with their paths below `src`, and their texts.
fn sources() -> Vec<(PathBuf, String)> {
    let src = source_folder();
    let files = rust_files(&src);
    assert!(files.len() > 5, "only {} files under {}: is this the source?", files.len(), src.display());
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("a source file is readable text");
        (path.strip_prefix(&src).expect("it was found under src").to_path_buf(), text)
    };
    files.into_iter().map(read).collect()
}

fn source_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Returns the folders below `root`, not itself, that have more entries than `most`, and how many.
fn large_folders(root: &Path, most: usize) -> Vec<(PathBuf, usize)> {
    let mut large = Vec::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        let entries = entries(&folder);
        let inside = folder.strip_prefix(root).expect("it was found below the root");
        if folder != root && entries.len() > most {
            large.push((inside.to_path_buf(), entries.len()));
        }
        folders.extend(entries.into_iter().filter(|path| path.is_dir()));
    }
    large.sort();
    large
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in entries(dir) {
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|e| e == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).expect("src is a readable folder");
    entries.map(|entry| entry.expect("src is a readable folder").path()).collect()
}
