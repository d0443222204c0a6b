//! Small files that need much memory once they are decoded.

use std::io::{self, Write};

use flate2::{Compression, Crc, write::ZlibEncoder};

/// The largest square below the default `limits.max_frame_pixels`.
pub const SIDE: u16 = 7000;

/// Blocks of a square picture of [`SIDE`], 8 x 8 pixels each.
const BLOCKS_A_SIDE: u32 = SIDE.div_ceil(8) as u32;

/// The longest run of blocks without coefficients that one code of a progressive scan can end (EOB14), less
/// one.
const LONGEST_RUN: u32 = 0x7fff;

/// A black PNG of 7000 x 7000 pixels, RGBA with 16 bits a channel: 381 kB, and 392 MB once decoded.
pub fn png() -> io::Result<Vec<u8>> {
    let side = u32::from(SIDE).to_be_bytes();
    let mut packer = ZlibEncoder::new(Vec::new(), Compression::best());
    // A filter byte, then eight bytes a pixel.
    let row = vec![0; 1 + usize::from(SIDE) * 8];
    for _ in 0..SIDE {
        packer.write_all(&row)?;
    }
    let pixels = packer.finish()?;
    let header = [&side[..], &side, &[16, 6, 0, 0, 0]].concat();
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in [(b"IHDR", &header), (b"IDAT", &pixels), (b"IEND", &Vec::new())] {
        let mut sum = Crc::new();
        sum.update(kind);
        sum.update(content);
        let length = u32::try_from(content.len()).map_err(io::Error::other)?;
        png.extend([&length.to_be_bytes()[..], kind, content, &sum.sum().to_be_bytes()].concat());
    }
    Ok(png)
}

/// A grey progressive JPEG of 7000 x 7000 pixels without subsampling, some 100 kB a component (ITU-T T.81,
/// annex G): one scan of DC coefficients, and one of AC coefficients for each component. Four components are
/// CMYK, as Adobe writes it.
pub fn progressive_jpeg(components: u8) -> Vec<u8> {
    let mut jpeg = b"\xff\xd8".to_vec();
    let segment = |jpeg: &mut Vec<u8>, marker: u8, content: &[u8]| {
        let length = u16::try_from(content.len() + 2).expect("these segments are short");
        jpeg.extend([&[0xff, marker][..], &length.to_be_bytes(), content].concat());
    };
    if components == 4 {
        segment(&mut jpeg, 0xee, b"Adobe\0\x64\0\0\0\0\0");
    }
    segment(&mut jpeg, 0xdb, &[&[0][..], &[1; 64]].concat());
    let side = SIDE.to_be_bytes();
    let mut frame = [&[8][..], &side, &side, &[components]].concat();
    (1..=components).for_each(|component| frame.extend([component, 0x11, 0]));
    segment(&mut jpeg, 0xc2, &frame);
    // One code of one bit in each table: "no difference" for DC, "EOB14" for AC.
    let one_code = |class: u8, symbol: u8| [&[class, 1][..], &[0; 15], &[symbol]].concat();
    segment(&mut jpeg, 0xc4, &one_code(0x00, 0x00));
    segment(&mut jpeg, 0xc4, &one_code(0x10, 0xe0));

    let mut scan = vec![components];
    (1..=components).for_each(|component| scan.extend([component, 0]));
    scan.extend([0, 0, 0]);
    segment(&mut jpeg, 0xda, &scan);
    let blocks = BLOCKS_A_SIDE * BLOCKS_A_SIDE;
    let mut bits = Bits::default();
    (0..blocks * u32::from(components)).for_each(|_| bits.push(0, 1));
    jpeg.extend(bits.finish());

    for component in 1..=components {
        segment(&mut jpeg, 0xda, &[1, component, 0, 1, 63, 0]);
        let runs = blocks.div_ceil(LONGEST_RUN);
        let mut bits = Bits::default();
        for run in 0..runs {
            let length = blocks / runs + u32::from(run < blocks % runs);
            bits.push(0, 1);
            bits.push(length - (1 << 14), 14);
        }
        jpeg.extend(bits.finish());
    }
    jpeg.extend(b"\xff\xd9");
    jpeg
}

/// Entropy-coded data.
#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl Bits {
    fn push(&mut self, value: u32, bits: u32) {
        self.pending = self.pending << bits | u64::from(value);
        self.count += bits;
        while self.count >= 8 {
            self.count -= 8;
            let byte = (self.pending >> self.count & 0xff) as u8;
            self.bytes.push(byte);
            if byte == 0xff {
                self.bytes.push(0);
            }
        }
    }

    fn finish(mut self) -> Vec<u8> {
        let missing = (8 - self.count % 8) % 8;
        self.push((1 << missing) - 1, missing);
        self.bytes
    }
}
