//! Settings without their credentials, and credentials put back into settings that were shown without.
//!
//! The schema defines what a credential is. `***` stands for one. Settings that come back with `***` mean the
//! former credential, unless they have another address, since it would be sent there. The same applies to a
//! merge patch, which keeps what it does not name: [`carried_elsewhere`].

use std::collections::HashSet;

use serde_json::Value;
use url::Url;

use super::{environment::is_variable, schema::marked, url::is_harmless};

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
                let moved = moved || super::redact::moved(map, before, &self.urls);
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
    if is_harmless(raw) {
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
