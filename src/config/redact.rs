//! Settings without their credentials, and credentials put back into settings that were shown without.
//!
//! The schema defines what a credential is. `***` stands for one. Settings that come back with `***` mean the
//! former credential, unless they have another address, since it would be sent there. The same applies to a
//! merge patch, which keeps what it does not name: [`carried_elsewhere`].

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::{environment::is_variable, schema::marked, url::harmless};

/// Stands for what is not shown.
pub const STARS: &str = "***";

/// `settings` with stars in place of credentials.
pub fn redacted(settings: &Value) -> Value {
    walk(settings, &marked("x-secret"), &marked("x-url"), false)
}

/// `settings` with the credentials of `before` where they have stars.
///
/// # Errors
/// The path of stars that no credential stands for, or whose credential is for another address.
pub fn restored(settings: &Value, before: &Value) -> Result<Value, String> {
    put_back(settings, Some(before), "", &marked("x-url"))
}

/// Returns the path of a credential that `after` would send to another origin than `before` did, although the
/// patch that made `after` of `before` does not contain it.
pub fn carried_elsewhere(before: &Value, patch: &Value, after: &Value) -> Option<String> {
    Carried { secrets: marked("x-secret"), urls: marked("x-url") }.find(
        (Some(before), Some(patch), after),
        "",
        (false, false),
    )
}

/// Finds credentials that a merge patch kept although the URL beside them now has another origin.
struct Carried {
    secrets: HashSet<&'static str>,
    urls: HashSet<&'static str>,
}

impl Carried {
    /// `moved`: a URL beside this value, or beside one around it, has another origin than before. `secret`:
    /// the value is a credential.
    fn find(
        &self,
        (before, patch, after): (Option<&Value>, Option<&Value>, &Value),
        path: &str,
        (moved, secret): (bool, bool),
    ) -> Option<String> {
        match after {
            Value::Object(map) => {
                let moved = moved || self::moved(map, before, &self.urls);
                map.iter().find_map(|(key, value)| {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    let is_url = !secret && self.urls.contains(key.as_str());
                    let secret = !is_url && (secret || self.secrets.contains(key.as_str()));
                    let before = before.and_then(|before| before.get(key));
                    let patch = patch.and_then(|patch| patch.get(key));
                    self.find((before, patch, value), &path, (moved, secret))
                })
            }
            // A patch replaces a list as a whole, so it contains all of the list; otherwise the list is
            // unchanged.
            Value::Array(_) if patch.is_some() || !(moved && secret) => None,
            Value::Null => None,
            Value::String(text) if text == "none" => None,
            _ if moved && secret && patch.is_none() => Some(path.to_owned()),
            _ => None,
        }
    }
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

/// Returns a URL with stars in place of user and password (a user alone may be a key), query and fragment. A
/// URL that cannot be parsed is not shown at all.
fn masked(raw: &str) -> String {
    if harmless(raw) {
        return raw.to_owned();
    }
    let Ok(mut url) = Url::parse(raw) else { return STARS.to_owned() };
    if !url.username().is_empty() || url.password().is_some() {
        let hidden = url.set_username(STARS).and_then(|()| url.set_password(None));
        if hidden.is_err() {
            return STARS.to_owned();
        }
    }
    if url.query().is_some() {
        url.set_query(Some(STARS));
    }
    if url.fragment().is_some() {
        url.set_fragment(Some(STARS));
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
            let each = items
                .iter()
                .enumerate()
                .map(|(n, item)| put_back(item, counterpart(item, n, before), &format!("{path}[{n}]"), urls));
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

/// Returns the former value of a list item: one that was shown in the same way, at any index, otherwise the
/// one at its own index.
fn counterpart<'a>(item: &Value, n: usize, before: Option<&'a Value>) -> Option<&'a Value> {
    let list = before?.as_array()?;
    let same_place = list.get(n).filter(|before| redacted(before) == *item);
    same_place.or_else(|| list.iter().find(|before| redacted(before) == *item)).or_else(|| list.get(n))
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
        assert_eq!(shown["source"]["url"], "http://***@10.0.0.1/video?***");
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
        shown["source"]["url"] = json!("http://***@10.6.6.6/video?***");
        assert!(restored(&shown, &camera()).is_err());
        assert_eq!(
            restored(&json!({"source": {"token": "***"}}), &json!({})),
            Err("source.token".to_owned())
        );
        // Same place, another path, a new password.
        shown["source"]["url"] = json!("http://admin:new@10.0.0.1/other");
        assert_eq!(restored(&shown, &camera()).unwrap()["source"]["headers"]["X-Key"], "k");
    }

