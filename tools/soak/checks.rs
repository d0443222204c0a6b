//! Checks of each part that a viewer gets: whole, of its stream, as asked for, and no older than the last.

use std::sync::Arc;

use crate::{
    body::Part,
    liveness::Liveness,
    picture::{PictureSet, Seen, Timestamp, examine, fingerprint},
    rates::ViewerTally,
    report::{Report, count},
    scenario::{ImageOptions, Stream, StreamContent},
};

/// The frames that one viewer has received so far, in all its visits.
#[derive(Debug)]
pub(crate) struct Checker {
    stream: Arc<Stream>,
    look: ImageOptions,
    album: Arc<PictureSet>,
    report: Arc<Report>,
    /// Of the newest timestamped frame.
    newest: Option<(u32, u64)>,
    /// Of the last part.
    came_us: u64,
    /// Of the last part without a timestamp.
    picture: Option<u64>,
    /// Kept for viewers to whom every frame is due.
    tally: Option<Arc<ViewerTally>>,
}

impl Checker {
    pub(crate) fn new(
        (stream, look): (Arc<Stream>, ImageOptions),
        album: Arc<PictureSet>,
        report: Arc<Report>,
        tally: Option<Arc<ViewerTally>>,
    ) -> Self {
        Self { stream, look, album, report, newest: None, came_us: 0, picture: None, tally }
    }

    /// Whether a part shows something new.
    pub(crate) fn check(&mut self, part: &Part) -> Result<bool, String> {
        let seen = examine(&part.jpeg)?;
        self.in_time(part.came_us)?;
        match seen.timestamp {
            Some(timestamp) => self.timestamped(timestamp),
            None => self.untimestamped(seen, &part.jpeg),
        }
    }

    /// Never back in time. A stream that got another source just now may show what came to that one before.
    fn in_time(&mut self, came_us: u64) -> Result<(), String> {
        let before = std::mem::replace(&mut self.came_us, came_us);
        let excused = match &self.stream.shows {
            StreamContent::Turning(existence) => existence.has_changed_just_now(self.album.now_us()),
            _ => false,
        };
        if came_us < before && !excused {
            return Err(format!("a frame of {came_us} us came behind one of {before} us"));
        }
        Ok(())
    }

    fn timestamped(&mut self, timestamp: Timestamp) -> Result<bool, String> {
        let own = match &self.stream.shows {
            // Sometimes they show a camera.
            StreamContent::Turning(_) => {
                return Ok(self.is_another(u64::from(timestamp.epoch) << 48 | timestamp.sequence));
            }
            StreamContent::Camera(_) | StreamContent::Push => self.look != ImageOptions::Narrow,
            StreamContent::Renderer | StreamContent::Small(..) => false,
        };
        if !own || timestamp.stream != self.stream.timestamp_id {
            return Err(format!("a frame of stream {}, as it was sent", timestamp.stream));
        }
        let (order, newest) = (Some(timestamp.order()), self.newest);
        if order < newest {
            return Err(format!("frame {order:?} came behind {newest:?}"));
        }
        if order == newest {
            count(&self.report.repeats);
            return Ok(false);
        }
        self.newest = order;
        if let Some(tally) = &self.tally {
            tally.got(timestamp.sequence);
            self.report.delayed(self.album.now_us().saturating_sub(timestamp.sent_us));
        }
        Ok(true)
    }

    fn untimestamped(&mut self, seen: Seen, jpeg: &[u8]) -> Result<bool, String> {
        match (&self.stream.shows, self.look) {
            (StreamContent::Renderer | StreamContent::Turning(_), _) => {}
            (StreamContent::Camera(_), ImageOptions::Adaptive) => count(&self.report.made),
            (StreamContent::Camera(liveness), ImageOptions::Narrow)
            | (StreamContent::Small(liveness, _), _) => {
                let wanted = match self.stream.shows {
                    StreamContent::Small(_, side) => side,
                    _ => ImageOptions::NARROW,
                };
                if (seen.width, seen.height) != (wanted, wanted) {
                    let size = format!("{}x{}", seen.width, seen.height);
                    return self
                        .placeholder(liveness, &format!("a picture of {size}, not {wanted}x{wanted}"));
                }
                count(&self.report.made);
            }
            (StreamContent::Camera(liveness), ImageOptions::AsItIs) => {
                return self.placeholder(liveness, "a placeholder beside a live camera");
            }
            (StreamContent::Push, _) => return Err("a picture that nobody pushed".to_owned()),
        }
        Ok(self.is_another(fingerprint(jpeg)))
    }

    fn placeholder(&self, liveness: &Liveness, otherwise: &str) -> Result<bool, String> {
        count(&self.report.placeholders);
        if liveness.excuses_placeholder(self.album.now_us()) { Ok(false) } else { Err(otherwise.to_owned()) }
    }

    fn is_another(&mut self, picture: u64) -> bool {
        let new = self.picture.replace(picture) != Some(picture);
        if !new {
            count(&self.report.repeats);
        }
        new
    }
}
