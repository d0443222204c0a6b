//! The source's end of a bus: checks the frames of a source, limits their rate and counts them.

use std::{
    num::NonZeroU64,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tokio::sync::{oneshot, watch};

use super::{
    channel::Bus,
    frame_numbers::FrameNumber,
    source_gate::{SourceGate, SourceSwitch},
    stats::{DropReason, Processing},
};
use crate::config::Timestamps;
use crate::media::{
    capture::Sender,
    frame::{Frame, FrameKind},
    jpeg::{JpegError, JpegInfo, lacks_eoi},
    multipart::parser::{DiscardReason, ParserEvents, Part, Quirk},
};

/// Part of an interval by which a frame may come early and still be shown: cameras' clocks jitter, and a 30
/// fps camera under `max_fps: 30` must not lose frames.
const RATE_TOLERANCE: f64 = 0.25;

/// The entry of a bus, into which a source puts its frames. Clones share the rate limit.
#[derive(Debug, Clone)]
pub struct Ingest {
    bus: Arc<Bus>,
    rate_limiter: Arc<Mutex<FrameRateLimiter>>,
    received: Arc<watch::Sender<u64>>,
    processor: Option<Arc<dyn FrameProcessor>>,
    gate: Option<SourceGate>,
    max_pixels: u64,
    timestamps: Timestamps,
}

/// Takes what became of a frame: it is shown, or the reason why it was dropped. It is dropped with a frame
/// that is replaced by a newer one before it is processed.
pub type OutcomeSender = oneshot::Sender<Result<(), DropReason>>;

/// A step between a source and its bus that changes the pictures.
///
/// It takes each frame at once and shows the result later, with [`Bus::publish_from_source`]; of frames that
/// come faster than it works the newest is processed, and the others are counted as [`DropReason::Busy`].
pub trait FrameProcessor: Send + Sync + std::fmt::Debug {
    /// Takes a frame whose result is to be shown on `bus`, and tells `outcome` what became of it.
    fn process(&self, frame: Frame, bus: &Arc<Bus>, outcome: Option<OutcomeSender>);

    /// Discards the frames that are being processed: none of them is shown after this call.
    fn discard_pending(&self);
}

/// Thins frames to a rate.
#[derive(Debug)]
pub(crate) struct FrameRateLimiter {
    interval: Option<Duration>,
    due: Option<Instant>,
}

impl FrameRateLimiter {
    /// Creates a limit of one frame each `interval`, or none.
    pub(crate) fn new(interval: Option<Duration>) -> Self {
        Self { interval, due: None }
    }

    /// Returns whether [`FrameRateLimiter::admits`] would be true at `now`.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let early = self.interval.unwrap_or_default().mul_f64(RATE_TOLERANCE);
        self.due.is_none_or(|due| now + early >= due)
    }

    /// Returns whether a frame that arrives at `now` is shown. Slots are on a fixed grid, so that a source
    /// slightly above the limit is thinned evenly and not halved.
    pub(crate) fn admits(&mut self, now: Instant) -> bool {
        let Some(interval) = self.interval else { return true };
        let early = interval.mul_f64(RATE_TOLERANCE);
        match self.due {
            Some(due) if now + early < due => false,
            Some(due) if now < due + interval => {
                self.due = Some(due + interval);
                true
            }
            _ => {
                self.due = Some(now + interval);
                true
            }
        }
    }
}

impl Ingest {
    /// Creates an ingest that shows at most `max_fps` frames a second.
    pub fn new(bus: Arc<Bus>, max_fps: Option<f64>) -> Self {
        let interval = max_fps.map(|fps| Duration::from_secs_f64(1.0 / fps));
        let rate_limiter = Arc::new(Mutex::new(FrameRateLimiter::new(interval)));
        Self {
            bus,
            rate_limiter,
            received: Arc::default(),
            processor: None,
            gate: None,
            max_pixels: u64::MAX,
            timestamps: Timestamps::default(),
        }
    }

    /// Sets what `X-Timestamp` says.
    #[must_use]
    pub fn with_timestamps(self, timestamps: Timestamps) -> Self {
        Self { timestamps, ..self }
    }

    /// Drops and counts pictures of more pixels: nothing is decoded here, but viewers' browsers do, and a
    /// header of a few bytes can declare four billion of them.
    #[must_use]
    pub fn with_max_pixels(self, max_pixels: u64) -> Self {
        Self { max_pixels, ..self }
    }

