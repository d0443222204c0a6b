//! The bus itself: holds the newest frame, numbers it, and notifies its readers.

use std::{
    sync::atomic::Ordering,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::time::Instant;

use super::{
    current::{Current, PublishedFrame},
    frame_numbers::FrameNumbers,
    meta_updates::MetaUpdates,
    replay_buffer::ReplayBuffer,
    stats::{Processing, StreamStats},
    subscribers::Subscribers,
};
use crate::{
    config::SendFile,
    media::{capture::FrameFacts, frame::Frame, multipart::writer::PreparedPart},
    platform::sync::{Arc, AtomicU64, OnceLock, watch},
};

/// Time by which a clock may be set back while `X-Timestamp` stands still. A longer way back starts a new
/// epoch: the clock was so far ahead that its times were wrong.
const MAX_STANDSTILL: Duration = Duration::from_secs(24 * 60 * 60);

/// A bus: the newest frame of one stream and its counters.
#[derive(Debug)]
pub struct Bus {
    current: watch::Sender<Current>,
    last_seq: AtomicU64,
    /// The last `X-Timestamp`, in nanoseconds since 1970.
    last_timestamp: AtomicU64,
    numbers: FrameNumbers,
    meta_updates: watch::Sender<MetaUpdates>,
    stats: Arc<StreamStats>,
    subscribers: Subscribers,
    send_file: OnceLock<SendFile>,
    replay_buffer: Option<ReplayBuffer>,
}

/// A reader of a bus.
pub type BusReader = watch::Receiver<Current>;

impl Default for Bus {
    fn default() -> Self {
        Self {
            current: watch::Sender::default(),
            last_seq: AtomicU64::new(0),
            last_timestamp: AtomicU64::new(0),
            numbers: FrameNumbers::default(),
            meta_updates: watch::Sender::default(),
            stats: Arc::default(),
            subscribers: Subscribers::default(),
            send_file: OnceLock::new(),
            replay_buffer: None,
        }
    }
}

impl Bus {
    /// Creates a bus, with a replay buffer if one is given.
    pub fn with_replay_buffer(replay_buffer: Option<ReplayBuffer>) -> Self {
        Self { replay_buffer, ..Self::default() }
    }

    /// Creates a bus that continues the counters of `before`: for a stream whose replay buffer cannot be
    /// kept.
    pub fn with_counters_of(before: &Self, replay_buffer: Option<ReplayBuffer>) -> Self {
        // Its recorder went with it.
        before.stats.clear_recording_status();
        let last_timestamp = AtomicU64::new(before.last_timestamp.load(Ordering::Relaxed));
        let (numbers, stats) = (before.numbers.continued(), before.stats.clone());
        Self { replay_buffer, last_timestamp, numbers, stats, ..Self::default() }
    }

    /// Returns the numbers of the frames of its source.
    pub fn numbers(&self) -> &FrameNumbers {
        &self.numbers
    }

    /// Tells readers that the JSON of a frame has come after it.
    pub fn update_meta(&self, facts: FrameFacts) {
        self.meta_updates.send_modify(|updates| updates.push(facts));
    }

    /// Returns a reader of the frames whose JSON comes after them.
    pub fn meta_updates(&self) -> watch::Receiver<MetaUpdates> {
        self.meta_updates.subscribe()
    }

    /// Shows `frame`, which came from the source and had this `processing`, and counts it.
    pub fn publish_from_source(&self, frame: Frame, processing: Processing) {
        self.stats.count_frame_in(frame.jpeg().len(), frame.arrived_at(), processing);
        self.publish(frame);
    }

    /// Shows `frame` in place of the one before.
    pub fn publish(&self, frame: Frame) {
        self.publish_if(frame, |_| true);
    }

    /// Shows `frame` only while number `seq` (0: none) is still the newest: an image that was drawn for an
    /// older state must not replace a frame that came meanwhile.
    pub fn publish_if_newest_is(&self, seq: u64, frame: Frame) {
        self.publish_if(frame, |newest| newest == seq);
    }

    fn publish_if(&self, frame: Frame, condition: impl FnOnce(u64) -> bool) {
        let mut past = None;
        self.current.send_if_modified(|current| {
            if current.closed || !condition(current.frame.as_ref().map_or(0, |newest| newest.seq)) {
                return false;
            }
            // Numbered under the channel's lock: two publishers cannot show their frames out of order.
            let seq = self.last_seq.fetch_add(1, Ordering::Relaxed) + 1;
            let timestamp = self.next_timestamp(frame.captured_at());
            let frame = frame.with_timestamp(timestamp);
            let part = PreparedPart::new(frame.jpeg().clone(), timestamp);
            let published = Arc::new(PublishedFrame::new(seq, frame, part));
            if self.replay_buffer.is_some() {
                past = Some(published.clone());
            }
            current.frame = Some(published);
            current.repeat = 0;
            current.since = Some(Instant::now());
            true
        });
        if let (Some(replay_buffer), Some(past)) = (&self.replay_buffer, past) {
            replay_buffer.push(&past);
        }
    }

    /// Returns the `X-Timestamp` of the next frame, which is never before that of the last one. Called under
    /// the channel's lock.
    fn next_timestamp(&self, timestamp: SystemTime) -> SystemTime {
        let last = UNIX_EPOCH + Duration::from_nanos(self.last_timestamp.load(Ordering::Relaxed));
        let stands_still = last.duration_since(timestamp).is_ok_and(|back| back <= MAX_STANDSTILL);
        let next = if stands_still { last } else { timestamp };
        let since = next.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        self.last_timestamp.store(u64::try_from(since).unwrap_or(u64::MAX), Ordering::Relaxed);
        next
    }

    /// Shows frame number `seq` again, unless a newer one has come.
    pub fn repeat(&self, seq: u64) {
        self.current.send_if_modified(|current| {
            let is_newest = current.frame.as_ref().is_some_and(|newest| newest.seq == seq);
            if is_newest {
                current.repeat += 1;
                current.since = Some(Instant::now());
            }
            is_newest
        });
    }

    /// Removes the frame: the next viewer must not see an old one.
    pub fn clear(&self) {
        self.current.send_if_modified(|current| {
            current.repeat = 0;
            current.frame.take().is_some()
        });
    }

    /// Ends the stream for its viewers; no frame is shown any more.
    pub fn close(&self) {
        self.current.send_modify(|current| *current = Current { closed: true, ..Current::default() });
    }

    /// Returns a new reader, to which the current frame counts as not yet seen.
    pub fn subscribe(&self) -> BusReader {
        let mut subscriber = self.current.subscribe();
        subscriber.mark_changed();
        subscriber
    }

    /// Returns the current frame and its state.
    pub fn current(&self) -> Current {
        self.current.borrow().clone()
    }

    /// Sets how frames are sent to many viewers. Called once, before the first frame.
    pub fn set_send_file(&self, setting: SendFile) {
        // An error means that it was set before.
        let _ = self.send_file.set(setting);
    }

    /// Returns how frames are sent to many viewers.
    pub fn send_file(&self) -> SendFile {
        self.send_file.get().copied().unwrap_or_default()
    }

    /// Returns the subscribers that the stream's fan-out shows each frame to.
    pub fn subscribers(&self) -> &Subscribers {
        &self.subscribers
    }

    /// Returns the newest frame.
    pub fn newest(&self) -> Option<Arc<PublishedFrame>> {
        self.current.borrow().frame.clone()
    }

    /// Returns the frames of the last seconds, if the stream keeps them.
    pub fn replay_buffer(&self) -> Option<&ReplayBuffer> {
        self.replay_buffer.as_ref()
    }

    /// Returns the counters of this stream.
    pub fn stats(&self) -> &StreamStats {
        &self.stats
    }
}

#[cfg(not(loom))]
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::bus::stats::recording_status::RecordingState;

    #[test]
    fn a_reader_takes_the_newest_and_sees_what_it_skipped() {
        let bus = Bus::default();
        let reader = bus.subscribe();
        for _ in 0..3 {
            bus.publish(tiny_frame());
        }
        assert_eq!(reader.borrow().frame.as_ref().unwrap().seq, 3);
    }

    #[test]
    fn a_beat_repeats_only_the_frame_it_was_meant_for() {
        let bus = Bus::default();
        bus.publish(tiny_frame());
        bus.repeat(1);
        assert_eq!(bus.subscribe().borrow().repeat, 1);
        bus.publish(tiny_frame());
        bus.repeat(1);
        assert_eq!(bus.subscribe().borrow().repeat, 0, "frame 1 is gone; nothing to repeat");
    }

    #[test]
    fn clearing_forgets_the_frame_but_not_the_count() {
        let bus = Bus::default();
        bus.publish(tiny_frame());
        bus.clear();
        assert!(bus.newest().is_none());
        bus.publish(tiny_frame());
        assert_eq!(bus.newest().unwrap().seq, 2, "numbers never go back");
    }

    #[test]
    fn what_was_drawn_about_the_past_does_not_cover_a_newer_frame() {
        let bus = Bus::default();
        let newest = || bus.newest().map(|newest| newest.seq);
        bus.publish_if_newest_is(1, tiny_frame());
        assert_eq!(newest(), None);
        bus.publish_if_newest_is(0, tiny_frame());
        assert_eq!(newest(), Some(1), "0 is none");
        bus.publish_if_newest_is(1, tiny_frame());
        assert_eq!(newest(), Some(2));
        bus.publish_if_newest_is(1, tiny_frame());
        assert_eq!(newest(), Some(2));
    }

    #[test]
    fn a_closed_bus_shows_nothing_any_more() {
        let bus = Bus::default();
        bus.publish(tiny_frame());
        bus.close();
        bus.publish(tiny_frame());
        bus.publish_if_newest_is(0, tiny_frame());
        let current = bus.current();
        assert!(current.closed && current.frame.is_none() && current.since.is_none());
    }

    #[test]
    fn a_new_reader_has_not_seen_the_present_frame() {
        let bus = Bus::default();
        bus.publish(tiny_frame());
        let mut reader = bus.subscribe();
        assert!(reader.has_changed().unwrap());
        reader.mark_unchanged();
        bus.repeat(2);
        assert!(!reader.has_changed().unwrap(), "there is no such frame to repeat");
        bus.clear();
        assert!(reader.has_changed().unwrap());
        reader.mark_unchanged();
        bus.clear();
        assert!(!reader.has_changed().unwrap(), "there is nothing to forget");
    }

    #[tokio::test(start_paused = true)]
    async fn a_frame_is_dated_when_it_is_shown_and_shown_again() {
        let bus = Bus::default();
        let mut expected = Vec::new();
        let mut seen = Vec::new();
        for step in [|bus: &Bus| bus.publish(tiny_frame()), |bus: &Bus| bus.repeat(1)] {
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
            step(&bus);
            expected.push(Some(Instant::now()));
            seen.push(bus.current().since);
        }
        assert_eq!(seen, expected);
        bus.clear();
        assert_eq!(bus.current().repeat, 0);
    }

    #[test]
    fn a_bus_in_place_of_another_goes_on_counting_without_its_recorder() {
        let before = Bus::default();
        before.stats().count_recorded();
        before.stats().set_recording_status(RecordingState::Saving, None);
        let after = Bus::with_counters_of(&before, None);
        assert_eq!((after.stats().recorded(), after.stats().recording_status()), (1, None));
        assert_eq!(after.send_file(), SendFile::default());
        after.set_send_file(SendFile::Never);
        after.set_send_file(SendFile::default());
        assert_eq!(after.send_file(), SendFile::Never, "it is said once");
    }

    /// Returns the smallest picture that is a whole JPEG.
    pub(crate) fn tiny_frame() -> Frame {
        let mut jpeg = Vec::new();
        jpeg_encoder::Encoder::new(&mut jpeg, 80)
            .encode(&[128; 64], 8, 8, jpeg_encoder::ColorType::Luma)
            .unwrap();
        Frame::from_jpeg(jpeg.into()).unwrap()
    }
}
