use proptest::prelude::*;

use super::*;

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
        "streams: {a: {source: \"ftp://u:hunter2@h/\"}}",
        "streams: {a: \"http://u:hunter2@/\"}",
        "streams: {a: \"u:hunter2@h/\"}",
        "streams: {a: hunter2, b: {source: [hunter2, \"${SECRET}\"]}}",
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
        "streams: {a: {source: {type: bambu, host: h, access_code: \"hunter2 hunter2\"}}}",
        "streams: {a: {source: {type: bambu, host: \"http://u:hunter2@h/\", access_code: x}}}",
        "streams: {a: {source: {type: bambu, host: h, accesscode: hunter2}}}",
        "token: hunter2: x",
        "x: \"a\" hunter2",
    ] {
        let errors = parse(text).unwrap_err();
        assert!(!errors.to_string().contains("hunter2"), "{text}\n{errors}");
        assert!(!format!("{errors:?}").contains("hunter2"), "{text}\n{errors:?}");
    }
    let config = good(
        "streams: {a: {source: {type: mjpeg, url: \"http://u:hunter2@h/\", headers: {K: hunter2}}}, b: {source: {type: push, token: hunter2}}, c: {source: {type: bambu, host: h, access_code: hunter2}}}",
    );
    assert!(!format!("{config:?}").contains("hunter2"), "{config:?}");
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
        let mut text = include_str!("../../config/framecast.yaml").replace("token: none", "token: hunter2");
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
