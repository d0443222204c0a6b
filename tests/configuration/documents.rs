use std::collections::HashSet;

use super::{
    reference::{Row, reference},
    *,
};

#[test]
fn the_example_of_the_documents_says_what_it_says() {
    let config = good(
        r##"
server:
  listen: [127.0.0.1:8080, "[::1]:81"]
  base_path: /webcam/
  cors: none
  default_stream: porch
limits:
  max_frame_bytes: 4MiB
  max_viewers: 20
defaults:
  linger: 1m
  max_fps: 20
streams:
  front-door:
    title: "${NAME_} door"
    source:
      type: mjpeg
      url: http://user:${DOOR}@192.168.1.20/video.mjpg
      headers: {X-Api-Key: "${SECRET}", X-Other: 12}
      insecure: true
      frame_timeout: 1.5s
    on_demand: false
    max_fps: ${RATE}
  porch:
    source: {type: snapshot, url: "http://192.168.1.21/snap.jpg", interval: 500ms}
    max_fps: none
    linger: 0s
  graphs:
    source: {type: push, token: "${SECRET}", second_publisher: refused}
"##,
    );
    assert_eq!(
        config.server.listen,
        ["127.0.0.1:8080", "[::1]:81"].map(|text| config::parse_listen(text).unwrap())
    );
    assert_eq!((&*config.server.base_path, config.server.cors), ("/webcam", None));
    assert_eq!(config.server.default_stream.unwrap().as_str(), "porch");
    assert_eq!((config.limits.max_frame_bytes, config.limits.max_viewers), (4 << 20, 20));
    let [door, porch, graphs] = &*config.streams else { panic!("three streams, in order") };
    assert_eq!((&*door.title, door.on_demand(), door.max_fps), ("Garden door", false, Some(7.0)));
    assert_eq!(door.linger, Duration::from_secs(60));
    let SourceConfig::Mjpeg(upstream) = door.source() else { panic!("{door:?}") };
    assert_eq!(upstream.url.as_str(), "http://192.168.1.20/video.mjpg");
    let login = upstream.login.as_ref().unwrap();
    assert_eq!((&*login.user, login.password.reveal()), ("user", "p@s/s: # 1"));
    let headers: Vec<_> = upstream.headers.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    assert_eq!(headers, [("X-Api-Key", "hunter2"), ("X-Other", "12")]);
    assert!(upstream.insecure);
    assert_eq!(upstream.frame_timeout, Duration::from_millis(1500));
    assert_eq!((&*porch.title, porch.max_fps, porch.linger), ("porch", None, Duration::ZERO));
    let SourceConfig::Snapshot(snapshot) = porch.source() else { panic!("{porch:?}") };
    assert_eq!(snapshot.interval, Duration::from_millis(500));
    assert!(porch.on_demand() && !graphs.on_demand(), "a push stream always runs");
    let SourceConfig::Push { token: Some(token), second } = graphs.source() else { panic!("{graphs:?}") };
    assert_eq!((token.reveal(), *second), ("hunter2", config::SecondPublisher::Refused));
}

#[test]
fn the_shipped_files_are_right() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("config");
    let mut files = vec![root.join("framecast.yaml"), root.join("demo.yaml")];
    files.extend(fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path()));
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        config::parse(&text, &file.display().to_string(), &Environment::default())
            .unwrap_or_else(|mistakes| panic!("{mistakes}"));
    }
    let names: Vec<String> = config::demo().streams.iter().map(|stream| stream.name.to_string()).collect();
    assert_eq!(names, ["clock", "bars", "slides", "inbox"]);
}

/// The path of each key in the tables, and its row.
fn rows() -> Vec<(String, String)> {
    let reference = reference();
    let rows = reference.iter().map(|row| {
        let path =
            if row.section.is_empty() { row.key.clone() } else { format!("{}.{}", row.section, row.key) };
        let words = || row.default_in_words.clone();
        let default = row.default.as_ref().map_or_else(words, |text| format!("`{text}`"));
        (path.clone(), format!("| `{path}` | {} | {default} | {} |", row.unit, row.meaning))
    });
    rows.collect()
}

/// The document with the tables as the types have them: rows stay in their order, and new ones come last.
fn generated(document: &str) -> String {
    const HEAD: &str = "| key | type, unit | default | meaning |\n|---|---|---|---|\n";
    let (reference, rows) = (reference(), rows());
    let mut parts = document.split(HEAD);
    let mut result = parts.next().unwrap_or_default().to_owned();
    let path_of = |line: &str| line.strip_prefix("| `")?.split('`').next().map(str::to_owned);
    for part in parts {
        let table: Vec<String> = part.lines().map_while(path_of).collect();
        let section_of = |path: &String| path.rsplit_once('.').map_or("", |(section, _)| section).to_owned();
        let sections: Vec<String> = table.iter().map(section_of).collect();
        // A table is of one section; of the tables of sources each is of the type in the heading before it.
        let heading = result.lines().rev().find(|line| line.starts_with('#')).unwrap_or_default();
        let is_in_table = |row: &Row| {
            let is_type = |kind: &String| heading == format!("### `type: {kind}`");
            sections.contains(&row.section) && row.source.as_ref().is_none_or(is_type)
        };
        let of_table = reference.iter().zip(&rows).filter(|(row, _)| is_in_table(row));
        let mut of_table: Vec<_> = of_table.map(|(_, row)| row).collect();
        of_table.sort_by_key(|(path, _)| table.iter().position(|old| old == path).unwrap_or(usize::MAX));
        result += HEAD;
        of_table.iter().for_each(|(_, row)| result += &format!("{row}\n"));
        part.lines().skip(table.len()).for_each(|line| result += &format!("{line}\n"));
    }
    result
}

