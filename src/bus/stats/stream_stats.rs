//! The counters of a stream. All of them only grow; readers take differences.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
    time::Instant,
};

use super::{
    abr_levels::AbrLevels,
    counter_snapshot::Totals,
    drop_reason::DropReason,
    frame_rate::Arrivals,
    histogram::Histogram,
    processing::Processing,
    push_rejections::PushRejections,
    recording_status::{RecordingState, RecordingStatus, RecordingStatusCell},
};
use crate::{
    limits::bounded_counter::BoundedCounter,
    media::multipart::parser::{DiscardReason, Quirk},
};

/// Counters of one stream.
#[derive(Debug)]
pub struct StreamStats {
    frames_in: AtomicU64,
    bytes_in: AtomicU64,
    frames_out: AtomicU64,
    bytes_out: AtomicU64,
    skipped: AtomicU64,
    reconnects: AtomicU64,
    switches: AtomicU64,
    recorded: AtomicU64,
    recording_failures: AtomicU64,
    recording_status: RecordingStatusCell,
    viewers: BoundedCounter,
    joined: AtomicU64,
    replaying: AtomicUsize,
    abr_levels: AbrLevels,
    dropped: [AtomicU64; DropReason::ALL.len()],
    processed: [AtomicU64; Processing::ALL.len()],
    discarded: [AtomicU64; DiscardReason::ALL.len()],
    quirks: Vec<AtomicU64>,
    push_rejections: PushRejections,
    encode_times: Histogram,
    ended_renditions: Mutex<Totals>,
    arrivals: Mutex<Arrivals>,
    keyframe_wait: Mutex<Option<Instant>>,
}

impl Default for StreamStats {
    fn default() -> Self {
        Self {
            frames_in: AtomicU64::default(),
            bytes_in: AtomicU64::default(),
            frames_out: AtomicU64::default(),
            bytes_out: AtomicU64::default(),
            skipped: AtomicU64::default(),
            reconnects: AtomicU64::default(),
            switches: AtomicU64::default(),
            recorded: AtomicU64::default(),
            recording_failures: AtomicU64::default(),
            recording_status: RecordingStatusCell::default(),
            viewers: BoundedCounter::default(),
            joined: AtomicU64::default(),
            replaying: AtomicUsize::default(),
            abr_levels: AbrLevels::default(),
            dropped: Default::default(),
            processed: Default::default(),
            discarded: Default::default(),
            quirks: Quirk::ALL.iter().map(|_| AtomicU64::default()).collect(),
            push_rejections: PushRejections::default(),
            encode_times: Histogram::default(),
            ended_renditions: Mutex::default(),
            arrivals: Mutex::new(Arrivals::new(Instant::now())),
            keyframe_wait: Mutex::default(),
        }
    }
}

impl StreamStats {
    /// Counts a frame of `bytes` that came from the source and was shown, and the `processing` that it had.
    pub fn count_frame_in(&self, bytes: usize, at: Instant, processing: Processing) {
        self.frames_in.fetch_add(1, Relaxed);
        self.processed[processing as usize].fetch_add(1, Relaxed);
        self.bytes_in.fetch_add(bytes as u64, Relaxed);
        self.arrivals().count(at);
    }

    /// Returns the frames per second of each [`FPS_HISTORY_STEP`](crate::bus::FPS_HISTORY_STEP) of the last
    /// minutes, oldest first.
    pub fn fps_history(&self, now: Instant) -> Vec<f64> {
        self.arrivals().rates(now)
    }

    /// Counts a frame of `bytes` that was given to a viewer, and the `skipped` frames since its last one.
    pub fn count_frame_out(&self, bytes: usize, skipped: u64) {
        self.frames_out.fetch_add(1, Relaxed);
        self.bytes_out.fetch_add(bytes as u64, Relaxed);
        self.skipped.fetch_add(skipped, Relaxed);
    }

    /// Sets since when the source waits for a keyframe: its other pictures cannot be decoded before.
    pub fn set_keyframe_wait(&self, since: Option<Instant>) {
        *self.keyframe_wait.lock().unwrap_or_else(PoisonError::into_inner) = since;
    }

    /// Returns in words for how long the source has waited for a keyframe, if it does.
    pub fn keyframe_wait(&self) -> Option<String> {
        let since = *self.keyframe_wait.lock().unwrap_or_else(PoisonError::into_inner);
        Some(format!("waiting for a keyframe, {:.1} s", since?.elapsed().as_secs_f64()))
    }

