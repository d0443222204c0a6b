//! The configuration file, as it is and as it becomes.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::{Path, PathBuf},
};

use fastrand::Rng;

use crate::{
    camera::CAMERAS,
    publisher,
    scenario::{PUSH_FEED, PUSH_FRAMES, RENDERERS, RENDITIONS, camera_name},
};

/// Sources of a stream that comes and goes: framecast's own pictures, or those of a camera that stays.
const SOURCES: [&str; 5] = [
    r#"{"type": "pattern", "size": "160x120", "fps": 5}"#,
    r#"{"type": "pattern", "size": "96x64", "fps": 10}"#,
    r#"{"type": "text", "text": "%H:%M:%S", "size": "200x30"}"#,
    r#"{"type": "rendition", "of": "cam-3-steady"}"#,
    r#"{"type": "rendition", "of": "cam-4-steady"}"#,
];

/// Four that are narrow, and the slow viewers of three cameras at any of five steps; and those that linger.
const MAX_RENDITIONS: usize = 40;

/// Mistakes for a spoiled file, appended to its last stream.
const MISTAKES: [&str; 4] = [
    "  spoiled: {sauce: {type: pattern}}\n",
    "  spoiled: {source: {type: rendition, of: nobody}}\n",
    "  spoiled: {source: {type: pattern, fps: quick}}\n",
    "  spoiled: {source: [\n",
];

/// Settings of a stream that comes and goes. JSON is YAML too.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    title: String,
    source: &'static str,
}

impl Settings {
    /// Some, which no stream had before.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        Self { title: format!("{:016x}", rng.u64(..)), source: SOURCES[rng.usize(..SOURCES.len())] }
    }

    /// As they are sent, and written.
    pub(crate) fn json(&self) -> String {
        let Self { title, source } = self;
        format!("{{\"title\": \"{title}\", \"source\": {source}}}")
    }
}

/// The file, and what was added to it over HTTP.
#[derive(Debug)]
pub(crate) struct File {
    path: PathBuf,
    /// The part that never changes.
    staying: String,
    turning: BTreeMap<&'static str, Settings>,
    added: BTreeMap<&'static str, Settings>,
}

impl File {
    /// One that serves these cameras, and nothing that turns.
    pub(crate) fn new(path: PathBuf, cameras: &[String]) -> Self {
        Self { path, staying: staying(cameras), turning: BTreeMap::new(), added: BTreeMap::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.turning.contains_key(name)
    }

    /// With the next `write`.
    pub(crate) fn set(&mut self, name: &'static str, settings: Option<Settings>) {
        put(&mut self.turning, name, settings);
    }

    /// Over HTTP, just now.
    pub(crate) fn added(&mut self, name: &'static str, settings: Option<Settings>) {
        put(&mut self.added, name, settings);
    }

    /// Names and titles of the streams that come and go, as they should be now.
    pub(crate) fn titles(&self) -> BTreeSet<(String, String)> {
        let all = self.turning.iter().chain(&self.added);
        all.map(|(name, settings)| ((*name).to_owned(), settings.title.clone())).collect()
    }

    pub(crate) fn write(&self, rng: &mut Rng) -> io::Result<()> {
        self.put_down(&self.text(), rng)
    }

    /// With a mistake in it.
    pub(crate) fn write_spoiled(&self, rng: &mut Rng) -> io::Result<()> {
        let text = self.text() + MISTAKES[rng.usize(..MISTAKES.len())];
        self.put_down(&text, rng)
    }

    fn text(&self) -> String {
        let mut text = self.staying.clone();
        for (name, settings) in &self.turning {
            text += &format!("  {name}: {}\n", settings.json());
        }
        text
    }

    /// As editors do: over the old one, or in its place.
    fn put_down(&self, text: &str, rng: &mut Rng) -> io::Result<()> {
        if rng.bool() {
            return fs::write(&self.path, text);
        }
        let beside = self.path.with_extension("new");
        fs::write(&beside, text)?;
        fs::rename(beside, &self.path)
    }
}

fn put(into: &mut BTreeMap<&'static str, Settings>, name: &'static str, settings: Option<Settings>) {
    match settings {
        Some(settings) => into.insert(name, settings),
        None => into.remove(name),
    };
}

fn staying(cameras: &[String]) -> String {
    debug_assert_eq!(cameras.len(), CAMERAS.len());
    let mut yaml = format!(
        "server: {{listen: \"127.0.0.1:0\"}}\nlimits: {{max_renditions: {MAX_RENDITIONS}}}\n\
         defaults: {{linger: 2s}}\nstreams:\n"
    );
    let mut stream =
        |name: &str, source: &str, more: &str| yaml += &format!("  {name}: {{source: {source}{more}}}\n");
    for (position, url) in cameras.iter().enumerate() {
        // Late by this, the dead camera counts as away.
        let source = format!("{{type: mjpeg, url: \"{url}\", head_timeout: 3s}}");
        stream(&camera_name(position), &source, "");
    }
    for name in [PUSH_FRAMES, PUSH_FEED] {
        stream(name, &format!("{{type: push, token: {}}}", publisher::TOKEN), "");
    }
    for (name, source) in RENDERERS {
        stream(name, source, "");
    }
    for (name, of, more) in RENDITIONS {
        stream(name, &format!("{{type: rendition, of: {}}}", camera_name(of)), &format!(", {more}"));
    }
    yaml
}
