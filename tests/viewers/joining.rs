//! The first picture of a viewer, and its pictures while the camera sends none.

use std::sync::Arc;

use framecast::{
    config::{self, Environment},
    imaging::cpu_pool::CpuPool,
    stream::{StreamHandle, state::State},
};
use testkit::{
    pictures::jpeg,
    raw_client::TIMEOUT,
    stream_client::{ONE_PUSH, StreamViewer, push},
};
use tokio::time::timeout;

use crate::TestRelay;

#[tokio::test]
async fn a_viewer_that_joins_sees_the_present_picture_and_not_the_past() {
    let relay = TestRelay::live_push(&jpeg(1)).await;
    push(&relay, "x", &jpeg(2)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    assert_eq!(viewer.part().await.jpeg, jpeg(2));
}

/// Chromium draws a part only when the next one has come. If the second one were the repeat of a silent
/// stream, each of these viewers would have waited for one, and the one that watches all the time would have
/// seen as many.
#[tokio::test]
async fn a_viewer_that_joins_sees_the_present_picture_twice_at_once() {
    const VIEWERS: usize = 20;
    let relay = TestRelay::live_push(&jpeg(1)).await;
    let mut watching_all_the_time = StreamViewer::join(relay.address(), "/streams/x").await;
    for _ in 0..2 {
        watching_all_the_time.part().await;
    }
    for _ in 0..VIEWERS {
        let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
        for _ in 0..2 {
            assert_eq!(viewer.part().await.jpeg, jpeg(1));
        }
    }
    push(&relay, "x", &jpeg(2)).await;
    let mut repeats = 0;
    while watching_all_the_time.part().await.jpeg == jpeg(1) {
        repeats += 1;
    }
    assert!(repeats < VIEWERS, "the second picture came only with a repeat");
}

/// Also when it lets viewers go that take nothing for as long as nothing comes.
#[tokio::test]
async fn a_silent_stream_shows_its_last_picture_again_and_again() {
    let relay = TestRelay::start("streams: {x: {viewer_timeout: 1s, source: {type: push, token: none}}}");
    push(&relay, "x", &jpeg(1)).await;
    let mut viewer = StreamViewer::join(relay.address(), "/streams/x").await;
    for _ in 0..5 {
        assert_eq!(viewer.part().await.jpeg, jpeg(1));
    }
}

#[tokio::test]
async fn a_new_picture_reaches_every_viewer_in_order() {
    let relay = TestRelay::live_push(&jpeg(0)).await;
    let mut viewers = Vec::new();
    for _ in 0..5 {
        viewers.push(StreamViewer::join(relay.address(), "/streams/x").await);
    }
    for n in 1..=10 {
        push(&relay, "x", &jpeg(n)).await;
        for viewer in &mut viewers {
            assert_eq!(viewer.after(&jpeg(n - 1)).await.jpeg, jpeg(n));
        }
    }
}

/// The relay listens before its streams' threads have done anything.
#[test]
fn a_picture_pushed_before_the_stream_runs_makes_it_live() {
    actix_rt::System::new().block_on(async {
        let mut config = config::parse(ONE_PUSH, "test", &Environment::default()).unwrap();
        let pool = Arc::new(CpuPool::for_this_machine().unwrap());
        let stream = StreamHandle::start(
            config.streams.remove(0),
            config.limits,
            pool,
            Arc::new(framecast::source::NoStreams),
        );
        // Nothing was awaited: the stream's actor had no turn yet.
        stream.ingest().push_jpeg(jpeg(1).into()).unwrap();
        let mut changes = stream.status_changes();
        // The guard that comes of waiting is dropped at once: the stream would wait for it.
        let live = async { changes.wait_for(|status| status.state == State::Live).await.is_ok() };
        let live = timeout(TIMEOUT, live).await;
        assert!(live == Ok(true), "it is {:?}", stream.status());
        stream.stop().await;
    });
}
