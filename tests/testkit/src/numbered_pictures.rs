//! Pictures that say which one they are.

use jpeg_encoder::{ColorType, Encoder};

const WIDTH: u16 = 64;
const HEIGHT: u16 = 48;

/// A small gray picture with `number` in a comment.
pub fn numbered(number: u64) -> Vec<u8> {
    let mut jpeg = plain(WIDTH, HEIGHT);
    let comment = [&[0xff, 0xfe, 0, 10][..], &number.to_be_bytes()].concat();
    jpeg.splice(2..2, comment);
    jpeg
}

/// Returns the picture of a number, made longer than `bytes`.
pub fn numbered_long(number: u64, bytes: usize) -> Vec<u8> {
    let mut jpeg = long(bytes);
    jpeg.splice(2..2, numbered(number)[2..14].iter().copied());
    jpeg
}

/// Returns the number that [`numbered`] was given; none for any other picture.
pub fn number_of(jpeg: &[u8]) -> Option<u64> {
    let comment = jpeg.strip_prefix(&[0xff, 0xd8, 0xff, 0xfe, 0, 10])?;
    Some(u64::from_be_bytes(comment.get(..8)?.try_into().ok()?))
}

/// A gray picture of that size.
pub fn plain(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = vec![128; usize::from(width) * usize::from(height)];
    Encoder::new(&mut jpeg, 80).encode(&pixels, width, height, ColorType::Luma).unwrap();
    jpeg
}

/// A picture made longer than `bytes` by comments.
pub fn long(bytes: usize) -> Vec<u8> {
    const COMMENT: usize = 60_000;
    let mut jpeg = plain(WIDTH, HEIGHT);
    let segment = [&[0xff, 0xfe][..], &(COMMENT as u16).to_be_bytes(), &vec![b'.'; COMMENT - 2]].concat();
    jpeg.splice(2..2, segment.repeat(bytes.div_ceil(segment.len())));
    jpeg
}
