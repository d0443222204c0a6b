//! New configurations while viewers watch.

use std::{cell::Cell, net::SocketAddr, rc::Rc};

use futures_util::future::join_all;
use serde_json::Value;
use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stream_client::{CLOSING, StreamViewer, push_at},
};

use crate::{beside, config};
use tokio::sync::watch;

async fn report(at: SocketAddr, stream: &str) -> Value {
    Client::get(at, &format!("/api/streams/{stream}")).await.json()
}

/// Watches `x` from picture 0 on, says which one it has, and fails when one is missing or not as it was
/// pushed.
async fn watch_all(at: SocketAddr, pictures: Rc<Vec<Vec<u8>>>, has: watch::Sender<usize>) {
    let mut viewer = StreamViewer::join(at, "/streams/x").await;
    viewer.until(&pictures[0]).await;
    for n in 1..pictures.len() {
        has.send_replace(n);
        let part = viewer.after(&pictures[n - 1]).await;
        assert!(part.jpeg == pictures[n], "picture {n} is missing, or another");
    }
    has.send_replace(pictures.len());
}

/// Changes beside `x`, whose settings stay: other streams, their settings, their order, viewers' limits.
const BESIDE: [&str; 5] = [
    "y: {source: {type: pattern, size: 64x48, fps: 50}}",
    "y: {title: Other, source: {type: pattern, size: 64x48, fps: 50}}",
    "z: {source: {type: rendition, of: x}, encode: {quality: 30}}\n  y: {source: {type: push, token: none}}",
    "wall: {source: {type: mosaic, of: [x], size: 64x48}}",
    "z: {source: {type: rendition, of: x}, max_fps: 5}\n  y: {source: {type: pattern, size: 64x48}, replay: \
     5s}",
];

#[test]
fn viewers_of_streams_that_did_not_change_lose_nothing_in_many_reloads_under_load() {
    const VIEWERS: usize = 8;
    const PICTURES: u8 = 240;
    let x = "x: {source: {type: push, token: none}}";
    let yaml = |n: usize| {
        let (beside, limit) = (BESIDE[n % BESIDE.len()], 100 + n % 3);
        let (first, second) = if n.is_multiple_of(2) { (x, beside) } else { (beside, x) };
        format!("limits: {{max_viewers: {limit}}}\nstreams:\n  {first}\n  {second}\n")
    };
    beside(
        async |relay, at| {
            let pictures: Rc<Vec<_>> = Rc::new((0..PICTURES).map(jpeg).collect());
            push_at(at, "x", &pictures[0]).await;
            let viewers: Vec<_> = (0..VIEWERS)
                .map(|_| {
                    let (has, seen) = watch::channel(0);
                    (actix_rt::spawn(watch_all(at, pictures.clone(), has)), seen)
                })
                .collect();
            let (tasks, mut seen): (Vec<_>, Vec<_>) = viewers.into_iter().unzip();
            let done = Rc::new(Cell::new(false));
            let pushing = actix_rt::spawn({
                let (pictures, done) = (pictures.clone(), done.clone());
                async move {
                    for n in 1..=pictures.len() {
                        // Nobody skips a picture that everybody waits for.
                        for viewer in &mut seen {
                            viewer.wait_for(|has| *has >= n).await.unwrap();
                        }
                        if n < pictures.len() {
                            push_at(at, "x", &pictures[n]).await;
                        }
                    }
                    done.set(true);
                }
            });
            let before = report(at, "x").await;
            let mut reloads = 0;
            while !done.get() && tasks.iter().all(|task| !task.is_finished()) {
                reloads += 1;
                let applied = relay.apply(config(&yaml(reloads))).await.unwrap();
                assert!(!applied.changed.iter().any(|name| name.as_str() == "x"), "{applied:?}");
                assert!(
                    !applied.added.is_empty() || !applied.changed.is_empty(),
                    "each one changes something"
                );
            }
            for task in join_all(tasks).await {
                task.unwrap();
            }
            pushing.await.unwrap();
            let after = report(at, "x").await;
            assert_eq!(after["frames_in"], PICTURES);
            assert_eq!((&after["since"], &after["skipped"]), (&before["since"], &Value::from(0)));
            assert!(reloads >= 20, "only {reloads} reloads: is this still a load?");
            relay.stop().await;
        },
        &yaml(0),
    );
}

