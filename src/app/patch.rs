//! Applies a request to the streams that were added over HTTP. Pure.

use serde_json::{Map, Value};

use crate::{
    config::{Added, MAX_ADDED, carried_elsewhere, restored, written_out},
    media::stream_name::StreamName,
    registry::{ReloadError, StreamEdit},
};

/// Returns the streams after `edit`, and whether its stream is new.
pub(super) fn apply_edit(
    before: &[Added],
    in_file: impl Fn(&StreamName) -> bool,
    name: &StreamName,
    edit: StreamEdit,
) -> Result<(Vec<Added>, bool), ReloadError> {
    let at = before.iter().position(|added| added.name == name.as_str());
    if at.is_none() && in_file(name) {
        return Err(ReloadError::DefinedInFile(name.clone()));
    }
    let mut after = before.to_vec();
    let settings = match (at, edit) {
        (Some(_), StreamEdit::Create(_)) => return Err(ReloadError::Exists(name.clone())),
        (None, StreamEdit::Merge(_) | StreamEdit::Remove) => {
            return Err(ReloadError::NoSuchStream(name.clone()));
        }
        (Some(at), StreamEdit::Remove) => {
            after.remove(at);
            return Ok((after, false));
        }
        (_, StreamEdit::Create(settings) | StreamEdit::Replace(settings)) => written_out(&settings),
        (Some(at), StreamEdit::Merge(patch)) => {
            let mut merged = before[at].settings.clone();
            merge_patch(&mut merged, &patch);
            merged = written_out(&merged);
            if let Some(path) = carried_elsewhere(&before[at].settings, &patch, &merged) {
                return Err(ReloadError::CredentialForOtherHost { path: format!("streams.{name}.{path}") });
            }
            merged
        }
    };
    let known = at.map_or(Value::Null, |at| before[at].settings.clone());
    let settings = restored(&settings, &known)
        .map_err(|path| ReloadError::RedactedValue { path: format!("streams.{name}.{path}") })?;
    match at {
        Some(at) => after[at].settings = settings,
        None if after.len() >= MAX_ADDED => return Err(ReloadError::TooMany),
        None => after.push(Added { name: name.to_string(), settings }),
    }
    Ok((after, at.is_none()))
}

/// Applies a JSON Merge Patch (RFC 7396): null removes a key.
fn merge_patch(target: &mut Value, patch: &Value) {
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
            merge_patch(map.entry(key.clone()).or_insert(Value::Null), value);
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

    fn after(before: &[Added], edit: StreamEdit) -> Result<Vec<Added>, String> {
        let in_file = |name: &StreamName| name.as_str() == "file";
        apply_edit(before, in_file, &name("a"), edit)
            .map(|(after, _)| after)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn streams_are_made_changed_and_removed() {
        let push = json!({"source": {"type": "push", "token": "t"}});
        let one = after(&[], StreamEdit::Create(push.clone())).unwrap();
        assert_eq!(one[0].settings, push);
        assert!(after(&one, StreamEdit::Create(push.clone())).unwrap_err().contains("already"));
        let titled =
            after(&one, StreamEdit::Merge(json!({"title": "A", "source": {"token": "***"}}))).unwrap();
        assert_eq!(titled[0].settings, json!({"title": "A", "source": {"type": "push", "token": "t"}}));
        let plain = after(&titled, StreamEdit::Merge(json!({"title": null}))).unwrap();
        assert_eq!(plain, one);
        let other = json!({"source": {"type": "pattern"}});
        assert_eq!(after(&one, StreamEdit::Replace(other.clone())).unwrap()[0].settings, other);
        assert!(after(&one, StreamEdit::Remove).unwrap().is_empty());
        assert!(after(&[], StreamEdit::Remove).is_err() && after(&[], StreamEdit::Merge(json!({}))).is_err());
        assert!(
            after(&[], StreamEdit::Replace(json!({"source": {"token": "***"}})))
                .unwrap_err()
                .contains("source.token")
        );
    }

    #[test]
    fn a_patch_leads_no_credential_to_another_address() {
        let camera = json!({"source": {"type": "mjpeg", "url": "http://cam/a", "headers": {"X-Key": "k"}}});
        let one = [Added { name: "a".to_owned(), settings: camera }];
        let refused =
            after(&one, StreamEdit::Merge(json!({"source": {"url": "http://other/a"}}))).unwrap_err();
        assert!(refused.starts_with("streams.a.source.headers.X-Key: "), "{refused}");
        let patch = json!({"source": {"url": "http://other/a", "headers": null}});
        let moved = after(&one, StreamEdit::Merge(patch)).unwrap();
        assert_eq!(moved[0].settings, json!({"source": {"type": "mjpeg", "url": "http://other/a"}}));
    }

    #[test]
    fn the_files_own_streams_are_left_to_the_file() {
        let in_file = |_: &StreamName| true;
        for edit in [
            StreamEdit::Create(json!({})),
            StreamEdit::Replace(json!({})),
            StreamEdit::Merge(json!({})),
            StreamEdit::Remove,
        ] {
            let refused = apply_edit(&[], in_file, &name("file"), edit).unwrap_err();
            assert!(matches!(refused, ReloadError::DefinedInFile(_)), "{refused:?}");
        }
    }
}
