use super::*;

#[test]
fn each_mistake_has_its_place_and_says_what_would_be_right() {
    let table: &[(&str, &[&str])] = &[
        ("", &["f.yaml:1:1: the file is empty: it needs `streams:` with at least one stream"]),
        ("# nothing\n", &["f.yaml:1:1: the file is empty: it needs `streams:` with at least one stream"]),
        (
            "hello",
            &[
                "f.yaml:1:1: must be a map, not a single value: the keys here are server, auth, webhooks, log, limits, defaults, streams",
            ],
        ),
        (
            "streams:\n  a: {source: {type: chrat, series: [cpu], style: bar, token: none}}",
            &[
                "f.yaml:2:22: streams.a.source.type: must be one of mjpeg, snapshot, bambu, auto, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic (did you mean chart?), not chrat",
            ],
        ),
        ("server: {}", &["f.yaml:1:1: streams: is missing: name at least one stream"]),
        ("streams: {}", &["f.yaml:1:10: streams: is empty: name at least one stream"]),
        (
            "streams:\n",
            &["f.yaml:1:8: streams: must be a map, not empty: each stream's name with its `source` beneath"],
        ),
        (
            "streams: [a]",
            &[
                "f.yaml:1:10: streams: must be a map, not a list: each stream's name with its `source` beneath",
            ],
        ),
        (
            "streams:\n  a:\n    title: x",
            &[
                "f.yaml:2:3: streams.a.source: is missing: say where the frames come from, such as `source: \"http://…\"`",
            ],
        ),
        (
            "streams:\n  a:\n    sorce: {type: pattern}",
            &["f.yaml:3:5: streams.a.sorce: unknown key, did you mean `source`?"],
        ),
        (
            "streams:\n  a: {source: {}}",
            &[
                "f.yaml:2:7: streams.a.source.type: is missing: one of mjpeg, snapshot, bambu, auto, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic",
            ],
        ),
        (
            "streams:\n  a: {source: {typ: push}}",
            &["f.yaml:2:16: streams.a.source.typ: unknown key, did you mean `type`?"],
        ),
        (
            "streams:\n  a: {source: {type: mpjpeg}}",
            &[
                "f.yaml:2:22: streams.a.source.type: must be one of mjpeg, snapshot, bambu, auto, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic (did you mean mjpeg?), not mpjpeg",
            ],
        ),
        (
            "streams:\n  a: {source: {type: push}}",
            &[
                "f.yaml:2:7: streams.a.source.token: is missing: a secret that publishers must show, or `token: none` to let anybody push",
            ],
        ),
        (
            "streams:\n  a: {source: {type: push, token: none}, on_demand: true}",
            &["f.yaml:2:53: streams.a.on_demand: a push stream always runs: remove the key"],
        ),
        (
            "streams:\n  a: {source: {type: pattern, fps: 0}}",
            &["f.yaml:2:36: streams.a.source.fps: must be a number from 0.00001 to 240, not 0"],
        ),
        (
            "streams:\n  a: {source: {type: pattern, url: x}}",
            &["f.yaml:2:31: streams.a.source.url: unknown key: the keys here are type, size, fps"],
        ),
        (
            "streams:\n  a: {source: {type: pattern, size: 8192x8192}}",
            &[
                "f.yaml:2:37: streams.a.source.size: must have at most limits.max_frame_pixels (50000000) pixels, not 8192x8192",
            ],
        ),
        (
            "streams:\n  A b: {source: {type: pattern}}",
            &["f.yaml:2:3: streams.A b: a stream name has 1 to 64 of the characters a-z, 0-9, _ and -"],
        ),
        (
            "streams:\n  a: {source: {type: pattern}}\n  a: {source: {type: pattern}}",
            &["f.yaml:3:3: streams.a: is given twice, first on line 2: remove one"],
        ),
        (
            "streams:\n  a:\n    source: {type: mjpeg, url: 192.168.1.20/x}",
            &["f.yaml:3:32: streams.a.source.url: must begin with http:// or https://"],
        ),
        (
            "streams:\n  a:\n    source: {type: text, text: x, color: #fff}\n    }",
            &[
                "f.yaml:3:40: streams.a.source.color: is empty: put the colour in quotes, such as \"#000000\", since a bare # begins a comment",
            ],
        ),
        (
            "streams:\n  a:\n    source: {type: images, path: no/such}",
            &[
                "f.yaml:3:34: streams.a.source.path: must be a file or folder that exists, or a pattern such as img/*.jpg, not no/such",
            ],
        ),
        (
            "streams:\n  a:\n    source: {type: mjpeg, url: http://h/, headers: {a b: c, d: \"e\\nf\"}}",
            &[
                "f.yaml:3:53: streams.a.source.headers.a b: is not a header's name: letters, digits and -",
                "f.yaml:3:64: streams.a.source.headers.d: must be one line, without control characters",
            ],
        ),
        (
            "---\na: 1\n---\nb: 2\n",
            &["f.yaml:3:1: a second document begins: remove the `---`, one file is one document"],
        ),
    ];
    assert_mistakes(table, "");
}

