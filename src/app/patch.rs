//! Applies a request to the streams that were added over HTTP. Pure.

use serde_json::{Map, Value};

use crate::{
    config::{Added, MAX_ADDED, carried_elsewhere, restored},
    media::stream_name::StreamName,
    registry::{Edit, NotApplied},
};

/// Returns the streams after `edit`, and whether its stream is new.
pub(super) fn edited(
    before: &[Added],
    in_file: impl Fn(&StreamName) -> bool,
    name: &StreamName,
    edit: Edit,
) -> Result<(Vec<Added>, bool), NotApplied> {
    let at = before.iter().position(|added| added.name == name.as_str());
    if at.is_none() && in_file(name) {
        return Err(NotApplied::InFile(name.clone()));
    }
    let mut after = before.to_vec();
    let settings = match (at, edit) {
        (Some(_), Edit::Create(_)) => return Err(NotApplied::Exists(name.clone())),
        (None, Edit::Merge(_) | Edit::Remove) => return Err(NotApplied::NoSuchStream(name.clone())),
        (Some(at), Edit::Remove) => {
            after.remove(at);
            return Ok((after, false));
        }
        (_, Edit::Create(settings) | Edit::Replace(settings)) => settings,
        (Some(at), Edit::Merge(patch)) => {
            let mut merged = before[at].settings.clone();
            merge(&mut merged, &patch);
            if let Some(path) = carried_elsewhere(&before[at].settings, &patch, &merged) {
                return Err(NotApplied::Elsewhere { path: format!("streams.{name}.{path}") });
            }
            merged
        }
    };
    let known = at.map_or(Value::Null, |at| before[at].settings.clone());
    let settings = restored(&settings, &known)
        .map_err(|path| NotApplied::Stars { path: format!("streams.{name}.{path}") })?;
    match at {
        Some(at) => after[at].settings = settings,
        None if after.len() >= MAX_ADDED => return Err(NotApplied::TooMany),
        None => after.push(Added { name: name.to_string(), settings }),
    }
    Ok((after, at.is_none()))
}

/// Applies a JSON Merge Patch (RFC 7396): null removes a key.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(map) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            map.remove(key);
        } else {
            merge(map.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn name(text: &str) -> StreamName {
        text.parse().unwrap()
    }

    fn after(before: &[Added], edit: Edit) -> Result<Vec<Added>, String> {
        let in_file = |name: &StreamName| name.as_str() == "file";
        edited(before, in_file, &name("a"), edit).map(|(after, _)| after).map_err(|error| error.to_string())
    }

    #[test]
    fn streams_are_made_changed_and_removed() {
        let push = json!({"source": {"type": "push", "token": "t"}});
        let one = after(&[], Edit::Create(push.clone())).unwrap();
        assert_eq!(one[0].settings, push);
        assert!(after(&one, Edit::Create(push.clone())).unwrap_err().contains("already"));
        let titled = after(&one, Edit::Merge(json!({"title": "A", "source": {"token": "***"}}))).unwrap();
        assert_eq!(titled[0].settings, json!({"title": "A", "source": {"type": "push", "token": "t"}}));
        let plain = after(&titled, Edit::Merge(json!({"title": null}))).unwrap();
        assert_eq!(plain, one);
        let other = json!({"source": {"type": "pattern"}});
        assert_eq!(after(&one, Edit::Replace(other.clone())).unwrap()[0].settings, other);
        assert!(after(&one, Edit::Remove).unwrap().is_empty());
        assert!(after(&[], Edit::Remove).is_err() && after(&[], Edit::Merge(json!({}))).is_err());
        assert!(
            after(&[], Edit::Replace(json!({"source": {"token": "***"}})))
                .unwrap_err()
                .contains("source.token")
        );
    }

    #[test]
    fn a_patch_leads_no_credential_to_another_address() {
        let camera = json!({"source": {"type": "mjpeg", "url": "http://cam/a", "headers": {"X-Key": "k"}}});
        let one = [Added { name: "a".to_owned(), settings: camera }];
        let refused = after(&one, Edit::Merge(json!({"source": {"url": "http://other/a"}}))).unwrap_err();
        assert!(refused.starts_with("streams.a.source.headers.X-Key: "), "{refused}");
        let patch = json!({"source": {"url": "http://other/a", "headers": null}});
        let moved = after(&one, Edit::Merge(patch)).unwrap();
        assert_eq!(moved[0].settings, json!({"source": {"type": "mjpeg", "url": "http://other/a"}}));
    }

    #[test]
    fn the_files_own_streams_are_left_to_the_file() {
        let in_file = |_: &StreamName| true;
        for edit in [Edit::Create(json!({})), Edit::Replace(json!({})), Edit::Merge(json!({})), Edit::Remove]
        {
            let refused = edited(&[], in_file, &name("file"), edit).unwrap_err();
            assert!(matches!(refused, NotApplied::InFile(_)), "{refused:?}");
        }
    }
}
