//! `webhooks:`.

use std::{ops::RangeInclusive, time::Duration};

use super::{
    auth,
    model::{HookEvent, Login, Secret, WebhookConfig},
    node::Entry,
    reader::{Context, Reader},
    schema::{self, WEBHOOK_KEYS},
    source,
    units::{self, Wrong},
    url,
};

/// How long a try may take.
const TIMEOUTS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(60);

/// How long something must last before it is told.
const LASTING: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);

/// Shortest secret, in bytes; `openssl rand -hex 16` makes 32 letters.
const MIN_SECRET: usize = 16;

/// What is told if it is not said.
const USUAL: [HookEvent; 2] = [HookEvent::Lost, HookEvent::Back];

/// Reads the section. None if something is wrong with it, which was noted.
pub(super) fn read<'a>(context: &'a Context<'a>, root: &Reader<'a>) -> Option<Vec<WebhookConfig>> {
    auth::named(context, root, &schema::WEBHOOKS, |name, path, entry| one(context, name, path, entry))
}

fn one<'a>(context: &'a Context<'a>, name: String, path: String, entry: &'a Entry) -> Option<WebhookConfig> {
    let reader = Reader::new(context, &WEBHOOK_KEYS, path, entry.key_at, &entry.value)?;
    let url = reader.get(&schema::WEBHOOK_URL, address);
    let events = events(&reader);
    let streams = auth::reach(&reader, &schema::WEBHOOK_STREAMS);
    let after = reader.get(&schema::WEBHOOK_AFTER, |text| units::duration(text, LASTING));
    let secret = reader.get(&schema::WEBHOOK_SECRET, secret);
    let headers = source::headers(context, &reader);
    let timeout = reader.get(&schema::WEBHOOK_TIMEOUT, |text| units::duration(text, TIMEOUTS));
    let insecure = reader.get(&schema::INSECURE, units::boolean);
    let (url, login) = url?;
    Some(WebhookConfig {
        name,
        url,
        login,
        events: events?,
        streams: streams?,
        after: after?,
        secret: secret?,
        headers: headers?,
        timeout: timeout?,
        insecure: insecure?,
    })
}

fn address(text: &str) -> Result<(Secret, Option<Login>), Wrong> {
    let (url, login) = url::camera(text)?;
    Ok((Secret::new(url.as_str()), login))
}

fn events(reader: &Reader<'_>) -> Option<Vec<HookEvent>> {
    let parse = |text: &str| {
        let known = HookEvent::ALL.into_iter().find(|event| event.as_str() == text);
        known.ok_or_else(|| Wrong::want_not("must be lost, back, no-viewers, or a list of them", text))
    };
    let read = reader.list(&schema::WEBHOOK_EVENTS, parse);
    let given = reader.own(&schema::WEBHOOK_EVENTS).is_some();
    match (read.is_empty(), given) {
        (true, true) => None,
        (true, false) => Some(USUAL.to_vec()),
        (false, _) => Some(read.into_iter().map(|(event, _)| event).collect()),
    }
}

fn secret(text: &str) -> Result<Option<Secret>, Wrong> {
    match text {
        "none" => Ok(None),
        secret if secret.len() >= MIN_SECRET => Ok(Some(Secret::new(secret))),
        _ => Err(Wrong::want(format!("must be none, or a secret of {MIN_SECRET} letters and more"))),
    }
}
