//! What a viewer sees first, and what it sees when nothing happens.

use crate::{
    pictures::jpeg,
    watching::{Viewing, live_push, push},
};

#[tokio::test]
async fn a_viewer_that_joins_sees_the_present_picture_and_not_the_past() {
    let relay = live_push(&jpeg(1)).await;
    push(&relay, "x", &jpeg(2)).await;
    let mut viewing = Viewing::join(relay.address(), "/streams/x").await;
    assert_eq!(viewing.part().await.jpeg, jpeg(2));
}

/// Chromium draws a part only when the next one has come. If the second one were the repeat of a silent stream, each of
/// these viewers would have waited for one, and the one that watches all the time would have seen as many.
#[tokio::test]
async fn a_viewer_that_joins_sees_the_present_picture_twice_at_once() {
    const VIEWERS: usize = 20;
    let relay = live_push(&jpeg(1)).await;
    let mut watching_all_the_time = Viewing::join(relay.address(), "/streams/x").await;
    for _ in 0..2 {
        watching_all_the_time.part().await;
    }
    for _ in 0..VIEWERS {
        let mut viewing = Viewing::join(relay.address(), "/streams/x").await;
        for _ in 0..2 {
            assert_eq!(viewing.part().await.jpeg, jpeg(1));
        }
    }
    push(&relay, "x", &jpeg(2)).await;
    let mut repeats = 0;
    while watching_all_the_time.part().await.jpeg == jpeg(1) {
        repeats += 1;
    }
    assert!(repeats < VIEWERS, "the second picture came only with a repeat");
}

#[tokio::test]
async fn a_silent_stream_shows_its_last_picture_again_and_again() {
    let relay = live_push(&jpeg(1)).await;
    let mut viewing = Viewing::join(relay.address(), "/streams/x").await;
    for _ in 0..5 {
        assert_eq!(viewing.part().await.jpeg, jpeg(1));
    }
}

#[tokio::test]
async fn a_new_picture_reaches_every_viewer_in_order() {
    let relay = live_push(&jpeg(0)).await;
    let mut viewers = Vec::new();
    for _ in 0..5 {
        viewers.push(Viewing::join(relay.address(), "/streams/x").await);
    }
    for n in 1..=10 {
        push(&relay, "x", &jpeg(n)).await;
        for viewing in &mut viewers {
            assert_eq!(viewing.after(&jpeg(n - 1)).await.jpeg, jpeg(n));
        }
    }
}
