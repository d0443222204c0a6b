//! Settings of streams over HTTP, with stars in place of credentials.

use framecast::config::{carried_elsewhere, redacted, restored};
use serde_json::{Value, json};

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
    assert_eq!(restored(&json!({"source": {"token": "***"}}), &json!({})), Err("source.token".to_owned()));
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
        let patch = json!({"source": {"poll": {"url": url, "headers": {"X-Key": "new", "X-Other": null}}}});
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

#[test]
fn an_access_code_stays_with_its_printer() {
    let printer =
        |host: &str, code: &str| json!({"source": {"type": "bambu", "host": host, "access_code": code}});
    let before = printer("10.0.0.9", "12345678");
    assert_eq!(redacted(&before), printer("10.0.0.9", "***"));
    assert_eq!(restored(&printer("10.0.0.9", "***"), &before), Ok(before.clone()));
    for host in ["10.6.6.6", "10.0.0.9:6001"] {
        assert_eq!(restored(&printer(host, "***"), &before), Err("source.access_code".to_owned()), "{host}");
        let patch = json!({"source": {"host": host}});
        let carried = carried_elsewhere(&before, &patch, &printer(host, "12345678"));
        assert_eq!(carried.as_deref(), Some("source.access_code"), "{host}");
    }
    let patch = json!({"source": {"frame_timeout": "5s"}});
    assert_eq!(carried_elsewhere(&before, &patch, &before), None);
}