    /// Returns whether a picture of this size is shown.
    pub fn fits(&self, info: &JpegInfo) -> bool {
        u64::from(info.width) * u64::from(info.height) <= self.max_pixels
    }

    /// Makes `processor` process the frames before they are shown.
    #[must_use]
    pub fn with_transform(self, processor: Arc<dyn FrameProcessor>) -> Self {
        Self { processor: Some(processor), ..self }
    }

    /// Returns an ingest for one of several sources. It counts its own frames, and shows them only while its
    /// gate is the current one.
    #[must_use]
    pub fn for_source(&self, switch: &Arc<SourceSwitch>, number: u64) -> Self {
        let gate = Some(SourceGate { switch: switch.clone(), number });
        Self { received: Arc::default(), gate, ..self.clone() }
    }

    /// Clears the frame that is shown, and those that are being processed: the next viewer must not see an
    /// old frame.
    pub fn clear(&self) {
        if let Some(processor) = &self.processor {
            processor.discard_pending();
        }
        self.bus.clear();
    }

    /// Checks a JPEG and shows it without changing its bytes. Returns its properties.
    ///
    /// # Errors
    /// The error in the bytes, which is already counted as [`DropReason::Invalid`].
    pub fn push_jpeg(&self, bytes: Bytes) -> Result<JpegInfo, JpegError> {
        let lacks_eoi = lacks_eoi(&bytes);
        match Frame::from_jpeg(bytes) {
            Ok(frame) => {
                let info = *frame.info();
                if !info.has_huffman_tables {
                    self.count_quirk(Quirk::NoHuffmanTables, 1);
                }
                self.count_quirk(Quirk::MissingEoi, lacks_eoi.into());
                self.push_frame(frame);
                Ok(info)
            }
            Err(error) => {
                self.bus.stats().count_discard(DiscardReason::Invalid, 1);
                self.count_drop(DropReason::Invalid);
                Err(error)
            }
        }
    }

    /// Shows a JPEG of a camera that the parser has already checked.
    pub fn push_part(&self, part: Part) {
        self.push_part_of(part, Sender::Camera);
    }

    /// Shows a JPEG that the parser has already checked, with what its headers say.
    pub fn push_part_of(&self, part: Part, sender: Sender) {
        let frame = Frame::from_checked(part.jpeg, part.info);
        self.push_frame(frame.with_headers(&part.capture, sender));
    }

    /// Counts the quirks and discards that the parser noticed.
    pub fn count_events(&self, events: &ParserEvents) {
        for (quirk, times) in events.quirks() {
            self.count_quirk(quirk, times);
        }
        for (why, times) in events.discards() {
            self.bus.stats().count_discard(why, times);
            let reason =
                if why == DiscardReason::TooLarge { DropReason::TooLarge } else { DropReason::Invalid };
            (0..times).for_each(|_| self.count_drop(reason));
        }
    }

    /// Shows a frame, unless it is too large, comes too soon after the one before, or another source is
    /// shown. A frame that is too large does not count as received. Returns the number of a frame that is
    /// shown.
    pub fn push_frame(&self, frame: Frame) -> Option<NonZeroU64> {
        self.push(frame, None)
    }

    /// Shows a frame as [`Ingest::push_frame`], and returns once it is on the bus.
    ///
    /// # Errors
    /// The reason why it is not shown, which is counted.
    pub async fn push_and_wait(&self, frame: Frame) -> Result<Option<NonZeroU64>, DropReason> {
        let (sender, outcome) = oneshot::channel();
        let seq = self.push(frame, Some(sender));
        outcome.await.unwrap_or(Err(DropReason::Busy)).map(|()| seq)
    }

    fn push(&self, frame: Frame, outcome: Option<OutcomeSender>) -> Option<NonZeroU64> {
        if !self.fits(frame.info()) {
            self.count_drop(DropReason::TooLarge);
            tell(outcome, Err(DropReason::TooLarge));
            return None;
        }
        let is_open = self.gate.as_ref().is_none_or(SourceGate::is_open);
        let seq = if is_open { self.publish(frame, outcome) } else { None };
        self.received.send_modify(|given| *given += 1);
        seq
    }

    /// Returns whether a frame that arrives now would be shown: a source that decodes for each frame need not
    /// encode the others.
    pub fn wants_frame(&self) -> bool {
        let limiter = self.rate_limiter.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        self.gate.as_ref().is_none_or(SourceGate::is_open) && limiter.is_due(Instant::now())
    }

