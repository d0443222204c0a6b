//! The configuration: what a file says, every mistake in it with its place, and no secret in any message.

use std::{collections::HashSet, fs, num::NonZeroU32, path::Path, time::Duration};

use framecast::config::{
    self, Config, ConfigErrors, Environment, HookEvent, ImagesPath, Limits, Placeholder, Publishers, Reach,
    Rotation, SaveConfig, SaveTarget, Scale, SourceConfig, Step, WhenFull,
    schema::{self, Default, Key},
};
use proptest::prelude::*;

fn environment() -> Environment {
    [("DOOR", "p@s/s: # 1"), ("RATE", "7"), ("EMPTY", ""), ("SECRET", "hunter2"), ("NAME_", "Garden")]
        .into_iter()
        .collect()
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    config::parse(text, "f.yaml", &environment())
}

fn mistakes(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(config) => panic!("expected mistakes in\n{text}\ngot {config:?}"),
        Err(errors) => errors.mistakes().iter().map(ToString::to_string).collect(),
    }
}

fn good(text: &str) -> Config {
    parse(text).unwrap_or_else(|mistakes| panic!("{mistakes}\nin\n{text}"))
}

fn source(yaml: &str) -> SourceConfig {
    good(&format!("streams: {{a: {{source: {yaml}}}}}")).streams.remove(0).source
}

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
    assert_eq!((&*door.title, door.on_demand, door.max_fps), ("Garden door", false, Some(7.0)));
    assert_eq!(door.linger, Duration::from_secs(60));
    let SourceConfig::Mjpeg(upstream) = &door.source else { panic!("{door:?}") };
    assert_eq!(upstream.url.as_str(), "http://192.168.1.20/video.mjpg");
    let login = upstream.login.as_ref().unwrap();
    assert_eq!((&*login.user, login.password.reveal()), ("user", "p@s/s: # 1"));
    let headers: Vec<_> = upstream.headers.iter().map(|(name, value)| (&**name, value.reveal())).collect();
    assert_eq!(headers, [("X-Api-Key", "hunter2"), ("X-Other", "12")]);
    assert!(upstream.insecure);
    assert_eq!(upstream.frame_timeout, Duration::from_millis(1500));
    assert_eq!((&*porch.title, porch.max_fps, porch.linger), ("porch", None, Duration::ZERO));
    let SourceConfig::Snapshot { interval, .. } = &porch.source else { panic!("{porch:?}") };
    assert_eq!(*interval, Duration::from_millis(500));
    assert!(porch.on_demand && !graphs.on_demand, "a push stream always runs");
    let SourceConfig::Push { token: Some(token), second } = &graphs.source else { panic!("{graphs:?}") };
    assert_eq!((token.reveal(), *second), ("hunter2", config::SecondPublisher::Refused));
}

#[test]
fn other_sites_show_pictures_unless_it_is_said_otherwise() {
    let yaml =
        |value: &str| format!("server: {{cors: none{value}}}\nstreams: {{a: {{source: {{type: pattern}}}}}}");
    let is_same_site = |value: &str| good(&yaml(value)).server.same_site_only;
    assert!(is_same_site("") && is_same_site(", cross_origin_resource_policy: same-site"));
    assert!(!is_same_site(", cross_origin_resource_policy: none"));
    let found = mistakes(&yaml(", cross_origin_resource_policy: same-origin"));
    assert!(found.len() == 1 && found[0].contains("must be same-site or none"), "{found:?}");
}

#[test]
fn those_who_may_frame_the_pages_are_origins_or_all_or_nobody() {
    let said = |value: &str| {
        let yaml = format!(
            "{{server: {{frame_ancestors: {value}}}, streams: {{a: {{source: {{type: pattern}}}}}}}}"
        );
        good(&yaml).server.frame_ancestors.to_string()
    };
    assert_eq!(said("self"), "frame-ancestors 'self'");
    assert_eq!(said("'*'"), "frame-ancestors *");
    assert_eq!(said("none"), "frame-ancestors 'none'");
    assert_eq!(
        said("[self, 'https://home.example:8123']"),
        "frame-ancestors 'self' https://home.example:8123"
    );
    for (value, message) in [
        ("home.example", "must be self, \"*\", an origin such as https://example.org, or none"),
        ("[none, self]", "none can stand alone only"),
    ] {
        let yaml =
            format!("server: {{frame_ancestors: {value}}}\nstreams: {{a: {{source: {{type: pattern}}}}}}");
        let found = mistakes(&yaml);
        assert!(found.len() == 1 && found[0].contains(message), "{found:?}");
    }
}

