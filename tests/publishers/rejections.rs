//! Invalid pictures are refused with the reason, counted, and replace nothing.

use image::ImageFormat;

use crate::publisher::{
    Feed, INBOX, assert_refused, file, jpeg, jpeg_of_size, post, pushed, report, shown, start, until,
};

/// Pushes what must be refused, and looks that it was counted and the frame before still shows.
async fn assert_push_refused(body: &[u8], status: u16, counter: &str, reason: &str) {
    let relay = start();
    let at = relay.address();
    pushed(&post(at, INBOX, &[], &jpeg(1)).await);
    let detail = assert_refused(&post(at, INBOX, &[], body).await, status);
    assert!(detail.contains(reason), "{detail} instead of {reason}");
    let report = report(at, "inbox").await;
    assert_eq!((&report["dropped"][counter], &report["frames_in"]), (&1.into(), &1.into()), "{report}");
    assert_eq!(shown(at, "inbox").await, jpeg(1));
}

#[tokio::test]
async fn what_is_no_picture() {
    assert_push_refused(b"<html><body>no picture", 415, "invalid", "an HTML page").await;
    assert_push_refused(b"", 415, "invalid", "an empty body").await;
}

#[tokio::test]
async fn a_truncated_picture() {
    assert_push_refused(&jpeg(2)[..200], 422, "invalid", "send the whole file").await;
    let png = file(ImageFormat::Png, 30, 30);
    assert_push_refused(&png[..png.len() / 2], 422, "invalid", "send the whole file").await;
}

#[tokio::test]
async fn a_body_that_says_it_is_too_large() {
    assert_push_refused(&vec![0xFF; 300_000], 413, "too_large", "max_frame_bytes").await;
}

#[tokio::test]
async fn a_body_that_grows_too_large() {
    let relay = start();
    let at = relay.address();
    pushed(&post(at, INBOX, &[], &jpeg(1)).await);
    let mut upload = Feed::begin(at, INBOX, Some("image/jpeg")).await;
    for _ in 0..20 {
        upload.send(&[0xFF; 16_384]).await;
    }
    assert!(assert_refused(&upload.answer().await, 413).contains("max_frame_bytes"));
    upload.closed().await;
    assert_eq!(report(at, "inbox").await["dropped"]["too_large"], 1);
    assert_eq!(shown(at, "inbox").await, jpeg(1));
}

#[tokio::test]
async fn a_jpeg_of_too_many_pixels() {
    assert_push_refused(&jpeg_of_size(2, 400, 300), 413, "too_large", "400x300").await;
}

#[tokio::test]
async fn a_png_bomb_by_its_header() {
    let mut png = file(ImageFormat::Png, 1, 1);
    // 50,000 × 50,000 pixels; decoding them would take 7.5 GB.
    png[16..24].copy_from_slice(&[0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    assert_push_refused(&png, 413, "too_large", "50000x50000").await;
}

#[tokio::test]
async fn a_picture_whose_publisher_breaks_off() {
    let relay = start();
    let at = relay.address();
    pushed(&post(at, INBOX, &[], &jpeg(1)).await);
    let mut upload = Feed::begin(at, INBOX, None).await;
    upload.send(&jpeg(2)[..100]).await;
    drop(upload);
    until(at, "inbox", "dropped/invalid", 1).await;
    assert_eq!(shown(at, "inbox").await, jpeg(1));
}

/// PNG's checksum.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}
