//! Pictures of the configured size, in the CPU pool.

use std::sync::Arc;

use bytes::Bytes;

use crate::{
    config::Size,
    imaging::{
        PictureMemory,
        codec::{CodecError, DecodeOptions, codec},
        cpu_pool::{memory_estimate, scratch::Scratch},
        transform::{orientation::Orientation, plan::SourceRect},
        ycbcr::Sampling,
    },
    media::frame::Frame,
};

/// The pictures to make.
#[derive(Debug, Clone)]
pub(super) struct PictureFormat {
    /// Size in pixels; none is the camera's.
    pub(super) size: Option<Size>,
    /// JPEG quality.
    pub(super) quality: u8,
    /// Maximum number of pixels of a camera's picture.
    pub(super) max_pixels: u64,
    /// Buffers to work in.
    pub(super) memory: Arc<PictureMemory>,
}

impl PictureFormat {
    /// Encodes the picture in `scratch`, from its planes.
    pub(super) fn encode(&self, scratch: &mut Scratch) -> Result<Bytes, CodecError> {
        if let Some(Size { width, height }) = self.size {
            let size = (width.get() as usize, height.get() as usize);
            let whole = SourceRect::whole(&scratch.planes);
            scratch.move_picture((whole, size, Orientation::NONE), Sampling::S420)?;
        }
        codec().encode_planes(&scratch.planes, self.quality)
    }

    /// Returns whether a JPEG of this size has to be encoded anew.
    pub(super) fn changes(&self, width: u16, height: u16) -> bool {
        self.size.is_some_and(|size| (size.width.get(), size.height.get()) != (width.into(), height.into()))
    }

    /// Returns a JPEG of the configured size.
    pub(super) fn recode(&self, frame: &Frame) -> Result<Bytes, CodecError> {
        self.memory.with_scratch(|scratch| {
            let wanted = DecodeOptions { denominator: 1, gray: false, max_pixels: self.max_pixels };
            codec().decode_planes(frame.jpeg(), wanted, &mut scratch.planes)?;
            self.encode(scratch)
        })
    }

    /// Returns the most bytes that [`PictureFormat::recode`] takes.
    pub(super) fn bytes_to_recode(&self, frame: &Frame) -> usize {
        let jpeg = memory_estimate::Jpeg::read(frame.jpeg(), (frame.width(), frame.height()));
        let pixels = self.size.map_or(0, |size| memory_estimate::area(size.width.get(), size.height.get()));
        memory_estimate::recoding(&jpeg, 1, pixels.saturating_mul(3), (pixels, self.quality))
    }

    /// Returns the most bytes that scaling and encoding a picture of this size, 4:2:0, takes.
    #[cfg(feature = "h264")]
    pub(super) fn bytes_to_encode(&self, (width, height): (u32, u32)) -> usize {
        let pixels = memory_estimate::area(width, height);
        let made =
            self.size.map_or(pixels, |size| memory_estimate::area(size.width.get(), size.height.get()));
        let planes = pixels.saturating_mul(2).saturating_add(made.saturating_mul(2));
        memory_estimate::total(planes.saturating_add(memory_estimate::encoded(made, self.quality)))
    }
}
