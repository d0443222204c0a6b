//! Decodes H.264 to planes, with Cisco's openh264.
//!
//! The decoder takes access units: all NAL units of one picture. It keeps the parameter sets, refuses what
//! openh264 does not decode and pictures that are too large before openh264 sees them, and passes on slices
//! and parameter sets only. After an error nothing is decoded until the next keyframe (IDR), with a new
//! openh264: a picture with missing references is never shown.
//!
//! Not here: RTP, containers, the choice of pictures to decode, and the encoder.

mod colour;
mod error;
mod nal;
mod parameter_sets;
#[cfg(test)]
mod tests;

use std::{fmt, mem};

use openh264::{
    OpenH264API,
    decoder::{DecodeOptions, DecodedYUV, Decoder, DecoderConfig, Flush},
    formats::YUVSource,
};

pub use self::{
    error::H264Error,
    nal::{AccessUnit, Framing},
};
use crate::{
    imaging::ycbcr::{Planes, Sampling},
    limits::{BudgetError, BytePermit},
};
pub use nal::MAX_ACCESS_UNIT_BYTES;
use nal::Slice;
use parameter_sets::ParameterSets;

/// Maximum number of access units without a picture whose times are kept. H.264 reorders 16 at most.
const MAX_PENDING: usize = 17;

/// openh264's state when all of its pictures are in use, which it calls out of memory.
const NO_PICTURE: i64 = 0x4000;

/// Takes the bytes of openh264's reference pictures from a budget.
pub type Reserve = Box<dyn Fn(usize) -> Result<BytePermit, BudgetError> + Send>;

/// A decoder of one H.264 stream.
pub struct H264Decoder {
    max_pixels: u64,
    reserve: Reserve,
    sets: ParameterSets,
    /// openh264; `None` until a keyframe.
    open: Option<Open>,
    /// Whether openh264 lacks the current parameter sets.
    sets_unsent: bool,
    /// Whether pictures come in another order than access units, by a parameter set or because there was a B
    /// slice.
    reorders: bool,
    /// Times of access units whose picture has not come out.
    pending: Vec<i64>,
    /// The time of the newest picture that came out since the last keyframe.
    newest: Option<i64>,
    failed_keyframes: u32,
    /// What openh264 is given, whose memory is used again.
    data: Vec<u8>,
}

/// openh264 between a keyframe and an error, or a change of the parameter sets.
struct Open {
    decoder: Decoder,
    _memory: BytePermit,
    /// Whether it holds pictures back for those that are shown before them. It does that even in streams
    /// without B slices, unless it is told to give all it has after each access unit.
    reorders: bool,
}

impl H264Decoder {
    /// Returns a decoder of pictures of at most `max_pixels`, which takes the memory of its pictures by
    /// `reserve` at the first keyframe and keeps it until it is dropped or the picture's size changes.
    pub fn new(max_pixels: u64, reserve: Reserve) -> Self {
        Self {
            max_pixels,
            reserve,
            sets: ParameterSets::default(),
            open: None,
            sets_unsent: true,
            reorders: false,
            pending: Vec::new(),
            newest: None,
            failed_keyframes: 0,
            data: Vec::new(),
        }
    }

    /// Returns whether access units are discarded until a keyframe: at the start, and after an error.
    pub fn needs_keyframe(&self) -> bool {
        self.open.is_none()
    }

    /// Returns the number of keyframes in a row that could not be decoded. More than one in a stream that
    /// loses no packets has a feature that openh264 lacks.
    pub fn failed_keyframes(&self) -> u32 {
        self.failed_keyframes
    }

    /// Returns width and height of the pictures, once a parameter set has arrived.
    pub fn size(&self) -> Option<(u16, u16)> {
        self.sets.size()
    }

    /// Decodes an access unit, or parameter sets alone (as an RTSP server describes them beforehand).
    ///
    /// Returns the time of the picture that came out, which is in `picture` if that is given: a full-range
    /// BT.601 picture as JPEG has it, grey or 4:2:0. Streams without B slices return the picture of this very
    /// access unit, others an earlier one. `time` has any unit and grows in the order of display.
    ///
    /// # Errors
    /// [`H264Error`]; the decoder then needs a keyframe.
    pub fn decode(
        &mut self,
        (access_unit, framing): (&[u8], Framing),
        time: i64,
        picture: Option<&mut Planes>,
    ) -> Result<Option<i64>, H264Error> {
        let unit = AccessUnit::read(access_unit, framing);
        let is_keyframe = unit.as_ref().is_ok_and(|unit| unit.is_keyframe);
        let decoded = unit.and_then(|unit| self.decode_unit(&unit, time, picture));
        match &decoded {
            Ok(Some(_)) => self.failed_keyframes = 0,
            Ok(None) => {}
            Err(error) => {
                // Giving each picture at once may use up openh264's pictures.
                self.reorders |= matches!(error, H264Error::Decode { state } if state & NO_PICTURE != 0);
                self.failed_keyframes += u32::from(is_keyframe);
                self.close();
            }
        }
        decoded
    }