#[test]
fn what_is_left_out_has_its_default() {
    let config =
        good("streams: {a: {source: {type: push, token: none}}, b: {source: {type: mjpeg, url: http://h/}}}");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.server.listen, [config::parse_listen("127.0.0.1:8080").unwrap()]);
    assert_eq!((&*config.server.base_path, config.server.cors.as_deref()), ("", Some("*")));
    assert_eq!(config.server.default_stream, None);
    let b = &config.streams[1];
    assert!(b.on_demand && b.chunked && !b.has_fallbacks());
    assert_eq!((&b.placeholder, b.failback_after), (&Placeholder::Card, Duration::from_secs(30)));
    assert_eq!((b.linger, b.viewer_timeout), (Duration::from_secs(10), Duration::from_secs(10)));
    assert_eq!((b.max_fps, &b.save), (None, &None));
    let SourceConfig::Mjpeg(upstream) = &b.source else { panic!("{b:?}") };
    let times = [
        upstream.connect_timeout,
        upstream.head_timeout,
        upstream.first_frame_timeout,
        upstream.frame_timeout,
    ];
    assert_eq!(times.map(|time| time.as_secs()), [5, 10, 10, 10]);
    assert!(!upstream.insecure && upstream.headers.is_empty() && upstream.login.is_none());

    let SourceConfig::Text(text) = source("{type: text, text: x}") else { panic!() };
    assert_eq!((text.size.to_string(), text.font_size, text.fps), ("300x30".into(), 16.0, 1.0));
    assert_eq!([text.color.r, text.background.r], [0, 255]);
    let SourceConfig::Pattern { size, fps } = source("{type: pattern}") else { panic!() };
    assert_eq!((size.to_string(), fps), ("640x480".into(), 10.0));
    assert_eq!(
        source("{type: images, path: builtin:demo}"),
        SourceConfig::Images { path: ImagesPath::BuiltIn, fps: 1.0 }
    );
    let SourceConfig::Snapshot { interval, .. } = source("{type: snapshot, url: http://h/}") else {
        panic!()
    };
    assert_eq!(interval, Duration::from_secs(1));
}

#[test]
fn webhooks_have_a_name_and_no_mistake_shows_where_they_lead() {
    let config = good(
        "webhooks:\n  ops: {url: \"https://u:p%40ss@example.org/T0/${SECRET}\"}\n  \
         phone:\n    url: http://h/\n    events: no-viewers\n    streams: [a, b]\n    after: 0s\n    \
         secret: sixteen-letters-x\n    headers: {X: \"${SECRET}\"}\n    timeout: 1m\n    insecure: true\n\
         streams: {a: {source: {type: pattern}}}",
    );
    let [ops, phone] = &*config.webhooks else { panic!("{:?}", config.webhooks) };
    assert_eq!((&*ops.name, ops.url.reveal()), ("ops", "https://example.org/T0/hunter2"));
    let login = ops.login.as_ref().unwrap();
    assert_eq!((&*login.user, login.password.reveal()), ("u", "p@ss"));
    assert_eq!((&*ops.events, &ops.streams), (&[HookEvent::Lost, HookEvent::Back][..], &Reach::All));
    assert_eq!([ops.after, ops.timeout].map(|time| time.as_secs()), [10, 10]);
    assert!(ops.secret.is_none() && ops.headers.is_empty() && !ops.insecure);
    assert!(!format!("{ops:?}").contains("hunter2"), "{ops:?}");
    assert_eq!(phone.events, [HookEvent::NoViewers]);
    assert!(phone.streams.covers(Some(&"b".parse().unwrap())) && !phone.streams.covers(None));
    assert_eq!((phone.after.as_secs(), phone.timeout.as_secs()), (0, 60));
    let wrong = mistakes(
        "webhooks:\n  a: {url: \"ftp://u:hunter2@h/\", events: [lost, found], secret: hunter2, after: 9}\n  \
         b: {address: \"http://hunter2/\"}\n  \"c d\": {url: http://h/hunter2}\n\
         streams: {a: {source: {type: pattern}}}",
    )
    .join("\n");
    for part in [
        "webhooks.a.url: scheme must be http or https, not ftp",
        "webhooks.a.events[1]: must be lost, back, no-viewers, or a list of them, not found",
        "webhooks.a.secret: must be none, or a secret of 16 letters and more",
        "webhooks.a.after: must be a time with its unit",
        "webhooks.b.address: unknown key",
        "webhooks.b.url: is missing: the URL that events are sent to",
        "is not a name",
    ] {
        assert!(wrong.contains(part), "{part} is not in\n{wrong}");
    }
    assert!(!wrong.contains("hunter2"), "{wrong}");
}

