use super::*;

/// Knows a stream `door`, one `7777777`, and three credentials, of one of which only a hash is known.
struct Example;

impl Known for Example {
    fn is_stream(&self, text: &str) -> bool {
        ["door", "7777777"].contains(&text)
    }

    fn is_credential(&self, text: &str) -> bool {
        ["hunter2", "4711", "correct/horse"].contains(&text)
    }

    fn is_credential_in(&self, text: &str) -> bool {
        text.contains("of two/words and more")
    }
}

#[test]
fn of_a_query_known_parameters_with_their_own_values_are_shown() {
    for (text, shown) in [
        ("", ""),
        ("width=320&fps=5", "?width=320&fps=5"),
        ("token=hunter2&width=320", "?width=320"),
        ("TOKEN=hunter2&%74oken=hunter2&pwd=hunter2", ""),
        ("expires=1&signature=hunter2", ""),
        ("action=stream&hunter2", "?action=stream"),
        ("width=3%0a20", "?width=***"),
        ("width=hunter2&format=hunter2&fps=0.5", "?width=***&format=***&fps=0.5"),
        ("page=123456789012", "?page=***"),
        ("action=snapshot_2", "?action=snapshot_2"),
        ("action=snapshot_hunter2", "?action=***"),
        ("src=door&dst=hunter2", "?src=door&dst=***"),
        ("src=door&access_token=hunter2&apikey=hunter2&sig=hunter2", "?src=door"),
        ("key=hunter2&auth=hunter2&password=hunter2", ""),
        ("src=12345678&dst=12345678&w=12345678&after=12345678", "?src=***&dst=***&w=***&after=***"),
        ("src=12&w=door&wait=door&then=12&adapt=12", "?src=***&w=***&wait=***&then=***&adapt=***"),
        ("w=4711&after=4711&src=7777777&after=12345", "?w=***&after=***&src=7777777&after=12345"),
        ("wait=next&then=live&format=zip&adapt=1", "?wait=next&then=live&format=zip&adapt=1"),
        ("action=4711&action=stream_4711&action=stream_", "?action=***&action=***&action=***"),
        ("w=%34711&Width=320;token=hunter2", "?w=***"),
    ] {
        assert_eq!(query(text, &Example), shown);
    }
}

#[test]
fn a_long_query_is_cut_between_parameters() {
    let long = query(&"width=1&".repeat(1000), &Example);
    assert!(long.len() <= MAX_TARGET + 1 && long.ends_with("&width=1"), "{long}");
    for before in MAX_TARGET - 16..MAX_TARGET {
        let text = format!("{}&w=12345678", "x".repeat(before));
        assert!(!query(&text, &Example).contains('1'), "{before}");
    }
}

#[test]
fn of_a_path_the_route_and_names_of_streams_are_shown() {
    for (pattern, value, shown) in [
        ("/streams/{name}/snapshot", "door", "/streams/door/snapshot"),
        ("/view/{name}", "hunter2", "/view/{name}"),
        ("/{name}.jpg", "door;token=hunter2", "/{name}.jpg"),
        ("/base/{n:[0-9]+}/stream", "12", "/base/12/stream"),
        ("/cam_{n:[0-9]+}.jpg", "12345678", "/cam_{n}.jpg"),
        ("/cam_{n:[0-9]+}.jpg", "4711", "/cam_{n}.jpg"),
        ("/healthz", "", "/healthz"),
    ] {
        assert_eq!(path(pattern, |_| Some(value.to_owned()), &Example), shown);
    }
}

#[test]
fn agents_of_usual_programs_are_shown_whole() {
    for text in [
        "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) Version/17.4 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (Linux; Android 10; SM-G998B Build/QP1A.190711.020; wv) Chrome/131.0.6778.135",
        "HomeAssistant/2026.11.1 aiohttp/3.9.5 Python/3.13",
        "VLC/3.0.18 LibVLC/3.0.18",
        "Lavf/60.16.100",
        "GStreamer souphttpsrc 1.24.10 libsoup/3.6.4",
        "curl/8.5.0",
        "python-requests/2.32.3",
        "go2rtc/1.9.8",
        "framecast/0.1.0",
        "a wall",
    ] {
        assert_eq!(agent(text, &Example), text);
    }
}

#[test]
fn of_an_agent_nothing_that_may_be_a_credential_is_shown() {
    for (text, shown) in [
        ("", "***"),
        ("cam hunter2", "cam ***"),
        ("hunter2", "***"),
        ("(correct/horse)", "***"),
        ("cam-of two/words and more", "***"),
        ("(token=hunter2)", "(token=***)"),
        ("\"correct/horse\",x cam", "*** cam"),
        ("Bearer short", "Bearer ***"),
        ("cam Authorization: Basic YWI6Yw==", "cam Authorization: *** ***"),
        ("cam/1.0 (key: of&mine) x", "cam/1.0 (key: *** x"),
        ("Bearer  short", "Bearer  ***"),
        ("key = short", "key = ***"),
        ("YWxpY2U6Yw", "***"),
        ("YWxpY2U6Yw==", "***"),
        ("http://alice:secret@cam/", "http://***:***@***/"),
        ("0123456789abcdef0123456789abcdef", "***"),
        ("h%75nter2 cam", "*** cam"),
        ("a1b2c3d4e5f6", "***"),
        ("pin=12345678 rv:1.2", "pin=*** rv:1.2"),
    ] {
        assert_eq!(agent(text, &Example), shown);
    }
}

#[test]
fn a_long_agent_is_cut_between_words() {
    let long = agent(&"Mozilla/5.0 ".repeat(100), &Example);
    assert!(long.len() <= MAX_AGENT && long.ends_with("Mozilla/5.0"), "{long}");
    for before in MAX_AGENT - 8..MAX_AGENT {
        let cut = agent(&format!("{} hunter2", "x ".repeat(before / 2)), &Example);
        assert!(!cut.contains('h'), "{cut}");
    }
    assert_eq!(agent(&"x".repeat(500), &Example), STARS);
}
