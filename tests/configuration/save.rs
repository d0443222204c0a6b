use super::*;

#[test]
fn files_on_disk_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().to_str().unwrap();
    fs::write(folder.path().join("[1].jpg"), "x").unwrap();
    let images = |path: &str| match source(&format!("{{type: images, path: \"{path}\"}}")) {
        SourceConfig::Images { path: ImagesPath::Glob(pattern), .. } => pattern,
        other => panic!("{other:?}"),
    };
    assert_eq!(images(dir), format!("{dir}/*"));
    assert_eq!(images(&format!("{dir}/[1].jpg")), format!("{dir}/[[]1[]].jpg"));
    assert_eq!(images(&format!("{dir}/later/*.png")), format!("{dir}/later/*.png"), "files may come");

    let stream = |save: &str| format!("streams: {{a: {{source: {{type: pattern}}, save: {save}}}}}");
    let saved = |save: &str| good(&stream(save)).streams.remove(0);
    let latest = saved(&format!("{{latest: {dir}/a.jpg}}"));
    let every_frame = |target| Some(SaveConfig { target, every: None });
    assert_eq!(latest.save, every_frame(SaveTarget::Latest(folder.path().join("a.jpg"))));
    assert!(!latest.on_demand(), "frames are saved whether or not somebody watches");
    let ring = saved(&format!("{{dir: {dir}/ring, keep: 5}}"));
    let (keep, ring_dir) = (NonZeroU32::new(5), folder.path().join("ring"));
    assert_eq!(ring.save, every_frame(SaveTarget::Ring { dir: ring_dir.clone(), keep, max_bytes: None }));
    let lapse = saved(&format!("{{dir: {dir}/ring, max_bytes: 2GiB, every: 1m}}")).save.unwrap();
    assert_eq!(lapse.target, SaveTarget::Ring { dir: ring_dir, keep: None, max_bytes: Some(2 << 30) });
    assert_eq!(lapse.every, Some(Duration::from_secs(60)));
    let (file, max_bytes) = (folder.path().join("a.mjpg"), 1_000_000);
    for (more, when_full) in [("", WhenFull::Rotate), (", when_full: stop", WhenFull::Stop)] {
        let grown = saved(&format!("{{append: {dir}/a.mjpg, max_bytes: 1MB{more}}}"));
        assert_eq!(grown.save, every_frame(SaveTarget::Append { file: file.clone(), max_bytes, when_full }));
    }
    for save in [
        "{latest: /no/such/a.jpg}",
        "{dir: x}",
        "{keep: 3}",
        "{}",
        &format!("{{latest: {dir}}}"),
        "x",
        "{append: a.mjpg}",
        "{append: a.mjpg, max_bytes: 1MB, keep: 3}",
        "{append: a.mjpg, max_bytes: much}",
        "{append: a.mjpg, max_bytes: 1MB, when_full: explode}",
        "{latest: a.jpg, max_bytes: 1MB}",
        "{latest: a.jpg, dir: x, keep: 3}",
        "{dir: x, keep: 3, every: 10ms}",
        "{dir: x, keep: 3, when_full: stop}",
    ] {
        assert_eq!(mistakes(&stream(save)).len(), 1, "{save}");
    }
    let twice = format!(
        "defaults: {{save: {{latest: {dir}/a.jpg}}}}\nstreams:\n  a: {{source: {{type: pattern}}}}\n  b: {{source: {{type: pattern}}}}"
    );
    assert_eq!(
        mistakes(&twice),
        ["f.yaml:4:3: streams.b.save: stream a saves there too: give each its own path"]
    );

    let replayed = |more: &str| {
        good(&format!("streams: {{a: {{source: {{type: pattern}}, {more}}}}}")).streams.remove(0)
    };
    let kept = replayed("replay: 30s");
    assert_eq!(kept.replay, Some(Duration::from_secs(30)));
    assert!(!kept.on_demand(), "what just happened is asked for when nobody has watched it");
    assert!(replayed("replay: 30s, on_demand: true").on_demand());
    assert!(replayed("replay: none").on_demand());
}
