//! Bodies: data between frames, sizes of frames, and cameras that close often.

use framecast::{bus::DropReason, config::Limits};
use testkit::fake_camera::{FakeCamera, Step};

use crate::source_runner::{
    HEAD, answer, body, config, jpeg, jpeg_of_size, limits, three, watch, watch_source, watch_within,
};

#[actix_web::test]
async fn a_single_picture_ends_the_run_in_an_orderly_way() {
    let camera = FakeCamera::start(|_| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n",
            jpeg(1).len()
        );
        // The camera keeps the connection: the length ends the picture.
        vec![Step::Request, Step::Send(answer(&head, &jpeg(1))), Step::Stall]
    })
    .await;
    watch(config(&camera.url("/"))).await.assert_frames(&[jpeg(1)], "one picture");
    camera.all_closed().await;
}

#[actix_web::test]
async fn a_camera_that_closes_after_each_frame_sees_one_connection_after_the_other() {
    let camera =
        FakeCamera::start(|n| vec![Step::Request, Step::Send(answer(HEAD, &body(&[jpeg(n as u8 + 1)])))])
            .await;
    let mut source = framecast::source::camera::mjpeg::MjpegSource::new(config(&camera.url("/")), &limits());
    for n in 1..=5 {
        watch_source(&mut source).await.assert_frames(&[jpeg(n)], "one frame a connection");
    }
    assert_eq!((camera.connections(), camera.most_open()), (5, 1));
}

#[actix_web::test]
async fn garbage_between_frames_costs_no_frame() {
    let mut garbled = body(&three()[..1]);
    garbled.extend_from_slice(&[b"--cam\r\n\r\n", &[0xA5; 5000][..], b"\xff\xd8\xff\r\n"].concat());
    garbled.extend_from_slice(&body(&three()[1..]));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(answer(HEAD, &garbled))]).await;
    let outcome = watch(config(&camera.url("/"))).await;
    outcome.assert_frames(&three(), "resynchronised");
    assert!(outcome.dropped(DropReason::Invalid) > 0, "what was thrown away is counted");
}

#[actix_web::test]
async fn a_change_of_resolution_is_passed_on() {
    let frames = [jpeg_of_size(1, 16, 16), jpeg_of_size(2, 64, 32), jpeg_of_size(3, 8, 8)];
    let sent = answer(HEAD, &body(&frames));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    let outcome = watch(config(&camera.url("/"))).await;
    outcome.assert_frames(&frames, "each as it came");
    assert_eq!(outcome.bus.newest().unwrap().frame.width(), 8);
}

#[actix_web::test]
async fn a_frame_above_the_limit_is_dropped_and_the_next_one_shown() {
    let large = jpeg_of_size(9, 256, 256);
    let limits = Limits { max_frame_bytes: large.len() - 1, ..Limits::default() };
    let sent = answer(HEAD, &body(&[jpeg(1), large, jpeg(2)]));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    let outcome = watch_within(config(&camera.url("/")), &limits).await;
    outcome.assert_frames(&[jpeg(1), jpeg(2)], "around the large one");
    assert_eq!(outcome.dropped(DropReason::TooLarge), 1);
}

#[actix_web::test]
async fn a_body_without_pictures_is_given_up() {
    let camera = FakeCamera::start(|_| {
        let noise = vec![b"nothing to see here\r\n".repeat(50_000)];
        vec![Step::Request, Step::Send(HEAD.into()), Step::Pieces(noise), Step::Stall]
    })
    .await;
    let error = watch(config(&camera.url("/"))).await.error();
    assert!(error.contains("sends no usable stream: no JPEG in"), "{error}");
    camera.all_closed().await;
}

#[actix_web::test]
async fn a_fast_camera_lets_others_run_between_its_frames() {
    let frames: Vec<_> = (0..=200).map(jpeg).collect();
    let sent = answer(HEAD, &body(&frames));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    watch(config(&camera.url("/")))
        .await
        .assert_frames(&frames, "each frame was seen by a reader on the same thread");
}

#[actix_web::test]
async fn a_picture_of_more_than_two_megabytes_is_whole() {
    // awc's and actix-web's own ways of reading bodies end at 2 MiB.
    let mut large = jpeg(1);
    let comment: Vec<u8> = std::iter::repeat_n([&[0xff, 0xfe, 0xff, 0xff][..], &[b'x'; 0xfffd]].concat(), 48)
        .flatten()
        .collect();
    large.splice(2..2, comment);
    let sent = answer(HEAD, &body(&[large.clone(), jpeg(2)]));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    let outcome = watch_within(config(&camera.url("/")), &Limits::default()).await;
    outcome.assert_frames(&[large, jpeg(2)], "3 MiB");
}

#[actix_web::test]
async fn pictures_without_their_end_marker_are_shown_with_it_while_the_camera_is_silent() {
    let bare: Vec<_> = three().iter().map(|jpeg| jpeg[..jpeg.len() - 2].to_vec()).collect();
    let mut sent = answer(HEAD, &body(&bare));
    // A cut one between others, which stays refused.
    sent.extend_from_slice(&body(&[jpeg(4)[..jpeg(4).len() - 8].to_vec(), jpeg(5)]));
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    let outcome = watch(config(&camera.url("/"))).await;
    outcome.assert_frames(&[three(), vec![jpeg(5)]].concat(), "completed");
    assert_eq!((outcome.quirk("missing-eoi"), outcome.dropped(DropReason::Invalid)), (3, 1));
}

#[actix_web::test]
async fn thumbnails_behind_pictures_are_no_frames_and_pictures_of_the_same_size_are() {
    let large = jpeg_of_size(1, 64, 48);
    let sent = answer(
        HEAD,
        &body(&[
            [large.clone(), jpeg_of_size(2, 16, 8)].concat(),
            [large.clone(), jpeg_of_size(3, 64, 48)].concat(),
        ]),
    );
    let camera = FakeCamera::start(move |_| vec![Step::Request, Step::Send(sent.clone())]).await;
    let outcome = watch(config(&camera.url("/"))).await;
    outcome.assert_frames(&[large.clone(), large, jpeg_of_size(3, 64, 48)], "one thumbnail");
    assert_eq!(outcome.quirk("further-pictures"), 1);
}
