//! Repeats the newest frame when no new one follows: one timer a stream, however many viewers it has.
//!
//! Chromium draws a part of a multipart stream only when the next one has arrived, so a lone frame would stay
//! invisible; and a repeat each second finds viewers that are gone.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::bus::{Bus, Current};

/// Interval at which the last frame of a silent stream is repeated.
const REPEAT_INTERVAL: Duration = Duration::from_secs(1);

/// Time between a frame and its first repeat: a picture of a slow stream is never drawn later than this.
/// Streams above 4 frames a second send nothing twice.
const FIRST_REPEAT_DELAY: Duration = Duration::from_millis(250);

/// Number of checks in a row that find a fresh frame after which a stream is only checked each second, since
/// each check wakes the thread up. When such a stream stops, its last frame is repeated at most a second
/// later than it would be.
const FLOWING_AFTER_CHECKS: u32 = 8;

/// Repeats frames until the bus is closed. While frames come it only checks the clock now and then: setting a
/// timer at each frame costs more.
pub(super) async fn run_heartbeat(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    let mut fresh_checks = 0;
    loop {
        let Current { frame: newest, repeat, since, closed } = reader.borrow_and_update().clone();
        if closed {
            return;
        }
        let (Some(seq), Some(since)) = (newest.map(|newest| newest.seq), since) else {
            fresh_checks = 0;
            if reader.changed().await.is_err() {
                return;
            }
            continue;
        };
        let due = since + if repeat == 0 { FIRST_REPEAT_DELAY } else { REPEAT_INTERVAL };
        let now = Instant::now();
        if now >= due {
            fresh_checks = 0;
            bus.repeat(seq);
        } else if repeat == 0 {
            fresh_checks += 1;
            sleep_until(if fresh_checks > FLOWING_AFTER_CHECKS { now + REPEAT_INTERVAL } else { due }).await;
        } else if let Ok(Err(_)) = timeout_at(due, reader.changed()).await {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::tests::tiny_frame;

    #[actix::test]
    async fn a_silent_stream_repeats_its_frame_soon_and_then_each_second() {
        tokio::time::pause();
        let bus = Arc::new(Bus::default());
        actix_rt::spawn(run_heartbeat(bus.clone()));
        let mut viewer = bus.subscribe();
        bus.publish(tiny_frame());
        let start = tokio::time::Instant::now();
        let mut beats = Vec::new();
        while beats.len() < 4 {
            viewer.changed().await.unwrap();
            let current = viewer.borrow_and_update().clone();
            if current.repeat > 0 {
                assert_eq!(current.frame.unwrap().seq, 1);
                beats.push(start.elapsed().as_millis());
            }
        }
        assert!(beats[0] <= 252, "{beats:?}");
        let gaps: Vec<_> = beats.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.iter().all(|gap| (1000..=1002).contains(gap)), "{beats:?}");
    }

    #[actix::test]
    async fn a_stream_that_flowed_and_stops_is_repeated_within_a_second_more_and_in_a_burst_at_once() {
        tokio::time::pause();
        for (frames, most) in [(300, FIRST_REPEAT_DELAY + REPEAT_INTERVAL), (10, FIRST_REPEAT_DELAY * 2)] {
            let bus = Arc::new(Bus::default());
            actix_rt::spawn(run_heartbeat(bus.clone()));
            let mut viewer = bus.subscribe();
            for _ in 0..frames {
                bus.publish(tiny_frame());
                tokio::time::sleep(Duration::from_millis(33)).await;
                assert_eq!(viewer.borrow_and_update().repeat, 0, "nothing is sent twice while it flows");
            }
            let stopped = Instant::now();
            viewer.wait_for(|current| current.repeat > 0).await.unwrap();
            assert!(stopped.elapsed() <= most, "{frames} frames: {:?}", stopped.elapsed());
        }
    }
}
