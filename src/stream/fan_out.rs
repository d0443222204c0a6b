//! The fan-out: shows each frame to all viewers, in a loop of the stream's own thread.
//!
//! The thread that has read a frame also writes it: no other thread is woken for viewers whose sockets accept
//! it at once, and with few viewers a frame costs little more than its system calls.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use super::send_method::{SendMethod, count_plain};
use crate::{
    bus::{Bus, Current, FrameReceiver, SplicePipe, Subscribers},
    platform::sync::{select, yield_now},
};

/// Number of viewers after which the loop yields to other streams of the thread; the next viewers get the
/// frame that is newest by then. That is about a millisecond of writing frames of 100 kB. In a loom model it
/// yields after each viewer.
const BATCH: usize = if cfg!(loom) { 1 } else { 64 };

/// Bound of a batch in bytes, for large frames.
const BATCH_BYTES: usize = 8 * 1024 * 1024;

/// Number of viewers that this thread writes to, since one core cannot serve any number. Viewers beyond it
/// are woken, and the tasks of their connections write, on all cores. That costs a wake-up per viewer and
/// frame; a thousand viewers of 24 Mbit/s take half a core.
const MAX_INLINE_WRITES: usize = 1024;

/// The viewers of a stream, in the order in which they joined.
#[derive(Default)]
struct Receivers {
    all: Vec<Arc<dyn FrameReceiver>>,
    /// Number of those on plain TCP among the ones that this thread writes to.
    plain_inline: usize,
}

impl Receivers {
    /// Adds new viewers and removes those that have left.
    fn update(&mut self, subscribers: &Subscribers) {
        if subscribers.drain_new(&mut self.all) {
            self.plain_inline = count_plain(&self.all[..self.inline_count()]);
        }
    }

    /// Returns the number of those that this thread writes to, which are the first.
    fn inline_count(&self) -> usize {
        self.all.len().min(MAX_INLINE_WRITES)
    }
}

/// Runs until the bus is closed.
pub(super) async fn run_fan_out(bus: Arc<Bus>) {
    let mut reader = bus.subscribe();
    let mut viewers = Receivers::default();
    let mut pipe: Option<SplicePipe> = None;
    loop {
        select! {
            shown = reader.changed() => if shown.is_err() { return },
            () = bus.subscribers().changed() => {
                // A viewer that joined and left in between is among the new ones.
                viewers.update(bus.subscribers());
                if viewers.all.is_empty() {
                    pipe = None;
                }
                continue;
            }
        }
        // The frame is marked as seen before new viewers are added, and a frame that comes during the round
        // is handled in the next one. So no viewer keeps a frame older than the one marked as seen.
        let current = reader.borrow_and_update().clone();
        let closed = current.closed;
        viewers.update(bus.subscribers());
        let by_splice = SendMethod::choose(bus.send_file(), viewers.plain_inline) == SendMethod::Splice;
        if by_splice && pipe.is_none() {
            // An error means that no pipe can be created now: the frame is written instead.
            pipe = SplicePipe::new().ok();
        }
        let is_whole = send_to_all(&bus, &viewers, current, pipe.as_mut().filter(|_| by_splice)).await;
        if !is_whole || pipe.as_mut().is_some_and(|pipe| pipe.clear().is_err()) {
            pipe = None;
        }
        if closed {
            return;
        }
    }
}

/// Shows the current frame to all viewers, which is one round. Returns `false` if that panicked for a viewer:
/// it is disconnected, and the others are still shown the frame.
async fn send_to_all(
    bus: &Bus,
    viewers: &Receivers,
    mut current: Current,
    mut pipe: Option<&mut SplicePipe>,
) -> bool {
    let (inline, woken) = viewers.all.split_at(viewers.inline_count());
    // First, so that they run while this thread writes.
    let mut is_whole = true;
    for receiver in woken {
        is_whole &= guarded(&**receiver, |receiver| receiver.wake(&current));
    }
    let mut shown = 0;
    while shown < inline.len() {
        if shown > 0 {
            yield_now().await;
            current = bus.current();
        }
        if let (Some(pipe), Some(newest)) = (&mut pipe, &current.frame) {
            pipe.offer(newest);
        }
        let batch = &inline[shown..inline.len().min(shown + batch_len(&current))];
        for receiver in batch {
            is_whole &= guarded(&**receiver, |receiver| receiver.on_frame(&current, pipe.as_deref_mut()));
        }
        shown += batch.len();
    }
    is_whole
}

/// Limits a panic to the viewer that caused it: without this it would end the fan-out of the whole stream.
fn guarded(receiver: &dyn FrameReceiver, call: impl FnOnce(&dyn FrameReceiver)) -> bool {
    if cfg!(loom) {
        // A panic in a model is its failure.
        call(receiver);
        return true;
    }
    let result = catch_unwind(AssertUnwindSafe(|| call(receiver)));
    if result.is_err() {
        receiver.abort();
    }
    result.is_ok()
}

