//! One picture a request.

use image::ImageFormat;
use testkit::raw_client::Client;

use crate::publisher::{INBOX, Viewer, answer, file, jpeg, jpeg_of_size, post, pushed, report, shown, start};

#[tokio::test]
async fn a_jpeg_posted_or_put_reaches_viewers_as_the_very_same_bytes() {
    let relay = start();
    let at = relay.address();
    let first = jpeg(1);
    pushed(&post(at, INBOX, &[("Content-Type", "image/jpeg")], &first).await);
    let mut viewer = Viewer::join(at, "inbox").await;
    viewer.sees(&first, &first).await;
    let second = jpeg(2);
    pushed(&Client::ask(at, "PUT", INBOX, &[], &second).await);
    viewer.sees(&second, &first).await;
}

#[tokio::test]
async fn a_picture_pushed_while_nobody_watches_is_what_the_first_viewer_sees() {
    let relay = start();
    let at = relay.address();
    for n in 1..=3 {
        pushed(&post(at, INBOX, &[], &jpeg(n)).await);
    }
    let report = report(at, "inbox").await;
    assert_eq!((&report["frames_in"], &report["viewers"]), (&3.into(), &0.into()));
    assert_eq!(shown(at, "inbox").await, jpeg(3));
    Viewer::join(at, "inbox").await.sees(&jpeg(3), &jpeg(3)).await;
}

#[tokio::test]
async fn other_picture_files_are_shown_as_jpegs_of_their_size_whatever_they_are_called() {
    let relay = start();
    let at = relay.address();
    let formats = [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp];
    for (n, format) in formats.into_iter().enumerate() {
        let (width, height) = (40 + n as u32, 30);
        pushed(&post(at, INBOX, &[("Content-Type", "image/jpeg")], &file(format, width, height)).await);
        assert!(shown(at, "inbox").await.starts_with(&[0xFF, 0xD8]), "{format:?}");
        let size = &report(at, "inbox").await["size"];
        assert_eq!((&size["width"], &size["height"]), (&width.into(), &height.into()), "{format:?}");
    }
}

#[tokio::test]
async fn a_connection_takes_picture_after_picture_also_after_refusals() {
    let relay = start();
    let mut client = Client::connect(relay.address()).await;
    let png = file(ImageFormat::Png, 10, 10);
    let requests: [(&str, &[u8], u16); 6] = [
        (INBOX, &jpeg(1), 204),
        (INBOX, b"no picture", 415),
        ("/streams/guarded/frame", &jpeg_of_size(1, 300, 300), 401),
        ("/streams/nobody/frame", &png, 404),
        ("/streams/bars/feed", &png, 409),
        (INBOX, &jpeg(2), 204),
    ];
    for (target, body, status) in requests {
        let head = format!("POST {target} HTTP/1.1\r\nHost: t\r\nContent-Length: {}\r\n\r\n", body.len());
        // Head and body apart, so that the answer must not depend on both coming at once.
        client.send(head.as_bytes()).await;
        client.send(body).await;
        assert_eq!(answer(&mut client).await.head.status, status, "{target}");
    }
    assert_eq!(shown(relay.address(), "inbox").await, jpeg(2));
}

#[tokio::test]
async fn a_picture_without_its_end_marker_gets_it_and_one_that_is_cut_is_refused_by_that_name() {
    let relay = start();
    let at = relay.address();
    let whole = jpeg(1);
    pushed(&post(at, INBOX, &[], &whole[..whole.len() - 2]).await);
    assert_eq!(shown(at, "inbox").await, whole);
    let file = [
        &b"--X\r\nContent-Disposition: form-data; name=\"a\"; filename=\"a.jpg\"\r\n\r\n"[..],
        &jpeg(2)[..jpeg(2).len() - 2],
        b"\r\n--X--\r\n",
    ]
    .concat();
    pushed(&post(at, INBOX, &[("Content-Type", "multipart/form-data; boundary=X")], &file).await);
    assert_eq!(shown(at, "inbox").await, jpeg(2));
    let refused = post(at, INBOX, &[], &whole[..whole.len() - 8]).await;
    assert_eq!(refused.head.status, 422);
    let report = report(at, "inbox").await;
    assert_eq!((&report["quirks"]["missing-eoi"], &report["dropped"]["invalid"]), (&2.into(), &1.into()));
}

#[tokio::test]
async fn a_thumbnail_behind_a_pushed_picture_is_passed_on_with_it() {
    let relay = start();
    let at = relay.address();
    let with_thumbnail = [jpeg_of_size(1, 64, 48), jpeg_of_size(2, 16, 8)].concat();
    pushed(&post(at, INBOX, &[], &with_thumbnail).await);
    assert_eq!(shown(at, "inbox").await, with_thumbnail);
    let report = report(at, "inbox").await;
    assert_eq!((&report["frames_in"], &report["size"]["width"]), (&1.into(), &64.into()));
}
