//! Chromium, which shows a part only when the next one has arrived.

use crate::{
    binary::Framecast,
    program::{python, run, test_file},
};

#[test]
fn chromium_opens_the_page_and_two_tiles_move() {
    let framecast = Framecast::serve(
        "
streams:
  bars:
    source: {type: pattern, size: 320x240, fps: 10}
  clock:
    source: {type: text, text: \"%H:%M:%S\", size: 320x240, font_size: 60, fps: 1}
",
    );
    let output = run(python(), &[&test_file("support/browser.py"), &framecast.url("/"), "2"]);
    let said = String::from_utf8_lossy(&output.stdout);
    assert_eq!(said.trim(), "2 of 2 tiles moved");
    framecast.end_in_peace();
}
