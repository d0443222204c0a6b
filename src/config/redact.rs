//! Settings without their credentials, and credentials put back into settings that were shown without.
//!
//! What a credential is the schema says. `***` stands for one. When settings come back with `***`, the credential of before is
//! meant; but not when they lead to another address, since it would be sent there.

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::{
    reader::is_variable,
    schema::{INNER_SECTIONS, SECTIONS, SOURCES, Section, Value as Kind},
    url::harmless,
};

/// Stands for what is not shown.
pub const STARS: &str = "***";

/// `settings` with stars in place of credentials.
pub fn redacted(settings: &Value) -> Value {
    walk(settings, &keys_of(Kind::Secret), &keys_of(Kind::Url), false)
}

/// `settings` with the credentials of `before` where they have stars.
///
/// # Errors
/// The path of stars that no credential stands for, or whose credential is for another address.
pub fn restored(settings: &Value, before: &Value) -> Result<Value, String> {
    put_back(settings, Some(before), "", &keys_of(Kind::Url))
}

fn keys_of(kind: Kind) -> HashSet<&'static str> {
    let sources = SOURCES.iter().map(|(_, section)| section);
    let sections = SECTIONS.iter().chain(&INNER_SECTIONS).copied().chain(sources);
    let keys = sections.flat_map(|section: &Section| section.keys.iter());
    keys.filter(|key| key.value == kind).map(|key| key.name).collect()
}

fn walk(value: &Value, secrets: &HashSet<&str>, urls: &HashSet<&str>, secret: bool) -> Value {
    match value {
        Value::Object(map) => {
            let each = map.iter().map(|(key, value)| {
                let shown = match value {
                    Value::String(url) if urls.contains(key.as_str()) && !secret => Value::from(masked(url)),
                    _ => walk(value, secrets, urls, secret || secrets.contains(key.as_str())),
                };
                (key.clone(), shown)
            });
            Value::Object(each.collect())
        }
        Value::Array(items) => items.iter().map(|item| walk(item, secrets, urls, secret)).collect(),
        Value::Null => Value::Null,
        Value::String(text) if !secret || text == "none" || is_variable(text) => value.clone(),
        _ if secret => Value::from(STARS),
        _ => value.clone(),
    }
}

/// A URL with stars in place of password and query. What cannot be taken apart is not shown at all.
fn masked(raw: &str) -> String {
    if harmless(raw) {
        return raw.to_owned();
    }
    let Ok(mut url) = Url::parse(raw) else { return STARS.to_owned() };
    if url.password().is_some() && url.set_password(Some(STARS)).is_err() {
        return STARS.to_owned();
    }
    if url.query().is_some() {
        url.set_query(Some(STARS));
    }
    url.to_string()
}

fn put_back(
    value: &Value,
    before: Option<&Value>,
    path: &str,
    urls: &HashSet<&str>,
) -> Result<Value, String> {
    match value {
        Value::Object(map) => {
            let moved = moved(map, before, urls);
            let each = map.iter().map(|(key, value)| {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                let before = before.and_then(|before| before.get(key)).filter(|_| !moved);
                Ok((key.clone(), put_back(value, before, &path, urls)?))
            });
            each.collect::<Result<_, String>>().map(Value::Object)
        }
        Value::Array(items) => {
            let each = items.iter().enumerate().map(|(n, item)| {
                put_back(item, before.and_then(|before| before.get(n)), &format!("{path}[{n}]"), urls)
            });
            each.collect::<Result<_, String>>().map(Value::Array)
        }
        Value::String(text) if text.contains(STARS) => match before {
            Some(Value::String(before)) if text == STARS || *text == masked(before) => {
                Ok(Value::from(before.as_str()))
            }
            Some(other) if text == STARS && !other.is_string() => Ok(other.clone()),
            _ => Err(path.to_owned()),
        },
        other => Ok(other.clone()),
    }
}

/// Whether a map's URL leads to another host than before: what was secret there is not for that one.
fn moved(map: &serde_json::Map<String, Value>, before: Option<&Value>, urls: &HashSet<&str>) -> bool {
    let place = |value: Option<&Value>| {
        let url = Url::parse(value?.as_str()?).ok()?;
        Some((url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default()))
    };
    map.iter()
        .filter(|(key, _)| urls.contains(key.as_str()))
        .any(|(key, value)| before.is_some_and(|before| place(Some(value)) != place(before.get(key))))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn camera() -> Value {
        json!({"title": "Door", "source": {
            "type": "mjpeg", "url": "http://admin:pass@10.0.0.1/video?key=abc", "headers": {"X-Key": "k", "X-Env": "${KEY}"},
        }})
    }

    #[test]
    fn credentials_become_stars_and_stars_become_credentials_again() {
        let shown = redacted(&camera());
        assert_eq!(shown["source"]["url"], "http://admin:***@10.0.0.1/video?***");
        assert_eq!(shown["source"]["headers"], json!({"X-Key": "***", "X-Env": "${KEY}"}));
        assert_eq!(restored(&shown, &camera()), Ok(camera()));
        let push = json!({"source": {"type": "push", "token": "secret"}});
        assert_eq!(redacted(&push)["source"]["token"], "***");
        assert_eq!(restored(&redacted(&push), &push), Ok(push.clone()));
        let open = json!({"source": {"type": "push", "token": "none"}});
        assert_eq!(redacted(&open), open);
    }

    #[test]
    fn a_credential_is_not_given_to_another_address_and_stars_alone_mean_nothing() {
        let mut shown = redacted(&camera());
        shown["source"]["url"] = json!("http://10.6.6.6/");
        assert_eq!(restored(&shown, &camera()), Err("source.headers.X-Key".to_owned()));
        shown["source"]["url"] = json!("http://admin:***@10.6.6.6/video?***");
        assert!(restored(&shown, &camera()).is_err());
        assert_eq!(
            restored(&json!({"source": {"token": "***"}}), &json!({})),
            Err("source.token".to_owned())
        );
        // Same place, another path, a new password.
        shown["source"]["url"] = json!("http://admin:new@10.0.0.1/other");
        assert_eq!(restored(&shown, &camera()).unwrap()["source"]["headers"]["X-Key"], "k");
    }
}