    /// Counts a frame that the source has received and does not show because it comes too soon.
    pub fn skip_frame(&self) {
        self.count_drop(DropReason::MaxFps);
        self.received.send_modify(|given| *given += 1);
    }

    fn publish(&self, frame: Frame, outcome: Option<OutcomeSender>) -> Option<NonZeroU64> {
        let admitted = self
            .rate_limiter
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
            .admits(frame.arrived_at());
        if !admitted {
            self.count_drop(DropReason::MaxFps);
            tell(outcome, Err(DropReason::MaxFps));
            return None;
        }
        let frame = match self.timestamps {
            // That of its arrival, or in a rendition the origin's.
            Timestamps::Arrival => frame,
            Timestamps::Capture => {
                let time = frame.capture().time;
                frame.with_timestamp(time)
            }
        };
        // An offline image of another framecast is shown, and is no frame of the camera.
        if frame.kind() == FrameKind::OfflineImage {
            self.process(frame, outcome);
            return None;
        }
        self.bus.numbers().assign(frame.seq(), frame.capture().time, |FrameNumber { seq, is_repeat }| {
            let frame = frame.with_seq(seq);
            if is_repeat && self.shows_again(&frame) {
                tell(outcome, Ok(()));
            } else {
                self.process(frame, outcome);
            }
            Some(seq)
        })
    }

    /// Returns whether the newest frame has this one's number, and takes over the JSON that has come meanwhile.
    fn shows_again(&self, frame: &Frame) -> bool {
        let Some(newest) = self.bus.newest().filter(|newest| newest.frame.seq() == frame.seq()) else {
            return false;
        };
        let meta = frame.meta().clone();
        let is_new = meta.is_some() && *newest.frame.meta() != meta;
        if is_new {
            *newest.frame.meta() = meta;
            self.bus.update_meta(newest.frame.facts());
        }
        true
    }

    fn process(&self, frame: Frame, outcome: Option<OutcomeSender>) {
        match &self.processor {
            Some(processor) => processor.process(frame, &self.bus, outcome),
            None => {
                self.bus.publish_from_source(frame, Processing::Passed);
                tell(outcome, Ok(()));
            }
        }
    }

    /// Returns a counter of the frames that were received, including those that came too soon to be shown. It
    /// shows whether the source is alive.
    pub fn received(&self) -> watch::Receiver<u64> {
        self.received.subscribe()
    }

    /// Counts a frame that could not be shown.
    pub fn count_drop(&self, reason: DropReason) {
        self.bus.stats().count_drop(reason);
    }

    /// Counts a quirk of the source.
    pub fn count_quirk(&self, quirk: Quirk, times: u64) {
        self.bus.stats().count_quirk(quirk, times);
    }

    /// Returns the bus that the frames are shown on.
    pub fn bus(&self) -> &Arc<Bus> {
        &self.bus
    }
}

