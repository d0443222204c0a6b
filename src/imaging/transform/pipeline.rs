//! A stream's transforms, applied to one frame after the other in the cheapest correct way.
//!
//! A frame that is not changed keeps its bytes. Moving blocks and removing metadata need no decoding
//! (`passthrough`). Everything else decodes and encodes the frame.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use jiff::{Timestamp, tz::TimeZone};

use super::{
    mask,
    orientation::Orientation,
    passthrough,
    plan::{Op, PictureProperties, PlanError, PlanLimits, SourceRect, TransformPlan, plan},
};
use crate::{
    bus::Processing,
    config::{Caption, Step, Transform},
    imaging::{
        codec::{CodecError, DecodeOptions, codec},
        convert::PictureLimits,
        cpu_pool::{
            memory::{Cached, PictureMemory},
            memory_estimate,
            scratch::Scratch,
        },
        overlay::{Layer, LogoError},
        raster::strftime,
        ycbcr::{Planes, Sampling},
    },
    media::{
        frame::{Frame, FrameEncoding},
        jpeg::JpegError,
    },
};

/// Maximum number of characters that a text's `%` conversions add: a few names of days, months and zones.
const MAX_TIME_CHARS: usize = 200;

/// The letters of formatted times, for texts that do not contain them.
const TIME_LETTERS: &str = "0123456789:-+/.,ADFJMNOPSTWabcdeghilmnoprstuvy";

/// Placeholder of the stream's title in a text.
const TITLE: &str = "{title}";

/// The transforms of a stream.
#[derive(Debug)]
pub struct Pipeline {
    title: String,
    settings: Transform,
    limits: PictureLimits,
    memory: Arc<PictureMemory>,
    zone: TimeZone,
    /// The previous frame's plan. Streams' and connections' threads read it, so the lock is never held while
    /// a plan is made or carried out.
    plan: Mutex<Option<(PictureProperties, Arc<TransformPlan>)>>,
    /// The previous frame's layers. Locked only to read or replace an entry, never while a layer is drawn or
    /// read.
    layers: Mutex<LayerCache>,
}

/// Layers of the previous frame, by the numbers of their steps.
#[derive(Debug, Default)]
struct LayerCache {
    /// The layers of texts, each with its text and the width of the picture.
    captions: HashMap<usize, (String, usize, Cached<Arc<Layer>>)>,
    logos: HashMap<usize, Arc<Layer>>,
}

/// A transformed frame.
#[derive(Debug, Clone)]
pub struct TransformedFrame {
    /// The frame after all steps.
    pub frame: Frame,
    /// The kind of processing.
    pub processing: Processing,
}

