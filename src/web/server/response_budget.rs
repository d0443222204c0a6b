//! Limits the memory of answers that clients have not read: of one connection, and of the process.
//!
//! A client that requests much and reads nothing makes the relay keep its answers: over HTTP/2 in hundreds of
//! streams of one connection, over HTTP/1.1 in thousands of connections. So the bytes of an answer are
//! charged to `limits.max_unsent_bytes` until the last slice of them is written; when that budget is used up,
//! further answers become 503. Bytes that several answers share (a picture that many clients request) are
//! charged once to the process, and count in each connection that has not sent them yet. Further requests of
//! a connection that holds `limits.max_unsent_bytes_per_connection` wait before they are answered, for at
//! most [`CAPACITY_TIMEOUT`].
//!
//! Answers that the program keeps in any case (pages, the API's description) are marked [`Permanent`] and not
//! charged. Of a stream, a connection holds one part, whose frame all its viewers share. A viewer that takes
//! longer than [`SLOW_PART`] for a part may be the last one to hold that frame: the frame is charged from
//! then on ([`SlowPart`]), and if the budget is used up, the viewer is disconnected. Viewers that keep up
//! cause no work here.

use std::{
    collections::HashMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    task::Context,
    time::Duration,
};

use actix_web::{HttpMessage, HttpRequest};
use bytes::Bytes;
use tokio::{
    sync::Notify,
    time::{Instant, Sleep, sleep_until, timeout},
};

use crate::limits::{BudgetError, ByteBudget, BytePermit};

/// A part that is not taken within this is charged: by then there are newer ones, and its frame would be free
/// but for this viewer.
pub(in crate::web) const SLOW_PART: Duration = Duration::from_secs(1);

/// A request whose connection has too much unsent waits so long before it gets 503. A client that takes
/// anything at all takes a slice within it; one that reads nothing is disconnected in about this time.
pub(in crate::web) const CAPACITY_TIMEOUT: Duration = Duration::from_secs(10);

/// Number of bytes that a request counts as in its connection while its answer is made: else all that wait
/// would go on as soon as there is room for one.
const EXPECTED_BYTES: usize = 16 * 1024;

/// Marks an answer whose bytes are there for as long as the program runs.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Permanent;

/// The bytes that answers of one connection hold.
#[derive(Debug, Default)]
pub(in crate::web) struct ConnectionBytes {
    held: AtomicUsize,
    freed: Notify,
}

impl ConnectionBytes {
    /// Returns those of the request's connection, which HTTP/1 keeps with the connection and HTTP/2 with each
    /// request.
    pub(in crate::web) fn from_request(request: &HttpRequest) -> Arc<Self> {
        let kept = request.conn_data::<Arc<Self>>().cloned();
        kept.or_else(|| request.extensions().get::<Arc<Self>>().cloned()).unwrap_or_default()
    }

    /// Waits until the connection holds less than `most`. Returns the room for an answer, to be held until the
    /// answer is charged; none if there is none within [`CAPACITY_TIMEOUT`].
    pub(in crate::web) async fn wait_below(self: &Arc<Self>, most: usize) -> Option<HeldBytes> {
        let has_room = async {
            loop {
                let freed = self.freed.notified();
                if let Some(room) = self.reserve(most) {
                    return room;
                }
                freed.await;
            }
        };
        match self.reserve(most) {
            Some(room) => Some(room),
            None => timeout(CAPACITY_TIMEOUT, has_room).await.ok(),
        }
    }

    fn reserve(self: &Arc<Self>, most: usize) -> Option<HeldBytes> {
        let more = |held| (held < most).then_some(held + EXPECTED_BYTES);
        self.held.fetch_update(Relaxed, Relaxed, more).ok()?;
        Some(HeldBytes { connection: self.clone(), bytes: EXPECTED_BYTES })
    }
}

/// The address behind the last byte: what is left of a frame that is half sent ends where the whole frame
/// ends.
type Allocation = usize;

fn allocation(bytes: &[u8]) -> Allocation {
    bytes.as_ptr_range().end as usize
}

/// The bytes that all answers hold.
#[derive(Debug)]
pub struct UnsentAnswers {
    budget: Arc<ByteBudget>,
    charged: Mutex<HashMap<Allocation, Weak<Charge>>>,
}

/// Bytes that are charged to the process for as long as any answer holds them.
#[derive(Debug)]
struct Charge {
    allocation: Allocation,
    _permit: BytePermit,
    answers: Arc<UnsentAnswers>,
}

impl Drop for Charge {
    fn drop(&mut self) {
        let mut charged = self.answers.charged();
        // A newer answer may have put its charge there.
        if charged.get(&self.allocation).is_some_and(|charge| charge.strong_count() == 0) {
            charged.remove(&self.allocation);
        }
    }
}

/// Bytes that count in a connection for as long as an answer of its own holds them.
pub(in crate::web) struct HeldBytes {
    connection: Arc<ConnectionBytes>,
    bytes: usize,
}

