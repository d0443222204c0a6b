use std::{future::pending, net::Ipv6Addr};

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::*;
use crate::config::{Environment, parse};

const PEER: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));

fn connections(most: usize, per_address: Option<usize>) -> Arc<Connections> {
    Arc::new(Connections::with_max(most, per_address))
}

fn rejections(connections: &Connections) -> Vec<u64> {
    connections.refused().map(|(_, count)| count).collect()
}

/// Admits a connection from [`PEER`] that is served until it is dropped or closed. Returns the connection,
/// and the task that serves it.
async fn served(connections: &Arc<Connections>) -> (Connection, tokio::task::JoinHandle<Option<()>>) {
    let admitted = connections.admit(PEER, false).await.unwrap();
    let (told, served) = oneshot::channel();
    let serving = actix_rt::spawn(admitted.serve(async move |connection| {
        told.send(connection).unwrap();
        pending().await
    }));
    (served.await.unwrap(), serving)
}

#[actix::test]
async fn the_longest_idle_connection_is_closed_for_a_new_one() {
    let connections = connections(2, None);
    let (busy, busy_ends) = served(&connections).await;
    let request = busy.begin_request().unwrap();
    let (_idle, idle_ends) = served(&connections).await;
    let (newest, newest_ends) = served(&connections).await;
    assert_eq!(idle_ends.await.unwrap(), None, "it was closed");
    assert_eq!((connections.open(), connections.idle(), connections.closed_idle()), (2, 1, 1));
    let _second = newest.begin_request().unwrap();
    assert_eq!(connections.admit(PEER, false).await.err(), Some(ConnectionRejection::Full));
    assert_eq!((rejections(&connections), connections.closed_idle()), (vec![1, 0], 1));
    // Its answer is being written, and only afterwards it is idle.
    busy.wrote();
    drop(request);
    assert_eq!(connections.admit(PEER, false).await.err(), Some(ConnectionRejection::Full));
    busy.flushed();
    assert!(connections.admit(PEER, false).await.is_ok());
    assert_eq!(busy_ends.await.unwrap(), None);
    assert!(busy.begin_request().is_none(), "its request came too late");
    newest_ends.abort();
}

#[actix::test]
async fn a_burst_finds_room_one_after_the_other() {
    let connections = connections(2, None);
    let mut all = Vec::new();
    for _ in 0..20 {
        let connections = connections.clone();
        all.push(actix_rt::spawn(async move {
            let admitted = connections.admit(PEER, false).await.unwrap();
            admitted.serve(async |_| pending::<()>().await).await
        }));
    }
    let last = all.split_off(18);
    for closed in all {
        assert_eq!(closed.await.unwrap(), None);
    }
    assert_eq!((connections.closed_idle(), rejections(&connections)), (18, vec![0, 0]));
    last.iter().for_each(|serving| serving.abort());
}

#[actix::test]
async fn a_request_that_waits_for_its_client_is_no_reason_to_stay() {
    let connections = connections(1, None);
    let (slow, ends) = served(&connections).await;
    let _request = slow.begin_request().unwrap();
    let waiting = slow.wait_for_client();
    drop(waiting);
    assert_eq!(
        connections.admit(PEER, false).await.err(),
        Some(ConnectionRejection::Full),
        "it is at work again"
    );
    let waiting = slow.wait_for_client();
    let next = connections.admit(PEER, false).await.unwrap();
    assert_eq!(ends.await.unwrap(), None);
    drop((waiting, next));
    assert_eq!((connections.open(), connections.permits.available_permits()), (0, 1));
}

#[actix::test]
async fn a_flush_while_an_idle_one_is_looked_for_is_not_lost() {
    let connections = connections(1, None);
    let (writing, ends) = served(&connections).await;
    // Such as what HTTP/2 sends between requests.
    writing.wrote();
    assert_eq!(
        connections.admit(PEER, false).await.err(),
        Some(ConnectionRejection::Full),
        "it is being written to"
    );
    assert!(writing.awaits_flush());
    writing.flushed();
    assert!(!writing.awaits_flush());
    assert!(connections.admit(PEER, false).await.is_ok());
    assert_eq!(ends.await.unwrap(), None);
}

#[actix::test]
async fn a_connection_that_does_not_end_keeps_its_permit() {
    tokio::time::pause();
    let connections = connections(1, None);
    let _stuck = connections.admit(PEER, false).await.unwrap();
    assert_eq!(connections.admit(PEER, false).await.err(), Some(ConnectionRejection::Full));
    assert_eq!((connections.closed_idle(), rejections(&connections)), (1, vec![1, 0]));
}