/// An error of a transform.
#[derive(Debug, thiserror::Error)]
pub enum TransformError {
    /// The steps cannot be applied to this picture.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The picture cannot be decoded or encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A logo is missing, or no PNG.
    #[error(transparent)]
    Logo(#[from] LogoError),
    /// A text has an unknown `%` conversion.
    #[error("{0}")]
    Format(String),
    /// The result is no valid JPEG.
    #[error("the transformed picture cannot be shown: {0}")]
    Result(#[from] JpegError),
    /// A step panicked, which is a bug: the picture is dropped, the worker continues.
    #[error("transforming failed inside framecast, which is a bug: {reason}")]
    Panicked {
        /// The message of the panic.
        reason: String,
    },
    /// The result has more bytes than allowed.
    #[error("the transformed picture has {len} bytes, at most {max} are accepted (limits.max_frame_bytes)")]
    TooLarge {
        /// Length of the result in bytes.
        len: usize,
        /// The limit in bytes.
        max: usize,
    },
}

impl Pipeline {
    /// Returns a pipeline for the steps of `transform`, with `title` for its texts and buffers from `memory`.
    pub fn new(
        title: String,
        transform: Transform,
        limits: PictureLimits,
        memory: Arc<PictureMemory>,
    ) -> Self {
        let (plan, layers) = (Mutex::default(), Mutex::default());
        Self { title, settings: transform, limits, memory, zone: TimeZone::system(), plan, layers }
    }

    /// Returns the most bytes of memory that transforming this frame takes, estimated from its header.
    ///
    /// # Errors
    /// [`TransformError`] when the steps do not fit the picture.
    pub fn bytes_for(&self, frame: &Frame) -> Result<usize, TransformError> {
        let plan = self.plan_for(frame)?;
        let jpeg = memory_estimate::Jpeg::read(frame.jpeg(), (frame.width(), frame.height()));
        let (width, height) = plan.size;
        let full = (u64::from(frame.width()), u64::from(frame.height()));
        let stages = self.bytes_of_stages(&plan, full);
        let pixels = (width as u64) * (height as u64);
        let bytes = memory_estimate::recoding(&jpeg, plan.denominator, stages, (pixels, plan.quality));
        // What cannot be done without decoding is decoded after that was tried.
        let lossless = plan.lossless.as_ref().map_or(0, |_| memory_estimate::total(jpeg.lossless()));
        Ok(bytes.max(lossless))
    }

    /// Returns the bytes of all buffers that stages fill, as if each had its own.
    fn bytes_of_stages(&self, plan: &TransformPlan, (width, height): (u64, u64)) -> u64 {
        let (mut width, mut height) =
            (width.div_ceil(plan.denominator.into()), height.div_ceil(plan.denominator.into()));
        // A colour for each pixel is the most.
        let planes = if plan.gray { 1 } else { 3 };
        let is_resampled = plan.ops.iter().any(|stage| matches!(stage, Op::Move { .. }));
        // Otherwise colours that the JPEG shares in another way than the result are, at the end.
        let mut bytes = if is_resampled || plan.gray { 0 } else { width * height * (planes + 1) };
        for stage in &plan.ops {
            match stage {
                Op::Move { size, orientation, .. } => {
                    let (across, down) = (size.0 as u64, size.1 as u64);
                    let turned = if *orientation == Orientation::NONE { 0 } else { 2 * across * down };
                    // Rows are resampled before columns, into the resizer's own memory.
                    bytes += across * down * planes + turned + across * height;
                    (width, height) = orientation.size((across, down));
                }
                Op::AddColour => bytes += width * height * 4,
                Op::Mask(_) => bytes += width * height,
                Op::Draw(number) => bytes += self.bytes_of_layer(*number, width),
            }
        }
        bytes
    }

    /// Returns the bytes of a text's letters while they are drawn; a logo takes its own bytes when it is
    /// read.
    fn bytes_of_layer(&self, number: usize, width: u64) -> u64 {
        let Step::Text(caption) = &self.settings.steps[number] else { return 0 };
        let size = f64::from(caption.size).ceil() as u64 + 1;
        let letters = caption.text.chars().count() + self.title.chars().count() + MAX_TIME_CHARS;
        let different = memory_estimate::letters(&caption.text, caption.size)
            + memory_estimate::letters(&self.title, caption.size)
            + memory_estimate::letters(TIME_LETTERS, caption.size);
        // One byte and then four for each pixel of all lines, with their background.
        let lines = caption.text.lines().count() as u64 + 1;
        5 * (letters as u64 * size).min(width) * lines * 2 * size + different as u64
    }

    /// Returns whether the pipeline does no more than remove metadata, which takes microseconds, less than a
    /// worker's turn.
    pub fn is_light(&self) -> bool {
        self.settings.steps.is_empty() && self.settings.encode.is_none()
    }

    /// Transforms a frame. Unless the pipeline [is light](Self::is_light), this takes milliseconds and
    /// belongs in the pool.
    ///
    /// # Errors
    /// [`TransformError`]; the caller drops the frame.
    pub fn transform(&self, frame: &Frame) -> Result<TransformedFrame, TransformError> {
        if frame.encoding() == FrameEncoding::Final {
            let frame = frame.clone().with_encoding(FrameEncoding::Received);
            return Ok(TransformedFrame { frame, processing: Processing::Encoded });
        }
        let (jpeg, processing) = if self.is_light() {
            passthrough::unchanged(frame, self.settings.strip_metadata)
        } else {
            let plan = self.plan_for(frame)?;
            self.memory.with_scratch(|scratch| self.make(frame, &plan, scratch))?
        };
        if processing == Processing::Passed {
            return Ok(TransformedFrame { frame: frame.clone(), processing });
        }
        if jpeg.len() > self.limits.max_frame_bytes {
            return Err(TransformError::TooLarge { len: jpeg.len(), max: self.limits.max_frame_bytes });
        }
        Ok(TransformedFrame { frame: frame.transformed(jpeg)?, processing })
    }

    fn make(
        &self,
        frame: &Frame,
        plan: &TransformPlan,
        scratch: &mut Scratch,
    ) -> Result<(Bytes, Processing), TransformError> {
        if let Some(wanted) = &plan.lossless {
            let options = (self.settings.strip_metadata, self.limits.max_frame_pixels);
            if let Some(made) = passthrough::apply(frame, wanted, options, &mut scratch.workspace) {
                return Ok(made);
            }
        }
        Ok((self.run(frame, plan, scratch)?, Processing::Encoded))
    }

    /// Returns the plan, which is computed again only if the properties of the frames have changed.
    fn plan_for(&self, frame: &Frame) -> Result<Arc<TransformPlan>, TransformError> {
        let input = PictureProperties {
            width: frame.width(),
            height: frame.height(),
            gray: frame.info().components == 1,
            upright: Orientation::upright(frame.jpeg()),
            sharp: frame.encoding() == FrameEncoding::Sharp,
        };
        let before = self.plan.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((known, plan)) = before
            && known == input
        {
            return Ok(plan);
        }
        let limits = PlanLimits {
            max_denominator: codec().max_denominator(),
            max_pixels: self.limits.max_frame_pixels,
        };
        let plan = Arc::new(plan(input, &self.settings, limits)?);
        *self.plan.lock().unwrap_or_else(PoisonError::into_inner) = Some((input, plan.clone()));
        Ok(plan)
    }

    fn layers(&self) -> MutexGuard<'_, LayerCache> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(
        &self,
        frame: &Frame,
        plan: &TransformPlan,
        scratch: &mut Scratch,
    ) -> Result<Bytes, TransformError> {
        let wanted = DecodeOptions {
            denominator: plan.denominator,
            gray: plan.gray,
            max_pixels: self.limits.max_frame_pixels,
        };
        codec().decode_planes(frame.jpeg(), wanted, &mut scratch.planes)?;
        let full = (usize::from(frame.width()), usize::from(frame.height()));
        for (number, stage) in plan.ops.iter().enumerate() {
            match stage {
                Op::Move { take, size, orientation } => {
                    let take = if number == 0 { take.shrunk(full, &scratch.planes) } else { *take };
                    scratch.move_picture((take, *size, *orientation), plan.sampling)?;
                }
                Op::AddColour => scratch.planes.add_colour(plan.sampling),
                Op::Mask(masks) => mask::apply_masks(masks, &mut scratch.planes, &mut scratch.resampler)?,
                Op::Draw(number) => self.draw(*number, frame.captured_at(), &mut scratch.planes)?,
            }
        }
        let sampling = scratch.planes.sampling();
        if sampling != Sampling::Gray && sampling != plan.sampling {
            let whole = SourceRect::whole(&scratch.planes);
            let size = (scratch.planes.width(), scratch.planes.height());
            scratch.move_picture((whole, size, Orientation::NONE), plan.sampling)?;
        }
        Ok(codec().encode_planes(&scratch.planes, plan.quality)?)
    }

    fn draw(&self, number: usize, taken: SystemTime, planes: &mut Planes) -> Result<(), TransformError> {
        match &self.settings.steps[number] {
            Step::Text(caption) => {
                let layer = self.caption(number, caption, taken, planes.width())?;
                layer.draw(caption.position, planes);
            }
            Step::Image(logo) => {
                let known = self.layers().logos.get(&number).cloned();
                let layer = match known {
                    Some(layer) => layer,
                    None => {
                        let layer = Arc::new(Layer::from_logo(logo, &self.memory)?);
                        self.layers().logos.insert(number, layer.clone());
                        layer
                    }
                };
                layer.draw(logo.position, planes);
            }
            // The plan draws nothing else.
            _ => {}
        }
        Ok(())
    }

    /// Returns the layer of a text at the frame's time, which is drawn again only if the text has changed.
    fn caption(
        &self,
        number: usize,
        caption: &Caption,
        taken: SystemTime,
        width: usize,
    ) -> Result<Arc<Layer>, TransformError> {
        let time = Timestamp::try_from(taken).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.zone.clone());
        let text = strftime::expand(&caption.text, &time).map_err(TransformError::Format)?;
        let text = text.replace(TITLE, &self.title);
        // A layer of another text is not needed again.
        let before = self.layers().captions.remove(&number);
        let known = before.filter(|(drawn, for_width, _)| *drawn == text && *for_width == width);
        let there = known.and_then(|(.., cached)| Some((cached.get()?, cached)));
        let (layer, cached) = match there {
            Some((layer, cached)) => (layer, Some(cached)),
            None => {
                let layer = Arc::new(Layer::from_text(&text, caption, width));
                let cached = self.memory.cache(layer.bytes(), layer.clone());
                (layer, cached)
            }
        };
        if let Some(cached) = cached {
            self.layers().captions.insert(number, (text, width, cached));
        }
        Ok(layer)
    }
}

