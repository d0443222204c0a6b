//! Who may push.

use testkit::raw_client::{Answer, Client};

use crate::publisher::{Feed, INBOX, assert_refused, jpeg, post, pushed, report, shown, start};

const TOKEN: &str = "kept-in-a-test";
const GUARDED: &str = "/streams/guarded/frame";

#[tokio::test]
async fn the_token_is_taken_from_the_header_or_the_query() {
    let relay = start();
    let at = relay.address();
    let bearers = ["Bearer kept-in-a-test", "bearer  kept-in-a-test"];
    for (n, bearer) in bearers.into_iter().enumerate() {
        pushed(&post(at, GUARDED, &[("Authorization", bearer)], &jpeg(n as u8)).await);
        assert_eq!(shown(at, "guarded").await, jpeg(n as u8));
    }
    pushed(&post(at, &format!("{GUARDED}?token={TOKEN}"), &[], &jpeg(7)).await);
    // A proxy's own login does not stand in the way of a token in the query.
    let basic = ("Authorization", "Basic dTpw");
    pushed(&post(at, &format!("{GUARDED}?x=1&token=kept%2Din-a-test"), &[basic], &jpeg(8)).await);
    assert_eq!(shown(at, "guarded").await, jpeg(8));
}

#[tokio::test]
async fn a_wrong_or_missing_token_is_refused_without_a_hint_at_the_right_one() {
    let relay = start();
    let at = relay.address();
    let no_token = |answer: &Answer| {
        let detail = assert_refused(answer, 401);
        assert_eq!(answer.head.offered_schemes(), ["Basic", "Bearer"], "a token is also taken as a password");
        for secret in [TOKEN, "guessed"] {
            assert!(!String::from_utf8_lossy(&answer.body).contains(secret), "{detail}");
        }
    };
    no_token(&post(at, GUARDED, &[], &jpeg(1)).await);
    for wrong in ["Bearer guessed", "Bearer ", "Bearer kept-in-a-tes", "Bearer kept-in-a-testt", "guessed"] {
        no_token(&post(at, GUARDED, &[("Authorization", wrong)], &jpeg(1)).await);
    }
    no_token(&post(at, &format!("{GUARDED}?token=guessed"), &[], &jpeg(1)).await);
    // A feed is told at once, not when it ends.
    let mut feed = Feed::begin(at, "/streams/guarded/feed", None).await;
    no_token(&feed.answer().await);
    feed.closed().await;
    let report = report(at, "guarded").await;
    assert_eq!(report["frames_in"], 0);
    assert!(!report.to_string().contains(TOKEN) && report["push"] == "token");
}

#[tokio::test]
async fn an_open_stream_takes_pushes_with_and_without_a_token() {
    let relay = start();
    let at = relay.address();
    pushed(&post(at, INBOX, &[], &jpeg(1)).await);
    pushed(&post(at, INBOX, &[("Authorization", "Bearer whatever")], &jpeg(1)).await);
    assert_eq!(report(at, "inbox").await["push"], "open");
}

#[tokio::test]
async fn only_a_push_stream_that_exists_takes_pushes_and_only_by_post_or_put() {
    let relay = start();
    let at = relay.address();
    assert!(assert_refused(&post(at, "/streams/bars/frame", &[], &jpeg(1)).await, 409).contains("pattern"));
    assert!(assert_refused(&post(at, "/streams/nobody/frame", &[], &jpeg(1)).await, 404).contains("nobody"));
    assert!(assert_refused(&post(at, "/streams/nobody/feed", &[], &jpeg(1)).await, 404).contains("nobody"));
    let wrong = Client::get(at, INBOX).await;
    assert_refused(&wrong, 405);
    assert_eq!(wrong.head.get("allow"), Some("POST, PUT"));
}
