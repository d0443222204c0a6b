//! Pictures in forms, as curl's -F and pages send them.

use crate::publisher::{INBOX, assert_refused, jpeg, post, pushed, report, shown, start};

const TYPE: (&str, &str) = ("Content-Type", "multipart/form-data; boundary=X");

fn field(disposition: &str, value: &[u8]) -> Vec<u8> {
    let head = format!("--X\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
    [head.as_bytes(), value, b"\r\n"].concat()
}

fn form(fields: &[Vec<u8>]) -> Vec<u8> {
    [fields.concat().as_slice(), b"--X--\r\n"].concat()
}

#[tokio::test]
async fn the_one_file_of_a_form_is_shown_whatever_its_field_is_called() {
    let relay = start();
    let at = relay.address();
    for (n, name) in ["file", "upload[]", "Bild"].into_iter().enumerate() {
        let picture = jpeg(n as u8);
        let file = field(&format!("name=\"{name}\"; filename=\"a.jpg\""), &picture);
        let form = form(&[field("name=\"comment\"", b"hello"), file]);
        pushed(&post(at, INBOX, &[TYPE], &form).await);
        assert_eq!(shown(at, "inbox").await, picture, "{name}");
    }
}

#[tokio::test]
async fn a_form_without_a_file_or_with_several_is_refused_and_counted() {
    let relay = start();
    let at = relay.address();
    let file = || field("name=\"a\"; filename=\"a.jpg\"", &jpeg(1));
    for (form, reason) in [
        (form(&[]), "no file"),
        (form(&[field("name=\"a\"", b"hello")]), "no file"),
        (form(&[file(), file()]), "several files"),
        (file(), "RFC 7578"),
        (b"nothing like a form".to_vec(), "RFC 7578"),
    ] {
        let detail = assert_refused(&post(at, INBOX, &[TYPE], &form).await, 400);
        assert!(detail.contains(reason), "{detail} instead of {reason}");
    }
    let report = report(at, "inbox").await;
    assert_eq!((&report["dropped"]["invalid"], &report["frames_in"]), (&5.into(), &0.into()));
}

#[tokio::test]
async fn a_picture_that_is_called_a_form_is_taken_by_its_bytes() {
    let relay = start();
    let at = relay.address();
    for (n, kind) in ["multipart/form-data", "multipart/form-data; boundary=X"].into_iter().enumerate() {
        let picture = jpeg(n as u8);
        pushed(&post(at, INBOX, &[("Content-Type", kind)], &picture).await);
        assert_eq!(shown(at, "inbox").await, picture);
        let answer = post(at, "/streams/inbox/feed", &[("Content-Type", kind)], &picture).await;
        assert_eq!((answer.head.status, &answer.json()["frames"]), (200, &1.into()));
    }
    let no_form = post(at, INBOX, &[("Content-Type", "multipart/form-data")], b"--X\r\n").await;
    assert_refused(&no_form, 400);
}