    /// Counts a frame that was not shown.
    pub fn count_drop(&self, reason: DropReason) {
        self.dropped[reason as usize].fetch_add(1, Relaxed);
    }

    /// Counts data that looked like a frame and was none, or cannot be accepted, `times` times.
    pub fn count_discard(&self, why: DiscardReason, times: u64) {
        self.discarded[why as usize].fetch_add(times, Relaxed);
    }

    /// Counts a quirk of the source, `times` times.
    pub fn count_quirk(&self, quirk: Quirk, times: u64) {
        self.quirks[quirk.index()].fetch_add(times, Relaxed);
    }

    /// Counts a start of the source after it had ended.
    pub fn count_reconnect(&self) {
        self.reconnects.fetch_add(1, Relaxed);
    }

    /// Counts a switch to another of the stream's sources.
    pub fn count_switch(&self) {
        self.switches.fetch_add(1, Relaxed);
    }

    /// Adds the totals of a rendition of the stream that has ended.
    pub fn count_ended_rendition(&self, totals: &Totals) {
        *self.ended_renditions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) += totals;
    }

    /// Counts a frame that was written to disk.
    pub fn count_recorded(&self) {
        self.recorded.fetch_add(1, Relaxed);
    }

    /// Counts a frame that could not be written to disk.
    pub fn count_recording_failure(&self) {
        self.recording_failures.fetch_add(1, Relaxed);
    }

    /// Sets the state of the writing to disk, and the reason if it fails. Returns whether the state changed.
    pub fn set_recording_status(&self, state: RecordingState, reason: Option<String>) -> bool {
        self.recording_status.set(state, reason)
    }

    /// Clears the state of the writing to disk, which has ended.
    pub fn clear_recording_status(&self) {
        self.recording_status.clear();
    }

    /// Counts a viewer that begins a replay; the caller must call [`StreamStats::replay_ended`] once.
    pub fn replay_begun(&self) {
        self.replaying.fetch_add(1, Relaxed);
    }

    /// Counts a viewer that ends a replay.
    pub fn replay_ended(&self) {
        self.replaying.fetch_sub(1, Relaxed);
    }

    /// Counts a viewer if there are fewer than `most`; the caller must call [`StreamStats::viewer_left`]
    /// once.
    ///
    /// # Errors
    /// Returns the current count if it has reached `most`.
    pub fn viewer_joined(&self, most: usize) -> Result<(), usize> {
        self.viewers.try_increment(most)?;
        self.joined.fetch_add(1, Relaxed);
        Ok(())
    }

    /// Counts a viewer that leaves.
    pub fn viewer_left(&self) {
        self.viewers.decrement();
    }

    /// Returns the number of frames that were shown.
    pub fn frames_in(&self) -> u64 {
        self.frames_in.load(Relaxed)
    }

    /// Returns the bytes of the frames that were shown.
    pub fn bytes_in(&self) -> u64 {
        self.bytes_in.load(Relaxed)
    }

    /// Returns the number of frames that viewers were given, including repeats.
    pub fn frames_out(&self) -> u64 {
        self.frames_out.load(Relaxed)
    }

    /// Returns the number of bytes that viewers were given.
    pub fn bytes_out(&self) -> u64 {
        self.bytes_out.load(Relaxed)
    }

    /// Returns the number of frames that viewers missed because they were still busy with an older one.
    pub fn skipped(&self) -> u64 {
        self.skipped.load(Relaxed)
    }

    /// Returns the number of times that the source was restarted.
    pub fn reconnects(&self) -> u64 {
        self.reconnects.load(Relaxed)
    }

    /// Returns the number of times that frames came from another of the stream's sources than before.
    pub fn switches(&self) -> u64 {
        self.switches.load(Relaxed)
    }

    /// Returns the number of frames that were written to disk.
    pub fn recorded(&self) -> u64 {
        self.recorded.load(Relaxed)
    }

    /// Returns the number of frames that could not be written to disk.
    pub fn recording_failures(&self) -> u64 {
        self.recording_failures.load(Relaxed)
    }

    /// Returns the state of the writing to disk; none if nothing is to be written.
    pub fn recording_status(&self) -> Option<RecordingStatus> {
        self.recording_status.get()
    }

    /// Returns the current number of viewers, including those of replays.
    pub fn viewers(&self) -> usize {
        self.viewers.count()
    }

    /// Returns the number of viewers so far, including the current ones.
    pub fn joined(&self) -> u64 {
        self.joined.load(Relaxed)
    }

    /// Returns the number of viewers of replays, including those that have since continued with the live
    /// stream.
    pub fn replaying(&self) -> usize {
        self.replaying.load(Relaxed)
    }

    /// Returns the number of viewers of the live stream, to which the fan-out shows each frame.
    pub fn live_viewers(&self) -> usize {
        self.viewers().saturating_sub(self.replaying())
    }

    /// Returns the counters of the adaptive viewers.
    pub fn abr_levels(&self) -> &AbrLevels {
        &self.abr_levels
    }

    /// Returns the number of frames not shown, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().map(|reason| (reason, self.dropped[reason as usize].load(Relaxed)))
    }

    /// Returns the number of frames shown, by their processing.
    pub fn processed(&self) -> impl Iterator<Item = (Processing, u64)> {
        Processing::ALL
            .into_iter()
            .map(|processing| (processing, self.processed[processing as usize].load(Relaxed)))
    }

    /// Returns the discarded data that looked like frames, counted by reason.
    pub fn discarded(&self) -> impl Iterator<Item = (DiscardReason, u64)> {
        DiscardReason::ALL.into_iter().map(|why| (why, self.discarded[why as usize].load(Relaxed)))
    }

    /// Returns the counters of refused pushes.
    pub fn push_rejections(&self) -> &PushRejections {
        &self.push_rejections
    }

    /// Returns the time that it took to encode frames anew.
    pub fn encode_times(&self) -> &Histogram {
        &self.encode_times
    }

    /// Returns the totals of frames sent, dropped and made so far.
    pub fn totals(&self) -> Totals {
        Totals {
            frames_out: self.frames_out(),
            bytes_out: self.bytes_out(),
            skipped: self.skipped(),
            dropped: std::array::from_fn(|reason| self.dropped[reason].load(Relaxed)),
            processed: std::array::from_fn(|processing| self.processed[processing].load(Relaxed)),
            encode_times: self.encode_times.snapshot(),
        }
    }

    /// Returns these totals for the renditions of the stream that have ended.
    pub fn ended_renditions(&self) -> Totals {
        self.ended_renditions.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Returns the quirks that occurred, with how often.
    pub fn quirks(&self) -> impl Iterator<Item = (Quirk, u64)> {
        Quirk::ALL.iter().map(|&q| (q, self.quirks[q.index()].load(Relaxed))).filter(|&(_, n)| n > 0)
    }

    /// Returns the frames per second over the last few seconds before `now`.
    pub fn fps(&self, now: Instant) -> f64 {
        self.arrivals().fps(now)
    }

    fn arrivals(&self) -> MutexGuard<'_, Arrivals> {
        self.arrivals.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, time::Duration};

    use super::*;
    use crate::bus::stats::push_rejections::PushRejection;

    /// Returns all counters that are not zero, by name.
    fn counted(stats: &StreamStats) -> BTreeMap<String, u64> {
        let numbers = [
            ("frames in", stats.frames_in()),
            ("bytes in", stats.bytes_in()),
            ("frames out", stats.frames_out()),
            ("bytes out", stats.bytes_out()),
            ("skipped", stats.skipped()),
            ("reconnects", stats.reconnects()),
            ("switches", stats.switches()),
            ("saved", stats.recorded()),
            ("save failures", stats.recording_failures()),
            ("viewers", stats.viewers() as u64),
            ("joined", stats.joined()),
            ("replaying", stats.replaying() as u64),
            ("watching", stats.live_viewers() as u64),
        ];
        let dropped = stats.dropped().map(|(why, count)| (format!("dropped {}", why.as_str()), count));
        let made = stats.processed().map(|(processing, count)| (processing.as_str().to_owned(), count));
        let discarded = stats.discarded().map(|(why, count)| (format!("discarded {}", why.as_str()), count));
        let quirks = stats.quirks().map(|(quirk, count)| (quirk.as_str().to_owned(), count));
        let refused =
            stats.push_rejections().all().map(|(why, count)| (format!("push {}", why.as_str()), count));
        let numbers = numbers.map(|(name, count)| (name.to_owned(), count)).into_iter();
        let reasons = dropped.chain(made).chain(discarded).chain(quirks).chain(refused);
        numbers.chain(reasons).filter(|(_, count)| *count > 0).collect()
    }

    #[test]
    fn each_event_is_counted_where_it_belongs() {
        type Case<'a> = (&'a dyn Fn(&StreamStats), &'a [(&'a str, u64)]);
        let join = |stats: &StreamStats| stats.viewer_joined(9).unwrap();
        let cases: [Case<'_>; 13] = [
            (
                &|stats| stats.count_frame_in(10, Instant::now(), Processing::Lossless),
                &[("frames in", 1), ("bytes in", 10), ("lossless", 1)],
            ),
            (&|stats| stats.count_frame_out(20, 3), &[("frames out", 1), ("bytes out", 20), ("skipped", 3)]),
            (&|stats| stats.count_drop(DropReason::Busy), &[("dropped busy", 1)]),
            (&|stats| stats.count_discard(DiscardReason::NotJpeg, 5), &[("discarded not_jpeg", 5)]),
            (&|stats| stats.count_quirk(Quirk::NoBoundary, 4), &[("no-boundary", 4)]),
            (&|stats| stats.push_rejections().count(PushRejection::Busy), &[("push busy", 1)]),
            (&StreamStats::count_reconnect, &[("reconnects", 1)]),
            (&StreamStats::count_switch, &[("switches", 1)]),
            (&StreamStats::count_recorded, &[("saved", 1)]),
            (&StreamStats::count_recording_failure, &[("save failures", 1)]),
            (&join, &[("viewers", 1), ("joined", 1), ("watching", 1)]),
            (
                &|stats| {
                    join(stats);
                    stats.replay_begun();
                },
                &[("viewers", 1), ("joined", 1), ("replaying", 1)],
            ),
            (
                &|stats| {
                    join(stats);
                    stats.replay_begun();
                    stats.replay_ended();
                    stats.viewer_left();
                },
                &[("joined", 1)],
            ),
        ];
        for (event, expected) in cases {
            let stats = StreamStats::default();
            event(&stats);
            event(&stats);
            let twice: BTreeMap<_, _> =
                expected.iter().map(|(name, count)| ((*name).to_owned(), 2 * count)).collect();
            assert_eq!(counted(&stats), twice);
        }
    }

    #[test]
    fn the_way_to_disk_has_a_state_until_it_is_forgotten() {
        let stats = StreamStats::default();
        assert!(stats.set_recording_status(RecordingState::Full, None));
        assert!(!stats.set_recording_status(RecordingState::Full, None), "the same as before");
        assert_eq!(stats.recording_status().unwrap().state, RecordingState::Full);
        stats.clear_recording_status();
        assert_eq!(stats.recording_status(), None);
    }

    #[test]
    fn the_rate_is_counted_between_frames_and_with_a_long_silence() {
        /// Arrivals and the time of the question, in milliseconds, and the expected rate.
        type Case<'a> = (&'a [u64], u64, f64);
        let start = Instant::now();
        let at = |millis: u64| start + Duration::from_millis(millis);
        let cases: [Case<'_>; 9] = [
            (&[], 0, 0.0),
            (&[0], 0, 0.0),
            (&[0, 0], 0, 0.0),
            (&[0, 1000], 1000, 1.0),
            (&[1000, 0, 500], 1000, 2.0),
            (&[0, 1000], 3000, 1.0),
            (&[0, 1000], 3001, 1000.0 / 3001.0),
            (&[0, 3000, 4000], 4000, 0.5),
            (&[0, 3000, 4000], 4001, 1.0),
        ];
        for (arrivals, now, expected) in cases {
            let stats = StreamStats::default();
            arrivals.iter().for_each(|arrival| stats.count_frame_in(10, at(*arrival), Processing::Passed));
            let fps = stats.fps(at(now));
            assert!((fps - expected).abs() < 1e-9, "{arrivals:?} at {now}: {fps}");
        }
        let stats = StreamStats::default();
        (0..1000).for_each(|n| stats.count_frame_in(10, at(10 * n), Processing::Passed));
        assert!((stats.fps(at(9990)) - 100.0).abs() < 1e-9, "the arrivals that are remembered are enough");
        assert_eq!(stats.fps_history(at(10_000))[1..4], [100.0; 3]);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds_and_falls_in_silence() {
        let stats = StreamStats::default();
        let start = Instant::now();
        for n in 0..40 {
            stats.count_frame_in(10, start + Duration::from_millis(100 * n), Processing::Passed);
        }
        let end = start + Duration::from_millis(3900);
        assert!((stats.fps(end) - 10.0).abs() < 0.2, "{}", stats.fps(end));
        assert!(stats.fps(end + Duration::from_secs(2)) < 8.0);
        assert_eq!(stats.fps(end + Duration::from_secs(10)), 0.0);
    }
}
