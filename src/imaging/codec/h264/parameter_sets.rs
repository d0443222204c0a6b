//! The parameter sets of a stream (ITU-T H.264, 7.3.2), and what they say about its pictures.

use h264_reader::{
    nal::sps::{ChromaFormat, FrameMbsFlags, SeqParameterSet},
    rbsp::BitRead,
};

use super::{
    error::H264Error,
    nal::{self, SPS},
};

/// Maximum number of parameter sets: cameras have two, or two for each of a few sizes.
const MAX_SETS: usize = 32;

/// Maximum number of bytes of a parameter set; with scaling lists they have about 800.
const MAX_SET_BYTES: usize = 4096;

/// Most macroblocks of a picture, and of one of its sides, that openh264 decodes (level 5.2).
const MAX_MACROBLOCKS: u64 = 36_864;
const MAX_SIDE_MACROBLOCKS: u64 = 543;

/// Bytes that openh264 takes whatever the picture's size is: its context and its buffers of access units.
const BASE_BYTES: u64 = 4 * 1024 * 1024;
/// Bytes of a macroblock in the layer that is being decoded, and beside each picture: coefficients, vectors
/// and modes (`InitialDqLayersContext` and `AllocPicture` of openh264).
const LAYER_MACROBLOCK_BYTES: u64 = 1200;
const PICTURE_MACROBLOCK_BYTES: u64 = 165;
/// Pixels around each picture, for vectors that point outside.
const PADDING: u64 = 32;

/// The kind of a parameter set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sequence,
    Picture,
}

/// What a sequence parameter set says about the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sequence {
    width: u16,
    height: u16,
    /// Bytes that openh264 takes for its pictures.
    memory: usize,
    pub(super) is_gray: bool,
    pub(super) is_full_range: bool,
    pub(super) is_bt709: bool,
    /// Whether pictures may come out in another order than they are decoded in, where it says so.
    reorders: bool,
}

#[derive(Debug)]
struct Set {
    id: u32,
    nal: Vec<u8>,
    sequence: Option<Sequence>,
}

/// The parameter sets that were received, the newest of each number.
#[derive(Debug, Default)]
pub(super) struct ParameterSets(Vec<Set>);

impl ParameterSets {
    /// Takes a parameter set. Returns its kind if it is new or changed.
    ///
    /// # Errors
    /// [`H264Error`] if it cannot be read, or its pictures cannot be decoded or are too large.
    pub(super) fn insert(&mut self, nal: &[u8], max_pixels: u64) -> Result<Option<Kind>, H264Error> {
        if self.0.iter().any(|set| set.nal == nal) {
            return Ok(None);
        }
        if nal.len() > MAX_SET_BYTES {
            return Err(H264Error::ParameterSet("it is too long".into()));
        }
        let (id, sequence) = if nal[0] & 0x1f == SPS {
            let (id, sequence) = read_sequence(nal, max_pixels)?;
            (id, Some(sequence))
        } else {
            (nal::bits(nal).read_ue("pic_parameter_set_id").map_err(unreadable)?, None)
        };
        let same = |set: &Set| set.id == id && set.sequence.is_some() == sequence.is_some();
        self.0.retain(|set| !same(set));
        if self.0.len() == MAX_SETS {
            return Err(H264Error::ParameterSet(format!("there are more than {MAX_SETS}")));
        }
        let kind = if sequence.is_some() { Kind::Sequence } else { Kind::Picture };
        self.0.push(Set { id, nal: nal.to_vec(), sequence });
        // Picture parameter sets refer to those of sequences.
        self.0.sort_by_key(|set| (set.sequence.is_none(), set.id));
        Ok(Some(kind))
    }

    /// Returns the parameter sets, those of sequences first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|set| &*set.nal)
    }

    /// Returns width and height of the first sequence.
    pub(super) fn size(&self) -> Option<(u16, u16)> {
        self.sequences().next().map(|sequence| (sequence.width, sequence.height))
    }

    /// Returns whether a sequence says that its pictures are reordered. Cameras that say nothing seldom do it.
    pub(super) fn reorder(&self) -> bool {
        self.sequences().any(|sequence| sequence.reorders)
    }

    /// Returns the sequence whose pictures have this size.
    pub(super) fn of_size(&self, width: usize, height: usize) -> Option<&Sequence> {
        self.sequences().find(|one| (one.width.into(), one.height.into()) == (width, height))
    }

    /// Returns the bytes that openh264 takes for the largest pictures.
    ///
    /// # Errors
    /// [`H264Error::NoParameterSets`] before both kinds have arrived.
    pub(super) fn memory(&self) -> Result<usize, H264Error> {
        let has_picture_set = self.0.iter().any(|set| set.sequence.is_none());
        let most = self.sequences().map(|sequence| sequence.memory).max();
        most.filter(|_| has_picture_set).ok_or(H264Error::NoParameterSets)
    }

    fn sequences(&self) -> impl Iterator<Item = &Sequence> {
        self.0.iter().filter_map(|set| set.sequence.as_ref())
    }
}

