//! Takes the files that are modelled from the crate as they are, and puts loom's locks in the place of the system's, and the
//! channel of `src/watch.rs` in the place of tokio's: what is tried is the code that runs, not a copy of it.

use std::{env, fs, path::Path};

/// A file of the crate, its name here, and what stands in place of what. Each must be found, so that a file that changes is
/// noticed.
struct Taken(&'static str, &'static str, &'static [Swap]);

type Swap = (&'static str, &'static str);

const STD: Swap = ("use std::sync::", "use crate::primitives::");
const LOCKS: Swap = ("    sync::{Arc, Mutex, MutexGuard},\n", "");
const WATCH: Swap = ("use tokio::sync::watch;", "use crate::watch;");
const SELECT: Swap = ("tokio::select!", "crate::select!");

const FILES: [Taken; 17] = [
    Taken(
        "bus/mod.rs",
        "bus.rs",
        &[
            STD,
            (
                "use tokio::{sync::watch, time::Instant};",
                "use crate::{primitives::Instant, stand_ins::*, watch};",
            ),
        ],
    ),
    Taken(
        "bus/audience.rs",
        "audience.rs",
        &[LOCKS, ("use tokio::sync::{Notify, futures::Notified};", "use crate::{notify::*, shared::*};")],
    ),
    Taken("bus/headcount.rs", "headcount.rs", &[STD]),
    Taken("bus/lanes.rs", "lanes.rs", &[STD]),
    Taken("stream/publishing.rs", "publishing.rs", &[WATCH]),
    Taken("stream/send_method.rs", "send_method.rs", &[]),
    Taken(
        "stream/fan_out.rs",
        "fan_out.rs",
        &[
            SELECT,
            ("use tokio::task::yield_now;", "use crate::tasks::yield_now;"),
            // What a model does not bear must not be caught.
            (
                "use std::{\n    panic::{AssertUnwindSafe, catch_unwind},\n    sync::Arc,\n};",
                "use std::sync::Arc;",
            ),
            (
                "catch_unwind(AssertUnwindSafe(|| look(watcher)))",
                "{\n        look(watcher);\n        Ok::<(), ()>(())\n    }",
            ),
            // A round has a pause behind each viewer.
            ("const BATCH: usize = 64;", "const BATCH: usize = 1;"),
        ],
    ),
    Taken(
        "stream/capacity.rs",
        "capacity.rs",
        &[("use std::sync::{\n    Arc,\n    atomic::{AtomicUsize, Ordering},\n};", "use crate::shared::*;")],
    ),
    Taken(
        "session/mod.rs",
        "session.rs",
        &[("use std::{sync::Arc, time::Instant};", "use std::time::Instant;\nuse crate::primitives::Arc;")],
    ),
    Taken("session/counts.rs", "counts.rs", &[STD]),
    Taken(
        "registry/places.rs",
        "places.rs",
        &[
            ("    sync::{Arc, Mutex, MutexGuard, PoisonError},\n", ""),
            WATCH,
            (
                "use std::{\n    collections",
                "use crate::primitives::{Arc, Mutex, MutexGuard, PoisonError};\nuse std::{\n    collections",
            ),
        ],
    ),
    Taken(
        "auth/lease.rs",
        "lease.rs",
        &[
            SELECT,
            ("use tokio::{sync::watch, time::sleep_until};", "use crate::{tasks::sleep_until, watch};"),
        ],
    ),
    Taken(
        "web/seats.rs",
        "seats.rs",
        &[
            ("    sync::{\n        Arc,\n        atomic::{AtomicUsize, Ordering},\n    },\n", ""),
            ("use dashmap::DashMap;", "use crate::{dashmap::DashMap, shared::*};"),
        ],
    ),
    Taken("web/transport/mod.rs", "transport.rs", &[]),
    Taken("web/transport/channel.rs", "channel.rs", &[]),
    Taken(
        "web/transport/outbox.rs",
        "outbox.rs",
        &[LOCKS, ("use super::{channel::Lane", "use crate::shared::*;\nuse super::{channel::Lane")],
    ),
    Taken("web/transport/pieces.rs", "pieces.rs", &[]),
];

/// Modules of which only some files are taken: `src/lib.rs` says what stands beside them.
const ROOMS: [&str; 3] = ["bus.rs", "session.rs", "transport.rs"];

fn main() {
    let out = env::var("OUT_DIR").expect("cargo says it");
    for Taken(from, to, swaps) in FILES {
        let from = format!("../src/{from}");
        println!("cargo:rerun-if-changed={from}");
        let text = fs::read_to_string(&from).unwrap_or_else(|error| panic!("{from}: {error}"));
        let is_kept =
            |line: &&str| !line.starts_with("//!") && !(ROOMS.contains(&to) && is_of_neighbours(line));
        let mut code: String =
            without_tests(&text).lines().filter(is_kept).map(|line| format!("{line}\n")).collect();
        for (old, new) in swaps {
            assert!(code.contains(old), "{from}: nothing to swap any more: {old:?}");
            code = code.replace(old, new);
        }
        fs::write(Path::new(&out).join(to), code).expect("the folder is cargo's");
    }
}

fn without_tests(text: &str) -> &str {
    text.find("#[cfg(test)]").map_or(text, |at| &text[..at])
}

fn is_of_neighbours(line: &str) -> bool {
    ["mod ", "pub use ", "pub(crate) use ", "pub(super) use "].iter().any(|start| line.starts_with(start))
}
