//! Chromium, which shows a part only when the next one has arrived.

use crate::{
    binary::Framecast,
    program::{python, run, test_file},
};

const TWO_STREAMS: &str = r##"
streams:
  bars:
    source: {type: pattern, size: 320x240, fps: 10}
  clock:
    source: {type: text, text: "%H:%M:%S", size: 320x240, font_size: 60, fps: 1}
"##;

#[test]
fn chromium_opens_the_page_and_two_tiles_move() {
    let framecast = Framecast::serve(TWO_STREAMS);
    assert_eq!(moving_pictures(&framecast.url("/"), 2), "2 of 2 pictures moved");
    framecast.end_in_peace();
}

/// One frame a second, each shown only when the part behind it has come: the repeats make it move.
#[test]
fn chromium_shows_an_endless_stream_in_one_picture() {
    let framecast = Framecast::serve(TWO_STREAMS);
    assert_eq!(moving_pictures(&framecast.url("/view/clock"), 1), "1 of 1 pictures moved");
    framecast.end_in_peace();
}

fn moving_pictures(url: &str, count: usize) -> String {
    let output = run(python(), &[&test_file("support/browser.py"), url, &count.to_string()]);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
