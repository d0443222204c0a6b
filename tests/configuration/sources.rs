use super::*;

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
        matches!(garden.source(), SourceConfig::Push { .. }) && !garden.has_fallbacks(),
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
    assert!(list("")[0].contains("is an empty list: it needs at least one (1 to 8 sources"));
    assert!(list(&["{type: rendition, of: b}"; 9].join(", "))[0].contains("not 9"));
}

#[test]
fn a_printer_is_named_by_its_address_alone() {
    for (written, host, port, place) in [
        ("192.168.1.9", "192.168.1.9", 6000, "192.168.1.9"),
        ("printer.lan:443", "printer.lan", 443, "printer.lan:443"),
        ("P1S", "P1S", 6000, "P1S"),
        ("\"::1\"", "::1", 6000, "::1"),
        ("\"[fe80::1]:6001\"", "fe80::1", 6001, "[fe80::1]:6001"),
    ] {
        let printer = source(&format!("{{type: bambu, host: {written}, access_code: \"${{SECRET}}\"}}"));
        assert_eq!(printer.place().as_deref(), Some(place));
        let SourceConfig::Bambu(printer) = printer else { panic!("{printer:?}") };
        assert_eq!((&*printer.host.host, printer.host.port), (host, port), "{written}");
        assert_eq!(printer.access_code.reveal(), "hunter2");
    }
    let SourceConfig::Bambu(printer) = source("{type: bambu, host: h, access_code: 01234567}") else {
        panic!()
    };
    assert_eq!(printer.access_code.reveal(), "01234567", "digits stay as they are");
}

#[test]
fn a_printer_needs_an_address_and_its_code() {
    let wrong =
        |keys: &str| mistakes(&format!("streams: {{a: {{source: {{type: bambu, {keys}}}}}}}")).join("\n");
    for host in ["http://h/", "h/x", "u@h", "h:", "h:0", "h:66666", "", "a b", "[::1", "h?x", "h#x"] {
        let text = wrong(&format!("host: \"{host}\", access_code: x"));
        assert!(
            text.contains("source.host: must be a host name or an IP address, such as"),
            "{host}: {text}"
        );
    }
    for code in ["\"\"", "\"a b\"", "ä", &"9".repeat(33)] {
        let text = wrong(&format!("host: h, access_code: {code}"));
        assert!(
            text.contains("source.access_code: must be the code that the printer shows"),
            "{code}: {text}"
        );
    }
    let text = wrong("access_code: x");
    assert!(
        text.contains("source.host: is missing: the address of the printer, such as 192.168.1.9"),
        "{text}"
    );
    let text = wrong("host: h");
    assert!(
        text.contains("source.access_code: is missing: the access code that the printer shows"),
        "{text}"
    );
}

#[test]
fn basic_unasked_needs_user_and_password() {
    use framecast::config::HttpAuth;
    let SourceConfig::Mjpeg(asked) = source("{type: mjpeg, url: http://u:p@h/}") else { panic!() };
    assert_eq!(asked.auth, HttpAuth::Auto);
    let SourceConfig::Snapshot(snapshot) = source("{type: snapshot, url: http://u:p@h/, auth: basic}") else {
        panic!()
    };
    assert_eq!(snapshot.upstream().auth, HttpAuth::Basic);
    for (source, mistake) in [
        (
            "{type: mjpeg, url: http://h/, auth: basic}",
            "needs user and password in the url: http://user:password@",
        ),
        ("{type: snapshot, url: http://h/, auth: basic}", "needs user and password in the url"),
        ("{type: mjpeg, url: http://u:p@h/, auth: digest}", "must be auto or basic, not digest"),
    ] {
        let found = mistakes(&format!("streams: {{a: {{source: {source}}}}}"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains(&format!("streams.a.source.auth: {mistake}")), "{found:?}");
    }
}