#[actix::test]
async fn an_address_has_its_own_limit_and_a_proxy_has_none() {
    let connections = connections(100, Some(2));
    let network = |last| Some(Ipv6Addr::new(0x2001, 0xdb8, 0, 1, 0, 0, 0, last).into());
    let mut open = Vec::new();
    for (peer, is_proxy) in [(PEER, false), (PEER, false), (network(1), false), (network(2), false)] {
        open.push(connections.admit(peer, is_proxy).await.unwrap());
    }
    let mapped = Some(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201).into());
    for peer in [PEER, mapped, network(3)] {
        assert_eq!(
            connections.admit(peer, false).await.err(),
            Some(ConnectionRejection::Address),
            "{peer:?}"
        );
    }
    assert_eq!(rejections(&connections), [0, 3]);
    for _ in 0..5 {
        open.push(connections.admit(PEER, true).await.unwrap());
        open.push(connections.admit(None, false).await.unwrap());
    }
    open.swap_remove(0);
    assert!(connections.admit(PEER, false).await.is_ok());
    drop(open);
    assert_eq!((connections.open(), connections.permits.available_permits()), (0, 100));
}

#[actix::test]
async fn a_new_number_of_permits_holds_for_those_to_come() {
    let connections = connections(3, None);
    let mut open = Vec::new();
    for _ in 0..3 {
        let (connection, serving) = served(&connections).await;
        open.push((connection.begin_request().unwrap(), serving));
    }
    connections.set_max(1);
    connections.set_max(2);
    assert_eq!((connections.max(), connections.open()), (2, 3), "those that are open stay");
    for expected in [2, 1] {
        let (_, serving) = open.pop().unwrap();
        serving.abort();
        assert!(serving.await.is_err());
        assert_eq!(connections.open(), expected);
    }
    assert_eq!(connections.permits.available_permits(), 1);
    connections.set_max(3);
    assert_eq!(connections.permits.available_permits(), 2);
    for (_, serving) in open {
        serving.abort();
        assert!(serving.await.is_err());
    }
    assert_eq!(connections.permits.available_permits(), 3);
}

#[actix::test]
async fn a_permit_is_given_back_when_a_connection_panics() {
    let connections = connections(1, None);
    let admitted = connections.admit(PEER, false).await.unwrap();
    let serving = actix_rt::spawn(admitted.serve(async |_| panic!("by the test")));
    assert!(serving.await.is_err());
    assert!(connections.admit(PEER, false).now_or_never().unwrap().is_ok());
}

fn config(yaml: &str) -> Config {
    parse(yaml, "test", &Environment::default()).unwrap()
}

#[test]
fn the_reserve_follows_from_the_configuration() {
    let none = "server: {mosaic: false}\nstreams: {a: {source: {type: push, token: none}}}";
    let room = |yaml: &str| max_connections::by_descriptors(&config(yaml), Some(1024));
    let usual = room(none);
    assert!((700..1024).contains(&usual), "{usual}");
    let less = |yaml: &str| usual - room(yaml);
    let camera = "{type: mjpeg, url: 'http://camera/'}";
    let one = none.trim_end_matches('}');
    let with = |source: &str| format!("{one}}}}}, b: {{source: {source}}}}}");
    assert_eq!(less(&with("{type: push, token: none}")), 6, "pipes, and a picture while it is away");
    assert_eq!(less(&with(camera)), 6 + 3);
    assert_eq!(less(&with(&format!("[{camera}, {camera}, {camera}]"))), 6 + 2 * 3, "two of them at a time");
    assert_eq!(less(&with("{type: exec, command: [true]}")), 6 + 9);
    let saved = with(camera).replace("b: {", "b: {save: {latest: /tmp/x.jpg}, ");
    assert_eq!(less(&saved), 6 + 3 + 3);
    assert_eq!(room(&none.replace("{mosaic", "{sendfile: false, mosaic")) - usual, 5 * 17);
}

#[test]
fn few_descriptors_and_little_memory_leave_some_connections() {
    let config = config("streams: {a: {source: {type: push, token: none}}}");
    let most = |descriptors, memory| max_connections::max_connections(&config, descriptors, memory);
    assert_eq!(most(Some(64), None), 16);
    assert_eq!(most(Some(1), None), 1);
    assert_eq!(most(None, None), 32 * 1024);
    assert_eq!(most(None, Some(256 << 20)), 2048);
    assert_eq!(most(None, Some(1 << 20)), MAX_UNDECIDED);
    assert!((900..2048).contains(&most(Some(1200), Some(256 << 20))));
}

#[actix::test]
async fn one_connection_is_closed_for_one_that_waits() {
    let connections = connections(3, None);
    let mut busy = Vec::new();
    for _ in 0..3 {
        busy.push(served(&connections).await);
    }
    let request = busy[2].0.begin_request().unwrap();
    let waiting = || connections.waiting.load(Ordering::Relaxed);
    let mut first = Box::pin(connections.admit(PEER, false));
    assert!((&mut first).now_or_never().is_none(), "the closed one has not ended yet");
    assert_eq!((waiting(), connections.closed_idle(), connections.idle()), (1, 1, 1));
    // Another becomes idle, and the one that waits is woken.
    drop(request);
    busy[2].0.flushed();
    busy[2].0.flushed();
    assert!((&mut first).now_or_never().is_none());
    assert_eq!((waiting(), connections.closed_idle(), connections.idle()), (1, 1, 2));
    let mut second = Box::pin(connections.admit(PEER, false));
    assert!((&mut second).now_or_never().is_none());
    assert_eq!((waiting(), connections.closed_idle()), (2, 2));
    drop(second);
    assert_eq!(waiting(), 1);
    first.await.unwrap();
    assert_eq!(waiting(), 0);
    busy.into_iter().for_each(|(_, serving)| serving.abort());
}