#[test]
fn each_mistake_beside_the_streams_has_its_place_and_says_what_would_be_right() {
    let table: &[(&str, &[&str])] = &[
        (
            "server: {listen: :8080}",
            &[
                "f.yaml:1:18: server.listen: needs an address before the port: 0.0.0.0:8080 for every network, 127.0.0.1:8080 for this machine only",
            ],
        ),
        (
            "server: {listen: [localhost:80, 127.0.0.1:80]}",
            &["f.yaml:1:33: server.listen: 127.0.0.1:80 is given twice: remove one"],
        ),
        (
            "server: {listen: []}",
            &[
                "f.yaml:1:18: server.listen: is an empty list: it needs at least one (address:port, or a list)",
            ],
        ),
        (
            "server: {default_stream: b}",
            &[
                "f.yaml:1:26: server.default_stream: must be the name of a stream of this file (did you mean a?), not b",
            ],
        ),
        (
            "server: {sendfile: sometimes, api_sources: {a: 1}}",
            &[
                "f.yaml:1:20: server.sendfile: must be auto, true or false, not sometimes",
                "f.yaml:1:44: server.api_sources: must be a single value (network or network+ffmpeg), not a map",
            ],
        ),
        (
            "server: {base_path: webcam}",
            &["f.yaml:1:21: server.base_path: must be empty or a path such as /webcam, not webcam"],
        ),
        (
            "limits: {max_viewers: 0}",
            &["f.yaml:1:23: limits.max_viewers: must be a whole number from 1 to 1000000, not 0"],
        ),
        (
            "limits: {max_viewers: [3]}",
            &["f.yaml:1:23: limits.max_viewers: must be a single value (number, 1 to 1000000), not a list"],
        ),
        (
            "limits: 3",
            &["f.yaml:1:9: limits: must be a map, not a single value: the keys here are \
                 max_frame_bytes, max_frame_pixels, max_header_bytes, max_viewers, \
                 max_viewers_per_stream, max_live_connections, max_viewers_per_address, \
                 max_requests_per_second, max_replay_bytes, max_renditions, max_tile_renditions, \
                 max_decode_bytes, max_upload_bytes, max_uploads_per_stream, \
                 max_uploads_per_address, max_unsent_bytes, \
                 max_unsent_bytes_per_connection, max_connections_per_address"],
        ),
        (
            "defaults: {linger: 10}",
            &[
                "f.yaml:1:20: defaults.linger: must be a time with its unit (ms, s, m or h), such as 10s, not 10",
            ],
        ),
        (
            "defaults: {linger: 25h}",
            &["f.yaml:1:20: defaults.linger: must be a time from 0s to 24h, not 25h"],
        ),
        (
            "defaults:\n  chunked:\n  linger: ~",
            &[
                "f.yaml:2:10: defaults.chunked: is empty: give a value (true or false) or remove the key",
                "f.yaml:3:11: defaults.linger: is empty: give a value (time, 0s to 24h) or remove the key",
            ],
        ),
        (
            "defaults: {max_fps: \"${RATE_}\"}",
            &[
                "f.yaml:1:21: defaults.max_fps: the environment variable RATE_ is not set: set it, or give a default: ${RATE_:-default}",
            ],
        ),
        (
            "defaults: {max_fps: \"${SECRET}\"}",
            &[
                "f.yaml:1:21: defaults.max_fps: must be a number from 0.00001 to 240 (after its variables were put in)",
            ],
        ),
        (
            "defaults: {max_fps: \"${RATE\"}",
            &["f.yaml:1:21: defaults.max_fps: `${` has no closing `}`; a literal `${` is written `$${`"],
        ),
        (
            "defaults: !mine {linger: 1s}",
            &["f.yaml:1:17: defaults: tags have no meaning here; a text that begins with ! must be quoted"],
        ),
        (
            "defaults: {linger: *x}",
            &[
                "f.yaml:1:20: defaults.linger: no such anchor before this alias; a text that begins with * must be quoted",
            ],
        ),
        ("defaults: {<<: 3}", &["f.yaml:1:16: defaults.<<: must be an alias of a map, such as *base"]),
        ("Server: {}", &["f.yaml:1:1: Server: unknown key, did you mean `server`?"]),
        ("defaults: {[a]: 1}", &["f.yaml:1:12: defaults: a key must be a single word"]),
        (
            "defaults: {linger: 1s",
            &["f.yaml:2:8: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"],
        ),
        (
            "x-doors: {door: rtsp://user:${PW}@cam/stream1}",
            &[
                "f.yaml:1:30: not YAML: while parsing a flow mapping, did not find expected ',' or '}'; within {…} and […], write a value with ${…} in quotes",
            ],
        ),
    ];
    assert_mistakes(table, "\nstreams: {a: {source: {type: pattern}}}");
}

