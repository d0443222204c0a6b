use super::*;

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let config = good(
        "x-base: &base {type: pattern, size: 100x50, fps: 5}\nx-rate: &rate 7\nstreams:\n  a: {source: *base}\n  \
         b: {source: {<<: *base, fps: *rate}}\n  c: {source: {<<: [{fps: 2}, *base]}}",
    );
    let rates: Vec<f64> = config
        .streams
        .iter()
        .map(|stream| match stream.source() {
            SourceConfig::Pattern { size, fps } if size.to_string() == "100x50" => *fps,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(rates, [5.0, 7.0, 2.0]);
}

#[test]
fn what_blows_up_is_refused() {
    let mut laughs = "x-a: &a0 [l, o, l]\n".to_owned();
    for level in 1..30 {
        let below = format!("*a{}", level - 1);
        laughs += &format!("x-b{level}: &a{level} [{below}, {below}, {below}, {below}, {below}, {below}]\n");
    }
    assert!(mistakes(&laughs)[0].contains("aliases stand for more than 100000 values"));
    let mut chain = "x: [&a0 x".to_owned();
    for level in 1..20_000 {
        chain += &format!(", &a{level} [*a{}]", level - 1);
    }
    assert!(mistakes(&(chain + "]"))[0].contains("nested deeper than 32"));
    assert!(!mistakes(&"[".repeat(100_000)).is_empty());
    assert!(!mistakes(&"- ".repeat(100_000)).is_empty());
    assert!(mistakes("x-a: &a [*a]")[0].contains("alias inside the value"));
}

#[test]
fn a_file_that_cannot_be_read_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &Path| config::load_file(path).unwrap_err().to_string();
    let file = folder.path().join("a.yaml");
    assert!(load(&file).starts_with(&format!("{}: cannot be read: ", file.display())));
    assert!(load(folder.path()).contains(": cannot be read: "));
    fs::write(&file, b"streams:\n  \xff: 1").unwrap();
    assert!(load(&file).ends_with(": is not UTF-8 from line 2 on: save it as UTF-8 text"));
    fs::write(&file, vec![b'#'; 2 << 20]).unwrap();
    assert!(load(&file).ends_with(": is larger than 1 MiB, which no configuration is"));
    fs::write(&file, "\u{feff}streams: {a: {source: {type: pattern}}}\r\n").unwrap();
    assert_eq!(config::load_file(&file).unwrap().streams.len(), 1, "a byte order mark and CRLF are fine");
}
