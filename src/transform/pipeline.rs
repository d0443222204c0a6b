//! A stream's transforms, done to one frame after the other, each in the cheapest way that is right.
//!
//! What changes nothing passes as the very bytes; what only moves blocks, or takes metadata out, is done without decoding
//! (`shortcut`); everything else is decoded and encoded anew.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    codec::{CodecError, Wanted, codec},
    footprint, mask,
    memory::PictureMemory,
    overlay::{Layer, LogoError},
    picture::PictureLimits,
    plan::{Input, Means, Part, Plan, PlanError, Stage, plan},
    planes::{Planes, Sampling},
    scratch::Scratch,
    shortcut, strftime,
    turn::Turn,
};
use crate::{
    bus::Way,
    config::{Caption, Rework, Step},
    frame::{Frame, JpegError},
};

/// Characters that the conversions of a text become at most: a few names of days, months and zones.
const MAX_TIME_CHARS: usize = 200;

/// As many different letters as times have that do not stand in the text itself.
const TIME_LETTERS: &str = "0123456789:-+/.,ADFJMNOPSTWabcdeghilmnoprstuvy";

/// Where the title goes in a text.
const TITLE: &str = "{title}";

/// Does a stream's transforms.
#[derive(Debug)]
pub struct Pipeline {
    title: String,
    rework: Rework,
    limits: PictureLimits,
    memory: Arc<PictureMemory>,
    zone: TimeZone,
    memo: Mutex<Memo>,
}

/// What was found out or drawn for the frame before, and mostly fits the next.
#[derive(Debug, Default)]
struct Memo {
    plan: Option<(Input, Arc<Plan>)>,
    captions: HashMap<usize, (String, usize, Arc<Layer>)>,
    logos: HashMap<usize, Arc<Layer>>,
}

/// What became of a frame.
#[derive(Debug, Clone)]
pub struct Reworked {
    /// The result.
    pub frame: Frame,
    /// What was done for it.
    pub way: Way,
}

/// Why a frame was not reworked.
#[derive(Debug, thiserror::Error)]
pub enum ReworkError {
    /// The steps do not fit this picture.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// It cannot be decoded or encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A logo is not there, or no PNG.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// The text's `%` conversions.
    #[error("{0}")]
    Format(String),
    /// The result is no JPEG, or too large.
    #[error("the reworked picture cannot be shown: {0}")]
    Result(#[from] JpegError),
    /// A bug: the picture is dropped, the worker lives on.
    #[error("transforming failed inside framecast, which is a bug: {reason}")]
    Panicked {
        /// What the panic said.
        reason: String,
    },
    /// More bytes than allowed.
    #[error("the reworked picture has {len} bytes, at most {max} are taken (limits.max_frame_bytes)")]
    TooLarge {
        /// Bytes it has.
        len: usize,
        /// The limit.
        max: usize,
    },
}

impl Pipeline {
    /// What `rework` says, with `title` for its texts. Its buffers are those of `memory`.
    pub fn new(title: String, rework: Rework, limits: PictureLimits, memory: Arc<PictureMemory>) -> Self {
        Self { title, rework, limits, memory, zone: TimeZone::system(), memo: Mutex::default() }
    }

    /// Returns the most bytes of memory that reworking this frame takes, reckoned from its header.
    ///
    /// # Errors
    /// [`ReworkError`] when the steps do not fit the picture.
    pub fn bytes_for(&self, frame: &Frame) -> Result<usize, ReworkError> {
        let plan = self.plan_for(frame)?;
        let jpeg = footprint::Jpeg::read(frame.jpeg(), (frame.width(), frame.height()));
        let (width, height) = plan.size;
        let full = (u64::from(frame.width()), u64::from(frame.height()));
        let stages = self.bytes_of_stages(&plan, full);
        let pixels = (width as u64) * (height as u64);
        let bytes = footprint::recoding(&jpeg, plan.denominator, stages, (pixels, plan.quality));
        // What cannot be done without decoding is decoded after that was tried.
        let lossless = plan.lossless.as_ref().map_or(0, |_| footprint::total(jpeg.lossless()));
        Ok(bytes.max(lossless))
    }

