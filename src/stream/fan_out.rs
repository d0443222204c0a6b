//! Shows each frame to all viewers, in a loop of the stream's own thread.
//!
//! The thread that has read a frame also writes it: no other one is woken for viewers that take it at once, and a frame
//! that few look at costs little more than its system calls.

use std::sync::Arc;

use tokio::task::yield_now;

use super::sending::{Scale, Way};
use crate::bus::{Bus, Watcher};

/// After so many viewers other streams of the thread have their turn, and the next viewers get what is newest then. That
/// is less than a millisecond of writing.
const BATCH: usize = 64;

/// Runs until the bus is closed.
pub(super) async fn fan_out(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    let mut watchers: Vec<Arc<dyn Watcher>> = Vec::new();
    let mut scale = Scale::new();
    let mut begun: Option<Begun> = None;
    loop {
        tokio::select! {
            shown = reader.changed() => if shown.is_err() { return },
            () = bus.audience().change() => {
                // Who joined and left in between is among those who join.
                bus.audience().take_in(&mut watchers);
                watchers.retain(|watcher| !watcher.is_gone());
                continue;
            }
        }
        bus.audience().take_in(&mut watchers);
        let way = scale.choose(bus.send_file(), watchers.len());
        // What the kernel does for a frame later on the thread also pays, so all of its time up to the next frame counts.
        if let Some(Begun { way, cpu_s, bytes_out }) = begun.take() {
            scale.note(way, thread_cpu_s() - cpu_s, bus.stats().bytes_out() - bytes_out);
        }
        begun = Scale::weighs(bus.send_file(), watchers.len()).then(|| Begun {
            way,
            cpu_s: thread_cpu_s(),
            bytes_out: bus.stats().bytes_out(),
        });
        for first in (0..watchers.len()).step_by(BATCH) {
            if first > 0 {
                yield_now().await;
            }
            let showing = reader.borrow_and_update().clone();
            if let (Way::File, Some(newest)) = (way, &showing.newest) {
                newest.seal();
            }
            watchers.iter().skip(first).take(BATCH).for_each(|watcher| watcher.show(&showing));
        }
        if reader.borrow_and_update().closed {
            return;
        }
    }
}

/// How things stood when a frame's fan-out began.
struct Begun {
    way: Way,
    cpu_s: f64,
    bytes_out: u64,
}

/// CPU time of this thread so far, the kernel's work for it included.
#[cfg(target_os = "linux")]
fn thread_cpu_s() -> f64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Unknown: both ways seem to cost the same, and there is only one.
#[cfg(not(target_os = "linux"))]
fn thread_cpu_s() -> f64 {
    0.0
}