/// Tells a publisher that waits what became of its frame.
pub(crate) fn tell(outcome: Option<OutcomeSender>, result: Result<(), DropReason>) {
    if let Some(outcome) = outcome {
        // A publisher that has gone does not wait.
        let _ = outcome.send(result);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::multipart::{
        content_type::ContentKind,
        parser::{ParserLimits, PartParser},
        writer::Framing,
    };

    fn shown(source_fps: f64, max_fps: f64) -> usize {
        let mut rate_limiter = FrameRateLimiter::new(Some(Duration::from_secs_f64(1.0 / max_fps)));
        let start = Instant::now();
        (0..(source_fps * 10.0) as u32)
            .filter(|&n| rate_limiter.admits(start + Duration::from_secs_f64(f64::from(n) / source_fps)))
            .count()
    }

    #[test]
    fn a_picture_of_more_pixels_than_are_taken_is_counted_and_no_sign_of_life() {
        let ingest = Ingest::new(Arc::new(Bus::default()), None);
        ingest.clone().with_max_pixels(64).push_frame(crate::bus::channel::tests::tiny_frame());
        assert_eq!(ingest.bus().stats().frames_in(), 1, "8x8 are 64");
        let few = ingest.with_max_pixels(63);
        let given = few.received();
        few.push_frame(crate::bus::channel::tests::tiny_frame());
        assert_eq!((few.bus().stats().frames_in(), *given.borrow()), (1, 1));
        let dropped: Vec<_> = few.bus().stats().dropped().filter(|(_, count)| *count > 0).collect();
        assert_eq!(dropped, [(DropReason::TooLarge, 1)]);
    }

    #[test]
    fn max_fps_thins_evenly_and_never_below_the_limit() {
        assert_eq!(shown(30.0, 30.0), 300);
        assert_eq!(shown(10.0, 15.0), 100, "a slow source loses nothing");
        for (source, max) in [(30.0, 15.0), (30.0, 10.0), (25.0, 20.0), (31.0, 30.0)] {
            let (shown, wanted) = (shown(source, max) as f64, max * 10.0);
            assert!((shown - wanted).abs() <= wanted * 0.05, "{source} → {max}: {shown} of {wanted}");
        }
    }

    #[test]
    fn a_relayed_frame_is_one_allocation_from_the_parser_to_the_viewer() {
        let frame = crate::bus::channel::tests::tiny_frame();
        let mut parser = PartParser::new(
            ContentKind::Missing,
            ParserLimits { max_frame_bytes: 10_000, max_header_bytes: 1000 },
        );
        parser.push(b"--b\r\nContent-Type: image/jpeg\r\n\r\n");
        parser.push(frame.jpeg());
        let part = parser.next_part().unwrap().expect("its last byte has come");
        let cut = part.jpeg.as_ptr();
        let ingest = Ingest::new(Arc::default(), None);
        ingest.push_part(part);
        let [_, written, _] = ingest.bus().newest().unwrap().part.pieces(Framing::Chunked);
        assert_eq!(written.as_ptr(), cut, "nothing copied it");
        assert_eq!(written, *frame.jpeg());
    }

    #[test]
    fn one_source_is_shown_until_the_next_ones_first_frame() {
        let frame = crate::bus::channel::tests::tiny_frame;
        let ingest = Ingest::new(Arc::default(), None);
        let switch = Arc::default();
        let (old, new) = (ingest.for_source(&switch, 1), ingest.for_source(&switch, 2));
        let shown = || ingest.bus().stats().frames_in();
        old.push_frame(frame());
        assert_eq!(shown(), 0, "nobody's turn yet");
        switch.switch_to(1);
        old.push_frame(frame());
        new.push_frame(frame());
        assert_eq!(
            (shown(), *new.received().borrow()),
            (1, 1),
            "a source that is tried shows nothing, and counts"
        );
        switch.switch_to(2);
        old.push_frame(frame());
        assert_eq!(shown(), 2, "the old one goes on until the new one has something");
        new.push_frame(frame());
        old.push_frame(frame());
        assert_eq!(shown(), 3, "and not a frame longer");
    }

    #[test]
    fn garbage_is_counted_and_shows_nothing() {
        let ingest = Ingest::new(Arc::default(), None);
        assert!(ingest.push_jpeg(Bytes::from_static(b"not a jpeg")).is_err());
        assert!(ingest.bus().newest().is_none());
        let invalid = ingest.bus().stats().dropped().find(|(r, _)| *r == DropReason::Invalid).unwrap().1;
        assert_eq!(invalid, 1);
        assert_eq!(ingest.bus().stats().discarded().next(), Some((DiscardReason::Invalid, 1)));
    }

    #[test]
    fn a_frame_may_be_early_by_a_quarter_and_silence_is_not_made_up_for() {
        /// Arrivals in milliseconds under ten frames a second, with whether each is shown.
        type Case<'a> = &'a [(u64, bool)];
        let cases: [Case<'_>; 5] = [
            &[(0, true), (74, false), (75, true), (100, false)],
            &[(0, true), (75, true), (174, false), (175, true)],
            &[(0, true), (199, true), (200, true), (274, false)],
            &[(0, true), (200, true), (274, false), (275, true)],
            &[(0, true), (5000, true), (5001, false), (5074, false), (5075, true)],
        ];
        for case in cases {
            let mut rate_limiter = FrameRateLimiter::new(Some(Duration::from_millis(100)));
            let start = Instant::now();
            for (millis, shown) in case {
                assert_eq!(
                    rate_limiter.admits(start + Duration::from_millis(*millis)),
                    *shown,
                    "{millis} of {case:?}"
                );
            }
        }
        let ingest = Ingest::new(Arc::default(), Some(4.0));
        assert_eq!(ingest.rate_limiter.lock().unwrap().interval, Some(Duration::from_millis(250)));
        let mut all = FrameRateLimiter::new(None);
        let now = Instant::now();
        assert!(all.admits(now) && all.admits(now));
    }

    #[test]
    fn what_comes_too_soon_is_counted_and_a_sign_of_life() {
        let ingest = Ingest::new(Arc::default(), Some(0.001));
        let given = ingest.received();
        for _ in 0..3 {
            ingest.push_frame(crate::bus::channel::tests::tiny_frame());
        }
        assert_eq!((ingest.bus().stats().frames_in(), *given.borrow()), (1, 3));
        let dropped: Vec<_> = ingest.bus().stats().dropped().filter(|(_, count)| *count > 0).collect();
        assert_eq!(dropped, [(DropReason::MaxFps, 2)]);
    }

    #[test]
    fn a_jpeg_is_shown_and_its_missing_tables_are_a_quirk() {
        let quirks = |ingest: &Ingest| ingest.bus().stats().quirks().collect::<Vec<_>>();
        let jpeg = crate::bus::channel::tests::tiny_frame().jpeg().clone();
        let ingest = Ingest::new(Arc::default(), None);
        assert!(ingest.push_jpeg(jpeg.clone()).unwrap().has_huffman_tables);
        assert_eq!((ingest.bus().stats().frames_in(), quirks(&ingest)), (1, vec![]));
        let mut bare = jpeg.to_vec();
        while let Some(at) = bare.windows(2).position(|marker| marker == [0xff, 0xc4]) {
            let length = usize::from(u16::from_be_bytes([bare[at + 2], bare[at + 3]]));
            bare.drain(at..at + 2 + length);
        }
        assert!(!ingest.push_jpeg(bare.into()).unwrap().has_huffman_tables);
        assert_eq!(
            (ingest.bus().stats().frames_in(), quirks(&ingest)),
            (2, vec![(Quirk::NoHuffmanTables, 1)])
        );
    }

    #[test]
    fn what_the_parser_notices_is_counted() {
        let jpeg = crate::bus::channel::tests::tiny_frame().jpeg().clone();
        let large = [&jpeg[..jpeg.len() - 2], &[0x55; 2000], b"\xff\xd9"].concat();
        let mut parser = PartParser::new(
            ContentKind::Missing,
            ParserLimits { max_frame_bytes: 1500, max_header_bytes: 1000 },
        );
        for body in [&jpeg[..], b"a text", b"another", &large, &jpeg] {
            parser.push(
                b"--b
Content-Type: image/jpeg

",
            );
            parser.push(body);
            parser.push(
                b"
",
            );
            while let Some(_part) = parser.next_part().unwrap() {}
        }
        let events = parser.take_events();
        let ingest = Ingest::new(Arc::default(), None);
        ingest.count_events(&events);
        let stats = ingest.bus().stats();
        let counted: Vec<_> = stats.discarded().filter(|(_, times)| *times > 0).collect();
        assert_eq!(counted, [(DiscardReason::TooLarge, 1), (DiscardReason::NotJpeg, 2)]);
        assert_eq!(stats.quirks().collect::<Vec<_>>(), events.quirks().collect::<Vec<_>>());
        assert!(events.quirks().next().is_some(), "no boundary was announced");
        let dropped: Vec<_> = stats.dropped().filter(|(_, count)| *count > 0).collect();
        assert_eq!(dropped, [(DropReason::Invalid, 2), (DropReason::TooLarge, 1)]);
    }

    #[derive(Debug, Default)]
    struct Works {
        taken: std::sync::atomic::AtomicUsize,
    }

    impl FrameProcessor for Works {
        fn process(&self, _: Frame, _: &Arc<Bus>, _: Option<OutcomeSender>) {
            self.taken.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }

        fn discard_pending(&self) {
            self.taken.store(0, std::sync::atomic::Ordering::Relaxed);
        }
    }

    #[test]
    fn clearing_forgets_what_is_shown_and_what_is_in_the_works() {
        let works = Arc::<Works>::default();
        let plain = Ingest::new(Arc::default(), None);
        let ingest = plain.clone().with_transform(works.clone());
        plain.push_frame(crate::bus::channel::tests::tiny_frame());
        ingest.push_frame(crate::bus::channel::tests::tiny_frame());
        let state =
            || (works.taken.load(std::sync::atomic::Ordering::Relaxed), plain.bus().newest().is_some());
        assert_eq!(state(), (1, true));
        ingest.clear();
        assert_eq!(state(), (0, false));
    }
}
