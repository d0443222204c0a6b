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
