//! Cameras that stop talking, and how soon that is noticed: each test waits for the outcome, not for a time.

use std::time::Duration;

use framecast::{
    bus::DropReason,
    source::{Deadline, SourceError},
};
use testkit::fake_camera::{FakeCamera, Step};

use crate::source_runner::{HEAD, Outcome, answer, body, config, jpeg, three, watch};

const SHORT: Duration = Duration::from_millis(50);

#[track_caller]
fn assert_late(outcome: &Outcome, expected: Deadline) {
    match &outcome.result {
        Err(SourceError::Late { waiting_for, within, .. }) => {
            assert_eq!((*waiting_for, *within), (expected, SHORT));
        }
        other => panic!("{other:?} in place of a deadline for {expected:?}"),
    }
}

#[actix_web::test]
async fn a_camera_that_accepts_and_never_answers_is_late_with_its_head() {
    let camera = FakeCamera::start(|_| vec![Step::Stall]).await;
    let mut config = config(&camera.url("/"));
    config.head_timeout = SHORT;
    let outcome = watch(config).await;
    assert_late(&outcome, Deadline::Head);
    let address = camera.address();
    assert_eq!(outcome.error(), format!("{address} did not answer the request within 0.05 s"));
    camera.all_closed().await;
}

#[actix_web::test]
async fn half_a_head_is_not_an_answer() {
    let camera = FakeCamera::start(|_| {
        vec![Step::Request, Step::Send(b"HTTP/1.1 200 OK\r\nContent-Type: ".to_vec()), Step::Stall]
    })
    .await;
    let mut config = config(&camera.url("/"));
    config.head_timeout = SHORT;
    assert_late(&watch(config).await, Deadline::Head);
    camera.all_closed().await;
}

#[actix_web::test]
async fn headers_and_then_nothing_is_late_with_the_first_frame() {
    for begun in [&b""[..], b"--cam\r\nContent-Type: image/jpeg\r\nContent-Length: 500\r\n\r\n\xff\xd8"] {
        let camera =
            FakeCamera::start(|_| vec![Step::Request, Step::Send(answer(HEAD, begun)), Step::Stall]).await;
        let mut config = config(&camera.url("/"));
        config.first_frame_timeout = SHORT;
        assert_late(&watch(config).await, Deadline::FirstFrame);
        camera.all_closed().await;
    }
}

#[actix_web::test]
async fn a_stall_inside_a_later_frame_is_late_with_the_next_frame() {
    let camera = FakeCamera::start(|_| {
        let all = answer(HEAD, &body(&three()));
        let cut = all.len() - jpeg(3).len() / 2;
        vec![Step::Request, Step::Send(all[..cut].to_vec()), Step::Stall]
    })
    .await;
    let mut config = config(&camera.url("/"));
    config.frame_timeout = SHORT;
    let outcome = watch(config).await;
    assert_late(&outcome, Deadline::NextFrame);
    outcome.assert_shown(&three()[..2], "the frames before the stall");
    camera.all_closed().await;
}

#[actix_web::test]
async fn bytes_that_are_no_frames_do_not_count_as_life() {
    let camera = FakeCamera::start(|_| {
        let trickle = std::iter::repeat_n(b"--cam\r\n".to_vec(), 1_000_000);
        vec![
            Step::Request,
            Step::Send(answer(HEAD, &body(&three()))),
            Step::Pieces(trickle.collect()),
            Step::Stall,
        ]
    })
    .await;
    let mut config = config(&camera.url("/"));
    config.frame_timeout = SHORT;
    let outcome = watch(config).await;
    assert!(outcome.result.is_err(), "an endless trickle of delimiters is no stream");
    outcome.assert_shown(&three(), "the frames before the trickle");
    camera.all_closed().await;
}

#[actix_web::test]
async fn a_connection_that_is_not_taken_is_late() {
    // A listener whose queue is full takes no connection: the system then drops what arrives.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _in_queue = std::net::TcpStream::connect(address).unwrap();
    let mut config = config(&format!("http://{address}/"));
    config.connect_timeout = SHORT;
    assert_late(&watch(config).await, Deadline::Connect);
}

#[actix_web::test]
async fn a_reset_is_an_error_that_names_the_camera() {
    let camera = FakeCamera::start(|_| {
        vec![Step::Request, Step::Pieces(vec![answer(HEAD, &body(&three()))]), Step::Reset]
    })
    .await;
    let outcome = watch(config(&camera.url("/"))).await;
    let broken = format!("the connection to {} broke: ", camera.address());
    assert!(outcome.error().starts_with(&broken), "{}", outcome.error());
    outcome.assert_shown(&three(), "the frames before the reset");
}

#[actix_web::test]
async fn a_source_that_is_dropped_closes_its_socket_at_once() {
    let camera =
        FakeCamera::start(|_| vec![Step::Request, Step::Send(answer(HEAD, &body(&three()))), Step::Stall])
            .await;
    tokio::select! {
        _ = watch(config(&camera.url("/"))) => panic!("the camera never ends"),
        () = asked(&camera) => {}
    }
    camera.all_closed().await;
    assert_eq!(camera.most_open(), 1);
}

async fn asked(camera: &FakeCamera) {
    while camera.requests().is_empty() {
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn a_frame_that_is_cut_by_the_close_is_dropped_and_counted() {
    let camera = FakeCamera::start(|_| {
        let all = answer(HEAD, &body(&three()));
        vec![Step::Request, Step::Send(all[..all.len() - 20].to_vec())]
    })
    .await;
    let outcome = watch(config(&camera.url("/"))).await;
    outcome.assert_frames(&three()[..2], "the whole ones");
    assert_eq!(outcome.dropped(DropReason::Invalid), 1);
}
