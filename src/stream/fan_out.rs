//! Shows each frame to all viewers, in a loop of the stream's own thread.
//!
//! The thread that has read a frame also writes it: no other one is woken for viewers that take it at once,
//! and a frame that few look at costs little more than its system calls.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::send_method::SendMethod;
use crate::{
    bus::{Bus, Pages, Showing, Watcher},
    sync::{select, yield_now},
};

/// After so many viewers other streams of the thread have their turn, and the next viewers get what is newest
/// then. That is about a millisecond of writing frames of 100 kB. In a model there is a pause after each
/// viewer.
const BATCH: usize = if cfg!(loom) { 1 } else { 64 };

/// The bound of a batch in bytes, for large frames.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Viewers that this thread writes to. One core cannot serve any number: those who joined behind these are
/// called, and the tasks of their connections write, on all cores. That costs each of them a wake-up a frame,
/// and a thousand viewers of 24 Mbit/s are half a core.
const WRITTEN_HERE: usize = 1024;

/// Runs until the bus is closed.
pub(super) async fn fan_out(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    let mut watchers: Vec<Arc<dyn Watcher>> = Vec::new();
    let mut pages: Option<Pages> = None;
    loop {
        select! {
            shown = reader.changed() => if shown.is_err() { return },
            () = bus.audience().change() => {
                // Who joined and left in between is among those who join.
                bus.audience().take_in(&mut watchers);
                watchers.retain(|watcher| !watcher.is_gone());
                if watchers.is_empty() {
                    pages = None;
                }
                continue;
            }
        }
        // Seen before those who joined are taken in, and what comes during the round is left for the next: so
        // nobody rests on something older than what counts as seen here.
        let showing = reader.borrow_and_update().clone();
        let closed = showing.closed;
        bus.audience().take_in(&mut watchers);
        let by_pages = SendMethod::choose(bus.send_file(), &watchers) == SendMethod::Splice;
        if by_pages && pages.is_none() {
            // An error means that there are none to be had now: the frame is written.
            pages = Pages::new().ok();
        }
        let is_whole = show_all(&bus, &watchers, showing, pages.as_mut().filter(|_| by_pages)).await;
        if !is_whole || pages.as_mut().is_some_and(|pages| pages.let_go().is_err()) {
            pages = None;
        }
        if closed {
            return;
        }
    }
}

/// One round: shows everybody what is on. False when that panicked for somebody, who breaks off: the others
/// are shown it.
async fn show_all(
    bus: &Bus,
    watchers: &[Arc<dyn Watcher>],
    mut showing: Showing,
    mut pages: Option<&mut Pages>,
) -> bool {
    let (here, called) = watchers.split_at(watchers.len().min(WRITTEN_HERE));
    // First, so that they work while this thread does.
    let mut is_whole = true;
    for watcher in called {
        is_whole &= guarded(&**watcher, |watcher| watcher.call(&showing));
    }
    let mut shown = 0;
    while shown < here.len() {
        if shown > 0 {
            yield_now().await;
            showing = bus.showing();
        }
        if let (Some(pages), Some(newest)) = (&mut pages, &showing.newest) {
            pages.offer(newest);
        }
        let batch = &here[shown..here.len().min(shown + batch_len(&showing))];
        for watcher in batch {
            is_whole &= guarded(&**watcher, |watcher| watcher.show(&showing, pages.as_deref_mut()));
        }
        shown += batch.len();
    }
    is_whole
}

/// A viewer's panic is that viewer's end: without this it would be the end of all pictures of the stream.
fn guarded(watcher: &dyn Watcher, look: impl FnOnce(&dyn Watcher)) -> bool {
    if cfg!(loom) {
        // A panic in a model is its failure.
        look(watcher);
        return true;
    }
    let looked = catch_unwind(AssertUnwindSafe(|| look(watcher)));
    if looked.is_err() {
        watcher.break_off();
    }
    looked.is_ok()
}