    #[test]
    fn of_a_url_nothing_is_shown_that_may_be_a_key() {
        for (url, shown) in [
            ("http://s3cret@cam/", "http://***@cam/"),
            ("http://:s3cret@cam/", "http://***@cam/"),
            ("http://user:s3cret@cam:81/a", "http://***@cam:81/a"),
            ("http://user:${PASSWORD}@cam/", "http://***@cam/"),
            ("http://${USER}:${PASSWORD}@cam/", "http://${USER}:${PASSWORD}@cam/"),
            ("http://cam/?user=s3cret&pwd=s3cret", "http://cam/?***"),
            ("http://cam/a#s3cret", "http://cam/a#***"),
            ("rtsp://s3cret@cam/s", "rtsp://***@cam/s"),
            ("s3cret", "***"),
        ] {
            let settings = json!({"source": {"type": "mjpeg", "url": url}});
            assert_eq!(redacted(&settings)["source"]["url"], shown, "{url}");
            assert_eq!(restored(&redacted(&settings), &settings).as_ref(), Ok(&settings), "{url}");
        }
    }

    #[test]
    fn sources_that_change_places_keep_their_own_credentials() {
        let source = |path: &str, key: &str| {
            let url = format!("http://10.0.0.1/{path}");
            json!({"type": "mjpeg", "url": url, "headers": {"X-Key": key}})
        };
        let before = json!({"source": [source("a", "1"), source("b", "2")]});
        let mut shown = redacted(&before);
        shown["source"].as_array_mut().unwrap().reverse();
        let after = json!({"source": [source("b", "2"), source("a", "1")]});
        assert_eq!(restored(&shown, &before), Ok(after));
        let elsewhere = json!({"source": [
            {"type": "mjpeg", "url": "http://10.6.6.6/", "headers": {"X-Key": "***"}}, source("b", "***"),
        ]});
        assert_eq!(restored(&elsewhere, &before), Err("source[0].headers.X-Key".to_owned()));
    }

    #[test]
    fn a_merge_names_the_credential_that_it_would_carry_to_another_origin() {
        let chart = json!({"source": {"type": "chart", "token": "t", "poll": {
            "url": "http://10.0.0.1/a", "headers": {"X-Key": "k", "X-Other": "o"},
        }}});
        let carried = |before: &Value, patch: &Value, after: &Value| carried_elsewhere(before, patch, after);
        let with = |url: &str, headers: Value| {
            json!({"source": {"type": "chart", "token": "t", "poll": {
                "url": url, "headers": headers,
            }}})
        };
        let both = json!({"X-Key": "k", "X-Other": "o"});
        for url in ["http://10.6.6.6/a", "https://10.0.0.1/a", "http://10.0.0.1:81/a", "http://u@10.6.6.6/"] {
            let patch = json!({"source": {"poll": {"url": url}}});
            let path = carried(&chart, &patch, &with(url, both.clone()));
            assert_eq!(path.as_deref(), Some("source.poll.headers.X-Key"), "{url}");
            let patch = json!({"source": {"poll": {"url": url, "headers": {"X-Key": "new"}}}});
            let path = carried(&chart, &patch, &with(url, json!({"X-Key": "new", "X-Other": "o"})));
            assert_eq!(path.as_deref(), Some("source.poll.headers.X-Other"), "{url}");
            let patch =
                json!({"source": {"poll": {"url": url, "headers": {"X-Key": "new", "X-Other": null}}}});
            assert_eq!(carried(&chart, &patch, &with(url, json!({"X-Key": "new"}))), None, "{url}");
        }
        for url in ["http://10.0.0.1/b", "http://10.0.0.1:80/a?b", "http://u:p@10.0.0.1/a"] {
            let patch = json!({"source": {"poll": {"url": url}}});
            assert_eq!(carried(&chart, &patch, &with(url, both.clone())), None, "{url}");
        }
        assert_eq!(carried(&chart, &json!({"title": "T"}), &chart), None);
        // From no URL to one.
        let push = json!({"source": {"type": "push", "token": "t"}});
        let patch = json!({"source": {"type": "mjpeg", "url": "http://10.6.6.6/"}});
        let after = json!({"source": {"type": "mjpeg", "token": "t", "url": "http://10.6.6.6/"}});
        assert_eq!(carried(&push, &patch, &after).as_deref(), Some("source.token"));
    }
}
