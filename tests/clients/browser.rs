//! Chromium and Firefox on the pages.

use testkit::{binary::Framecast, browser::Browser, program::free_address};

const TILES: &str = "#tiles canvas";

pub(crate) fn patterns(count: usize) -> String {
    let streams = (1..=count).map(|n| {
        format!("  cam{n}: {{title: Camera {n}, source: {{type: pattern, size: 320x240, fps: 10}}}}\n")
    });
    format!("streams:\n{}", streams.collect::<String>())
}

pub(crate) fn serve_at(address: &str, yaml: &str) -> Framecast {
    Framecast::serve_with(yaml, |command| command.args(["--listen", address]))
}

/// Twice as many as a browser has connections for.
#[test]
fn twelve_tiles_move_in_chromium() {
    let framecast = Framecast::serve(&patterns(12));
    let mut browser = Browser::chromium();
    browser.size(1600, 1000);
    browser.open(&framecast.url("/"));
    browser.wait_for_movement(TILES, 12);
    browser.wait_for("/12 of 12 streams live/.test(document.getElementById('summary').textContent)");
    browser.assert_accessible();
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

/// On a phone two tiles are on the screen; the sources of the others rest.
#[test]
fn only_tiles_on_the_screen_are_asked_for_on_a_phone() {
    let framecast = Framecast::serve(&patterns(12));
    let mut browser = Browser::chromium();
    browser.size(390, 700);
    browser.open(&framecast.url("/"));
    browser.wait_for_movement(TILES, 2);
    assert_eq!(framecast.stream("cam12")["state"], "idle");
    let fits = "document.documentElement.scrollWidth <= innerWidth";
    assert_eq!(browser.run(&format!("return {fits}")), true, "nothing sticks out at the side");
    browser.assert_accessible();
    browser.run("scrollTo(0, document.documentElement.scrollHeight)");
    framecast.wait_for_state("cam12", "live");
    browser.wait_for_movement(TILES, 2);
    drop(browser);
    framecast.end_cleanly();
}

#[test]
fn a_camera_that_dies_is_said_with_its_reason_and_moves_again_when_it_is_back() {
    let address = free_address().to_string();
    let camera = serve_at(&address, &patterns(1));
    let yaml =
        format!("streams: {{door: {{title: Door, source: {{type: mjpeg, url: 'http://{address}/cam1'}}}}}}");
    let framecast = Framecast::serve(&yaml);
    let mut browser = Browser::chromium();
    browser.open(&framecast.url("/"));
    browser.wait_for_movement(TILES, 1);
    camera.end();
    let note = "document.querySelector('.tile[data-state=waiting] .note')?.textContent";
    browser.wait_for(&format!("/since .*next try in/.test({note})"));
    browser.wait_for("/Door: waiting/.test(document.getElementById('said').textContent)");
    browser.assert_accessible();
    let again = serve_at(&address, &patterns(1));
    browser.wait_for("document.querySelector('.tile').dataset.state === 'live'");
    browser.wait_for_movement(TILES, 1);
    drop(browser);
    again.end_cleanly();
}

#[test]
fn the_page_says_that_framecast_is_gone_and_comes_back_by_itself() {
    let address = free_address().to_string();
    let framecast = serve_at(&address, &patterns(2));
    let mut browser = Browser::chromium();
    browser.open(&format!("http://{address}/"));
    browser.wait_for_movement(TILES, 2);
    framecast.end_cleanly();
    browser
        .wait_for("/No connection to framecast; next try/.test(document.getElementById('lost').textContent)");
    let again = serve_at(&address, &patterns(2));
    browser.wait_for("document.getElementById('lost').hidden");
    browser.wait_for_movement(TILES, 2);
    drop(browser);
    again.end_cleanly();
}

#[test]
fn order_columns_and_full_screen_are_kept_in_the_address() {
    let framecast = Framecast::serve(&patterns(4));
    let mut browser = Browser::chromium();
    browser.open(&framecast.url("/"));
    let order = "[...document.querySelectorAll('.tile')].map(tile => tile.dataset.name).join()";
    browser.wait_for(&format!("{order} === 'cam1,cam2,cam3,cam4'"));
    let grip = |name: &str| format!(".tile[data-name={name}] .grip");
    // The announcement of a stream that becomes live would replace the one that is waited for below.
    browser.wait_for_movement(TILES, 4);
    // The right arrow, twice.
    browser.keys(&grip("cam1"), "\u{e014}\u{e014}");
    browser.wait_for(&format!("{order} === 'cam2,cam3,cam1,cam4'"));
    browser.wait_for("/position 3 of 4/.test(document.getElementById('said').textContent)");
    browser.drag(&grip("cam4"), &grip("cam2"));
    browser.wait_for(&format!("{order} === 'cam4,cam2,cam3,cam1'"));
    browser.run(
        "const columns = document.getElementById('columns'); columns.value = '2'; \
        columns.dispatchEvent(new Event('change'))",
    );
    browser.wait_for("location.search === '?order=cam4,cam2,cam3,cam1&columns=2'");
    // A reload brings back the same.
    let url = browser.run("return location.href");
    browser.open("about:blank");
    browser.open(url.as_str().expect("an address is text"));
    browser.wait_for(&format!("{order} === 'cam4,cam2,cam3,cam1'"));
    let tops = "new Set([...document.querySelectorAll('.tile')].map(tile => tile.offsetTop)).size";
    browser.wait_for(&format!("{tops} === 2"));
    browser.click("#wall");
    browser
        .wait_for("document.querySelector('.bar').offsetHeight === 0 && location.search.includes('full=')");
    browser.wait_for_movement(TILES, 4);
    browser.keys("body", "\u{e00c}");
    browser.wait_for("document.querySelector('.bar').offsetHeight > 0 && !location.search.includes('full=')");
    browser.open(&framecast.url("/?full=cam3"));
    browser.wait_for(&format!("{order}.includes('cam3')"));
    browser.wait_for_movement(TILES, 1);
    browser.wait_for(
        "[...document.querySelectorAll('.tile')].filter(tile => tile.offsetHeight > 0).length === 1",
    );
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

/// Titles come from a file, reasons from cameras: both are texts, whatever stands in them.
#[test]
fn markup_in_titles_and_reasons_is_text() {
    const MARKUP: &str = "<img src=x onerror=alert(1)><script>document.title='owned'</script>";
    let yaml = format!("streams: {{door: {{title: \"{MARKUP}\", source: {{type: pattern, fps: 5}}}}}}");
    let framecast = Framecast::serve(&yaml);
    let mut browser = Browser::chromium();
    let title = serde_json::json!(MARKUP);
    browser.open(&framecast.url("/"));
    browser.wait_for(&format!("document.querySelector('.title')?.textContent === {title}"));
    browser.open(&framecast.url("/view/door"));
    browser.wait_for(&format!("document.getElementById('title')?.textContent === {title}"));
    browser.wait_for("document.querySelectorAll('.snippet').length > 5");
    assert_eq!(browser.run("return document.querySelectorAll('img[src=x], body script').length"), 0);
    browser.wait_for(&format!("document.title === {title} + ' · framecast'"));
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

/// From the token in the address to a moving picture, and away again.
#[test]
fn an_administrator_adds_a_camera_after_a_test_and_removes_it() {
    const TOKEN: &str = "an-administrators-token";
    let camera = Framecast::serve(&patterns(1));
    let framecast = Framecast::serve_with(CLOCK, |command| command.env("FRAMECAST_ADMIN_TOKEN", TOKEN));
    let mut browser = Browser::chromium();
    browser.open(&framecast.url("/"));
    browser.wait_for_movement(TILES, 1);
    assert_eq!(browser.run("return document.getElementById('add').hidden"), true, "for administrators");
    browser.open(&framecast.url(&format!("/?token={TOKEN}")));
    browser.wait_for("location.search === '' && document.getElementById('add')?.hidden === false");
    browser.click("#add");
    browser.keys("dialog [name=name]", "door");
    browser.keys("dialog [name=url]", &camera.url("/nothing-here"));
    browser.click("dialog .field + .row .button");
    browser.wait_for("/answered 404/.test(document.querySelector('.found .wrong')?.textContent)");
    browser.run("document.querySelector('dialog [name=url]').value = ''");
    browser.keys("dialog [name=url]", &camera.url("/cam1"));
    browser.click("dialog .field + .row .button");
    browser.wait_for("/It works: 320 × 240/.test(document.querySelector('.found li')?.textContent)");
    browser.wait_for("document.querySelector('.found img').naturalWidth === 320");
    browser.assert_accessible();
    browser.click("dialog .main");
    browser.wait_for("document.querySelector('.tile[data-name=door]')?.dataset.state === 'live'");
    browser.wait_for_movement(".tile[data-name=door] canvas", 1);
    browser.click("#log");
    browser.wait_for("/door added/.test(document.getElementById('happened').textContent)");
    browser.open(&framecast.url("/view/door"));
    browser.wait_for("document.getElementById('remove')?.hidden === false");
    browser.run("confirm = () => true");
    browser.click("#remove");
    browser.wait_for("location.pathname === '/' && document.querySelectorAll('.tile').length === 1");
    drop(browser);
    framecast.end_cleanly();
}

const CLOCK: &str = r##"
streams:
  clock:
    source: {type: text, text: "%H:%M:%S", size: 320x240, font_size: 60, fps: 1}
"##;

/// One frame a second, each shown only when the part behind it has come: the repeats make it move.
#[test]
fn chromium_shows_an_endless_stream_in_one_picture() {
    let framecast = Framecast::serve(CLOCK);
    let mut browser = Browser::chromium();
    browser.open(&framecast.url("/view/clock"));
    browser.wait_for_movement("#picture", 1);
    browser.wait_for("document.querySelectorAll('.snippet').length > 5");
    browser.assert_accessible();
    browser.assert_no_errors();
    drop(browser);
    framecast.end_cleanly();
}

#[test]
fn firefox_shows_the_stream_page_and_the_tiles() {
    let framecast = Framecast::serve(CLOCK);
    let mut browser = Browser::firefox();
    browser.open(&framecast.url("/view/clock"));
    browser.wait_for_movement("#picture", 1);
    browser.wait_for("document.querySelectorAll('.snippet').length > 5");
    browser.open(&framecast.url("/"));
    browser.wait_for_movement(TILES, 1);
    drop(browser);
    framecast.end_cleanly();
}