fn batch_len(showing: &Showing) -> usize {
    let bytes = showing.newest.as_ref().map_or(0, |newest| newest.frame.jpeg().len());
    BATCH.min(BATCH_BYTES / bytes.max(1)).max(1)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    };

    use super::*;
    use crate::bus::tests::tiny_frame;

    /// Notes what it is shown; once, does something meanwhile.
    struct Noting {
        seen: Mutex<Vec<(u64, bool)>>,
        meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
        gone: AtomicBool,
        called: AtomicBool,
    }

    impl std::fmt::Debug for Noting {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Noting").finish_non_exhaustive()
        }
    }

    impl Noting {
        fn join(bus: &Bus) -> Arc<Self> {
            let noting = Self {
                seen: Mutex::default(),
                meanwhile: Mutex::new(None),
                gone: AtomicBool::new(false),
                called: AtomicBool::new(false),
            };
            let noting = Arc::new(noting);
            bus.audience().join(noting.clone());
            noting
        }

        fn last(&self) -> Option<(u64, bool)> {
            self.seen.lock().unwrap().last().copied()
        }
    }

    impl Watcher for Noting {
        fn call(&self, showing: &Showing) {
            self.called.store(true, Ordering::Relaxed);
            self.show(showing, None);
        }

        fn show(&self, showing: &Showing, _: Option<&mut Pages>) {
            let seq = showing.newest.as_ref().map_or(0, |newest| newest.seq);
            self.seen.lock().unwrap().push((seq, showing.closed));
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(meanwhile) = meanwhile {
                meanwhile();
            }
        }

        fn break_off(&self) {
            self.gone.store(true, Ordering::Relaxed);
        }

        fn is_gone(&self) -> bool {
            self.gone.load(Ordering::Relaxed)
        }
    }

    /// More than two batches, and at each place in a round something is published, or the stream ends.
    #[actix::test]
    async fn whatever_comes_during_a_round_everybody_is_shown_it() {
        for place in [0, BATCH - 1, BATCH, 2 * BATCH + 5] {
            for closes in [false, true] {
                let bus = Arc::new(Bus::default());
                let watchers: Vec<_> = (0..2 * BATCH + 6).map(|_| Noting::join(&bus)).collect();
                let meant = bus.clone();
                *watchers[place].meanwhile.lock().unwrap() =
                    Some(Box::new(move || if closes { meant.close() } else { meant.publish(tiny_frame()) }));
                let running = actix::spawn(fan_out(bus.clone()));
                bus.publish(tiny_frame());
                // Each turn is a batch at least.
                for _ in 0..20 {
                    yield_now().await;
                }
                let expected = if closes { (0, true) } else { (2, false) };
                for (n, watcher) in watchers.iter().enumerate() {
                    assert_eq!(watcher.last(), Some(expected), "watcher {n}, published at {place}");
                }
                assert_eq!(running.is_finished(), closes);
                running.abort();
            }
        }
    }

    #[actix::test]
    async fn viewers_beyond_what_a_thread_should_serve_are_called() {
        let bus = Arc::new(Bus::default());
        let watchers: Vec<_> = (0..WRITTEN_HERE + 3).map(|_| Noting::join(&bus)).collect();
        let running = actix::spawn(fan_out(bus.clone()));
        bus.publish(tiny_frame());
        for _ in 0..2 * WRITTEN_HERE / BATCH {
            yield_now().await;
        }
        for (n, watcher) in watchers.iter().enumerate() {
            assert_eq!(watcher.last(), Some((1, false)), "watcher {n}");
            assert_eq!(watcher.called.load(Ordering::Relaxed), n >= WRITTEN_HERE, "watcher {n}");
        }
        running.abort();
    }

    /// Here and where it is called, and both first, so that all others come behind it.
    #[actix::test]
    async fn a_panic_while_one_viewer_is_shown_a_frame_is_the_end_of_that_viewer_only() {
        let bus = Arc::new(Bus::default());
        let watchers: Vec<_> = (0..WRITTEN_HERE + 3).map(|_| Noting::join(&bus)).collect();
        let broken = [0, WRITTEN_HERE];
        for n in broken {
            *watchers[n].meanwhile.lock().unwrap() = Some(Box::new(|| panic!("injected by the test")));
        }
        let running = actix::spawn(fan_out(bus.clone()));
        for seq in 1..=3 {
            bus.publish(tiny_frame());
            for _ in 0..2 * WRITTEN_HERE / BATCH {
                yield_now().await;
            }
            for (n, watcher) in watchers.iter().enumerate().filter(|(n, _)| !broken.contains(n)) {
                assert_eq!(watcher.last(), Some((seq, false)), "watcher {n}");
            }
        }
        assert!(broken.iter().all(|n| watchers[*n].gone.load(Ordering::Relaxed)), "they break off");
        assert!(!running.is_finished());
        running.abort();
    }

    #[actix::test]
    async fn who_is_gone_is_forgotten_without_a_frame() {
        let bus = Arc::new(Bus::default());
        let watcher = Noting::join(&bus);
        let running = actix::spawn(fan_out(bus.clone()));
        yield_now().await;
        watcher.gone.store(true, Ordering::Relaxed);
        bus.audience().left();
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(Arc::strong_count(&watcher), 1);
        running.abort();
    }
}
