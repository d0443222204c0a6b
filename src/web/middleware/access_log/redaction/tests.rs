use std::cell::Cell;

use super::*;

fn is_stream(text: &str) -> bool {
    ["door", "7777777"].contains(&text)
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
        ("w=4711&after=4711&src=7777777&after=123", "?w=***&after=***&src=7777777&after=123"),
        ("wait=next&then=live&format=zip&adapt=1", "?wait=next&then=live&format=zip&adapt=1"),
        ("action=4711&action=stream_4711&action=stream_", "?action=***&action=***&action=***"),
        ("w=%34711&Width=320;token=hunter2", "?w=***"),
    ] {
        assert_eq!(query(text, is_stream), shown);
    }
}

#[test]
fn a_long_query_is_cut_between_parameters() {
    let long = query(&"width=1&".repeat(1000), is_stream);
    assert!(long.len() <= MAX_TARGET + 1 && long.ends_with("&width=1"), "{long}");
    for before in MAX_TARGET - 16..MAX_TARGET {
        let text = format!("{}&w=12345678", "x".repeat(before));
        assert!(!query(&text, is_stream).contains('1'), "{before}");
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
        assert_eq!(path(pattern, |_| Some(value), is_stream), shown);
    }
}

#[test]
fn numbers_are_small_or_usual_sizes() {
    for shown in ["0", "42", "999", "-90", "0.25", "29.97", "-0.5"] {
        assert_eq!(query(&format!("fps={shown}"), is_stream), format!("?fps={shown}"));
    }
    for size in ["1024", "1080", "1280", "1920", "2160", "3840"] {
        let text = format!("w={size}&h={size}&width={size}&height={size}&after={size}");
        let shown = format!("?w={size}&h={size}&width={size}&height={size}&after=***");
        assert_eq!(query(&text, is_stream), shown);
    }
    for hidden in
        ["4711", "12345", "12345678", "-", ".", "1.", ".5", "1.125", "12.11.04", "01-02", "--1", "+1"]
    {
        let text = format!("w={hidden}&seconds={hidden}");
        assert_eq!(query(&text.replace('+', "%2b"), is_stream), "?w=***&seconds=***", "{hidden}");
    }
}

#[test]
fn as_many_streams_are_looked_up_whatever_the_values_are() {
    let looked_up = |value: &str| {
        let count = Cell::new(0);
        let text = format!("src={value}&").repeat(3 * MAX_PARAMETERS);
        query(&text, |text| {
            count.set(count.get() + 1);
            is_stream(text)
        });
        count.get()
    };
    assert_eq!(["door", "cell", "4711", ""].map(looked_up), [MAX_PARAMETERS; 4]);
}

#[test]
fn sizes_are_longer_than_other_numbers() {
    assert!(SIZES.iter().all(|size| size.len() > MAX_DIGITS && size.parse::<u16>().is_ok()));
}
