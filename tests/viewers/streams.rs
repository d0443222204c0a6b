//! A stream as an answer.

use crate::{raw_client::Client, relay::TestRelay};

#[tokio::test]
async fn healthz() {
    let relay = TestRelay::start("streams: {x: {source: {type: push, token: none}}}");
    assert_eq!(relay.registry().all().len(), 1);
    let answer = Client::get(relay.address(), "/healthz").await;
    assert_eq!(answer.json()["status"], "ok");
}
