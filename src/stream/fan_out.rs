//! Shows each frame to all viewers, in a loop of the stream's own thread.
//!
//! The thread that has read a frame also writes it: no other one is woken for viewers that take it at once, and a frame
//! that few look at costs little more than its system calls.

use std::sync::Arc;

use tokio::task::yield_now;

use crate::bus::{Bus, Watcher};

/// After so many viewers other streams of the thread have their turn, and the next viewers get what is newest then. That
/// is less than a millisecond of writing.
const BATCH: usize = 64;

/// Runs until the bus is closed.
pub(super) async fn fan_out(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    let mut watchers: Vec<Arc<dyn Watcher>> = Vec::new();
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
        let mut next = 0;
        while next < watchers.len() {
            let showing = reader.borrow_and_update().clone();
            let batch = watchers.len().min(next + BATCH);
            watchers[next..batch].iter().for_each(|watcher| watcher.show(&showing));
            next = batch;
            if next < watchers.len() {
                yield_now().await;
            }
        }
        if reader.borrow_and_update().closed {
            return;
        }
    }
}