fn batch_len(current: &Current) -> usize {
    let bytes = current.frame.as_ref().map_or(0, |newest| newest.frame.jpeg().len());
    BATCH.min(BATCH_BYTES / bytes.max(1)).max(1)
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use std::sync::{
        Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    };

    use super::*;
    use crate::bus::tests::tiny_frame;

    /// A viewer that notes what it is shown, and once does something meanwhile.
    struct Noting {
        seen: Mutex<Vec<(u64, bool)>>,
        meanwhile: Mutex<Option<Box<dyn FnOnce() + Send>>>,
        gone: AtomicBool,
        called: AtomicBool,
        is_plain: bool,
        /// Number of calls that checked whether it is plain.
        asked: AtomicUsize,
        spliced: AtomicBool,
    }

    impl std::fmt::Debug for Noting {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.debug_struct("Noting").finish_non_exhaustive()
        }
    }

    impl Noting {
        fn join(bus: &Bus) -> Arc<Self> {
            Self::join_on(bus, false)
        }

        /// Joins as a viewer on plain TCP or TLS.
        fn join_on(bus: &Bus, is_plain: bool) -> Arc<Self> {
            let noting = Self {
                seen: Mutex::default(),
                meanwhile: Mutex::new(None),
                gone: AtomicBool::new(false),
                called: AtomicBool::new(false),
                is_plain,
                asked: AtomicUsize::new(0),
                spliced: AtomicBool::new(false),
            };
            let noting = Arc::new(noting);
            bus.subscribers().add(noting.clone());
            noting
        }

        fn last(&self) -> Option<(u64, bool)> {
            self.seen.lock().unwrap().last().copied()
        }
    }

    impl FrameReceiver for Noting {
        fn wake(&self, current: &Current) {
            self.called.store(true, Ordering::Relaxed);
            self.on_frame(current, None);
        }

        fn on_frame(&self, current: &Current, pipe: Option<&mut SplicePipe>) {
            self.spliced.store(pipe.is_some(), Ordering::Relaxed);
            let seq = current.frame.as_ref().map_or(0, |newest| newest.seq);
            self.seen.lock().unwrap().push((seq, current.closed));
            let meanwhile = self.meanwhile.lock().unwrap().take();
            if let Some(meanwhile) = meanwhile {
                meanwhile();
            }
        }

        fn can_splice(&self) -> bool {
            self.asked.fetch_add(1, Ordering::Relaxed);
            self.is_plain
        }

        fn abort(&self) {
            self.gone.store(true, Ordering::Relaxed);
        }

        fn is_closed(&self) -> bool {
            self.gone.load(Ordering::Relaxed)
        }
    }

    /// With more than two batches, at each place in a round something is published, or the stream ends.
    #[actix::test]
    async fn whatever_comes_during_a_round_everybody_is_shown_it() {
        for place in [0, BATCH - 1, BATCH, 2 * BATCH + 5] {
            for closes in [false, true] {
                let bus = Arc::new(Bus::default());
                let receivers: Vec<_> = (0..2 * BATCH + 6).map(|_| Noting::join(&bus)).collect();
                let meant = bus.clone();
                *receivers[place].meanwhile.lock().unwrap() =
                    Some(Box::new(move || if closes { meant.close() } else { meant.publish(tiny_frame()) }));
                let running = actix::spawn(run_fan_out(bus.clone()));
                bus.publish(tiny_frame());
                // Each turn is a batch at least.
                for _ in 0..20 {
                    yield_now().await;
                }
                let expected = if closes { (0, true) } else { (2, false) };
                for (n, receiver) in receivers.iter().enumerate() {
                    assert_eq!(receiver.last(), Some(expected), "watcher {n}, published at {place}");
                }
                assert_eq!(running.is_finished(), closes);
                running.abort();
            }
        }
    }

    #[actix::test]
    async fn viewers_beyond_what_a_thread_should_serve_are_called() {
        let bus = Arc::new(Bus::default());
        let receivers: Vec<_> = (0..MAX_INLINE_WRITES + 3).map(|_| Noting::join(&bus)).collect();
        let running = actix::spawn(run_fan_out(bus.clone()));
        bus.publish(tiny_frame());
        for _ in 0..2 * MAX_INLINE_WRITES / BATCH {
            yield_now().await;
        }
        for (n, receiver) in receivers.iter().enumerate() {
            assert_eq!(receiver.last(), Some((1, false)), "watcher {n}");
            assert_eq!(receiver.called.load(Ordering::Relaxed), n >= MAX_INLINE_WRITES, "watcher {n}");
        }
        running.abort();
    }

    /// A panic here and where it is called; both viewers come first, so that all others follow.
    #[actix::test]
    async fn a_panic_while_one_viewer_is_shown_a_frame_is_the_end_of_that_viewer_only() {
        let bus = Arc::new(Bus::default());
        let receivers: Vec<_> = (0..MAX_INLINE_WRITES + 3).map(|_| Noting::join(&bus)).collect();
        let broken = [0, MAX_INLINE_WRITES];
        for n in broken {
            *receivers[n].meanwhile.lock().unwrap() = Some(Box::new(|| panic!("injected by the test")));
        }
        let running = actix::spawn(run_fan_out(bus.clone()));
        for seq in 1..=3 {
            bus.publish(tiny_frame());
            for _ in 0..2 * MAX_INLINE_WRITES / BATCH {
                yield_now().await;
            }
            for (n, receiver) in receivers.iter().enumerate().filter(|(n, _)| !broken.contains(n)) {
                assert_eq!(receiver.last(), Some((seq, false)), "watcher {n}");
            }
        }
        assert!(broken.iter().all(|n| receivers[*n].gone.load(Ordering::Relaxed)), "they break off");
        assert!(!running.is_finished());
        running.abort();
    }

    /// Publishes a frame and waits for the round.
    async fn publish(bus: &Bus) {
        bus.publish(tiny_frame());
        for _ in 0..2 * MAX_INLINE_WRITES / BATCH {
            yield_now().await;
        }
    }

    #[actix::test]
    async fn viewers_are_counted_when_they_join_and_leave_and_not_for_each_frame() {
        let bus = Arc::new(Bus::default());
        let receivers: Vec<_> = (0..100).map(|n| Noting::join_on(&bus, n % 20 == 0)).collect();
        let running = actix::spawn(run_fan_out(bus.clone()));
        let asked = |n: usize| receivers[n].asked.load(Ordering::Relaxed);
        for _ in 0..5 {
            publish(&bus).await;
        }
        assert_eq!((receivers[99].last(), asked(0), asked(99)), (Some((5, false)), 1, 1));
        receivers[0].gone.store(true, Ordering::Relaxed);
        bus.subscribers().notify_left();
        publish(&bus).await;
        assert_eq!((asked(0), asked(99)), (1, 2));
        running.abort();
    }

    #[cfg(target_os = "linux")]
    #[actix::test]
    async fn frames_are_spliced_when_this_thread_writes_to_enough_viewers_on_plain_tcp() {
        const ALL: usize = MAX_INLINE_WRITES;
        for (plain, tls, called, expected) in
            [(8, 3, 0, true), (7, 3, 0, false), (8, ALL - 8, 1, true), (7, ALL - 7, 100, false)]
        {
            let bus = Arc::new(Bus::default());
            let here: Vec<_> = (0..plain + tls).map(|n| Noting::join_on(&bus, n < plain)).collect();
            let others: Vec<_> = (0..called).map(|_| Noting::join_on(&bus, true)).collect();
            let running = actix::spawn(run_fan_out(bus.clone()));
            publish(&bus).await;
            assert!(others.iter().all(|receiver| receiver.called.load(Ordering::Relaxed)));
            for receiver in &here {
                assert_eq!(receiver.last(), Some((1, false)));
                let spliced = receiver.spliced.load(Ordering::Relaxed);
                assert_eq!(spliced, expected, "{plain} plain, {tls} over TLS, {called} elsewhere");
            }
            running.abort();
        }
    }

    /// In both orders: the fan-out looks first for a frame, or for those who left.
    #[actix::test]
    async fn viewers_that_are_gone_do_not_count() {
        for _ in 0..30 {
            let bus = Arc::new(Bus::default());
            let receivers: Vec<_> = (0..8).map(|_| Noting::join_on(&bus, true)).collect();
            let running = actix::spawn(run_fan_out(bus.clone()));
            publish(&bus).await;
            receivers[7].gone.store(true, Ordering::Relaxed);
            bus.subscribers().notify_left();
            publish(&bus).await;
            assert!(!receivers[0].spliced.load(Ordering::Relaxed), "to seven");
            assert_eq!(receivers[7].last(), Some((1, false)));
            running.abort();
        }
    }

    #[actix::test]
    async fn who_is_gone_is_forgotten_without_a_frame() {
        let bus = Arc::new(Bus::default());
        let receiver = Noting::join(&bus);
        let running = actix::spawn(run_fan_out(bus.clone()));
        yield_now().await;
        receiver.gone.store(true, Ordering::Relaxed);
        bus.subscribers().notify_left();
        for _ in 0..3 {
            yield_now().await;
        }
        assert_eq!(Arc::strong_count(&receiver), 1);
        running.abort();
    }
}
