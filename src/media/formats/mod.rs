//! Pictures of a stream as one file to download, in pieces: the pictures' own bytes, and little between them.
//!
//! Pure: pictures in, pieces and their whole length out. Nothing is put together in memory; a picture is let
//! go when its piece was taken.

mod avi;
mod zip;

use std::{str::FromStr, time::SystemTime};

use bytes::Bytes;
use jiff::{Timestamp, Zoned, tz::TimeZone};

use super::frame::Frame;

/// A picture with its number.
pub trait Picture {
    /// The picture.
    fn frame(&self) -> &Frame;
    /// Its number in the stream.
    fn seq(&self) -> u64;
}

/// The type of a clip's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipFormat {
    /// JPEGs one behind the other.
    Mjpg,
    /// AVI with motion JPEG.
    Avi,
    /// JPEGs in an archive, named by their time.
    Zip,
}

/// Not one of the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the format must be mjpg, avi or zip")]
pub struct NoSuchFormat;

impl FromStr for ClipFormat {
    type Err = NoSuchFormat;

    fn from_str(text: &str) -> Result<Self, NoSuchFormat> {
        match text {
            "mjpg" => Ok(Self::Mjpg),
            "avi" => Ok(Self::Avi),
            "zip" => Ok(Self::Zip),
            _ => Err(NoSuchFormat),
        }
    }
}

impl ClipFormat {
    /// The end of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mjpg => "mjpg",
            Self::Avi => "avi",
            Self::Zip => "zip",
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mjpg => "video/x-motion-jpeg",
            Self::Avi => "video/x-msvideo",
            Self::Zip => "application/zip",
        }
    }
}

/// A file in pieces.
pub struct Clip {
    /// Bytes of all pieces.
    pub len: u64,
    /// The pieces, in order.
    pub pieces: Box<dyn Iterator<Item = Bytes> + Send>,
}

/// The file of these pictures, which come in the order of time.
pub fn clip<P: Picture + Send + 'static>(format: ClipFormat, pictures: Vec<P>) -> Clip {
    match format {
        ClipFormat::Mjpg => {
            let len = pictures.iter().map(|picture| picture.frame().jpeg().len() as u64).sum();
            Clip { len, pieces: Box::new(pictures.into_iter().map(|picture| picture.frame().jpeg().clone())) }
        }
        ClipFormat::Avi => avi::clip(pictures),
        ClipFormat::Zip => zip::clip(pictures),
    }
}

/// A picture's file name, by local time: `20261122-140322-123-000042.jpg`.
pub fn picture_name(frame: &Frame, seq: u64) -> String {
    format!("{}-{seq:06}.jpg", local(frame.taken()).strftime("%Y%m%d-%H%M%S-%3f"))
}

/// A time of this machine's clock; 1970 for what no clock shows.
pub fn local(time: SystemTime) -> Zoned {
    Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame with its number.
    pub(super) struct Numbered(pub(super) u64, pub(super) Frame);

    impl Picture for Numbered {
        fn frame(&self) -> &Frame {
            &self.1
        }

        fn seq(&self) -> u64 {
            self.0
        }
    }

    /// A grey picture of this size.
    pub(super) fn frame(width: u16, height: u16) -> Frame {
        let mut jpeg = Vec::new();
        let pixels = vec![128; usize::from(width) * usize::from(height)];
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 80);
        encoder.encode(&pixels, width, height, jpeg_encoder::ColorType::Luma).unwrap();
        Frame::from_jpeg(jpeg.into()).unwrap()
    }

    fn pictures() -> Vec<Numbered> {
        (1..=5).map(|n| Numbered(n, frame(8 * n as u16, 16))).collect()
    }

    #[test]
    fn every_format_is_as_long_as_it_says_and_carries_the_pictures_themselves() {
        for format in [ClipFormat::Mjpg, ClipFormat::Avi, ClipFormat::Zip] {
            let pictures = pictures();
            let bytes: Vec<_> = pictures.iter().map(|picture| picture.1.jpeg().clone()).collect();
            let clip = clip(format, pictures);
            let pieces: Vec<Bytes> = clip.pieces.collect();
            assert_eq!(clip.len, pieces.iter().map(|piece| piece.len() as u64).sum::<u64>(), "{format:?}");
            for jpeg in bytes {
                assert!(pieces.iter().any(|piece| piece.as_ptr() == jpeg.as_ptr()), "{format:?} copies");
            }
            assert_eq!(format.extension().parse(), Ok(format));
        }
        assert_eq!("AVI".parse::<ClipFormat>(), Err(NoSuchFormat));
    }

    #[test]
    fn a_picture_is_let_go_when_its_piece_was_taken() {
        let pictures = pictures();
        let first = pictures[0].1.jpeg().clone();
        let mut clip = clip(ClipFormat::Mjpg, pictures);
        assert!(!first.is_unique());
        drop(clip.pieces.next());
        assert!(first.is_unique());
    }
}
