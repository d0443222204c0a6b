//! Writes pictures of a stream as one file to download, in pieces: the unchanged bytes of the pictures, with
//! short headers between them.
//!
//! Pure: pictures in, pieces and their whole length out. Nothing is collected in memory; a picture is freed
//! when its piece was taken.

mod avi;
mod clip;
#[cfg(test)]
mod tests;
mod zip;

use std::str::FromStr;

use bytes::Bytes;
pub use clip::{Clip, ClipFrame, fact_line, local_time, picture_name};

/// The type of a clip's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClipFormat {
    /// JPEGs one after the other.
    Mjpg,
    /// AVI with motion JPEG.
    Avi,
    /// JPEGs in an archive, named by their time.
    Zip,
    /// No pictures: number, times and JSON of each, one line each.
    Jsonl,
}

/// The error of an unknown format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the format must be mjpg, avi, zip or jsonl")]
pub struct UnknownFormat;

impl FromStr for ClipFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "mjpg" => Ok(Self::Mjpg),
            "avi" => Ok(Self::Avi),
            "zip" => Ok(Self::Zip),
            "jsonl" => Ok(Self::Jsonl),
            _ => Err(UnknownFormat),
        }
    }
}

impl ClipFormat {
    /// Returns the extension of the file's name.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Mjpg => "mjpg",
            Self::Avi => "avi",
            Self::Zip => "zip",
            Self::Jsonl => "jsonl",
        }
    }

    /// Returns the media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Mjpg => "video/x-motion-jpeg",
            Self::Avi => "video/x-msvideo",
            Self::Zip => "application/zip",
            Self::Jsonl => "application/x-ndjson",
        }
    }
}

/// Returns the file of these pictures, which are in order of time.
pub fn clip<P: ClipFrame + Send + 'static>(format: ClipFormat, pictures: Vec<P>) -> Clip {
    match format {
        ClipFormat::Mjpg => {
            let len = pictures.iter().map(|picture| picture.frame().jpeg().len() as u64).sum();
            Clip { len, chunks: Box::new(pictures.into_iter().map(|picture| picture.frame().jpeg().clone())) }
        }
        ClipFormat::Avi => avi::clip(pictures),
        ClipFormat::Zip => zip::clip(pictures),
        ClipFormat::Jsonl => {
            let line = |picture: &P| Bytes::from(fact_line(picture.frame(), picture.seq()));
            let lines: Vec<_> = pictures.iter().map(line).collect();
            Clip {
                len: lines.iter().map(|line| line.len() as u64).sum(),
                chunks: Box::new(lines.into_iter()),
            }
        }
    }
}
