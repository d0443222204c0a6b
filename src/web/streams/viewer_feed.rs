//! The bytes of one viewer's stream: delimiters, part headers and frames.

use std::{sync::atomic::Ordering, time::Instant};

use bytes::Bytes;

use super::{abr_task::DeliveredCounter, options::StreamOptions};
use crate::{
    bus::{Current, PublishedFrame},
    media::{
        frame::FrameKind,
        multipart::{
            writer,
            writer::{Framing, PreparedPart},
        },
    },
    registry::RenditionGuard,
    viewer::FrameCursor,
    web::server::transport::{Fill, PartProducer, WriteQueue},
};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BodyState {
    /// Nothing has been sent.
    Joined,
    /// The first delimiter has been sent.
    Streaming,
    /// The closing delimiter has been sent.
    Closed,
}

/// The answer of one viewer.
#[derive(Debug)]
pub(super) struct ViewerProducer {
    viewer: FrameCursor,
    rendition: Option<RenditionGuard>,
    /// Counts the frames of a viewer with adaptive quality.
    delivered: Option<DeliveredCounter>,
    options: StreamOptions,
    framing: Framing,
    state: BodyState,
    /// Set when the viewer has to be disconnected.
    is_ended: bool,
    fps: FpsMeter,
}

impl ViewerProducer {
    /// A producer for `viewer`, of `rendition` if it has one. `delivered` counts the frames of a viewer with
    /// adaptive quality.
    pub(super) fn new(
        viewer: FrameCursor,
        rendition: Option<RenditionGuard>,
        delivered: Option<DeliveredCounter>,
        options: StreamOptions,
        framing: Framing,
    ) -> Self {
        let (state, is_ended, fps) = (BodyState::Joined, false, FpsMeter::default());
        Self { viewer, rendition, delivered, options, framing, state, is_ended, fps }
    }

    /// The bytes before the first part: browsers show a spinner until they see that a multipart begins.
    fn open(&mut self, pieces: &mut WriteQueue) {
        self.state = BodyState::Streaming;
        if self.options.raw {
            return;
        }
        let delimiter = Bytes::from_static(writer::FIRST_DELIMITER);
        let ahead = if self.options.advance_headers {
            writer::advance_headers()
        } else {
            Bytes::from_static(self.framing.first_head())
        };
        pieces.put(writer::framed([delimiter, ahead, Bytes::new()], self.framing));
    }

    fn send(&mut self, frame: &PublishedFrame, pieces: &mut WriteQueue) {
        let framing = self.framing;
        let options = &self.options;
        if options.raw {
            let jpeg = frame.frame.jpeg().clone();
            pieces.put(writer::framed([jpeg, Bytes::new(), Bytes::new()], framing));
        } else if options.advance_headers {
            let jpeg = if options.zero_data { Bytes::new() } else { frame.frame.jpeg().clone() };
            let parts = [jpeg, Bytes::from_static(writer::NEXT_DELIMITER), writer::advance_headers()];
            pieces.put(writer::framed(parts, framing));
        } else if options.extra_headers || options.zero_data || options.meta {
            let mut more = if options.meta { frame.frame.facts().header_lines() } else { String::new() };
            if options.extra_headers {
                more += &self.extra_headers(frame);
            }
            let jpeg = if self.options.zero_data { Bytes::new() } else { frame.frame.jpeg().clone() };
            let part = PreparedPart::with_headers(jpeg, frame.frame.captured_at(), &more);
            pieces.put(part.pieces(framing));
        } else {
            pieces.put_part(frame, framing);
        }
    }

    /// Returns ustreamer's headers about this viewer's stream.
    fn extra_headers(&mut self, frame: &PublishedFrame) -> String {
        let picture = &frame.frame;
        format!(
            "X-UStreamer-Online: {}\r\nX-UStreamer-Dropped: {}\r\nX-UStreamer-Width: {}\r\n\
             X-UStreamer-Height: {}\r\nX-UStreamer-Client-FPS: {}\r\nX-UStreamer-Latency: {:.6}\r\n",
            picture.kind() == FrameKind::Picture,
            self.viewer.stream().bus().stats().dropped().map(|(_, count)| count).sum::<u64>(),
            picture.width(),
            picture.height(),
            self.fps.count(Instant::now()),
            picture.arrived_at().elapsed().as_secs_f64(),
        )
    }

    fn close(&mut self, pieces: &mut WriteQueue) {
        self.state = BodyState::Closed;
        if !self.options.raw {
            let closing = Bytes::from_static(writer::CLOSING_AFTER_DELIMITER);
            pieces.put(writer::framed([closing, Bytes::new(), Bytes::new()], self.framing));
        }
    }
}

impl PartProducer for ViewerProducer {
    fn fill(&mut self, current: &Current, pieces: &mut WriteQueue) -> Fill {
        if self.state == BodyState::Joined {
            self.open(pieces);
        } else if self.state == BodyState::Streaming && (current.closed || self.is_ended) {
            self.close(pieces);
        } else if self.state == BodyState::Closed {
            return Fill::Done;
        } else if let Some((frame, new)) = self.viewer.next(current) {
            if let (Some(delivered), true) = (&self.delivered, new) {
                delivered.fetch_add(1, Ordering::Relaxed);
            }
            self.send(frame, pieces);
        } else {
            return Fill::Pending;
        }
        Fill::Data
    }

    fn has_next(&self, current: &Current) -> bool {
        self.state != BodyState::Streaming || current.closed || self.is_ended || self.viewer.has_next(current)
    }

    fn end(&mut self) {
        self.is_ended = true;
    }

    fn move_to(&mut self, rendition: Option<RenditionGuard>) -> Option<RenditionGuard> {
        self.viewer.switch_to(rendition.as_ref().map(RenditionGuard::stream));
        std::mem::replace(&mut self.rendition, rendition)
    }
}

/// Frames that a viewer took in the last whole second, as ustreamer counts them.
#[derive(Debug, Default)]
struct FpsMeter {
    second: Option<Instant>,
    counting: u32,
    counted: u32,
}

impl FpsMeter {
    fn count(&mut self, now: Instant) -> u32 {
        let second = *self.second.get_or_insert(now);
        if now.duration_since(second).as_secs() >= 1 {
            (self.second, self.counted, self.counting) = (Some(now), self.counting, 0);
        }
        self.counting += 1;
        self.counted
    }
}
