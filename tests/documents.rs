//! The documents say what the program does: every route has its row, every link leads somewhere.

use std::{
    fs,
    path::{Path, PathBuf},
};

use framecast::{media::multipart::parser::Quirk, web::ROUTES};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_route_has_its_row_with_its_methods() {
    // `{n:[0-9]+}` is written `{n}` in documents.
    let routes: Vec<_> = ROUTES
        .iter()
        .map(|row| {
            let methods: Vec<_> = row.methods.iter().map(|method| method.as_str()).collect();
            (row.path.replace(":[0-9]+", ""), methods.join(", "))
        })
        .collect();
    let document = read("docs/http-api.md");
    let is_row_of = |line: &str, path: &str, methods: &str| {
        let mut cells = line.split('|').map(str::trim).skip(1);
        cells.next().is_some_and(|cell| cell.contains(&format!("`{path}`"))) && cells.next() == Some(methods)
    };
    let missing: Vec<_> = routes
        .iter()
        .filter(|(path, methods)| !document.lines().any(|line| is_row_of(line, path, methods)))
        .collect();
    assert!(missing.is_empty(), "docs/http-api.md has no row for {missing:?}");
}

#[test]
fn every_field_of_the_streams_report_is_explained() {
    let api = read("src/web/api/status/stream.rs");
    let report = api.split_once("struct StreamReport {").expect("the report is defined there").1;
    let fields = report.split_once('}').expect("it ends").0.lines().filter_map(|line| {
        let (name, _) = line.trim().split_once(": ")?;
        name.chars().all(|c| c.is_ascii_lowercase() || c == '_').then_some(name)
    });
    let document = read("docs/http-api.md");
    let rows: Vec<_> =
        document.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next()).collect();
    let (fields, missing): (Vec<_>, Vec<_>) =
        fields.partition(|field| rows.iter().any(|cell| cell.contains(&format!("`{field}`"))));
    assert!(missing.is_empty(), "docs/http-api.md does not explain {missing:?}");
    assert!(fields.len() >= 20, "only {} fields found in status/stream.rs", fields.len());
}

#[test]
fn every_link_between_documents_leads_somewhere() {
    let folders = ["", "docs", "docs/adr", "docs/measurements"].map(|folder| root().join(folder));
    let listed =
        folders.iter().flat_map(|folder| fs::read_dir(folder).expect("the folder is there").flatten());
    let documents: Vec<PathBuf> =
        listed.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "md")).collect();
    assert!(documents.len() >= 10, "only {documents:?} found");
    let mut broken = Vec::new();
    for document in documents {
        let text = fs::read_to_string(&document).expect("a document is readable text");
        let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
        for target in targets.filter(|target| !target.contains("://")) {
            let file = target.split('#').next().unwrap_or_default();
            let folder = document.parent().expect("a file stands in a folder");
            if !file.is_empty() && !folder.join(file).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nothing:\n{}", broken.join("\n"));
}

#[test]
fn every_quirk_of_cameras_is_explained() {
    let document = read("docs/cameras.md");
    let names = Quirk::ALL.iter().map(|quirk| quirk.as_str());
    let missing: Vec<_> = names.filter(|name| !document.contains(&format!("| `{name}` | "))).collect();
    assert!(missing.is_empty(), "docs/cameras.md has no row for {missing:?}");
}

/// Whoever updates one of them looks there again.
#[test]
fn notes_about_dependencies_are_about_those_in_the_lock_file() {
    let lock = read("Cargo.lock");
    let document = read("docs/dependencies.md");
    let rows: Vec<_> = document
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            Some((cells.next()?, cells.next()?, cells.next()?.parse::<u32>().ok()?))
        })
        .collect();
    assert!(rows.len() >= 25, "only {} rows found", rows.len());
    for (name, version, _) in rows {
        let entry = format!("name = \"{name}\"\nversion = \"{version}\"\n");
        assert!(lock.contains(&entry), "{name} {version} is not in Cargo.lock: look at it again");
    }
}