fn unreadable(error: impl std::fmt::Debug) -> H264Error {
    H264Error::ParameterSet(format!("{error:?}"))
}

fn read_sequence(nal: &[u8], max_pixels: u64) -> Result<(u32, Sequence), H264Error> {
    let sps = SeqParameterSet::from_bits(nal::bits(nal)).map_err(unreadable)?;
    let unsupported = |what: &str| Err(H264Error::Unsupported(what.into()));
    let chroma = &sps.chroma_info;
    if !matches!(chroma.chroma_format, ChromaFormat::YUV420 | ChromaFormat::Monochrome) {
        return unsupported("4:2:2 or 4:4:4 colours");
    }
    if chroma.bit_depth_luma_minus8 != 0 || chroma.bit_depth_chroma_minus8 != 0 {
        return unsupported("more than 8 bits a sample");
    }
    if sps.frame_mbs_flags != FrameMbsFlags::Frames {
        return unsupported("interlaced pictures");
    }
    let profile = u8::from(sps.profile_idc);
    if !matches!(profile, 66 | 77 | 88 | 100) {
        return Err(H264Error::Unsupported(format!("profile {profile}")));
    }
    if sps.level_idc > 52 {
        return Err(H264Error::Unsupported(format!("level {}", f32::from(sps.level_idc) / 10.0)));
    }
    let across = u64::from(sps.pic_width_in_mbs_minus1) + 1;
    let down = u64::from(sps.pic_height_in_map_units_minus1) + 1;
    if across.max(down) > MAX_SIDE_MACROBLOCKS || across * down > MAX_MACROBLOCKS {
        return Err(H264Error::Unsupported(format!("{}x{} pixels", across * 16, down * 16)));
    }
    let (width, height) = sps.pixel_dimensions().map_err(unreadable)?;
    let side = |side: u32| u16::try_from(side).ok().filter(|side| *side > 0);
    let (Some(width), Some(height)) = (side(width), side(height)) else {
        return Err(H264Error::ParameterSet("its pictures have no pixels".into()));
    };
    if u64::from(width) * u64::from(height) > max_pixels {
        return Err(H264Error::TooManyPixels { width: width.into(), height: height.into(), max_pixels });
    }
    let picture = (across * 16 + 2 * PADDING) * (down * 16 + 2 * PADDING) * 3 / 2
        + across * down * PICTURE_MACROBLOCK_BYTES;
    // openh264 limits the number itself, to 16.
    let pictures = u64::from(sps.max_num_ref_frames.min(16)) + 2;
    let memory = BASE_BYTES + across * down * LAYER_MACROBLOCK_BYTES + pictures * picture;
    let restrictions = sps.vui_parameters.as_ref().and_then(|vui| vui.bitstream_restrictions.as_ref());
    let signal = sps.vui_parameters.as_ref().and_then(|vui| vui.video_signal_type.as_ref());
    let matrix = signal.and_then(|signal| signal.colour_description.as_ref());
    let sequence = Sequence {
        width,
        height,
        memory: usize::try_from(memory).unwrap_or(usize::MAX),
        is_gray: chroma.chroma_format == ChromaFormat::Monochrome,
        is_full_range: signal.is_some_and(|signal| signal.video_full_range_flag),
        // 1 is BT.709; 7 (SMPTE 240M) is almost the same. Unnamed colours are taken as BT.601, as ffmpeg does.
        is_bt709: matrix.is_some_and(|matrix| matches!(matrix.matrix_coefficients, 1 | 7)),
        reorders: restrictions.is_some_and(|restrictions| restrictions.max_num_reorder_frames > 0),
    };
    Ok((sps.seq_parameter_set_id.id().into(), sequence))
}
