use super::*;

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