#[test]
fn programs_are_lists_of_words_with_an_environment() {
    let SourceConfig::Exec(exec) =
        source("{type: exec, command: [cam, -q, 5, \"${SECRET}\"], env: {KEY: \"${DOOR}\"}, cwd: /}")
    else {
        panic!()
    };
    assert_eq!(exec.program, "cam");
    assert_eq!(exec.arguments.iter().map(|word| word.reveal()).collect::<Vec<_>>(), ["-q", "5", "hunter2"]);
    assert_eq!((&*exec.environment[0].0, exec.environment[0].1.reveal()), ("KEY", "p@s/s: # 1"));
    assert!(!format!("{exec:?}").contains("hunter2"), "{exec:?}");
    assert_eq!([exec.patience.first_frame, exec.patience.frame].map(|time| time.as_secs()), [20, 10]);
    let SourceConfig::Rtsp(rtsp) = source("{type: rtsp, url: \"rtsp://u:${DOOR}@cam/s\", transport: udp}")
    else {
        panic!()
    };
    assert_eq!(rtsp.url.reveal(), "rtsp://u:p%40s%2Fs%3A%20%23%201@cam/s");
    assert_eq!((rtsp.transport.as_str(), rtsp.quality, rtsp.size, rtsp.fps), ("udp", 85, None, None));
    let wrong = |source: &str| mistakes(&format!("streams: {{a: {{source: {source}}}}}")).remove(0);
    for (yaml, want) in [
        ("{type: exec, command: \"ffmpeg -i hunter2\"}", "must be a list of words, such as [ffmpeg, -i, …]"),
        ("{type: exec, command: []}", "is an empty list"),
        ("{type: exec, command: [\"\"]}", "must begin with a program's name"),
        ("{type: exec}", "is missing: the program and its arguments"),
        ("{type: exec, command: [x], cwd: /no/such}", "must be a folder that exists"),
        ("{type: exec, command: [x], env: {A=B: x}}", "is not a variable's name"),
        ("{type: rtsp, url: \"http://u:hunter2@h/\"}", "must begin with rtsp://"),
        ("{type: rtsp, url: rtsp://h/, transport: http}", "must be tcp or udp, not http"),
        ("{type: rtsp, url: rtsp://h/, quality: 0}", "must be a whole number from 1 to 100"),
        ("{type: v4l2, device: video0}", "must be a full path such as /dev/video0"),
    ] {
        let wrong = wrong(yaml);
        assert!(wrong.contains(want) && !wrong.contains("hunter2"), "{yaml}: {wrong}");
    }
}