impl SourceRect {
    pub(crate) fn whole(planes: &Planes) -> Self {
        Self { x: 0.0, y: 0.0, width: planes.width() as f64, height: planes.height() as f64 }
    }

    /// Scales the part to a picture that was decoded smaller.
    fn shrunk(self, (width, height): (usize, usize), planes: &Planes) -> Self {
        let (by_x, by_y) = (planes.width() as f64 / width as f64, planes.height() as f64 / height as f64);
        Self { x: self.x * by_x, y: self.y * by_y, width: self.width * by_x, height: self.height * by_y }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::OpenOptions, process::Command, sync::mpsc, thread, time::Duration};

    use super::*;
    use crate::{bus::tests::tiny_frame, config::Limits};

    /// Time after which the test fails instead of hanging.
    const HANGS: Duration = Duration::from_secs(30);

    #[test]
    fn the_plan_is_there_for_others_while_a_worker_reads_a_logo() {
        let folder = tempfile::tempdir().unwrap();
        // A pipe in place of the picture: reading it blocks until it is written to.
        let pipe = folder.path().join("logo.png");
        image::RgbImage::new(1, 1).save(&pipe).unwrap();
        let yaml = format!(
            "streams: {{a: {{source: {{type: pattern}}, transform: [{{image: {{path: {}}}}}]}}}}",
            pipe.display()
        );
        let config = crate::config::parse(&yaml, "test", &crate::config::Environment::default()).unwrap();
        std::fs::remove_file(&pipe).unwrap();
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let transform = config.streams[0].rework();
        let limits = PictureLimits::from(&Limits::default());
        let pipeline = Arc::new(Pipeline::new(String::new(), transform, limits, Arc::default()));
        let (worker, caller) = (pipeline.clone(), pipeline);
        let working = thread::spawn(move || worker.transform(&tiny_frame()));
        // Opening blocks until the worker reads it.
        let reading = OpenOptions::new().write(true).open(&pipe).unwrap();
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || sender.send(caller.bytes_for(&tiny_frame()).is_ok()));
        assert_eq!(receiver.recv_timeout(HANGS), Ok(true));
        drop(reading);
        assert!(matches!(working.join().unwrap(), Err(TransformError::Logo(_))));
    }
}
