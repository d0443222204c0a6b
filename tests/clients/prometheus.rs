//! Prometheus' own tools read what `/metrics` says, and the dashboard and the alerts name nothing that is not
//! there.

use std::{
    collections::BTreeSet,
    fs,
    process::{Command, Stdio},
};

use serde_json::Value;
use testkit::{
    binary::Framecast,
    program::{promtool, run, wait_for},
};

/// Has every metric: a stream that is encoded and keeps its past, one with several sources, one that is
/// saved.
const EVERYTHING: &str = "
webhooks: {ops: {url: \"http://127.0.0.1:9/\"}}
streams:
  bars: {encode: {quality: 50}, replay: 5s, source: {type: pattern, size: 64x48, fps: 20}}
  inbox: {title: \"In \\\"box\\\"\", source: {type: push, token: none}}
";

fn file(path: &str) -> String {
    let path = format!("{}/{path}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn metrics(framecast: &Framecast) -> String {
    let output = run("curl", &["--silent", "--fail", &framecast.url("/metrics")]);
    String::from_utf8(output.stdout).expect("metrics are text")
}

/// Returns the metrics of a relay in which every event that has a metric has happened.
fn everything() -> String {
    let framecast = Framecast::serve(EVERYTHING);
    let text = wait_for("the first encoded picture", || {
        let text = metrics(&framecast);
        text.contains("framecast_stream_frame_age_seconds{stream=\"bars\"}").then_some(text)
    });
    framecast.end_cleanly();
    text
}

#[test]
fn promtool_finds_nothing_wrong_with_the_metrics() {
    let text = everything();
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("metrics");
    fs::write(&said, &text).unwrap();
    let mut command = Command::new(promtool());
    command.args(["check", "metrics"]).stdin(Stdio::from(fs::File::open(&said).unwrap()));
    let output = command.output().expect("promtool starts");
    let complaints =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{complaints}\nof\n{text}");
}

#[test]
fn promtool_takes_the_alerts_and_each_fires_when_it_should() {
    let promtool = promtool();
    let path = |file: &str| format!("{}/{file}", env!("CARGO_MANIFEST_DIR"));
    run(&promtool, &["check", "config", &path("docker/prometheus/prometheus.yml")]);
    run(&promtool, &["test", "rules", &path("tests/testkit/programs/alerts.test.yaml")]);
}

#[test]
fn dashboard_alerts_and_document_name_the_metrics_that_there_are() {
    let text = everything();
    let families: BTreeSet<_> =
        text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let series: BTreeSet<_> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    let dashboard: Value = serde_json::from_str(&file("docker/grafana/framecast.json")).unwrap();
    let mut queries = Vec::new();
    queries_of(&dashboard, &mut queries);
    assert!(queries.len() > 20, "only {queries:?}");
    let alerts = file("docker/prometheus/alerts.yml");
    // The texts name no metrics.
    for place in queries.iter().map(String::as_str).chain([alerts.as_str()]) {
        for name in names(place) {
            assert!(series.contains(name), "there is no {name}, which is asked for in\n{place}");
        }
    }
    let document = file("docs/metrics.md");
    let documented: BTreeSet<_> =
        document.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    // Only what was met is there.
    let documented: BTreeSet<_> =
        documented.into_iter().filter(|name| *name != "framecast_stream_quirks_total").collect();
    assert_eq!(documented, families, "docs/metrics.md on the left");
}

/// Every query of a dashboard, and of its variables.
fn queries_of(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(text) if key == "expr" || key == "definition" => found.push(text.clone()),
                    _ => queries_of(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries_of(item, found)),
        _ => {}
    }
}

/// Returns the words of a text that look like names of framecast's metrics.
fn names(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    words.filter(|word| {
        ["framecast_", "process_"].iter().any(|prefix| word.starts_with(prefix)) && !word.ends_with('_')
    })
}
