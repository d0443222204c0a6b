//! What a viewer thinks of each part: is it whole, is it of its stream, is it as asked for, and no older than the last?

use std::sync::Arc;

use crate::{
    body::Part,
    house::{Look, Shows, Stream},
    picture::{Album, Seen, Stamp, examine, fingerprint},
    presence::Presence,
    rates::Tally,
    verdict::{Verdict, count},
};

/// What one viewer has seen so far, in all its visits.
#[derive(Debug)]
pub(crate) struct Judge {
    stream: Arc<Stream>,
    look: Look,
    album: Arc<Album>,
    verdict: Arc<Verdict>,
    /// Of the newest stamped frame.
    newest: Option<(u32, u64)>,
    /// Of the last part.
    came_us: u64,
    /// Of the last part without a stamp.
    picture: Option<u64>,
    /// Kept for viewers to whom every frame is due.
    tally: Option<Arc<Tally>>,
}

impl Judge {
    pub(crate) fn new(
        (stream, look): (Arc<Stream>, Look),
        album: Arc<Album>,
        verdict: Arc<Verdict>,
        tally: Option<Arc<Tally>>,
    ) -> Self {
        Self { stream, look, album, verdict, newest: None, came_us: 0, picture: None, tally }
    }

    /// Whether a part shows something new.
    pub(crate) fn judge(&mut self, part: &Part) -> Result<bool, String> {
        let seen = examine(&part.jpeg)?;
        self.in_time(part.came_us)?;
        match seen.stamp {
            Some(stamp) => self.stamped(stamp),
            None => self.unstamped(seen, &part.jpeg),
        }
    }

    /// Never back in time. A stream that got another source just now may show what came to that one before.
    fn in_time(&mut self, came_us: u64) -> Result<(), String> {
        let before = std::mem::replace(&mut self.came_us, came_us);
        let excused = match &self.stream.shows {
            Shows::Turning(existence) => existence.has_changed_just_now(self.album.now_us()),
            _ => false,
        };
        if came_us < before && !excused {
            return Err(format!("a frame of {came_us} us came behind one of {before} us"));
        }
        Ok(())
    }

    fn stamped(&mut self, stamp: Stamp) -> Result<bool, String> {
        let own = match &self.stream.shows {
            // Sometimes they show a camera.
            Shows::Turning(_) => return Ok(self.is_another(u64::from(stamp.epoch) << 48 | stamp.sequence)),
            Shows::Camera(_) | Shows::Push => self.look != Look::Narrow,
            Shows::Renderer | Shows::Small(..) => false,
        };
        if !own || stamp.stream != self.stream.stamped_as {
            return Err(format!("a frame of stream {}, as it was sent", stamp.stream));
        }
        let (order, newest) = (Some(stamp.order()), self.newest);
        if order < newest {
            return Err(format!("frame {order:?} came behind {newest:?}"));
        }
        if order == newest {
            count(&self.verdict.repeats);
            return Ok(false);
        }
        self.newest = order;
        if let Some(tally) = &self.tally {
            tally.got(stamp.sequence);
            self.verdict.delayed(self.album.now_us().saturating_sub(stamp.sent_us));
        }
        Ok(true)
    }

    fn unstamped(&mut self, seen: Seen, jpeg: &[u8]) -> Result<bool, String> {
        match (&self.stream.shows, self.look) {
            (Shows::Renderer | Shows::Turning(_), _) => {}
            (Shows::Camera(_), Look::Adaptive) => count(&self.verdict.made),
            (Shows::Camera(presence), Look::Narrow) | (Shows::Small(presence, _), _) => {
                let wanted = match self.stream.shows {
                    Shows::Small(_, side) => side,
                    _ => Look::NARROW,
                };
                if (seen.width, seen.height) != (wanted, wanted) {
                    let size = format!("{}x{}", seen.width, seen.height);
                    return self
                        .placeholder(presence, &format!("a picture of {size}, not {wanted}x{wanted}"));
                }
                count(&self.verdict.made);
            }
            (Shows::Camera(presence), Look::AsItIs) => {
                return self.placeholder(presence, "a placeholder beside a live camera");
            }
            (Shows::Push, _) => return Err("a picture that nobody pushed".to_owned()),
        }
        Ok(self.is_another(fingerprint(jpeg)))
    }

    fn placeholder(&self, presence: &Presence, otherwise: &str) -> Result<bool, String> {
        count(&self.verdict.placeholders);
        if presence.excuses_placeholder(self.album.now_us()) { Ok(false) } else { Err(otherwise.to_owned()) }
    }

    fn is_another(&mut self, picture: u64) -> bool {
        let new = self.picture.replace(picture) != Some(picture);
        if !new {
            count(&self.verdict.repeats);
        }
        new
    }
}
