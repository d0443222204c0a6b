//! Why bytes are not a whole JPEG.

/// Why bytes are not a whole JPEG. Offsets count from SOI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JpegError {
    /// It does not start with SOI.
    #[error("not a JPEG: it does not start with FF D8")]
    NoSoi,
    /// The bytes end before EOI.
    #[error("the JPEG is cut off: {len} bytes, and no end (FF D9)")]
    Truncated {
        /// Bytes there are.
        len: usize,
    },
    /// Something else stands where a marker must.
    #[error("broken JPEG: {found:02X} at offset {offset}, where a marker (FF) must stand")]
    NoMarker {
        /// Where.
        offset: usize,
        /// The byte that was found.
        found: u8,
    },
    /// A marker that no JPEG has, or not there.
    #[error("broken JPEG: marker FF {code:02X} at offset {offset} may not stand there")]
    Marker {
        /// Where.
        offset: usize,
        /// The marker's second byte.
        code: u8,
    },
    /// Another JPEG starts inside this one, which was therefore cut.
    #[error("the JPEG is cut off: another one starts at offset {offset}")]
    NewSoi {
        /// Where the other one starts.
        offset: usize,
    },
    /// A segment's length does not fit what it holds.
    #[error("broken JPEG: segment FF {code:02X} at offset {offset} has the impossible length {length}")]
    SegmentLength {
        /// Where.
        offset: usize,
        /// The marker's second byte.
        code: u8,
        /// The length it gives.
        length: u16,
    },
    /// A scan, or the end, comes before the frame header.
    #[error("broken JPEG: no frame header (SOF) before offset {offset}")]
    NoFrameHeader {
        /// Where the scan or the end stands.
        offset: usize,
    },
    /// The end comes before any scan.
    #[error("broken JPEG: it ends at offset {offset} without picture data")]
    NoScan {
        /// Where the end stands.
        offset: usize,
    },
    /// Lossless, hierarchical or arithmetic coding, or not 8 bits a sample: nothing shows that.
    #[error(
        "unsupported JPEG: {what} at offset {offset}; baseline or progressive Huffman, 8 bits, is needed"
    )]
    Unsupported {
        /// Where.
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
        /// Width it gives.
        width: u16,
        /// Height it gives.
        height: u16,
    },
    /// Not one to four colour components.
    #[error("broken JPEG: {components} colour components; 1 to 4 are possible")]
    Components {
        /// Number of components that the JPEG has.
        components: u8,
    },
}
