use super::*;

#[test]
fn renditions_have_an_origin_and_no_circle() {
    let text = "streams:\n  door: {source: {type: pattern}}\n  a: {source: {type: rendition, of: dor}}\n  \
                b: {source: {type: rendition, of: c}}\n  c: {source: {type: rendition, of: b}}\n  \
                d: {source: {type: rendition, of: b}}\n  e: {source: {type: rendition, of: door}}";
    let found = mistakes(text);
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found[0].contains(
        "streams.a.source.of: must be the name of a stream of this file (did you mean door?), not dor"
    ));
    for (mistake, name) in found[1..].iter().zip(["b", "c"]) {
        assert!(
            mistake.contains(&format!("streams.{name}.source.of: shows its own pictures in the end")),
            "{mistake}"
        );
    }
}

#[test]
fn a_mosaic_shows_streams_of_the_file_and_has_room_for_them() {
    let read = |keys: &str| {
        let text = format!(
            "streams:\n  a: {{source: {{type: pattern}}}}\n  b: {{source: {{type: pattern}}}}\n  \
             wall: {{source: {{type: mosaic, {keys}}}}}"
        );
        parse(&text).map(|mut config| config.streams.remove(2).sources.remove(0))
    };
    let Ok(SourceConfig::Mosaic(mosaic)) = read("of: [b, a]") else { panic!("no mosaic") };
    let names: Vec<&str> = mosaic.of.iter().map(|name| name.as_str()).collect();
    assert_eq!((names, mosaic.size.to_string().as_str()), (vec!["b", "a"], "1920x1080"));
    assert_eq!((mosaic.columns, mosaic.fps, mosaic.labels, mosaic.gap), (None, 10.0, true, 4));
    let many: Vec<String> = (0..65).map(|n| format!("s{n}")).collect();
    for (keys, at, part) in [
        ("size: 640x360", "4:10", "of: is missing: the streams that it shows"),
        ("of: []", "4:37", "of: is an empty list"),
        ("of: [a, porhc]", "4:41", "of: must be the name of a stream of this file, not porhc"),
        ("of: [a, A b]", "4:41", "of[1]: must be the name of a stream"),
        ("of: [a, b, a]", "4:44", "of: a is given twice"),
        ("of: [a, wall]", "4:41", "of: shows its own pictures in the end"),
        ("of: a, size: 641x360", "4:46", "size: must have even sides, not 641x360"),
        (
            "of: [a, b], size: 60x60, columns: 2",
            "4:51",
            "size: leaves a tile less than 32 pixels on a side with 2",
        ),
        ("of: a, columns: 0", "4:49", "columns: must be auto, or a whole number from 1 to 64"),
        ("of: a, gap: 101", "4:45", "gap: must be a whole number from 0 to 100"),
        ("of: a, background: red", "4:52", "background: must be a colour"),
        (&format!("of: [{}]", many.join(", ")), "4:37", "of: has 65 streams, at most 64 are shown"),
    ] {
        let found = read(keys).unwrap_err().to_string();
        assert!(found.contains(&format!(":{at}: streams.wall.source.{part}")), "{keys}: {found}");
    }
}

#[test]
fn circles_by_way_of_mosaics_and_renditions_are_found() {
    let found = mistakes(
        "streams:\n  one: {source: {type: mosaic, of: [a, two]}}\n  two: {source: {type: rendition, of: three}}\n  \
         three: {source: {type: mosaic, of: [one]}}\n  a: {source: {type: pattern}}",
    );
    assert_eq!(found.len(), 3, "{found:#?}");
    assert!(found.iter().all(|mistake| mistake.contains("source.of: shows its own pictures in the end")));
}

#[test]
fn all_streams_are_a_mosaic_unless_there_are_too_many_or_the_name_is_taken() {
    let overview = |text: &str| good(text).overview;
    let of = |text: &str| {
        let stream = overview(text).expect("it is there");
        stream.source().origins().iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    let three = "streams: {b: {source: {type: pattern}}, a: {source: {type: rendition, of: b}}, \
                 w: {source: {type: mosaic, of: a}}}";
    assert_eq!(of(three), ["b", "a"]);
    let stream =
        overview(&format!("defaults: {{on_demand: false, linger: 3s, max_fps: 1}}\n{three}")).unwrap();
    assert!(stream.on_demand(), "it costs nothing while nobody watches");
    assert_eq!((stream.name.as_str(), stream.linger.as_secs(), stream.max_fps), ("all", 3, None));
    assert!(overview("streams: {all: {source: {type: pattern}}}").is_none());
    assert!(overview(&format!("server: {{mosaic: false}}\n{three}")).is_none());
    let many: Vec<String> = (0..65).map(|n| format!("s{n}: {{source: {{type: pattern}}}}")).collect();
    assert!(overview(&format!("streams: {{{}}}", many.join(", "))).is_none());
    assert!(overview(&format!("streams: {{{}}}", many[1..].join(", "))).is_some());
    let named = good(&format!("server: {{default_stream: all}}\n{three}")).server.default_stream;
    assert_eq!(named.unwrap().as_str(), "all");
    let found = mistakes(&format!("server: {{mosaic: false, default_stream: all}}\n{three}"));
    assert!(
        found[0].contains("server.default_stream: must be the name of a stream of this file"),
        "{found:?}"
    );
}
