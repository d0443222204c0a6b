use super::*;

#[test]
fn what_is_left_out_has_its_default() {
    let config =
        good("streams: {a: {source: {type: push, token: none}}, b: {source: {type: mjpeg, url: http://h/}}}");
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.server.listen, [config::parse_listen("127.0.0.1:8080").unwrap()]);
    assert_eq!((&*config.server.base_path, config.server.cors.as_deref()), ("", Some("*")));
    assert_eq!(config.server.default_stream, None);
    let b = &config.streams[1];
    assert!(b.on_demand() && b.chunked && !b.has_fallbacks());
    assert_eq!((&b.placeholder.style, b.failback_after), (&Placeholder::Card, Duration::from_secs(30)));
    assert_eq!((b.linger, b.viewer_timeout), (Duration::from_secs(10), Duration::from_secs(10)));
    assert_eq!((b.max_fps, &b.save), (None, &None));
    let SourceConfig::Mjpeg(upstream) = b.source() else { panic!("{b:?}") };
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
    let SourceConfig::Snapshot(snapshot) = source("{type: snapshot, url: http://h/}") else { panic!() };
    assert_eq!(snapshot.interval, Duration::from_secs(1));
}

/// A reload restarts the source of a stream whose settings are others than before.
#[test]
fn a_default_that_is_written_out_changes_nothing() {
    let stream = |more: &str| good(&format!("streams: {{a: {{source: {{type: pattern}}{more}}}}}")).streams;
    assert_eq!(
        stream(", title: a, on_demand: true, linger: 10s, placeholder: card, transform: none"),
        stream("")
    );
    assert_ne!(stream(", on_demand: false"), stream(""));
}
