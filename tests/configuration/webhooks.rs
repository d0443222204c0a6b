use super::*;

#[test]
fn webhooks_have_a_name_and_no_mistake_shows_where_they_lead() {
    let config = good(
        "webhooks:\n  ops: {url: \"https://u:p%40ss@example.org/T0/${SECRET}\"}\n  \
         phone:\n    url: http://h/\n    events: no-viewers\n    streams: [a, b]\n    after: 0s\n    \
         secret: sixteen-letters-x\n    headers: {X: \"${SECRET}\"}\n    timeout: 1m\n    insecure: true\n\
         streams: {a: {source: {type: pattern}}}",
    );
    let [ops, phone] = &*config.webhooks else { panic!("{:?}", config.webhooks) };
    assert_eq!((&*ops.name, ops.url.reveal()), ("ops", "https://example.org/T0/hunter2"));
    let login = ops.login.as_ref().unwrap();
    assert_eq!((&*login.user, login.password.reveal()), ("u", "p@ss"));
    assert_eq!((&*ops.events, &ops.streams), (&[HookEvent::Lost, HookEvent::Back][..], &StreamScope::All));
    assert_eq!([ops.after, ops.timeout].map(|time| time.as_secs()), [10, 10]);
    assert!(ops.secret.is_none() && ops.headers.is_empty() && !ops.insecure);
    assert!(!format!("{ops:?}").contains("hunter2"), "{ops:?}");
    assert_eq!(phone.events, [HookEvent::NoViewers]);
    assert!(phone.streams.covers(Some(&"b".parse().unwrap())) && !phone.streams.covers(None));
    assert_eq!((phone.after.as_secs(), phone.timeout.as_secs()), (0, 60));
    let wrong = mistakes(
        "webhooks:\n  a: {url: \"ftp://u:hunter2@h/\", events: [lost, found], secret: hunter2, after: 9}\n  \
         b: {address: \"http://hunter2/\"}\n  \"c d\": {url: http://h/hunter2}\n\
         streams: {a: {source: {type: pattern}}}",
    )
    .join("\n");
    for part in [
        "webhooks.a.url: scheme must be http or https, not ftp",
        "webhooks.a.events[1]: must be lost, back, no-viewers, or a list of them, not found",
        "webhooks.a.secret: must be none, or a secret of 16 letters and more",
        "webhooks.a.after: must be a time with its unit",
        "webhooks.b.address: unknown key",
        "webhooks.b.url: is missing: the URL that events are sent to",
        "is not a name",
    ] {
        assert!(wrong.contains(part), "{part} is not in\n{wrong}");
    }
    assert!(!wrong.contains("hunter2"), "{wrong}");
}
