//! Checks the published contracts of framecast with programs that do not know it: the API with schemathesis,
//! which sends valid and invalid requests according to the OpenAPI document, and the configuration with a
//! validator of JSON Schema.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use testkit::{
    binary::Framecast,
    program::{contract_tool, run, try_run},
};

const TOKEN: &str = "the-administrator-of-this-contract";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// A stream that draws, one that is pushed to and has a picture, a graph, one to be paused, and one that was
/// added; everybody watches, one administers.
fn served() -> Framecast {
    let hash = framecast::auth::token::hash(TOKEN);
    let framecast = Framecast::serve(&format!(
        "server: {{trusted_proxies: 127.0.0.1}}\n\
         auth: {{anonymous: all, tokens: {{administrator: {{hash: \"{hash}\", role: admin}}}}}}\n\
         streams:\n\
         \x20 bars: {{on_demand: false, replay: 1s, source: {{type: pattern, size: 64x48, fps: 50}}}}\n\
         \x20 inbox: {{replay: 1s, source: {{type: push, token: of-the-inbox}}}}\n\
         \x20 load: {{source: {{type: chart, token: of-the-graph, size: 64x48, series: [cpu]}}}}\n\
         \x20 spare: {{source: {{type: pattern, size: 64x48}}}}\n"
    ));
    let picture = format!("@{}", root().join("tests/fixtures/jpeg/444.jpg").display());
    let as_administrator = format!("Authorization: Bearer {TOKEN}");
    let send = |more: &[&str], route: &str| {
        let url = framecast.url(route);
        let arguments = [&["-sS", "--fail", "-H", &as_administrator], more, &[&url]].concat();
        run("curl", &arguments);
    };
    send(&["--data-binary", &picture], "/streams/inbox/frame");
    let settings = r#"{"source": {"type": "pattern"}}"#;
    send(&["-X", "PUT", "-H", "Content-Type: application/json", "-d", settings], "/api/streams/made");
    framecast.wait_for_state("bars", "live");
    framecast
}

#[test]
fn the_api_answers_as_its_openapi_says_whatever_it_is_asked() {
    let framecast = served();
    let mut command = Command::new("timeout");
    command.args(["300"]).arg(contract_tool("schemathesis")).current_dir(root());
    command.args(["--config-file", "tests/testkit/programs/schemathesis.toml", "run", "--no-color"]);
    command.args(["-H", &format!("Authorization: Bearer {TOKEN}"), &framecast.url("/api/openapi.json")]);
    let output = command.output().expect("scripts/test installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    let log = framecast.end();
    assert!(!log.contains("panicked"), "{log}");
}

/// Whole configurations that are shipped as files.
fn shipped() -> Vec<PathBuf> {
    let listed = ["config", "config/examples", "docker"].into_iter().flat_map(|folder| {
        fs::read_dir(root().join(folder))
            .expect("it is there")
            .map(|entry| entry.expect("it can be listed").path())
    });
    let files = listed.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let has_streams = |path: &PathBuf| {
        fs::read_to_string(path).expect("it can be read").lines().any(|line| line.starts_with("streams:"))
    };
    files.filter(has_streams).collect()
}

/// Whole configurations within the documents, written to files.
fn in_documents(folder: &Path) -> Vec<PathBuf> {
    let documents = ["README.md", "docs/configuration.md", "docs/operations.md", "docs/docker.md"];
    let blocks = documents.iter().flat_map(|document| {
        let text = fs::read_to_string(root().join(document)).expect("it is there");
        let fenced = text.split("\n```").skip(1).step_by(2).filter_map(|block| {
            let (language, block) = block.split_once('\n')?;
            let is_whole = block.lines().any(|line| line.starts_with("streams:"));
            // What follows is every mistake in it.
            let is_wrong = block.contains("max_fsp");
            (language.starts_with('y') && is_whole && !is_wrong).then(|| block.to_owned())
        });
        fenced.collect::<Vec<_>>()
    });
    let write = |(number, block): (usize, String)| {
        let file = folder.join(format!("block-{number}.yaml"));
        fs::write(&file, block).expect("the folder is ours");
        file
    };
    blocks.enumerate().map(write).collect()
}

/// The names of those files in which the validator finds something wrong.
fn refused(files: &[PathBuf]) -> Vec<String> {
    let schema = root().join("config/framecast.schema.json").display().to_string();
    let files: Vec<_> = files.iter().map(|file| file.display().to_string()).collect();
    let mut arguments = vec!["--output-format", "json", "--schemafile", &schema];
    arguments.extend(files.iter().map(String::as_str));
    let output = try_run(contract_tool("check-jsonschema"), &arguments);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(report["parse_errors"].as_array().is_none_or(Vec::is_empty), "{report:#}");
    let name = |error: &Value| error["filename"].as_str().expect("each has one").to_owned();
    let mut names: Vec<_> = report["errors"].as_array().expect("there is a list").iter().map(name).collect();
    names.sort();
    names.dedup();
    assert_eq!(output.status.success(), names.is_empty(), "{report:#}");
    names
}

#[test]
fn every_configuration_that_is_shown_keeps_to_the_published_schema() {
    let folder = tempfile::tempdir().expect("there is room");
    let (files, blocks) = (shipped(), in_documents(folder.path()));
    assert!(files.len() >= 9 && blocks.len() >= 3, "{files:?} {blocks:?}");
    assert_eq!(refused(&[files, blocks].concat()), [""; 0]);
}

/// Configurations in which an editor must underline an error.
const WRONG: [&str; 18] = [
    "server: {listen: 127.0.0.1:8080}",
    "streams: {}",
    "streams: [a]",
    "streams: {Front Door: {source: {type: pattern}}}",
    "streams: {a: {}}",
    "streams: {a: {sorce: {type: pattern}}}",
    "streams: {a: {source: {type: mjpg, url: http://a/}}}",
    "streams: {a: {source: {url: http://a/}}}",
    "streams: {a: {source: {type: mjpeg}}}",
    "streams: {a: {source: {type: pattern, url: http://a/}}}",
    "streams: {a: {source: [{type: pattern}, {type: push}]}}",
    "streams: {a: {linger: 10, source: {type: pattern}}}",
    "streams: {a: {max_fps: fast, source: {type: pattern}}}",
    "streams: {a: {placeholder: dim, source: {type: pattern}}}",
    "streams: {a: {transform: [{rotate: 45}], source: {type: pattern}}}",
    "limits: {max_renditions: 1001}\nstreams: {a: {source: {type: pattern}}}",
    "auth: {tokens: {wall: {hash: x, role: owner}}}\nstreams: {a: {source: {type: pattern}}}",
    "metrics: true\nstreams: {a: {source: {type: pattern}}}",
];

#[test]
fn broken_configurations_are_refused_by_the_published_schema() {
    let folder = tempfile::tempdir().expect("there is room");
    let write = |(number, text): (usize, &&str)| {
        let file = folder.path().join(format!("{number}.yaml"));
        fs::write(&file, text).expect("the folder is ours");
        file
    };
    let files: Vec<_> = WRONG.iter().enumerate().map(write).collect();
    let refused = refused(&files);
    let missed = files.iter().zip(WRONG).filter(|(file, _)| !refused.contains(&file.display().to_string()));
    assert_eq!(
        missed.map(|(_, text)| text).collect::<Vec<_>>(),
        [""; 0],
        "an editor would say nothing of these"
    );
}