/// Whether the generated parts of documents are to be written:
/// `FRAMECAST_WRITE_DOCUMENTS=1 cargo test --test configuration documents`.
fn is_writing() -> bool {
    std::env::var_os("FRAMECAST_WRITE_DOCUMENTS").is_some()
}

#[test]
fn the_document_has_every_key_with_its_unit_default_and_meaning_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let document = fs::read_to_string(&path).unwrap();
    let generated = generated(&document);
    if is_writing() {
        fs::write(&path, &generated).unwrap();
    }
    let missing: Vec<_> = rows().into_iter().filter(|(_, row)| !generated.contains(row)).collect();
    assert!(missing.is_empty(), "there is no table for {missing:#?}");
    let difference = generated.lines().zip(document.lines()).find(|(new, old)| new != old);
    let is_same = generated == document || is_writing();
    assert!(is_same, "set FRAMECAST_WRITE_DOCUMENTS=1 to write the tables: {difference:#?}");
}

#[test]
fn the_document_shows_what_a_file_with_mistakes_really_prints() {
    let document = include_str!("../../docs/configuration.md");
    let block = |text: &'static str, kind: &str| {
        let (_, rest) = text.split_once(&format!("```{kind}\n")).unwrap();
        rest.split_once("```").unwrap()
    };
    let (yaml, below) = block(document, "yaml");
    let printed = config::parse(yaml, "framecast.yaml", &Environment::default()).unwrap_err().to_string();
    assert_eq!(printed, block(below, "text").0.trim_end());
}

#[test]
fn the_annotated_file_has_every_key_with_its_default() {
    let file = include_str!("../../config/framecast.yaml");
    let lines: HashSet<String> = file
        .lines()
        .map(|line| line.trim_start_matches([' ', '#']).split(" #").next().unwrap().trim_end().to_owned())
        .collect();
    let mut absent = Vec::new();
    for row in reference() {
        let there = match &row.default {
            // An example shows these; their default is in the comment beside them.
            None => file.contains(&format!("{}:", row.key)),
            Some(value) => lines.contains(&format!("{}: {value}", row.key)),
        };
        if !there {
            absent.push(format!("{}.{}: {:?}", row.section, row.key, row.default));
        }
    }
    assert!(absent.is_empty(), "not in config/framecast.yaml with their defaults: {absent:#?}");
}

#[test]
fn the_published_schema_is_what_the_program_prints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/framecast.schema.json");
    let schema = config::json_schema();
    if is_writing() {
        fs::write(&path, format!("{schema:#}\n")).unwrap();
    }
    let published: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    assert!(published == schema, "run: framecast schema > config/framecast.schema.json");
}

/// Over HTTP nobody is to name a file of this machine, or a program: a key that does is marked, by its own
/// words.
#[test]
fn every_key_that_names_a_file_or_a_program_is_for_the_configuration_file_only() {
    const WORDS: [&str; 6] = ["file", "folder", "path", "device", "program", "command"];
    // A part of each address, and of no file.
    const HARMLESS: [&str; 1] = ["base_path"];
    let names_one = |row: &Row| {
        let words = format!("{} {}", row.unit, row.need.as_deref().unwrap_or_default());
        let mut words = words.split(|c: char| !c.is_ascii_alphabetic());
        !HARMLESS.contains(&&*row.key) && words.any(|word| WORDS.contains(&word.trim_end_matches('s')))
    };
    let named: Vec<_> = reference().into_iter().filter(names_one).collect();
    assert!(named.len() >= 11, "only {} found", named.len());
    let free = named.iter().filter(|row| !row.is_local);
    assert_eq!(free.map(|row| row.key.as_str()).collect::<Vec<_>>(), [""; 0], "these may be set over HTTP");
}

#[test]
fn what_comes_over_http_has_no_files_and_programs() {
    let [schema, one_line] = config::stream_schemas();
    assert_eq!(one_line["type"], "string");
    let text = schema.to_string();
    for kind in ["mjpeg", "auto", "images", "push", "rtsp"] {
        assert!(text.contains(&format!("\"const\":\"{kind}\"")), "{kind}: {text}");
    }
    for absent in ["\"const\":\"exec\"", "\"const\":\"v4l2\"", "\"device\"", "\"command\"", "\"latest\""] {
        assert!(!text.contains(absent), "{absent}");
    }
    assert_eq!(schema["properties"]["save"]["const"], "none");
    assert!(text.contains("builtin:demo"));
}