    /// All buffers that stages fill, as if each had its own.
    fn bytes_of_stages(&self, plan: &Plan, (width, height): (u64, u64)) -> u64 {
        let (mut width, mut height) =
            (width.div_ceil(plan.denominator.into()), height.div_ceil(plan.denominator.into()));
        // A colour for each pixel is the most.
        let planes = if plan.gray { 1 } else { 3 };
        let is_resampled = plan.stages.iter().any(|stage| matches!(stage, Stage::Move { .. }));
        // Otherwise colours that the JPEG shares in another way than the result are, at the end.
        let mut bytes = if is_resampled || plan.gray { 0 } else { width * height * (planes + 1) };
        for stage in &plan.stages {
            match stage {
                Stage::Move { size, turn, .. } => {
                    let (across, down) = (size.0 as u64, size.1 as u64);
                    let turned = if *turn == Turn::NONE { 0 } else { 2 * across * down };
                    // Rows are resampled before columns, into the resizer's own memory.
                    bytes += across * down * planes + turned + across * height;
                    (width, height) = turn.size((across, down));
                }
                Stage::AddColour => bytes += width * height * 4,
                Stage::Mask(_) => bytes += width * height,
                Stage::Draw(number) => bytes += self.bytes_of_layer(*number, width),
            }
        }
        bytes
    }

    /// Letters as they are drawn; a logo takes its own bytes when it is read.
    fn bytes_of_layer(&self, number: usize, width: u64) -> u64 {
        let Step::Text(caption) = &self.rework.steps[number] else { return 0 };
        let size = f64::from(caption.size).ceil() as u64 + 1;
        let letters = caption.text.chars().count() + self.title.chars().count() + MAX_TIME_CHARS;
        let different = footprint::letters(&caption.text, caption.size)
            + footprint::letters(&self.title, caption.size)
            + footprint::letters(TIME_LETTERS, caption.size);
        // One byte and then four for each pixel of all lines, with their background.
        let lines = caption.text.lines().count() as u64 + 1;
        5 * (letters as u64 * size).min(width) * lines * 2 * size + different as u64
    }

    /// Whether it takes microseconds, less than a worker's turn: nothing is to be done but to take metadata out.
    pub fn is_light(&self) -> bool {
        self.rework.steps.is_empty() && self.rework.encode.is_none()
    }

    /// Does it. Unless it [is light](Self::is_light) this takes milliseconds: it belongs in the pool.
    ///
    /// # Errors
    /// [`ReworkError`]; the frame is then to be dropped.
    pub fn rework(&self, frame: &Frame) -> Result<Reworked, ReworkError> {
        let (jpeg, way) = if self.is_light() {
            shortcut::as_it_is(frame, self.rework.strip_metadata)
        } else {
            let plan = self.plan_for(frame)?;
            self.memory.with_scratch(|scratch| self.make(frame, &plan, scratch))?
        };
        if way == Way::Passed {
            return Ok(Reworked { frame: frame.clone(), way });
        }
        if jpeg.len() > self.limits.max_frame_bytes {
            return Err(ReworkError::TooLarge { len: jpeg.len(), max: self.limits.max_frame_bytes });
        }
        Ok(Reworked { frame: frame.reworked(jpeg)?, way })
    }

    fn make(&self, frame: &Frame, plan: &Plan, scratch: &mut Scratch) -> Result<(Bytes, Way), ReworkError> {
        if let Some(wanted) = &plan.lossless {
            let options = (self.rework.strip_metadata, self.limits.max_frame_pixels);
            if let Some(made) = shortcut::take(frame, wanted, options, &mut scratch.workspace) {
                return Ok(made);
            }
        }
        Ok((self.run(frame, plan, scratch)?, Way::Encoded))
    }

    /// The plan, made anew only when the pictures change their size.
    fn plan_for(&self, frame: &Frame) -> Result<Arc<Plan>, ReworkError> {
        let input = Input {
            width: frame.width(),
            height: frame.height(),
            gray: frame.info().components == 1,
            upright: Turn::upright(frame.jpeg()),
        };
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        match &memo.plan {
            Some((known, plan)) if *known == input => Ok(plan.clone()),
            _ => {
                let means = Means {
                    max_denominator: codec().max_denominator(),
                    max_pixels: self.limits.max_frame_pixels,
                };
                let plan = Arc::new(plan(input, &self.rework, means)?);
                memo.plan = Some((input, plan.clone()));
                Ok(plan)
            }
        }
    }