impl HeldBytes {
    fn new(connection: Arc<ConnectionBytes>, bytes: usize) -> Self {
        connection.held.fetch_add(bytes, Relaxed);
        Self { connection, bytes }
    }
}

impl Drop for HeldBytes {
    fn drop(&mut self) {
        self.connection.held.fetch_sub(self.bytes, Relaxed);
        self.connection.freed.notify_waiters();
    }
}

/// Owns bytes of an answer: each slice of them keeps the charge, and counts in the answer's connection.
struct Charged {
    bytes: Bytes,
    _charge: Arc<Charge>,
    _held: HeldBytes,
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl UnsentAnswers {
    /// Charges answers to `budget`.
    pub fn new(budget: Arc<ByteBudget>) -> Self {
        Self { budget, charged: Mutex::default() }
    }

    fn charged(&self) -> MutexGuard<'_, HashMap<Allocation, Weak<Charge>>> {
        self.charged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the same bytes, charged until the last slice of them is dropped.
    pub(in crate::web) fn charge(
        self: &Arc<Self>,
        bytes: Bytes,
        connection: &Arc<ConnectionBytes>,
    ) -> Result<Bytes, BudgetError> {
        let charge = self.hold(allocation(&bytes), bytes.len())?;
        let held = HeldBytes::new(connection.clone(), bytes.len());
        Ok(Bytes::from_owner(Charged { bytes, _charge: charge, _held: held }))
    }

    /// Charges bytes to the process, unless they are charged already.
    fn hold(self: &Arc<Self>, allocation: Allocation, bytes: usize) -> Result<Arc<Charge>, BudgetError> {
        let mut charged = self.charged();
        if let Some(charge) = charged.get(&allocation).and_then(Weak::upgrade) {
            return Ok(charge);
        }
        let permit = self.budget.try_acquire(bytes)?;
        let charge = Arc::new(Charge { allocation, _permit: permit, answers: self.clone() });
        charged.insert(allocation, Arc::downgrade(&charge));
        Ok(charge)
    }
}

/// A part that one viewer is taking.
#[derive(Debug)]
pub(in crate::web) struct SlowPart {
    answers: Arc<UnsentAnswers>,
    /// The part's number among those of the connection, and the time when it was first seen to wait.
    part: Option<(u64, Instant)>,
    charge: Option<Arc<Charge>>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl SlowPart {
    pub(in crate::web) fn new(answers: Arc<UnsentAnswers>) -> Self {
        Self { answers, part: None, charge: None, timer: None }
    }

    /// Notes that `rest` of part number `part` waits, of a frame of about `bytes`; or, if there is no rest,
    /// that nothing does.
    ///
    /// # Errors
    /// If it waits for too long and there is no room to hold it. Counted as refused.
    pub(in crate::web) fn waits(
        &mut self,
        part: u64,
        rest: Option<&[u8]>,
        bytes: usize,
    ) -> Result<(), BudgetError> {
        let Some(rest) = rest else {
            (self.part, self.charge) = (None, None);
            return Ok(());
        };
        let now = Instant::now();
        match self.part {
            Some((known, since)) if known == part => {
                if self.charge.is_none() && now.saturating_duration_since(since) >= SLOW_PART {
                    let bytes = bytes.max(rest.len());
                    self.charge = Some(self.answers.hold(allocation(rest), bytes)?);
                }
            }
            _ => (self.part, self.charge) = (Some((part, now)), None),
        }
        Ok(())
    }

    /// Wakes the task when a part that waits has to be charged. One timer a second at most,
    /// whatever the rate of frames.
    pub(in crate::web) fn wake_when_late(&mut self, cx: &mut Context<'_>) {
        let (Some((_, since)), None) = (self.part, &self.charge) else { return };
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(since + SLOW_PART)));
        while timer.as_mut().poll(cx).is_ready() {
            // Armed for an earlier part.
            timer.as_mut().reset((since + SLOW_PART).max(Instant::now() + Duration::from_millis(1)));
        }
    }