fn assert_mistakes(table: &[(&str, &[&str])], rest: &str) {
    let found = |text: &str| mistakes(&format!("{text}{rest}"));
    let wrong: Vec<String> = table
        .iter()
        .filter(|(text, expected)| found(text) != *expected)
        .map(|(text, expected)| format!("{text}\n    expected {expected:#?}\n    found {:#?}", found(text)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn all_mistakes_of_a_file_are_reported_at_once_from_top_to_bottom() {
    let text = r##"server:
  listen: [8080, camera:80]
  default_stream: frontdoor
limits:
  max_frame_bytes: 8M
defaults:
  linger: 10
streams:
  front-door:
    source: {type: mjpeg, url: "ftp://192.168.1.20/", headers: {K: "${NOT_SET}"}}
    placeholder: ja
  graphs:
    source: {type: push, tokne: hunter2}
  clock:
    source: {type: text, text: x, colour: "#000"}
  clock:
    source: {type: rtmp}
"##;
    let places: Vec<(usize, usize, String)> = parse(text)
        .unwrap_err()
        .mistakes()
        .iter()
        .map(|mistake| {
            let at = mistake.position.unwrap();
            (at.line, at.column, mistake.path.clone())
        })
        .collect();
    let expected = [
        (2, 12, "server.listen[0]"),
        (2, 18, "server.listen[1]"),
        (3, 19, "server.default_stream"),
        (5, 20, "limits.max_frame_bytes"),
        (7, 11, "defaults.linger"),
        (10, 32, "streams.front-door.source.url"),
        (10, 68, "streams.front-door.source.headers.K"),
        (11, 18, "streams.front-door.placeholder"),
        (13, 26, "streams.graphs.source.tokne"),
        (15, 35, "streams.clock.source.colour"),
        (16, 3, "streams.clock"),
        (17, 20, "streams.clock.source.type"),
    ];
    assert_eq!(places, expected.map(|(line, column, path)| (line, column, path.to_owned())));
}

#[test]
fn a_mark_stands_beneath_the_place() {
    let errors =
        parse("streams:\n  a: {source: {type: text, text: 这是, fps: 500}}").unwrap_err().to_string();
    let expected = "f.yaml:2:43: streams.a.source.fps: must be a number from 0.00001 to 240, not 500\n  \
                    2 |   a: {source: {type: text, text: 这是, fps: 500}}\n    \
                    |                                             ^";
    assert_eq!(errors, expected);
}

#[test]
fn near_words_are_suggested_and_far_ones_are_not() {
    for (word, expected) in [
        ("sorce", Some("source")),
        ("Title", Some("title")),
        ("lingre", Some("linger")),
        ("maxfps", Some("max_fps")),
        ("on-demand", Some("on_demand")),
        ("colour_of_the_sky", None),
        ("x", None),
        ("\"\"", None),
    ] {
        let found = mistakes(&format!("streams: {{a: {{source: {{type: pattern}}, {word}: 1}}}}"));
        let meant = found[0].split("did you mean `").nth(1).and_then(|rest| rest.split('`').next());
        assert_eq!(meant, expected, "{word}: {found:?}");
    }
    let found = mistakes("streams: {a: {source: {type: mjpeg, ulr: \"http://h/\"}}}");
    assert!(found[0].contains("did you mean `url`?"), "{found:?}");
}