    fn close(&mut self) {
        self.open = None;
        self.pending.clear();
    }

    fn decode_unit(
        &mut self,
        unit: &AccessUnit<'_>,
        time: i64,
        picture: Option<&mut Planes>,
    ) -> Result<Option<i64>, H264Error> {
        for set in &unit.parameter_sets {
            let change = self.sets.insert(set, self.max_pixels)?;
            self.sets_unsent |= change.is_some();
            if change == Some(parameter_sets::Kind::Sequence) {
                // Another size, perhaps: the memory is returned before that of the next is taken.
                self.close();
            }
        }
        if unit.slices.is_empty() || (self.open.is_none() && !unit.is_keyframe) {
            return Ok(None);
        }
        self.reorders |= self.sets.reorder() || unit.slices.iter().any(Slice::is_bidirectional);
        self.open(unit.is_keyframe)?;
        let mut data = mem::take(&mut self.data);
        data.clear();
        if mem::take(&mut self.sets_unsent) {
            self.sets.iter().for_each(|set| nal::push(&mut data, set));
        }
        unit.slices.iter().for_each(|slice| nal::push(&mut data, slice.nal));
        self.expect(time, unit.is_keyframe);
        let shown = self.run(&data, picture);
        self.data = data;
        shown
    }

    /// Creates openh264 where there is none, or one that reorders at the first keyframe after a B slice: one
    /// that has given a picture too early keeps the wrong order, and soon has no free picture.
    fn open(&mut self, is_keyframe: bool) -> Result<(), H264Error> {
        if let Some(open) = &self.open
            && (open.reorders == self.reorders || !is_keyframe)
        {
            return Ok(());
        }
        self.close();
        let memory = (self.reserve)(self.sets.memory()?)?;
        let config = DecoderConfig::new().flush_after_decode(Flush::NoFlush);
        let decoder = Decoder::with_api_config(OpenH264API::from_source(), config)
            .map_err(|error| H264Error::Decode { state: error.native_code() })?;
        self.open = Some(Open { decoder, _memory: memory, reorders: self.reorders });
        self.sets_unsent = true;
        Ok(())
    }

    /// Remembers the time of an access unit.
    fn expect(&mut self, time: i64, is_keyframe: bool) {
        let reorders = self.open.as_ref().is_some_and(|open| open.reorders);
        if !reorders || self.pending.len() == MAX_PENDING {
            self.pending.clear();
        }
        if is_keyframe {
            // A camera that sets its clock begins anew.
            self.newest = None;
        }
        let after = self.pending.partition_point(|&pending| pending <= time);
        self.pending.insert(after, time);
    }

    fn run(&mut self, data: &[u8], picture: Option<&mut Planes>) -> Result<Option<i64>, H264Error> {
        let Some(Open { decoder, reorders, .. }) = &mut self.open else { return Ok(None) };
        let flush = if *reorders { Flush::NoFlush } else { Flush::Flush };
        let options = DecodeOptions::new().flush_after_decode(flush);
        let decoded = decoder
            .decode_with_options(data, options)
            .map_err(|error| H264Error::Decode { state: error.native_code() })?;
        let Some(decoded) = decoded else { return Ok(None) };
        if self.pending.is_empty() {
            return Ok(None);
        }
        let time = self.pending.remove(0);
        // A B picture before the keyframe at which reordering begins: the one after it was shown already.
        if self.newest.is_some_and(|newest| time <= newest) {
            return Ok(None);
        }
        self.newest = Some(time);
        if let Some(picture) = picture {
            write(&decoded, &self.sets, picture)?;
        }
        Ok(Some(time))
    }
}

/// Copies a decoded picture into planes, as JPEG has its colours.
fn write(decoded: &DecodedYUV<'_>, sets: &ParameterSets, picture: &mut Planes) -> Result<(), H264Error> {
    let (width, height) = decoded.dimensions();
    let sequence = sets.of_size(width, height).ok_or(H264Error::Decode { state: 0 })?;
    let sampling = if sequence.is_gray { Sampling::Gray } else { Sampling::S420 };
    picture.reshape(width, height, sampling).map_err(|_| H264Error::Decode { state: 0 })?;
    let (y, u, v) = decoded.strides();
    let planes = [(decoded.y(), y), (decoded.u(), u), (decoded.v(), v)];
    for (n, &(plane, stride)) in planes.iter().enumerate().take(sampling.planes()) {
        let (width, _) = picture.size_of(n);
        let rows = plane.chunks(stride.max(1)).zip(picture.plane_mut(n).chunks_exact_mut(width));
        for (from, to) in rows {
            let from = from.get(..width).ok_or(H264Error::Decode { state: 0 })?;
            colour::copy_row(from, to, n > 0, sequence.is_full_range);
        }
    }
    if sequence.is_bt709 && !sequence.is_gray {
        colour::to_bt601(picture);
    }
    Ok(())
}

impl fmt::Debug for H264Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("H264Decoder")
            .field("size", &self.size())
            .field("needs_keyframe", &self.needs_keyframe())
            .finish_non_exhaustive()
    }
}