    /// Returns whether the part is charged already.
    pub(in crate::web) fn is_charged(&self) -> bool {
        self.charge.is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Poll;

    use futures_util::{FutureExt, future::poll_fn};
    use tokio::time::advance;

    use super::*;

    const KIB: usize = 1024;

    fn answers(kib: usize) -> Arc<UnsentAnswers> {
        Arc::new(UnsentAnswers::new(Arc::new(ByteBudget::new(kib * KIB))))
    }

    #[test]
    fn an_answer_is_charged_until_the_last_slice_of_it_is_gone() {
        let (answers, connection) = (answers(10), Arc::default());
        let mut bytes = answers.charge(Bytes::from(vec![7; 6 * KIB]), &connection).unwrap();
        let last = bytes.split_off(6 * KIB - 1);
        assert!(answers.charge(Bytes::from(vec![7; 6 * KIB]), &connection).is_err());
        drop(bytes);
        assert_eq!((answers.budget.in_use(), connection.held.load(Relaxed)), (6 * KIB, 6 * KIB));
        drop(last);
        assert_eq!((answers.budget.in_use(), connection.held.load(Relaxed)), (0, 0));
        assert!(answers.charged().is_empty());
        assert!(answers.charge(Bytes::from(vec![7; 10 * KIB]), &connection).is_ok());
    }

    #[test]
    fn bytes_that_many_answers_share_are_charged_once() {
        let (answers, connections) = (answers(10), [(); 3].map(|()| Arc::default()));
        let picture = Bytes::from(vec![7; 6 * KIB]);
        let all =
            connections.each_ref().map(|connection| answers.charge(picture.clone(), connection).unwrap());
        assert_eq!(answers.budget.in_use(), 6 * KIB);
        let held = || connections.each_ref().map(|connection| connection.held.load(Relaxed));
        assert_eq!(held(), [6 * KIB; 3], "each has yet to take it");
        let [first, second, third] = all;
        drop(first);
        assert_eq!(answers.budget.in_use(), 6 * KIB, "two hold it still");
        assert_eq!(held(), [0, 6 * KIB, 6 * KIB], "who asked first has taken it");
        drop((second, third));
        assert_eq!((answers.budget.in_use(), answers.charged().len()), (0, 0));
        assert!(connections.iter().all(|connection| connection.held.load(Relaxed) == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_goes_on_when_there_is_some() {
        let (answers, connection) = (answers(10), Arc::<ConnectionBytes>::default());
        let held = answers.charge(Bytes::from(vec![7; 2 * KIB]), &connection).unwrap();
        let mut waits = Box::pin(connection.wait_below(2 * KIB));
        assert!(waits.as_mut().now_or_never().is_none());
        assert!(connection.wait_below(2 * KIB + 1).now_or_never().flatten().is_some());
        drop(held);
        assert!(waits.now_or_never().flatten().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn who_waits_for_room_does_not_wait_for_ever() {
        let (answers, connection) = (answers(10), Arc::<ConnectionBytes>::default());
        let _held = answers.charge(Bytes::from(vec![7; 2 * KIB]), &connection).unwrap();
        let begun = Instant::now();
        assert!(connection.wait_below(2 * KIB).await.is_none());
        assert_eq!(begun.elapsed(), CAPACITY_TIMEOUT);
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_wait_do_not_all_go_on_when_there_is_room_for_one() {
        let (answers, connection) = (answers(10), Arc::<ConnectionBytes>::default());
        let held = answers.charge(Bytes::from(vec![7; 2 * KIB]), &connection).unwrap();
        let mut waiting = [(); 3].map(|()| Box::pin(connection.wait_below(2 * KIB)));
        assert!(waiting.iter_mut().all(|waits| waits.now_or_never().is_none()));
        drop(held);
        let room = waiting[0].as_mut().now_or_never().flatten().expect("its turn");
        assert!(waiting[1..].iter_mut().all(|waits| waits.now_or_never().is_none()));
        drop(room);
        assert!(waiting[1].as_mut().now_or_never().flatten().is_some());
        assert!(waiting[2].as_mut().now_or_never().flatten().is_some(), "the one before has gone again");
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_that_is_taken_too_slowly_is_charged_once_for_all_who_take_it() {
        let (answers, frame) = (answers(10), Bytes::from(vec![7; 6 * KIB]));
        let mut viewers = [(); 3].map(|()| SlowPart::new(answers.clone()));
        for (n, viewer) in viewers.iter_mut().enumerate() {
            viewer.waits(1, Some(&frame[n..]), frame.len()).unwrap();
        }
        assert_eq!(answers.budget.in_use(), 0, "they may be quick yet");
        let [first, ..] = &mut viewers;
        poll_fn(|cx| {
            first.waits(1, Some(&frame[1000..]), frame.len()).unwrap();
            first.wake_when_late(cx);
            if first.is_charged() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        for viewer in &mut viewers {
            viewer.waits(1, Some(&frame[2000..]), frame.len()).unwrap();
            assert_eq!((viewer.is_charged(), answers.budget.in_use()), (true, 6 * KIB));
        }
        let [mut first, second, third] = viewers;
        first.waits(2, Some(&frame), frame.len()).unwrap();
        drop(second);
        assert_eq!(answers.budget.in_use(), 6 * KIB, "one holds it still");
        drop(third);
        assert_eq!(answers.budget.in_use(), 0);
        let others = answers.budget.try_acquire(5 * KIB).unwrap();
        advance(SLOW_PART).await;
        assert!(first.waits(2, Some(&frame), frame.len()).is_err());
        drop(others);
        assert!(first.waits(2, None, 0).is_ok() && answers.charged().is_empty());
    }
}
