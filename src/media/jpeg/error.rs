//! Errors of JPEGs that are not whole.

/// An error of bytes that are not a whole JPEG. Offsets count from SOI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// The bytes do not start with SOI.
    #[error("not a JPEG: it does not start with FF D8")]
    NoSoi,
    /// The bytes end before EOI, and before the last of the picture data.
    #[error("the JPEG is cut off: {len} bytes, without the rest of its data and its end (FF D9)")]
    Truncated {
        /// Number of bytes.
        len: usize,
    },
    /// Another byte is at the position of a marker.
    #[error("broken JPEG: {found:02X} at offset {offset}, where a marker (FF) must stand")]
    NoMarker {
        /// Offset of the error.
        offset: usize,
        /// The byte that was found.
        found: u8,
    },
    /// A marker that no JPEG has, or not at this position.
    #[error("broken JPEG: marker FF {code:02X} at offset {offset} may not stand there")]
    Marker {
        /// Offset of the error.
        offset: usize,
        /// The marker's second byte.
        code: u8,
    },
    /// Another JPEG starts inside this one, which was therefore cut.
    #[error("the JPEG is cut off: another one starts at offset {offset}")]
    NewSoi {
        /// Offset of the other JPEG.
        offset: usize,
    },
    /// A segment's length does not fit its content.
    #[error("broken JPEG: segment FF {code:02X} at offset {offset} has the impossible length {length}")]
    SegmentLength {
        /// Offset of the error.
        offset: usize,
        /// The marker's second byte.
        code: u8,
        /// The length in the segment.
        length: u16,
    },
    /// A scan, or the end, comes before the frame header.
    #[error("broken JPEG: no frame header (SOF) before offset {offset}")]
    NoFrameHeader {
        /// Offset of the scan or the end.
        offset: usize,
    },
    /// The end comes before any scan.
    #[error("broken JPEG: it ends at offset {offset} without picture data")]
    NoScan {
        /// Offset of the end.
        offset: usize,
    },
    /// Lossless, hierarchical or arithmetic coding, or not 8 bits a sample, which no viewer shows.
    #[error(
        "unsupported JPEG: {what} at offset {offset}; baseline or progressive Huffman, 8 bits, is needed"
    )]
    Unsupported {
        /// Offset of the error.
        offset: usize,
        /// The unsupported feature.
        what: &'static str,
    },
    /// Width or height is zero.
    #[error(
        "broken JPEG: a picture of {width}x{height} pixels{}",
        if *height == 0 { " (a height given later, by DNL, is not supported)" } else { "" }
    )]
    NoPixels {
        /// Width in the frame header.
        width: u16,
        /// Height in the frame header.
        height: u16,
    },
    /// The number of colour components is not 1 to 4.
    #[error("broken JPEG: {components} colour components; 1 to 4 are possible")]
    Components {
        /// Number of components that the JPEG has.
        components: u8,
    },
}
