//! Takes the files that are modelled from the crate as they are, and puts loom's locks in the place of the system's, and the
//! channel of `src/watch.rs` in the place of tokio's: what is tried is the code that runs, not a copy of it.

use std::{env, fs, path::Path};

/// The file, and what it is called here.
const FILES: [(&str, &str); 4] = [
    ("../src/bus/mod.rs", "bus.rs"),
    ("../src/bus/lanes.rs", "lanes.rs"),
    ("../src/stream/publishing.rs", "publishing.rs"),
    ("../src/registry/places.rs", "places.rs"),
];

/// What stands in place of what. Each must be found somewhere, so that a file that changes is noticed.
const SWAPPED: [(&str, &str); 4] = [
    ("use std::sync::", "use crate::primitives::"),
    ("    sync::{Arc, Mutex, MutexGuard, PoisonError},\n", ""),
    ("use tokio::sync::watch;", "use crate::watch;"),
    ("use tokio::{sync::watch, time::Instant};", "use crate::{watch, primitives::Instant};"),
];

fn main() {
    let out = env::var("OUT_DIR").expect("cargo says it");
    let mut unused: Vec<_> = SWAPPED.iter().map(|(from, _)| *from).collect();
    for (from, to) in FILES {
        println!("cargo:rerun-if-changed={from}");
        let text = fs::read_to_string(from).unwrap_or_else(|error| panic!("{from}: {error}"));
        let text = without_tests(&text);
        let mut code: String =
            text.lines().filter(|line| !line.starts_with("//!")).map(|line| format!("{line}\n")).collect();
        for (old, new) in SWAPPED {
            if code.contains(old) {
                unused.retain(|unused| *unused != old);
                code = code.replace(old, new);
            }
        }
        if to == "places.rs" {
            code = format!("use crate::primitives::{{Arc, Mutex, MutexGuard, PoisonError}};\n{code}");
        }
        if to == "bus.rs" {
            code = without_neighbours(&code);
        }
        fs::write(Path::new(&out).join(to), code).expect("the folder is cargo's");
    }
    assert!(unused.is_empty(), "nothing to swap any more: {unused:?}");
}

fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

/// The bus's own files are left out but for what they do with its frames: `src/lib.rs` has stand-ins.
fn without_neighbours(code: &str) -> String {
    let is_kept = |line: &&str| {
        !line.starts_with("mod ") && !line.starts_with("pub use ") && !line.starts_with("pub(crate) use ")
    };
    let kept: String = code.lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
    format!("use crate::stand_ins::*;\n{kept}")
}
