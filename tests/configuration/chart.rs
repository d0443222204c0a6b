use super::*;

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
    assert!(!stream.on_demand(), "a graph that is polled has no holes");
    let SourceConfig::Chart(chart) = stream.source() else { panic!() };
    assert_eq!((&*chart.series[0].label, chart.series[0].color.unwrap().r), ("CPU", 255));
    assert_eq!((chart.y.min, chart.y.max, &*chart.y.unit), (Some(-1.5), None, "%"));
    assert_eq!(chart.publishers, Publishers::Nobody);
    assert_eq!(chart.poll.as_ref().unwrap().pointers(&chart.series), ["/a/b", "/mem"]);
    for (keys, want) in [
        ("series: [cpu]", "token: is missing: a secret that publishers must show"),
        ("token: none", "series: is missing: what is drawn"),
        ("token: none, series: []", "must be a list of 1 to 16 series, such as [cpu, memory]"),
        ("token: none, series: cpu", "must be a list of 1 to 16 series, such as [cpu, memory]"),
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
