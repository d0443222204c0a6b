//! Import circles among the files of a module.
//!
//! A file imports another when a path in it leads there: in a `use`, in code, in a macro's arguments, or as a
//! text in an attribute. These are the rules by which a path's target is found:
//!
//! - An item belongs to the file of the module that defines it. `use super::Thing` leads to the parent's file
//!   if `Thing` is defined there; if the parent only re-exports it, from one of its children or from anywhere
//!   else, to the file that it is re-exported from.
//! - A module belongs to its own file: `use super::state` leads to `state.rs` or `state/mod.rs`, and
//!   `state::next` then to wherever `next` is defined.
//! - A declaration (`mod state;`) and a re-export (`pub use`, of any visibility) import nothing themselves.
//!   So a `mod.rs` that only declares and re-exports is part of no circle.
//! - What exists only in tests does not count: modules with `#[cfg(test)]`, inline or in a file.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use crate::module_tree::{ModuleTree, Reference};

/// Files that import each other, directly or through others.
#[derive(Debug)]
pub(crate) struct Circle {
    /// The module below `src` that the files belong to.
    pub(crate) module: String,
    pub(crate) files: usize,
    /// One import for each pair of files.
    pub(crate) edges: Vec<Reference>,
}

impl Circle {
    /// Returns the imports, one a line.
    pub(crate) fn lines(&self) -> String {
        let lines = self.edges.iter().map(|Reference { from, line, to, path }| {
            format!("  src/{}:{line}: {path} → src/{}\n", from.display(), to.display())
        });
        format!("{}, {} files:\n{}", self.module, self.files, lines.collect::<String>())
    }
}

/// Returns the circles among `files`, which are given with their paths below `src`.
pub(crate) fn circles<'a>(files: impl IntoIterator<Item = (&'a Path, &'a str)>) -> Vec<Circle> {
    // The first import of each pair of files.
    let mut edges: BTreeMap<PathBuf, BTreeMap<PathBuf, Reference>> = BTreeMap::new();
    for reference in ModuleTree::new(files).references() {
        if module_of(&reference.from) == module_of(&reference.to) {
            let targets = edges.entry(reference.from.clone()).or_default();
            targets.entry(reference.to.clone()).or_insert(reference);
        }
    }
    let reached: BTreeMap<_, _> = edges.keys().map(|file| (file, reached_from(file, &edges))).collect();
    let is_mutual = |a: &PathBuf, b: &PathBuf| reached[a].contains(b) && reached[b].contains(a);
    let mut done = BTreeSet::new();
    let mut found = Vec::new();
    for file in edges.keys() {
        let circle: BTreeSet<_> = edges.keys().filter(|other| is_mutual(file, other)).collect();
        if circle.is_empty() || !done.insert(circle.first().copied()) {
            continue;
        }
        let inside = edges.iter().filter(|(from, _)| circle.contains(from));
        let inside = inside.flat_map(|(_, targets)| targets.values());
        let inside = inside.filter(|reference| circle.contains(&reference.to)).cloned();
        found.push(Circle { module: module_of(file), files: circle.len(), edges: inside.collect() });
    }
    found
}

/// Returns the files that one leads to; itself only if it is part of a circle.
fn reached_from<'a>(
    file: &PathBuf,
    edges: &'a BTreeMap<PathBuf, BTreeMap<PathBuf, Reference>>,
) -> BTreeSet<&'a PathBuf> {
    let mut reached = BTreeSet::new();
    let targets = |file: &PathBuf| edges.get(file).into_iter().flat_map(BTreeMap::keys);
    let mut next: Vec<_> = targets(file).collect();
    while let Some(file) = next.pop() {
        if reached.insert(file) {
            next.extend(targets(file));
        }
    }
    reached
}

fn module_of(file: &Path) -> String {
    let first = file.components().next().map(|name| name.as_os_str().to_string_lossy().into_owned());
    first.unwrap_or_default().trim_end_matches(".rs").to_owned()
}

#[test]
fn a_circle_is_named_with_files_lines_and_paths() {
    let files = [
        ("bus/mod.rs", "mod a;\nmod b;\nmod c;\n"),
        ("bus/a.rs", "use std::fmt;\nuse super::b::B;\npub struct A;\n"),
        ("bus/b.rs", "pub struct B;\n\nfn f() -> crate::bus::a::A { todo!() }\n"),
        ("bus/c.rs", "use super::{a::A, b::B};\n"),
    ];
    let found = found_in(&files);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        found[0],
        "bus, 2 files:\n  src/bus/a.rs:2: super::b::B → src/bus/b.rs\n  src/bus/b.rs:3: crate::bus::a::A → \
         src/bus/a.rs\n"
    );
}

