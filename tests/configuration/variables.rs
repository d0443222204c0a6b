//! `${VAR}` in values.

use super::*;

fn expanded(text: &str) -> Result<String, Vec<String>> {
    let environment: Environment = [("A", "one"), ("EMPTY", ""), ("B_2", "a # b: c")].into_iter().collect();
    let title = serde_json::to_string(&format!("|{text}")).expect("any text is JSON");
    let yaml = format!("streams: {{a: {{title: {title}, source: {{type: pattern}}}}}}");
    match config::parse(&yaml, "f.yaml", &environment) {
        Ok(config) => Ok(config.streams[0].title.strip_prefix('|').expect("the title begins so").to_owned()),
        Err(errors) => Err(errors.mistakes().iter().map(ToString::to_string).collect()),
    }
}

#[test]
fn variables_defaults_and_escapes_are_put_in() {
    for (text, expected) in [
        ("plain", "plain"),
        ("", ""),
        ("${A}", "one"),
        ("x${A}y${A}z", "xoneyonez"),
        ("${B_2}", "a # b: c"),
        ("${EMPTY}", ""),
        ("${EMPTY:-full}", "full"),
        ("${NO:-}", ""),
        ("${NO:-a:-b}", "a:-b"),
        ("$${A}", "${A}"),
        ("$A $5 100%", "$A $5 100%"),
        ("ä${A}ü", "äoneü"),
    ] {
        assert_eq!(expanded(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn every_missing_variable_is_named() {
    let missing = expanded("${NO} ${A} ${NEITHER}").unwrap_err();
    assert_eq!(missing.len(), 2, "{missing:?}");
    for (mistake, name) in missing.iter().zip(["NO", "NEITHER"]) {
        let want = format!("the environment variable {name} is not set");
        assert!(mistake.contains(&want), "{mistake}");
    }
}

#[test]
fn broken_variables_are_refused() {
    for text in ["${A", "${}", "${1A}", "${A B}", "${A-b}", "${NO:-${A}}"] {
        assert!(expanded(text).is_err(), "{text}");
    }
}
