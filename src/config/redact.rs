//! Settings without their credentials, and credentials put back into settings that were shown without.
//!
//! The schema defines what a credential is. `***` stands for one. Settings that come back with `***` mean the
//! former credential, unless they have another address, since it would be sent there. The same applies to a
//! merge patch, which keeps what it does not name: [`carried_elsewhere`].

use std::collections::HashSet;

use serde_json::{Map, Value};
use url::Url;

use super::{environment::is_variable, error::join, schema::marked, url::is_harmless};

/// Stands for what is not shown.
pub const STARS: &str = "***";

/// `settings` with stars in place of credentials.
pub fn redacted(settings: &Value) -> Value {
    Marks::new().redacted(settings, false)
}

/// `settings` with the credentials of `before` where they have stars.
///
/// # Errors
/// The path of stars for which there is no credential, or whose credential is for another address.
pub fn restored(settings: &Value, before: &Value) -> Result<Value, String> {
    Marks::new().restored(settings, Some(before), "")
}

/// Returns the path of a credential that `after` would send to another origin than `before` did, although the
/// patch that made `after` of `before` does not contain it.
pub fn carried_elsewhere(before: &Value, patch: &Value, after: &Value) -> Option<String> {
    Marks::new().carried((Some(before), Some(patch), after), "", (false, false))
}

/// The names of the keys that hold credentials, URLs and hosts.
struct Marks {
    secrets: HashSet<&'static str>,
    urls: HashSet<&'static str>,
    hosts: HashSet<&'static str>,
}

impl Marks {
    fn new() -> Self {
        Self { secrets: marked("x-secret"), urls: marked("x-url"), hosts: marked("x-host") }
    }

    fn redacted(&self, value: &Value, is_secret: bool) -> Value {
        match value {
            Value::Object(map) => {
                let each = map.iter().map(|(key, value)| {
                    let shown = match value {
                        Value::String(url) if self.urls.contains(&**key) && !is_secret => masked(url).into(),
                        _ => self.redacted(value, is_secret || self.secrets.contains(&**key)),
                    };
                    (key.clone(), shown)
                });
                Value::Object(each.collect())
            }
            Value::Array(items) => items.iter().map(|item| self.redacted(item, is_secret)).collect(),
            Value::Null => Value::Null,
            Value::String(text) if text == "none" || is_variable(text) => value.clone(),
            _ if is_secret => STARS.into(),
            _ => value.clone(),
        }
    }

    fn restored(&self, value: &Value, before: Option<&Value>, path: &str) -> Result<Value, String> {
        match value {
            Value::Object(map) => {
                let before = before.filter(|_| !self.has_moved(map, before));
                let each = map.iter().map(|(key, value)| {
                    let before = before.and_then(|before| before.get(key));
                    Ok((key.clone(), self.restored(value, before, &join(path, key))?))
                });
                each.collect::<Result<_, String>>().map(Value::Object)
            }
            Value::Array(items) => {
                let each = items.iter().enumerate().map(|(n, item)| {
                    self.restored(item, self.counterpart(item, n, before), &format!("{path}[{n}]"))
                });
                each.collect::<Result<_, String>>().map(Value::Array)
            }
            Value::String(text) if text.contains(STARS) => match before {
                Some(Value::String(before)) if text == STARS || *text == masked(before) => {
                    Ok((**before).into())
                }
                Some(other) if text == STARS && !other.is_string() => Ok(other.clone()),
                _ => Err(path.to_owned()),
            },
            other => Ok(other.clone()),
        }
    }

    /// Returns the former value of a list item: one that was shown in the same way, at any index, otherwise
    /// the one at its own index.
    fn counterpart<'a>(&self, item: &Value, n: usize, before: Option<&'a Value>) -> Option<&'a Value> {
        let list = before?.as_array()?;
        let is_same = |before: &&Value| self.redacted(before, false) == *item;
        list.get(n).filter(is_same).or_else(|| list.iter().find(is_same)).or_else(|| list.get(n))
    }

    /// Finds a credential that a merge patch kept. `has_moved`: a URL beside this value, or beside one around
    /// it, has another origin than before. `is_secret`: the value is a credential.
    fn carried(
        &self,
        (before, patch, after): (Option<&Value>, Option<&Value>, &Value),
        path: &str,
        (has_moved, is_secret): (bool, bool),
    ) -> Option<String> {
        match after {
            Value::Object(map) => {
                let has_moved = has_moved || self.has_moved(map, before);
                map.iter().find_map(|(key, value)| {
                    let is_url = !is_secret && self.urls.contains(&**key);
                    let is_secret = !is_url && (is_secret || self.secrets.contains(&**key));
                    let before = before.and_then(|before| before.get(key));
                    let patch = patch.and_then(|patch| patch.get(key));
                    self.carried((before, patch, value), &join(path, key), (has_moved, is_secret))
                })
            }
            Value::Null => None,
            Value::String(text) if text == "none" => None,
            // A patch replaces a list as a whole, so it contains all of the list, or the list is unchanged.
            _ => (has_moved && is_secret && patch.is_none()).then(|| path.to_owned()),
        }
    }

    /// Returns whether a map's URL or host leads to another origin than before: what was secret there is not
    /// for that one.
    fn has_moved(&self, map: &Map<String, Value>, before: Option<&Value>) -> bool {
        // Not `Url::origin`, which for `rtsp` is never equal.
        let origin = |value: Option<&Value>| {
            let url = Url::parse(value?.as_str()?).ok()?;
            Some((url.scheme().to_owned(), url.host_str().map(str::to_owned), url.port_or_known_default()))
        };
        map.iter().any(|(key, value)| {
            let before = before.map(|before| before.get(key));
            before.is_some_and(|before| {
                self.urls.contains(key.as_str()) && origin(Some(value)) != origin(before)
                    || self.hosts.contains(key.as_str()) && Some(value) != before
            })
        })
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
