//! Browsers show each picture when it is pushed, not with the next one: read from the page, by drawing what it
//! shows to a canvas at each animation frame. No picture is repeated on the way.
//!
//! `--nocapture` prints the milliseconds from each push to the picture.

use std::{
    fs,
    time::{SystemTime, UNIX_EPOCH},
};

use jpeg_encoder::{ColorType, Encoder};
use testkit::{
    binary::Framecast,
    browser::Browser,
    program::{run, wait_for},
    repeat_filter::RepeatFilter,
};

const PUSH: &str = "streams: {x: {chunked: false, source: {type: push, token: none}}}";

/// Pictures that differ by their brightness, which JPEG changes by less than half a step.
const PICTURES: u8 = 6;
const STEP: u8 = 40;

const LOOPBACK: &str = "127.0.0.1";
/// browser.py gives this name to 127.0.0.1.
const OTHER_MACHINE: &str = "camera.lan";

/// A plain `<img>` on a page that shows no stream by itself.
const PLAIN: &str = "/login";

/// Notes each picture that the element shows: which and when. Firefox keeps the first picture that it drew from
/// an `<img>`; of a bitmap it makes a new one.
const WATCH: &str = "
    const canvas = document.createElement('canvas');
    const context = canvas.getContext('2d', {willReadFrequently: true});
    window.seen = [];
    const look = async () => {
        const element = document.querySelector('#picture, #tiles canvas');
        if ((element?.naturalWidth ?? element?.width) > 0) {
            const bitmap = await createImageBitmap(element);
            context.drawImage(bitmap, 0, 0, 1, 1);
            bitmap.close();
            const picture = Math.round(context.getImageData(0, 0, 1, 1).data[0] / STEP);
            if (picture > 0 && seen.at(-1)?.picture !== picture) seen.push({picture, at: Date.now()});
        }
        requestAnimationFrame(look);
    };
    look();
";

struct Pushed {
    framecast: Framecast,
    filter: RepeatFilter,
    folder: tempfile::TempDir,
}

impl Pushed {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        for picture in 1..=PICTURES {
            let mut jpeg = Vec::new();
            let pixels = [picture * STEP; 64 * 48];
            Encoder::new(&mut jpeg, 90).encode(&pixels, 64, 48, ColorType::Luma).expect("it is small");
            fs::write(folder.path().join(picture.to_string()), jpeg).expect("the folder is ours");
        }
        let framecast = Framecast::serve(PUSH);
        let filter = RepeatFilter::before(framecast.address());
        Self { framecast, filter, folder }
    }

    /// Pushes a picture and returns when that was, in Unix milliseconds.
    fn push(&self, picture: u8) -> f64 {
        let pushed_at = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs_f64();
        let body = format!("@{}", self.folder.path().join(picture.to_string()).display());
        let url = self.framecast.url("/streams/x/frame");
        run("curl", &["-sS", "--fail", "--data-binary", &body, &url]);
        pushed_at * 1000.0
    }

    /// Opens a page of framecast under the name of its machine, and watches what it shows.
    fn watch(&self, browser: &mut Browser, host: &str, page: &str) {
        browser.open(&format!("http://{host}:{}{page}", self.filter.port()));
        if page == PLAIN {
            browser
                .wait_for("location.pathname === '/login' && document.getElementById('password') !== null");
            browser.run(
                "document.head.replaceChildren(); document.body.innerHTML = '<img id=picture src=streams/x>'",
            );
        }
        browser.wait_for("document.querySelector('#picture, #tiles canvas') !== null");
        browser.run(&WATCH.replace("STEP", &STEP.to_string()));
    }

    /// Pushes each picture when the one before is seen.
    fn assert_each_is_shown_at_once(&self, browser: &mut Browser, host: &str, page: &str) {
        let mut delays = Vec::new();
        self.push(1);
        self.watch(browser, host, page);
        // A still: nothing else is pushed.
        browser.wait_for("seen.length > 0");
        for picture in 2..=PICTURES {
            let pushed_at = self.push(picture);
            let seen = browser.wait_for(&format!("seen.find(each => each.picture === {picture})?.at"));
            delays.push((seen.as_f64().expect("a time") - pushed_at).round());
        }
        let all = browser.run("return seen.map(each => each.picture).join()");
        assert_eq!(all, "1,2,3,4,5,6", "each once, in order");
        eprintln!("{page} of {host}: {delays:?} ms");
    }
}

fn shows_each_at_once(mut browser: Browser) {
    for page in [PLAIN, "/view/x", "/"] {
        let pushed = Pushed::start();
        pushed.assert_each_is_shown_at_once(&mut browser, LOOPBACK, page);
        browser.open("about:blank");
        pushed.framecast.end_cleanly();
    }
}

#[test]
fn chromium_shows_each_picture_before_the_next_is_pushed() {
    shows_each_at_once(Browser::chromium());
}

#[test]
fn firefox_shows_each_picture_before_the_next_is_pushed() {
    shows_each_at_once(Browser::firefox());
}

#[test]
fn webkit_shows_each_picture_before_the_next_is_pushed() {
    shows_each_at_once(Browser::webkit());
}

/// Browsers send no `Sec-Fetch-Dest` to another machine without TLS.
#[test]
fn browsers_show_each_picture_at_once_from_another_machine_too() {
    for mut browser in [Browser::chromium(), Browser::firefox()] {
        let pushed = Pushed::start();
        pushed.assert_each_is_shown_at_once(&mut browser, OTHER_MACHINE, PLAIN);
        let requests = pushed.filter.requests().to_lowercase();
        assert!(requests.contains("get /streams/x") && !requests.contains("sec-fetch"), "{requests}");
    }
}

/// The headers of a part that never comes do not replace the picture before. (WebKit removes the picture with
/// the connection, whatever was sent.)
#[test]
fn the_last_picture_stays_when_the_stream_ends() {
    for mut browser in [Browser::chromium(), Browser::firefox()] {
        let pushed = Pushed::start();
        pushed.push(1);
        pushed.watch(&mut browser, LOOPBACK, PLAIN);
        browser.wait_for("seen.length > 0");
        pushed.push(2);
        browser.wait_for("seen.at(-1).picture === 2");
        pushed.framecast.end_cleanly();
        // It learns of a refused request after it has learned of the end.
        browser.run("fetch('/').catch(() => { window.refused = true; })");
        browser.wait_for("window.refused");
        browser.run("window.seen.length = 0");
        wait_for("what is shown now", || browser.run("return seen[0]?.picture ?? null").as_u64());
        assert_eq!(browser.run("return seen.map(each => each.picture).join()"), "2");
    }
}
