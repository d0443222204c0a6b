//! A viewer that leaves is dropped at once: there may be no other frame.

use std::sync::Arc;

use loom::{
    future::block_on,
    model::Builder,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use super::run;
use crate::{
    bus::{Bus, Current, FrameReceiver, SplicePipe},
    mocks::notify::Notify,
    mocks::tasks::look_at_the_second_first,
};

/// Number of preemptions that are tried: all orders take minutes.
const MOST_PREEMPTIONS: usize = 2;

/// Says when it is forgotten.
#[derive(Debug)]
struct Leaving {
    gone: AtomicBool,
    forgotten: Arc<Notify>,
}

impl FrameReceiver for Leaving {
    fn on_frame(&self, _: &Current, _: Option<&mut SplicePipe>) {}

    fn wake(&self, _: &Current) {}

    fn abort(&self) {}

    fn is_closed(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.forgotten.notify_one();
    }
}

#[test]
fn who_leaves_is_forgotten_without_another_frame() {
    for second_first in [false, true] {
        look_at_the_second_first(second_first);
        let mut bounded = Builder::new();
        bounded.preemption_bound = Some(MOST_PREEMPTIONS);
        bounded.check(|| {
            let bus = Arc::new(Bus::default());
            let fan_out = {
                let bus = bus.clone();
                thread::spawn(move || block_on(run(bus)))
            };
            let forgotten = Arc::new(Notify::default());
            let leaving = Leaving { gone: AtomicBool::new(false), forgotten: forgotten.clone() };
            let leaving = Arc::new(leaving);
            bus.subscribers().add(leaving.clone());
            leaving.gone.store(true, Ordering::Release);
            drop(leaving);
            bus.subscribers().notify_left();
            // Otherwise this never ends.
            block_on(forgotten.notified());
            bus.close();
            fan_out.join().unwrap();
        });
    }
}
