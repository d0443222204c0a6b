//! Behind a proxy that keeps its prefix, or strips it.

use testkit::{
    pictures::jpeg,
    raw_client::Client,
    stream_client::{StreamViewer, push, wait_for_state},
};

use crate::TestRelay;

async fn behind_webcam() -> TestRelay {
    let yaml = "{server: {base_path: /webcam}, streams: {x: {source: {type: push, token: none}}}}";
    let relay = TestRelay::start(yaml);
    push(&relay, "x", &jpeg(1)).await;
    wait_for_state(&relay, "x", "live").await;
    relay
}

#[tokio::test]
async fn every_route_is_served_with_the_prefix_and_without() {
    let relay = behind_webcam().await;
    for prefix in ["/webcam", ""] {
        for route in
            ["/?action=stream", "/?action=stream_0", "/streams/x", "/x.mjpg", "/stream", "/video_feed"]
        {
            let target = format!("{prefix}{route}");
            assert_eq!(
                StreamViewer::join(relay.address(), &target).await.part().await.jpeg,
                jpeg(1),
                "{target}"
            );
        }
        for route in ["/?action=snapshot", "/x.jpg", "/snapshot", "/streams/x/snapshot"] {
            let target = format!("{prefix}{route}");
            assert_eq!(Client::get(relay.address(), &target).await.body, jpeg(1), "{target}");
        }
        for route in ["/", "/api/streams", "/healthz", "/input_0.json", "/state", "/page/base.css", "/view/x"]
        {
            let target = format!("{prefix}{route}");
            assert_eq!(Client::get(relay.address(), &target).await.head.status, 200, "{target}");
        }
        let target = format!("{prefix}/streams/x/frame");
        let pushed = Client::ask(relay.address(), "POST", &target, &[], &jpeg(1)).await;
        assert_eq!(pushed.head.status, 204, "{target}");
    }
}

#[tokio::test]
async fn the_prefix_without_its_slash_leads_to_the_page() {
    let relay = behind_webcam().await;
    for method in ["GET", "HEAD"] {
        let answer = Client::ask(relay.address(), method, "/webcam", &[], b"").await;
        assert_eq!(answer.head.status, 308, "{method}");
        assert_eq!(answer.head.get("location"), Some("/webcam/"), "{method}");
    }
}

/// OctoPrint and Mainsail have it both ways.
#[tokio::test]
async fn the_prefix_without_its_slash_takes_mjpg_streamers_actions() {
    let relay = behind_webcam().await;
    let mut viewer = StreamViewer::join(relay.address(), "/webcam?action=stream").await;
    assert_eq!(viewer.part().await.jpeg, jpeg(1));
    assert_eq!(Client::get(relay.address(), "/webcam?action=snapshot").await.body, jpeg(1));
}
