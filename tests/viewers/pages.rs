//! The pages and what they refer to, as browsers ask for them; and what the graphs begin with.

use serde_json::Value;
use testkit::{
    pictures::jpeg,
    raw_client::{Answer, Client},
    stream_client::push,
};

use crate::TestRelay;

const ONE: &str = "streams: {x: {source: {type: push, token: none}}}";

async fn get(relay: &TestRelay, target: &str, known: &str) -> Answer {
    Client::ask(relay.address(), "GET", target, &[("If-None-Match", known)], b"").await
}

/// The addresses that a page refers to in quotes, with this beginning.
fn referred<'a>(text: &'a str, beginning: &str) -> Vec<&'a str> {
    text.split('"').filter(|quoted| quoted.starts_with(beginning)).collect()
}

#[tokio::test]
async fn what_the_pages_refer_to_is_sent_once_and_known_by_its_tag() {
    let relay = TestRelay::start(ONE);
    let mut targets = vec!["/".to_owned(), "/view/x".to_owned()];
    let mut seen = 0;
    while let Some(target) = targets.get(seen).cloned() {
        let fresh = Client::get(relay.address(), &target).await;
        assert_eq!(fresh.head.status, 200, "{target}");
        assert_eq!(fresh.head.get("cache-control"), Some("no-cache"), "asked each time: {target}");
        assert_eq!(fresh.head.get("x-content-type-options"), Some("nosniff"));
        let tag = fresh.head.get("etag").expect("it has a tag").to_owned();
        for known in [tag.clone(), format!("W/{tag}"), format!("\"other\", {tag}")] {
            let same = get(&relay, &target, &known).await;
            assert_eq!((same.head.status, same.body.len()), (304, 0), "{target} with {known}");
            assert_eq!(same.head.get("etag"), Some(&*tag));
            assert_eq!(same.head.get("cache-control"), Some("no-cache"));
        }
        let other = get(&relay, &target, "\"other\"").await;
        assert_eq!((other.head.status, other.body), (200, fresh.body.clone()), "{target}");
        // Pages refer to assets, and scripts to scripts beside them.
        let text = String::from_utf8(fresh.body).unwrap();
        let of_page = referred(&text, "page/").into_iter().chain(referred(&text, "../page/"));
        let of_page = of_page.map(|name| format!("/{}", name.trim_start_matches("../")));
        let scripts = referred(&text, "./").into_iter().filter(|name| name.ends_with(".js"));
        let scripts = scripts.map(|name| format!("/page/{}", &name[2..]));
        for found in of_page.chain(scripts) {
            if !targets.contains(&found) {
                targets.push(found);
            }
        }
        seen += 1;
    }
    assert!(seen > 15, "only {targets:?}: is nothing referred to?");
    assert_eq!(get(&relay, "/page/nothing.js", "\"other\"").await.head.status, 404);
}

#[tokio::test]
async fn frame_rates_of_the_last_minutes_are_counted_while_nobody_asks() {
    let relay = TestRelay::start(
        &format!("auth: {{anonymous: x}}\n{ONE}").replace("}}}", "}}, y: {source: {type: pattern}}}"),
    );
    for n in 1..=6 {
        push(&relay, "x", &jpeg(n)).await;
    }
    let rates = loop {
        let answer: Value = Client::get(relay.address(), "/api/history").await.json();
        assert_eq!(answer["step_s"], 2.0);
        assert!(answer["fps"]["y"].is_null(), "it is not for everybody: {answer}");
        let rates: Vec<f64> = serde_json::from_value(answer["fps"]["x"].clone()).unwrap();
        if (rates.iter().sum::<f64>() * 2.0 - 6.0).abs() < 0.01 {
            break rates;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    let one: Value = Client::get(relay.address(), "/api/streams/x/history").await.json();
    assert_eq!(one["fps"].as_object().unwrap().keys().collect::<Vec<_>>(), ["x"]);
    let later: Vec<f64> = serde_json::from_value(one["fps"]["x"].clone()).unwrap();
    assert!(later.starts_with(&rates), "what is past does not change: {rates:?}, {later:?}");
    assert_eq!(Client::get(relay.address(), "/api/streams/y/history").await.head.status, 401);
}