#[test]
fn viewers_of_a_stream_that_changed_stay_and_see_its_new_source() {
    let yaml = |text: &str| {
        format!(
            "streams: {{x: {{source: {{type: text, text: {text}, fps: 20}}}}, small: {{source: {{type: \
             rendition, of: x}}}}}}"
        )
    };
    beside(
        async |relay, at| {
            let mut viewer = StreamViewer::join(at, "/streams/x").await;
            let mut small = StreamViewer::join(at, "/streams/small").await;
            let (old, old_small) = (viewer.part().await.jpeg, small.part().await.jpeg);
            assert!(old == old_small, "nobody changes the rendition's pictures");
            for (n, text) in ["two", "three", "four"].into_iter().enumerate() {
                let applied = relay.apply(config(&yaml(text))).await.unwrap();
                assert_eq!(applied.to_string(), "changed: x", "round {n}");
                // Placeholders are wider.
                let new = loop {
                    let part = viewer.after(&old).await;
                    if part.jpeg != old {
                        break part.jpeg;
                    }
                };
                small.until(&new).await;
            }
            // A picture is shown before its stream has said that it is live.
            let now = loop {
                let now = report(at, "x").await;
                if now["state"] == "live" {
                    break now;
                }
            };
            assert_eq!(now["viewers"], 1);
            relay.stop().await;
        },
        &yaml("one"),
    );
}

#[test]
fn a_stream_that_is_taken_away_ends_for_its_viewers_and_one_that_is_added_is_there() {
    let one = "streams: {x: {source: {type: push, token: none}}}";
    let two = "streams: {y: {source: {type: push, token: none}}, x: {source: {type: push, token: none}}}";
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            assert_eq!(Client::get(at, "/streams/y").await.head.status, 404);
            assert_eq!(relay.apply(config(two)).await.unwrap().to_string(), "added: y; changed: all");
            push_at(at, "y", &jpeg(2)).await;
            let first = Client::get(at, "/?action=snapshot_0").await;
            assert!(first.body == jpeg(2), "the order is that of the new file");
            let mut viewer = StreamViewer::join(at, "/streams/y").await;
            viewer.until(&jpeg(2)).await;
            let rest = actix_rt::spawn(async move { viewer.body.rest().await });
            assert_eq!(relay.apply(config(one)).await.unwrap().to_string(), "changed: all; removed: y");
            let rest = rest.await.unwrap();
            assert!(rest.ends_with(CLOSING.as_bytes()), "{}", String::from_utf8_lossy(&rest));
            assert_eq!(Client::get(at, "/streams/y").await.head.status, 404);
            assert!(Client::get(at, "/streams/x/snapshot").await.body == jpeg(1), "it was left alone");
            relay.stop().await;
        },
        one,
    );
}

#[test]
fn a_paused_stream_lets_go_of_its_source_and_says_so_until_it_is_resumed() {
    beside(
        async |relay, at| {
            let stream = relay.registry().get(&"x".parse().unwrap()).unwrap();
            let mut viewer = StreamViewer::join(at, "/streams/x").await;
            let picture = viewer.part().await.jpeg;
            stream.pause().await;
            let card = viewer.after(&picture).await.jpeg;
            let paused = report(at, "x").await;
            assert_eq!((&paused["state"], &paused["viewers"]), (&Value::from("paused"), &Value::from(1)));
            let refused = Client::get(at, "/streams/x/snapshot").await;
            assert!(String::from_utf8_lossy(&refused.body).contains("it is paused"), "{refused:?}");
            // A new title changes nothing about the pause.
            let titled = "streams: {x: {title: X, source: {type: text, text: a, fps: 20}}}";
            relay.apply(config(titled)).await.unwrap();
            assert_eq!(report(at, "x").await["state"], "paused");
            let stream = relay.registry().get(&"x".parse().unwrap()).unwrap();
            stream.resume().await;
            viewer.until(&picture).await;
            assert_ne!(card, picture);
            // The picture may be seen a moment before the state is.
            let mut status = stream.status_changes();
            status.wait_for(|status| status.state.as_str() == "live").await.unwrap();
            stream.restart().await;
            viewer.until(&picture).await;
            relay.stop().await;
        },
        "streams: {x: {source: {type: text, text: a, fps: 20}}}",
    );
}

#[test]
fn what_can_only_change_with_a_restart_is_named_and_viewers_limits_change_at_once() {
    let one = "streams: {x: {source: {type: push, token: none}}}";
    beside(
        async |relay, at| {
            push_at(at, "x", &jpeg(1)).await;
            let limited = format!("limits: {{max_viewers: 1}}\nserver: {{base_path: /a, cors: none}}\n{one}");
            let applied = relay.apply(config(&limited)).await.unwrap();
            assert_eq!(applied.to_string(), "needs a restart: server.base_path");
            let first = StreamViewer::join(at, "/streams/x").await;
            assert_eq!(first.head.get("access-control-allow-origin"), None);
            assert_eq!(Client::get(at, "/streams/x").await.head.status, 503);
            assert_eq!(Client::get(at, "/a/healthz").await.head.status, 404);
            relay.apply(config(one)).await.unwrap();
            let second = StreamViewer::join(at, "/streams/x").await;
            assert_eq!(second.head.get("access-control-allow-origin"), Some("*"));
            relay.stop().await;
        },
        one,
    );
}
