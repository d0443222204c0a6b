use super::*;

#[test]
fn placeholders_have_styles_and_old_words_go_on_working() {
    let image = "config/framecast.yaml";
    for (text, wanted) in [
        ("true", Placeholder::Card),
        ("card", Placeholder::Card),
        ("false", Placeholder::None),
        ("none", Placeholder::None),
        ("last", Placeholder::Last),
        ("{}", Placeholder::Card),
        ("{after: 0s}", Placeholder::Card),
        ("{style: last, after: 1m}", Placeholder::Last),
        ("{style: false}", Placeholder::None),
        ("{image: config/framecast.yaml}", Placeholder::Image { path: image.into(), label: true }),
        (
            "{image: config/framecast.yaml, label: false}",
            Placeholder::Image { path: image.into(), label: false },
        ),
    ] {
        let own = format!("streams: {{a: {{placeholder: {text}, source: {{type: pattern}}}}}}");
        assert_eq!(good(&own).streams[0].placeholder.style, wanted, "{text}");
        let default =
            format!("defaults: {{placeholder: {text}}}\nstreams: {{a: {{source: {{type: pattern}}}}}}");
        assert_eq!(good(&default).streams[0].placeholder.style, wanted, "{text}");
    }
    for (text, message) in [
        ("dim", "placeholder: must be card, last, none, or a map such as {image: offline.png}, not dim"),
        ("{image: gone.png}", "placeholder.image: must be a file that exists, not gone.png"),
        ("{label: true}", "placeholder.image: is missing: the picture to show"),
        ("{style: dim}", "placeholder.style: must be card, last, none"),
        ("{after: 2d}", "placeholder.after: must be"),
        (
            "{style: last, image: config/framecast.yaml}",
            "placeholder.style: cannot stand beside `image`: remove one of them",
        ),
        ("{imgae: x}", "placeholder.imgae: unknown key, did you mean `image`?"),
    ] {
        let found = mistakes(&format!("streams: {{a: {{placeholder: {text}, source: {{type: pattern}}}}}}"));
        assert!(found.iter().any(|found| found.contains(message)), "{text}: {found:?}");
    }
}

#[test]
fn a_source_is_offline_after_three_seconds_or_as_configured() {
    let seconds = |text: &str| {
        let text = format!("streams: {{a: {{placeholder: {text}, source: {{type: pattern}}}}}}");
        good(&text).streams[0].placeholder.after.as_secs_f64()
    };
    for (text, after) in [("card", 3.0), ("{style: none}", 3.0), ("{after: 0s}", 0.0), ("{after: 90s}", 90.0)]
    {
        assert_eq!(seconds(text), after, "{text}");
    }
    let inherited = "defaults: {placeholder: {after: 7s}}\nstreams: {a: {source: {type: pattern}}}";
    assert_eq!(good(inherited).streams[0].placeholder.after.as_secs(), 7);
}