    fn run(&self, frame: &Frame, plan: &Plan, scratch: &mut Scratch) -> Result<Bytes, ReworkError> {
        let wanted = Wanted {
            denominator: plan.denominator,
            gray: plan.gray,
            max_pixels: self.limits.max_frame_pixels,
        };
        codec().decode_planes(frame.jpeg(), wanted, &mut scratch.planes)?;
        let full = (usize::from(frame.width()), usize::from(frame.height()));
        for (number, stage) in plan.stages.iter().enumerate() {
            match stage {
                Stage::Move { take, size, turn } => {
                    let take = if number == 0 { take.shrunk(full, &scratch.planes) } else { *take };
                    scratch.go((take, *size, *turn), plan.sampling)?;
                }
                Stage::AddColour => scratch.planes.add_colour(plan.sampling),
                Stage::Mask(masks) => mask::hide(masks, &mut scratch.planes, &mut scratch.mover)?,
                Stage::Draw(number) => self.draw(*number, frame.taken(), &mut scratch.planes)?,
            }
        }
        let sampling = scratch.planes.sampling();
        if sampling != Sampling::Gray && sampling != plan.sampling {
            let whole = Part::whole(&scratch.planes);
            let size = (scratch.planes.width(), scratch.planes.height());
            scratch.go((whole, size, Turn::NONE), plan.sampling)?;
        }
        Ok(codec().encode_planes(&scratch.planes, plan.quality)?)
    }

    fn draw(&self, number: usize, taken: SystemTime, planes: &mut Planes) -> Result<(), ReworkError> {
        match &self.rework.steps[number] {
            Step::Text(caption) => {
                let layer = self.caption(number, caption, taken, planes.width())?;
                layer.draw(caption.position, planes);
            }
            Step::Image(logo) => {
                let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
                let layer = match memo.logos.get(&number) {
                    Some(layer) => layer.clone(),
                    None => {
                        let layer = Arc::new(Layer::of_logo(logo, &self.memory)?);
                        memo.logos.insert(number, layer.clone());
                        layer
                    }
                };
                drop(memo);
                layer.draw(logo.position, planes);
            }
            // The plan draws nothing else.
            _ => {}
        }
        Ok(())
    }

    /// The text of this moment; its letters are laid out anew only when it changes.
    fn caption(
        &self,
        number: usize,
        caption: &Caption,
        taken: SystemTime,
        width: usize,
    ) -> Result<Arc<Layer>, ReworkError> {
        let time = Timestamp::try_from(taken).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        let text = strftime::expand(&caption.text, &time).map_err(ReworkError::Format)?;
        let text = text.replace(TITLE, &self.title);
        let mut memo = self.memo.lock().unwrap_or_else(PoisonError::into_inner);
        match memo.captions.get(&number) {
            Some((drawn, for_width, layer)) if *drawn == text && *for_width == width => Ok(layer.clone()),
            _ => {
                let layer = Layer::of_text(&text, caption, width);
                // Of the text before, which is not drawn again.
                memo.captions.remove(&number);
                let Some(kept) = self.memory.cache(layer.bytes()) else { return Ok(Arc::new(layer)) };
                let layer = Arc::new(layer.kept_in(kept));
                memo.captions.insert(number, (text, width, layer.clone()));
                Ok(layer)
            }
        }
    }
}

impl Part {
    pub(crate) fn whole(planes: &Planes) -> Self {
        Self { x: 0.0, y: 0.0, width: planes.width() as f64, height: planes.height() as f64 }
    }

    /// The same part of the picture decoded smaller.
    fn shrunk(self, (width, height): (usize, usize), planes: &Planes) -> Self {
        let (by_x, by_y) = (planes.width() as f64 / width as f64, planes.height() as f64 / height as f64);
        Self { x: self.x * by_x, y: self.y * by_y, width: self.width * by_x, height: self.height * by_y }
    }
}
