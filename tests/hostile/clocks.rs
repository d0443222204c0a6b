//! The clock on the wall jumps: ahead when a machine without a battery has found the time, back when somebody
//! mends it.

use std::{fs, time::SystemTime};

use testkit::{fixture::Fixture, numbered_pictures::numbered, raw_client::Client};

/// Between the program and the system's clock (Debian's faketime); timers, which do not go by the wall, are
/// left alone.
const PRELOADED: &str = "LD_PRELOAD=/usr/lib/$(uname -m)-linux-gnu/faketime/libfaketime.so.1 \
                         FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 DONT_FAKE_MONOTONIC=1";

const STREAMS: &str = "  inbox: {source: {type: push, token: none}}\n  \
                       wall: {on_demand: false, source: {type: text, text: '%H:%M:%S', fps: 10}}\n  \
                       bars: {on_demand: false, source: {type: pattern, size: 64x48, fps: 10}}\n";

/// Returns the difference, in hours, of the clock that pictures are stamped with.
async fn hours_off(fixture: &Fixture) -> i64 {
    assert_eq!(fixture.push("inbox", &numbered(1)).await.head.status, 204);
    let snapshot = Client::get(fixture.address(), "/streams/inbox/snapshot").await;
    let stamp: f64 = snapshot.head.get("x-timestamp").expect("a time").parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    ((stamp - now) / 3600.0).round() as i64
}

#[tokio::test]
async fn a_clock_that_jumps_stops_no_stream_and_is_what_pictures_are_stamped_with() {
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    fs::write(&clock, "+0").unwrap();
    let shell = format!("export {PRELOADED} FAKETIME_TIMESTAMP_FILE={} && exec \"$@\"", clock.display());
    let mut fixture = Fixture::started_by(&shell, "", STREAMS).await;
    fixture
        .assert_survives(32 * 1024, async |fixture| {
            assert_eq!(hours_off(fixture).await, 0);
            for (jump, hours) in [("+25h", 25), ("-49h", -49), ("+20y", 20 * 365 * 24), ("+0", 0)] {
                fs::write(&clock, jump).unwrap();
                assert_eq!(hours_off(fixture).await, hours, "the clock has jumped");
                for stream in ["wall", "bars"] {
                    let before = fixture.report(stream).await["frames_in"].as_u64().unwrap();
                    fixture
                        .report_when(stream, |report| report["frames_in"].as_u64() > Some(before + 5))
                        .await;
                }
            }
        })
        .await;
    fixture.end();
}