#[actix::test]
async fn a_new_connection_is_refused_at_once_when_all_have_requests() {
    let connections = connections(1, None);
    let (busy, serving) = served(&connections).await;
    let _request = busy.begin_request().unwrap();
    let refused = connections.admit(PEER, false).now_or_never().expect("there is nothing to wait for");
    assert_eq!(refused.err(), Some(ConnectionRejection::Full));
    assert_eq!(connections.refused().collect::<Vec<_>>(), [("full", 1), ("address", 0)]);
    serving.abort();
}

#[actix::test]
async fn permits_that_are_free_are_removed_at_once_and_others_when_they_are_returned() {
    let connections = connections(3, None);
    let (_, serving) = served(&connections).await;
    connections.set_max(1);
    assert_eq!((connections.permit_count(), connections.permits.available_permits()), (1, 0));
    serving.abort();
    assert!(serving.await.is_err());
    assert_eq!((connections.permit_count(), connections.permits.available_permits()), (1, 1));
    let (_, serving) = served(&connections).await;
    connections.set_max(3);
    let (_, other) = served(&connections).await;
    let (_, third) = served(&connections).await;
    connections.set_max(1);
    assert_eq!((connections.max(), connections.permit_count()), (1, 3));
    [serving, other, third].iter().for_each(|serving| serving.abort());
}

#[actix::test]
async fn a_new_configuration_sets_both_limits_within_those_of_the_start() {
    let config = config("limits: {max_connections_per_address: 1}\nstreams: {a: {source: {type: pattern}}}");
    let few = connections(3, None);
    few.set(&config);
    assert_eq!(few.max(), 3, "the server was started for as many");
    let _first = few.admit(PEER, false).await.unwrap();
    assert_eq!(few.admit(PEER, false).await.err(), Some(ConnectionRejection::Address));
    let many = connections(1 << 40, None);
    many.set(&config);
    let most = max_connections::max_connections(&config, max_open_files(), memory_limit());
    assert!(most > 1);
    assert_eq!((many.max(), Connections::new(&config).max()), (most, most));
    assert_eq!(connections_for(&config), max_connections::by_descriptors(&config, max_open_files()));
    assert_eq!([3, 100].map(|most| connections(most, None).max_accepted()), [6, 164]);
}

#[test]
fn the_reserve_is_what_the_parts_may_have_open_at_once() {
    let cores = std::thread::available_parallelism().unwrap().get();
    let most = 1 << 20;
    let reserved = |yaml: &str| most - 64 - max_connections::by_descriptors(&config(yaml), Some(most as u64));
    let stream =
        "server: {mosaic: false, sendfile: false}\nstreams: {a: {source: {type: push, token: none}}}";
    // The process, its threads, one listener, and a picture while the source is away.
    let least = 32 + 3 * (2 * cores + 1) + 1 + 1;
    assert_eq!(reserved(stream), least);
    let with = |source: &str| stream.replace("{type: push, token: none}", source);
    let camera = "{type: mjpeg, url: 'http://camera/'}";
    let chart = "{type: chart, series: [a]";
    for (source, descriptors) in [
        (format!("[{camera}, {camera}, {{type: exec, command: [true]}}]"), 9 + 3),
        ("{type: images, path: '/tmp/*.jpg'}".to_owned(), 2),
        (format!("{chart}, token: none}}"), 0),
        (format!("{chart}, poll: {{url: 'http://meter/'}}}}"), 3),
    ] {
        assert_eq!(reserved(&with(&source)), least + descriptors, "{source}");
    }
    let hooks = format!("webhooks: {{one: {{url: 'http://one/'}}, two: {{url: 'http://two/'}}}}\n{stream}");
    assert_eq!(reserved(&hooks), least + 2 * 3);
    let listeners = stream.replace("mosaic", "listen: ['127.0.0.1:1', '127.0.0.1:2', '127.0.0.1:3'], mosaic");
    assert_eq!(reserved(&listeners), least + 2);
}

#[test]
fn viewers_that_are_configured_and_tls_are_reckoned_with() {
    let many =
        "limits: {max_viewers: 40000, max_live_connections: 50}\nstreams: {a: {source: {type: pattern}}}";
    assert_eq!(max_connections::max_connections(&config(many), None, None), 40_050);
    let mut tls = config("streams: {a: {source: {type: pattern}}}");
    tls.server.tls = Some(crate::config::TlsConfig {
        cert_file: "cert.pem".into(),
        key_file: "key.pem".into(),
        http2: true,
        redirect_from: vec!["127.0.0.1:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()],
    });
    assert_eq!(max_connections::max_connections(&tls, None, Some(256 << 20)), 819);
    let plain = crate::config::Config {
        server: crate::config::ServerConfig { tls: None, ..tls.server.clone() },
        ..tls.clone()
    };
    let descriptors = |config: &Config| max_connections::by_descriptors(config, Some(1024));
    assert_eq!(descriptors(&plain) - descriptors(&tls), 2);
}