#[test]
fn every_way_of_writing_an_import_counts() {
    // Each in `m/a.rs`, to which `m/b.rs` leads.
    let ways = [
        "use super::b::B;",
        "use super::{b, c};",
        "use super::{b::{self, B}, c};",
        "use super::b::*;",
        "use super::b::B as Other;",
        "use crate::m::b::B;",
        "use crate::{config, m::{b::B, c}};",
        "use crate::m::B;",
        "use super::B;",
        "use super::{c, B};",
        "use super::Renamed;",
        "use super::OnOneSystem;",
        "use super::c::FromSibling;",
        "use super::Starred;",
        "fn f() { super::b::f() }",
        "fn f(b: super::B) {}",
        "fn f() { use super::B; }",
        "fn f() { assert!(super::b::f()) }",
        "fn f() { <u8 as super::b::Trait>::f() }",
        "use super::c; fn f() { c::FromSibling::new() }",
        "mod inline { use super::super::b::B; }",
        "mod inline { use crate::m::B; }",
        "#[serde(with = \"super::b\")] struct A;",
        "#[derive(super::B)] struct A;",
        "use super::*; fn f() { b::f() }",
        "#[cfg(not(test))] use super::B;",
        "#[cfg(any(test, fuzzing))] mod inline { use super::super::B; }",
    ];
    for way in ways {
        let files = [
            (
                "m/mod.rs",
                "mod a; mod b; mod c; mod d; pub use b::B; pub use b::B as Renamed; pub(super) use b::*;
                 #[cfg(unix)] pub use b::OnOneSystem; #[cfg(not(unix))] pub use c::OnOneSystem;",
            ),
            ("m/a.rs", way),
            ("m/b.rs", "use super::d::D; pub struct B; pub struct Starred;"),
            ("m/c.rs", "pub use super::b::FromSibling; pub struct OnOneSystem;"),
            ("m/d.rs", "use super::a;"),
        ];
        let found = found_in(&files);
        let is_named = |found: &String| found.contains("src/m/a.rs:1:") && found.contains("→ src/m/b.rs");
        assert!(found.len() == 1 && is_named(&found[0]), "{way}: {found:?}");
    }
}

#[test]
fn an_item_of_a_mod_rs_that_uses_its_children_closes_a_circle() {
    let parent = "mod a;\nuse a::A;\npub struct Parent(A);\n";
    for child in ["use super::Parent;", "use crate::m::Parent;", "fn f(_: super::Parent) {}"] {
        let found = found_in(&[("m/mod.rs", parent), ("m/a.rs", child)]);
        assert_eq!(found.len(), 1, "{child}");
        assert!(found[0].contains("src/m/a.rs:1:") && found[0].contains("src/m/mod.rs:2: a::A"), "{found:?}");
    }
    let by_path = "mod a; pub struct Parent; fn f() { a::f() }";
    assert_eq!(found_in(&[("m/mod.rs", by_path), ("m/a.rs", "use super::Parent;")]).len(), 1);
}

#[test]
fn a_circle_of_many_files_is_one_and_two_are_two() {
    let files = [
        ("m/mod.rs", "mod a; mod b; mod c; mod d;"),
        ("m/a.rs", "use super::b;"),
        ("m/b.rs", "use super::c; use super::d;"),
        ("m/c.rs", "use super::a;"),
        ("m/d.rs", ""),
        ("n/mod.rs", "mod a; mod b;"),
        ("n/a.rs", "use super::b; use crate::m::a;"),
        ("n/b.rs", "use super::a;"),
    ];
    let found = found_in(&files);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].starts_with("m, 3 files:") && !found[0].contains("d.rs"), "{}", found[0]);
    assert!(found[1].starts_with("n, 2 files:"), "{}", found[1]);
}

#[test]
fn what_makes_no_circle_passes() {
    let cases: [&[(&str, &str)]; 8] = [
        // A mod.rs that only declares and re-exports.
        &[("m/mod.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"), ("m/a.rs", "use super::b::B;")],
        // Test code, in the file or in its own.
        &[
            ("m/mod.rs", "mod a; mod b;"),
            ("m/a.rs", "use super::b; #[cfg(test)] mod tests { use super::super::b; }"),
            ("m/b.rs", "#[cfg(not(loom))] #[cfg(test)] pub(crate) mod tests { use crate::m::a; }"),
        ],
        &[
            ("m/mod.rs", "mod a; pub struct M; #[cfg(test)] mod tests;"),
            ("m/a.rs", "use super::M;"),
            ("m/tests.rs", "use super::a::A;"),
        ],
        // Comments and texts.
        &[
            ("m/mod.rs", "mod a; mod b;"),
            ("m/a.rs", "use super::b;"),
            ("m/b.rs", "//! [`super::a`]\nconst B: &str = \"super::a\"; // super::a"),
        ],
        // Of other crates, and of the file itself.
        &[
            ("m/mod.rs", "mod a; mod b;"),
            ("m/a.rs", "use super::b; use tokio::sync; fn f() { sync::a::f() }"),
            ("m/b.rs", "use std::a::A; enum B { X } impl B { fn f() { Self::X; B::X; self::f() } }"),
        ],
        // Methods and fields that have the name of a module.
        &[("m/mod.rs", "mod a; mod b;"), ("m/a.rs", "use super::b;"), ("m/b.rs", "fn f() { x.a::<u8>() }")],
        // A visibility, and the bounds of a returned type.
        &[
            ("m/mod.rs", "mod a; mod b;"),
            ("m/a.rs", "use super::b;"),
            ("m/b.rs", "pub(in crate::m::a) fn f() -> impl Sized + use<> {}"),
        ],
        // The order between modules is tested elsewhere.
        &[("m/mod.rs", "use crate::n::N; pub struct M;"), ("n/mod.rs", "use crate::m::M; pub struct N;")],
    ];
    for files in cases {
        let found = found_in(files);
        assert!(found.is_empty(), "{files:?}\n{found:?}");
    }
}

fn found_in(files: &[(&str, &str)]) -> Vec<String> {
    circles(files.iter().map(|(path, text)| (Path::new(*path), *text))).iter().map(Circle::lines).collect()
}
