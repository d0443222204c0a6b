//! Pictures that can be told apart by their bytes.

use jpeg_encoder::{ColorType, Encoder};

pub const WIDTH: u16 = 64;
pub const HEIGHT: u16 = 48;

/// A picture of its own for each `n`.
pub fn jpeg(n: u8) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels: Vec<u8> =
        (0..u32::from(WIDTH) * u32::from(HEIGHT)).map(|at| (at / 3) as u8 ^ n.wrapping_mul(37)).collect();
    Encoder::new(&mut jpeg, 80).encode(&pixels, WIDTH, HEIGHT, ColorType::Luma).unwrap();
    jpeg
}

/// Returns a JPEG that is made larger than `bytes` by comments, into which cameras put their settings.
pub fn large_jpeg(n: u8, bytes: usize) -> Vec<u8> {
    const COMMENT: u16 = 60_000;
    let mut jpeg = jpeg(n);
    let segment = [&[0xff, 0xfe], &COMMENT.to_be_bytes()[..], &vec![n; usize::from(COMMENT) - 2]].concat();
    let comments = segment.repeat(bytes.div_ceil(segment.len()));
    jpeg.splice(2..2, comments);
    jpeg
}

/// Returns a JPEG without the header segments that begin with the marker `FF marker`.
pub fn without_segments(jpeg: &[u8], marker: u8) -> Vec<u8> {
    const START_OF_SCAN: u8 = 0xda;
    let (mut kept, mut at) = (jpeg[..2].to_vec(), 2);
    while jpeg[at + 1] != START_OF_SCAN {
        let end = at + 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[at + 1] != marker {
            kept.extend_from_slice(&jpeg[at..end]);
        }
        at = end;
    }
    kept.extend_from_slice(&jpeg[at..]);
    kept
}
