//! Runs the targets of the fuzzer, with a bounded number of cases each.

use std::{fs, path::Path};

use proptest::prelude::*;

use super::*;
use crate::media::multipart::parser::tests::dialects;

#[path = "../../fuzz/seeds.rs"]
mod seeds;

/// Number of mutated seeds for each target, unless `PROPTEST_CASES` sets another.
const USUAL_CASES: u32 = 400;

/// Number of mutated seeds for targets whose inputs become thousands of frames.
const CASES_OF_FLOODS: u32 = 40;

fn config(target: &str) -> ProptestConfig {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    let usual = if target == "http2" { CASES_OF_FLOODS } else { USUAL_CASES };
    ProptestConfig { cases: asked.unwrap_or(usual), ..ProptestConfig::default() }
}

/// Returns seeds with some bytes changed, a piece moved, and the end cut off; or noise.
fn spoiled(target: &str) -> impl Strategy<Value = Vec<u8>> + use<> {
    let seeds = seeds::seeds(target);
    assert!(!seeds.is_empty(), "{target} has no seeds");
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8);
    let moved = prop::option::of((any::<prop::sample::Index>(), any::<prop::sample::Index>(), 0_usize..200));
    let cut = prop::option::weighted(0.3, any::<prop::sample::Index>());
    let of_seed =
        (prop::sample::select(seeds), changes, moved, cut).prop_map(|(mut bytes, changes, moved, cut)| {
            if let Some((from, to, len)) = moved {
                let from = from.index(bytes.len());
                let piece = bytes[from..(from + len).min(bytes.len())].to_vec();
                let to = to.index(bytes.len());
                bytes.splice(to..to, piece);
            }
            for (at, byte) in changes {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            bytes
        });
    prop_oneof![9 => of_seed, 1 => prop::collection::vec(any::<u8>(), 0..600)]
}

/// Returns the inputs that a fuzzer has found, and that were fixed.
fn findings(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/findings").join(target);
    let Ok(files) = fs::read_dir(folder) else { return Vec::new() };
    files.map(|file| fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(target: &str, check: fn(&[u8])) {
    for input in seeds::seeds(target).iter().chain(&findings(target)) {
        check(input);
    }
    proptest!(config(target), |(input in spoiled(target))| check(&input));
}

#[test]
fn every_target_has_its_file_and_its_seeds() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for (target, _) in TARGETS {
        assert!(manifest.contains(&format!("name = \"{target}\"")), "fuzz/Cargo.toml has no {target}");
        assert!(!seeds::seeds(target).is_empty());
    }
}

/// The name of a target, and its check.
type Target = (&'static str, fn(&[u8]));

/// Every target by its name.
const TARGETS: [Target; 13] = [
    ("h264", h264),
    ("multipart", multipart),
    ("boundary", boundary),
    ("head", head),
    ("rtsp", rtsp),
    ("jpeg", jpeg),
    ("challenge", challenge),
    ("yaml", yaml),
    ("picture", picture),
    ("printer", printer),
    ("form", form),
    ("web_socket", web_socket),
    ("http2", http2),
];

macro_rules! property {
    ($($name:ident: $target:literal),+) => {
        $(
            #[test]
            fn $name() {
                let (target, check) =
                    TARGETS.into_iter().find(|(name, _)| *name == $target).expect("it is one");
                holds(target, check);
            }
        )+
    };
}

property! {
    bodies_of_parts: "multipart",
    content_types: "boundary",
    heads_of_answers: "head",
    messages_of_rtsp_cameras: "rtsp",
    jpegs: "jpeg",
    challenges: "challenge",
    configurations: "yaml",
    pushed_pictures: "picture",
    pictures_of_printers: "printer",
    pushed_forms: "form",
    video: "h264",
    messages_of_web_sockets: "web_socket",
    frames_of_http_2: "http2"
}
