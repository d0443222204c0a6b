//! Shows the newest frame again when no new one follows: one timer a stream, however many viewers it has.
//!
//! Chromium draws a part of a multipart stream only when the next one has arrived, so a lone frame would stay
//! invisible; and a repeat each second finds viewers that are gone.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::timeout;

use crate::bus::Bus;

/// On a silent stream the last frame is shown again so often.
const SILENCE_BEAT: Duration = Duration::from_secs(1);

/// Longest wait for the first repeat: with it, a picture of a slow stream is never drawn later than this. Streams above
/// 6 frames a second send nothing twice.
const FIRST_BEAT_AT_MOST: Duration = Duration::from_millis(250);

/// Frames come unevenly: "about one frame interval" is so many of them.
const INTERVALS_TO_WAIT: f64 = 1.5;

/// Beats until the bus is closed.
pub(super) async fn beat(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    loop {
        let seen = reader.borrow_and_update().clone();
        if seen.closed {
            return;
        }
        let change = reader.changed();
        let Some(newest) = seen.newest else {
            if change.await.is_err() {
                return;
            }
            continue;
        };
        let wait = if seen.beat == 0 { first_beat(bus.stats().fps(Instant::now())) } else { SILENCE_BEAT };
        match timeout(wait, change).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_silence) => bus.repeat(newest.seq),
        }
    }
}

fn first_beat(fps: f64) -> Duration {
    if fps > 0.0 {
        Duration::from_secs_f64(INTERVALS_TO_WAIT / fps).min(FIRST_BEAT_AT_MOST)
    } else {
        FIRST_BEAT_AT_MOST
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
        actix_rt::spawn(beat(bus.clone()));
        let mut viewer = bus.subscribe();
        bus.publish(tiny_frame());
        let start = tokio::time::Instant::now();
        let mut beats = Vec::new();
        while beats.len() < 4 {
            viewer.changed().await.unwrap();
            let showing = viewer.borrow_and_update().clone();
            if showing.beat > 0 {
                assert_eq!(showing.newest.unwrap().seq, 1);
                beats.push(start.elapsed().as_millis());
            }
        }
        assert!(beats[0] <= 252, "{beats:?}");
        let gaps: Vec<_> = beats.windows(2).map(|w| w[1] - w[0]).collect();
        assert!(gaps.iter().all(|gap| (1000..=1002).contains(gap)), "{beats:?}");
    }

    #[test]
    fn a_fast_stream_waits_for_its_own_interval() {
        assert_eq!(first_beat(30.0), Duration::from_millis(50));
        assert_eq!(first_beat(1.0), FIRST_BEAT_AT_MOST);
        assert_eq!(first_beat(0.0), FIRST_BEAT_AT_MOST);
    }
}