#[test]
fn a_graph_has_series_an_axis_and_points_from_somewhere() {
    let SourceConfig::Chart(chart) = source("{type: chart, series: [cpu, mem], token: none}") else {
        panic!()
    };
    let names: Vec<_> = chart.series.iter().map(|series| (&*series.name, &*series.label)).collect();
    assert_eq!(names, [("cpu", "cpu"), ("mem", "mem")]);
    assert_eq!((chart.size.to_string(), chart.window.as_secs()), ("960x540".into(), 300));
    assert_eq!((chart.publishers, chart.poll.is_none()), (Publishers::Anybody, true));
    let yaml = "{type: chart, series: [{name: cpu, label: CPU, color: \"#f00\"}, mem], y: {min: -1.5, unit: \"%\"}, \
                style: bar, theme: light, window: 24h, title: Load, poll: {url: \"http://u:${DOOR}@h/s.json\", \
                pointers: {cpu: /a/b}}}";
    let stream = good(&format!("streams: {{a: {{source: {yaml}}}}}")).streams.remove(0);
    assert!(!stream.on_demand, "a graph that is polled has no holes");
    let SourceConfig::Chart(chart) = stream.source else { panic!() };
    assert_eq!((&*chart.series[0].label, chart.series[0].color.unwrap().r), ("CPU", 255));
    assert_eq!((chart.y.min, chart.y.max, &*chart.y.unit), (Some(-1.5), None, "%"));
    assert_eq!(chart.publishers, Publishers::Nobody);
    assert_eq!(chart.poll.unwrap().pointers, ["/a/b", "/mem"]);
    for (keys, want) in [
        ("series: [cpu]", "token: is missing: a secret that publishers must show"),
        ("token: none", "series: is missing: what is drawn"),
        ("token: none, series: []", "must be a list such as [cpu, memory]"),
        ("token: none, series: cpu", "must be a list such as [cpu, memory]"),
        ("token: none, series: [cpu, cpu]", "series[1]: is the second series called cpu"),
        ("token: none, series: [time]", "must not be `time`"),
        ("token: none, series: [\"a b\"]", "must be 1 to 64 letters, digits"),
        ("token: none, series: [{label: x}]", "series[0].name: is missing"),
        ("token: none, series: [a], y: {min: 5, max: 5}", "y.max: must be more than min (5)"),
        ("token: none, series: [a], y: {min: low}", "must be a number such as -12.5, not low"),
        ("token: none, series: [a], style: pie", "must be line, area or bar, not pie"),
        ("token: none, series: [a], window: 1s", "must be a time from 5s to 168h"),
        ("series: [a], poll: {url: ftp://h/}", "scheme must be http or https"),
        (
            "series: [cpu], poll: {url: http://h/, pointers: {cpuu: /x}}",
            "is no series of this chart, did you mean cpu?",
        ),
        ("series: [a], poll: {url: http://h/, pointers: {a: x}}", "must be a JSON pointer such as"),
    ] {
        let wrong = mistakes(&format!("streams: {{a: {{source: {{type: chart, {keys}}}}}}}"));
        assert!(wrong.len() == 1 && wrong[0].contains(want), "{keys}: {wrong:?}");
    }
}

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
    assert!(!latest.on_demand, "frames are saved whether or not somebody watches");
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
    assert!(!kept.on_demand, "what just happened is asked for when nobody has watched it");
    assert!(replayed("replay: 30s, on_demand: true").on_demand);
    assert!(replayed("replay: none").on_demand);
}

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
                "f.yaml:2:3: streams.a.source: is missing: say where the frames come from, such as `source: {type: mjpeg, url: \"http://…\"}`",
            ],
        ),
        (
            "streams:\n  a:\n    sorce: {type: pattern}",
            &["f.yaml:3:5: streams.a.sorce: unknown key, did you mean `source`?"],
        ),
        (
            "streams:\n  a: {source: {}}",
            &[
                "f.yaml:2:7: streams.a.source.type: is missing: one of mjpeg, snapshot, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic",
            ],
        ),
        (
            "streams:\n  a: {source: {typ: push}}",
            &["f.yaml:2:16: streams.a.source.typ: unknown key, did you mean `type`?"],
        ),
        (
            "streams:\n  a: {source: {type: mpjpeg}}",
            &[
                "f.yaml:2:22: streams.a.source.type: must be one of mjpeg, snapshot, exec, rtsp, v4l2, push, chart, text, pattern, images, rendition, mosaic (did you mean mjpeg?), not mpjpeg",
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
            "server: {base_path: webcam}",
            &["f.yaml:1:21: server.base_path: must be empty or a path such as /webcam, not webcam"],
        ),
        (
            "limits: {max_viewers: 0}",
            &["f.yaml:1:23: limits.max_viewers: must be a whole number from 1 to 1000000, not 0"],
        ),
        (
            "limits: {max_viewers: [3]}",
            &["f.yaml:1:23: limits.max_viewers: must be a single value (number), not a list"],
        ),
        (
            "limits: 3",
            &["f.yaml:1:9: limits: must be a map, not a single value: the keys here are \
                 max_frame_bytes, max_frame_pixels, max_header_bytes, max_viewers, \
                 max_viewers_per_stream, max_live_connections, max_viewers_per_address, \
                 max_requests_per_second, max_replay_bytes, max_renditions, \
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
                "f.yaml:1:20: defaults.linger: is empty: give a value (time, 0s to 24h) or remove the key",
            ],
        ),
        ("defaults: {<<: 3}", &["f.yaml:1:16: defaults.<<: must be an alias of a map, such as *base"]),
        ("Server: {}", &["f.yaml:1:1: Server: unknown key, did you mean `server`?"]),
        ("defaults: {[a]: 1}", &["f.yaml:1:12: defaults: a key must be a single word"]),
        (
            "defaults: {linger: 1s",
            &["f.yaml:2:8: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"],
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
fn no_message_shows_a_credential() {
    for text in [
        "streams: {a: {source: {type: mjpeg, url: \"ftp://u:hunter2@h/\"}}}",
        "streams: {a: {source: {type: mjpeg, url: \"http://u:hunter2@/\"}}}",
        "streams: {a: {source: {type: mjpeg, url: \"u:hunter2@h/x\"}}}",
        "streams: {a: {source: {type: mjpeg, url: \"hunter2://h\"}, fps: 1}}",
        "streams: {a: {source: {type: mjpeg, url: \"http://h:x/?pwd=hunter2\"}}}",
        "streams: {a: {source: {type: mjpeg, url: \"http://u:${NO:-hunter2}@h:x/\"}}}",
        "streams: {a: {source: {type: mjpeg, url: \"http://u:${SECRET}@h:x/\"}}}",
        "streams: {a: {source: {type: mjpeg, ulr: \"http://u:hunter2@h/\"}}}",
        "streams: {a: {source: \"http://u:hunter2@h/\"}}",
        "streams: {a: \"http://u:hunter2@h/\"}",
        "streams: [\"http://u:hunter2@h/\"]",
        "streams: {\"http://u:hunter2@h/\": {source: {type: pattern}}}",
        "streams: {a: {source: {type: push, token: \"hunter2 hunter2\"}}}",
        "streams: {a: {source: {type: push, token: [hunter2]}}}",
        "streams: {a: {source: {type: push, token: *hunter2 }}}",
        "streams: {a: {source: {type: push, token: !hunter2 }}}",
        "streams: {a: {source: {type: push, token: &hunter2 }}}",
        "streams: {a: {source: {type: push, tokken: hunter2}}}",
        "streams: {a: {source: {type: push, token: hunter2, token: hunter2}}}",
        "streams: {a: {source: {type: push, token: hunter2}, bad: 1}} # hunter2",
        "streams: {a: {source: {type: mjpeg, url: http://h/, headers: {\"a b\": hunter2}}}}",
        "streams: {a: {source: {type: mjpeg, url: http://h/, headers: hunter2}}}",
        "streams: {a: {source: {type: mjpeg, url: http://h/, headers: [hunter2]}}}",
        "streams: {a: {source: {type: pattern, fps: \"${SECRET}\"}}}",
        "streams: {a: {source: {type: pattern, size: \"${SECRET}\"}}}",
        "streams:\n  a:\n    source:\n      type: push\n      token: |\n        hunter2\n        hunter2\n",
        "streams:\n  a:\n    source: {type: push, token: \"hunter2}}",
        "streams:\n  a:\n    source: {type: push, token: hunter2]",
        "streams:\n  a:\n    source:\n      type: push\n\ttoken: hunter2",
        "streams:\n  a:\n    source:\n      type: \"push\n      token: hunter2\"\n      fps: 3",
        "streams:\n  a:\n    on_demand: true\n     token: hunter2",
        "token: hunter2: x",
        "x: \"a\" hunter2",
    ] {
        let errors = parse(text).unwrap_err();
        assert!(!errors.to_string().contains("hunter2"), "{text}\n{errors}");
        assert!(!format!("{errors:?}").contains("hunter2"), "{text}\n{errors:?}");
    }
    let config = good(
        "streams: {a: {source: {type: mjpeg, url: \"http://u:hunter2@h/\", headers: {K: hunter2}}}, b: {source: {type: push, token: hunter2}}}",
    );
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
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
fn anchors_aliases_and_merge_keys_work() {
    let config = good(
        "x-base: &base {type: pattern, size: 100x50, fps: 5}\nx-rate: &rate 7\nstreams:\n  a: {source: *base}\n  \
         b: {source: {<<: *base, fps: *rate}}\n  c: {source: {<<: [{fps: 2}, *base]}}",
    );
    let rates: Vec<f64> = config
        .streams
        .iter()
        .map(|stream| match &stream.source {
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

fn rows() -> Vec<(String, &'static Key)> {
    let path = |section: &str, key: &Key| {
        if section.is_empty() { key.name.to_owned() } else { format!("{section}.{}", key.name) }
    };
    let plain = schema::SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(|key| (path(section.path, key), *key)));
    let sources = schema::SOURCES
        .iter()
        .flat_map(|(_, section)| section.keys.iter().map(|key| (path("source", key), *key)));
    let inner = schema::INNER_SECTIONS
        .iter()
        .flat_map(|section| section.keys.iter().map(|key| (path(section.path, key), *key)));
    plain.chain(sources).chain(inner).collect()
}

#[test]
fn the_document_has_every_key_with_its_unit_default_and_meaning_and_no_other() {
    let document = include_str!("../docs/configuration.md");
    let written: Vec<&str> =
        document.lines().filter(|line| line.starts_with("| `") && line.matches(" | ").count() == 3).collect();
    let expected: Vec<String> = rows()
        .iter()
        .map(|(path, Key { unit, default, meaning, .. })| {
            let default = match default {
                Default::Required(_) => "required".to_owned(),
                Default::Is(value) => format!("`{value}`"),
                Default::Words(words) => (*words).to_owned(),
            };
            format!("| `{path}` | {unit} | {default} | {meaning} |")
        })
        .collect();
    assert_eq!(written, expected);
    for (name, _) in &schema::SOURCES {
        assert!(document.contains(&format!("### `type: {name}`")), "{name}");
    }
}

#[test]
fn the_document_shows_what_a_file_with_mistakes_really_prints() {
    let document = include_str!("../docs/configuration.md");
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
    let file = include_str!("../config/framecast.yaml");
    let lines: HashSet<String> = file
        .lines()
        .map(|line| line.trim_start_matches([' ', '#']).split(" #").next().unwrap().trim_end().to_owned())
        .collect();
    for (path, key) in rows() {
        let there = match key.default {
            // An example shows these; their default is in the comment beside them.
            Default::Required(_) | Default::Words(_) => file.contains(&format!("{}:", key.name)),
            Default::Is(value) => lines.contains(&format!("{}: {value}", key.name)),
        };
        assert!(there, "{path} with its default is not in config/framecast.yaml");
    }
}

#[test]
fn steps_are_read_in_their_order_and_each_has_one_key() {
    let rework = |yaml: &str| {
        let text = format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}");
        good(&text).streams.remove(0).rework
    };
    assert!(rework("max_fps: 5").is_nothing());
    let steps = rework("transform: [{rotate: 90}, {scale: {width: 640}}, {grayscale: true}]").steps;
    assert!(matches!(
        steps[..],
        [Step::Rotate(Rotation::By90), Step::Scale(Scale::Width(_)), Step::Grayscale]
    ));
    let undone = good(
        "defaults: {transform: [{rotate: 90}]}\nstreams: {a: {source: {type: pattern}, transform: none}, b: {source: {type: pattern}}}",
    );
    assert!(undone.streams[0].rework.is_nothing() && !undone.streams[1].rework.is_nothing());
    let found =
        |yaml: &str| mistakes(&format!("streams: {{a: {{source: {{type: pattern}}, {yaml}}}}}")).join("\n");
    for (yaml, part) in [
        ("transform: {rotate: 90}", "transform: must be a list of steps"),
        ("transform: [{rotate: 90, flip: vertical}]", "transform[0]: must have one key"),
        ("transform: [{rotate: 45}]", "transform[0].rotate: must be one of 90, 180, 270"),
        ("transform: [{rotat: 90}]", "transform[0].rotat: unknown key, did you mean `rotate`?"),
        ("transform: [{scale: {}}]", "transform[0].scale: must have width, height, or both"),
        ("transform: [{crop: {width: 5}}]", "transform[0].crop.height: is missing"),
        ("transform: [{mask: [{width: 5, height: 5, fill: red}]}]", "mask[0].fill: must be blur or a colour"),
        ("transform: [{image: {path: /nowhere.png}}]", "image.path: must be a PNG file that exists"),
        ("transform: [{text: {text: x, color: '#12345'}}]", "text.color: must be a colour"),
        ("encode: {quality: 0}", "encode.quality: must be a whole number from 1 to 100"),
        ("encode: {subsampling: 411}", "encode.subsampling: must be one of 420, 422, 444"),
    ] {
        assert!(found(yaml).contains(part), "{yaml}: {}", found(yaml));
    }
}

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
        parse(&text).map(|mut config| config.streams.remove(2).source)
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
        ("of: a, gap: 101", "4:45", "gap: must be a number of pixels from 0 to 100"),
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
        stream.source.origins().iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    let three = "streams: {b: {source: {type: pattern}}, a: {source: {type: rendition, of: b}}, \
                 w: {source: {type: mosaic, of: a}}}";
    assert_eq!(of(three), ["b", "a"]);
    let stream =
        overview(&format!("defaults: {{on_demand: false, linger: 3s, max_fps: 1}}\n{three}")).unwrap();
    assert!(stream.on_demand, "it costs nothing while nobody watches");
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

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,200}") {
        let _ = parse(&text).map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(words in proptest::collection::vec(
        prop_oneof![
            "[a-z0-9_:{}\\[\\],&*!|>'\"%@`#$ \n\t-]{1,6}",
            proptest::sample::select(vec![
                "streams:", "source:", "type:", "mjpeg", "url:", "http://", "\n  ", "\n    ", "\n", "a:", "<<: ", "&x ",
                "*x ", "${", "}", "${SECRET}", "text", "#", "---\n", "- ", "? ", "10s", "这", "\r\n", "\u{feff}", "\u{2028}",
            ]).prop_map(str::to_owned),
        ],
        0..40,
    )) {
        let _ = parse(&words.concat()).map_err(|errors| errors.to_string());
    }

    #[test]
    fn no_broken_copy_of_the_annotated_file_makes_it_panic_or_shows_a_secret(
        from in 0_usize..5000, length in 0_usize..40, insert in "[a-z:{}\\[\\],&*!'\"# \n-]{0,4}",
    ) {
        let mut text = include_str!("../config/framecast.yaml").replace("token: none", "token: hunter2");
        let boundary = |text: &str, mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let range = boundary(&text, from)..boundary(&text, from + length);
        // Without its key, a secret may become the value of an open one: `type: hunter2` is shown.
        let kept = text
            .match_indices("token: hunter2")
            .all(|(token, _)| range.end <= token || token + "token: ".len() <= range.start);
        text.replace_range(range, &insert);
        if let (Err(errors), true) = (parse(&text), kept) {
            prop_assert!(!errors.to_string().contains("hunter2"), "{errors}");
        }
    }
}

#[test]
fn sources_stand_in_a_list_in_the_order_in_which_they_are_wanted() {
    let config = good(
        "
streams:
  door:
    failback_after: 5s
    source:
      - {type: mjpeg, url: http://u:p@192.168.1.20:81/video?token=t}
      - {type: rendition, of: garden, frame_timeout: 10s}
      - {type: pattern}
  garden: {source: [{type: push, token: none}]}
",
    );
    let [door, garden] = &*config.streams else { panic!("two streams") };
    let kinds: Vec<_> = door.sources().map(SourceConfig::type_name).collect();
    assert_eq!((kinds, door.failback_after), (vec!["mjpeg", "rendition", "pattern"], Duration::from_secs(5)));
    let places: Vec<_> = door.sources().map(|source| source.place().unwrap_or_default()).collect();
    assert_eq!(places, ["192.168.1.20:81", "garden", ""]);
    assert!(
        matches!(garden.source, SourceConfig::Push { .. }) && !garden.has_fallbacks(),
        "a list of one is that one"
    );
}

#[test]
fn lists_of_sources_that_make_no_sense_are_refused_with_their_places() {
    let list = |sources: &str| {
        mistakes(&format!("streams:\n  a:\n    source: [{sources}]\n  b: {{source: {{type: pattern}}}}"))
    };
    let never = list("{type: pattern}, {type: text, text: x}, {type: images, path: 'x/*.jpg'}");
    assert_eq!(never.len(), 2, "{never:?}");
    assert!(
        never[0].starts_with("f.yaml:3:14: streams.a.source[0]: a source of type pattern is never away"),
        "{never:?}"
    );
    let push = list("{type: push, token: none}, {type: pattern}");
    assert!(push[0].contains("source[0]: a push source cannot stand in a list"), "{push:?}");
    assert!(push[0].contains("{type: rendition, of: THAT-STREAM, frame_timeout: 10s}"), "{push:?}");
    let inner = list("{type: mjpeg, url: 'ftp://h/'}, {type: rendition, of: c}");
    assert_eq!(inner.len(), 1, "{inner:?}");
    assert!(inner[0].contains("streams.a.source[0].url: scheme must be http or https"), "{inner:?}");
    let origin = list("{type: rendition, of: b}, {type: rendition, of: c}");
    assert!(
        origin[0].contains("f.yaml:3:62: streams.a.source.of: must be the name of a stream"),
        "{origin:?}"
    );
    assert!(list("")[0].contains("must have 1 to 8 sources"));
    assert!(list(&["{type: rendition, of: b}"; 9].join(", "))[0].contains("not 9"));
}

#[test]
fn placeholders_have_styles_and_old_words_go_on_working() {
    let image = "config/framecast.yaml";
    for (text, wanted) in [
        ("true", Placeholder::Card),
        ("card", Placeholder::Card),
        ("false", Placeholder::None),
        ("none", Placeholder::None),
        ("last", Placeholder::Last),
        ("{image: config/framecast.yaml}", Placeholder::Image { path: image.into(), label: true }),
        (
            "{image: config/framecast.yaml, label: false}",
            Placeholder::Image { path: image.into(), label: false },
        ),
    ] {
        let own = format!("streams: {{a: {{placeholder: {text}, source: {{type: pattern}}}}}}");
        assert_eq!(good(&own).streams[0].placeholder, wanted, "{text}");
        let default =
            format!("defaults: {{placeholder: {text}}}\nstreams: {{a: {{source: {{type: pattern}}}}}}");
        assert_eq!(good(&default).streams[0].placeholder, wanted, "{text}");
    }
    for (text, message) in [
        ("dim", "placeholder: must be card, last, none, or a map such as {image: offline.png}, not dim"),
        ("{image: gone.png}", "placeholder.image: must be a file that exists, not gone.png"),
        ("{label: true}", "placeholder.image: is missing: the picture to show"),
        ("{imgae: x}", "placeholder.imgae: unknown key, did you mean `image`?"),
    ] {
        let found = mistakes(&format!("streams: {{a: {{placeholder: {text}, source: {{type: pattern}}}}}}"));
        assert!(found.iter().any(|found| found.contains(message)), "{text}: {found:?}");
    }
}

#[test]
fn the_published_schema_is_what_the_program_prints() {
    let published = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/framecast.schema.json");
    let published: serde_json::Value = serde_json::from_str(&fs::read_to_string(published).unwrap()).unwrap();
    assert!(published == config::json_schema(), "run: framecast schema > config/framecast.schema.json");
}

/// Over HTTP nobody is to name a file of this machine, or a program: a key that does is one of `LOCAL`, by its own words.
#[test]
fn every_key_that_names_a_file_or_a_program_is_for_the_configuration_file_only() {
    use config::schema::{INNER_SECTIONS, LOCAL, SECTIONS, SOURCES};
    const WORDS: [&str; 6] = ["file", "folder", "path", "device", "program", "command"];
    // A part of each address, and of no file.
    const HARMLESS: [&str; 1] = ["base_path"];
    let sections = SECTIONS.iter().chain(&INNER_SECTIONS).copied();
    let sections = sections.chain(SOURCES.iter().map(|(_, section)| section));
    let names_one = |key: &&config::schema::Key| {
        let need = match key.default {
            config::schema::Default::Required(need) => need,
            _ => "",
        };
        let words = format!("{} {need}", key.unit);
        let mut words = words.split(|c: char| !c.is_ascii_alphabetic());
        !HARMLESS.contains(&key.name) && words.any(|word| WORDS.contains(&word.trim_end_matches('s')))
    };
    let named: Vec<_> = sections.flat_map(|section| section.keys.iter().copied()).filter(names_one).collect();
    assert!(named.len() >= 11, "only {} found", named.len());
    let free = named.iter().filter(|key| !LOCAL.iter().any(|local| std::ptr::eq(*local, **key)));
    assert_eq!(free.map(|key| key.name).collect::<Vec<_>>(), [""; 0], "these may be set over HTTP");
}
