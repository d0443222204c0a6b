//! Small files that unpack to very large ones.

use std::io::Write;

use flate2::{Compression, write::GzEncoder, write::ZlibEncoder};

/// Unpacked size of a bomb: far more than anything here may use.
pub(crate) const UNPACKED: usize = 256 * 1024 * 1024;

const PROGRESSIVE: &[u8] = include_bytes!("../fixtures/jpeg/progressive.jpg");

/// Zeros, packed by gzip.
pub(crate) fn gzip() -> Vec<u8> {
    pack(GzEncoder::new(Vec::new(), Compression::best()), |packer| packer.finish().unwrap())
}

fn zlib() -> Vec<u8> {
    pack(ZlibEncoder::new(Vec::new(), Compression::best()), |packer| packer.finish().unwrap())
}

fn pack<W: Write>(mut packer: W, finish: impl FnOnce(W) -> Vec<u8>) -> Vec<u8> {
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..UNPACKED / zeros.len() {
        packer.write_all(&zeros).unwrap();
    }
    finish(packer)
}

/// An 8-bit grey PNG of this size with `extra` chunks before its pixels.
fn png(width: u32, height: u32, extra: &[([u8; 4], Vec<u8>)], pixels: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 0, 0, 0, 0]].concat();
    let extra = extra.iter().map(|(kind, content)| (kind, &content[..]));
    png_of(&[(b"IHDR", &header[..])].into_iter().chain(extra).chain([(b"IDAT", pixels)]).collect::<Vec<_>>())
}

/// A PNG of these chunks and `IEND`.
pub(crate) fn png_of(chunks: &[(&[u8; 4], &[u8])]) -> Vec<u8> {
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    for (kind, content) in chunks.iter().chain(&[(b"IEND", &[][..])]) {
        png.extend((content.len() as u32).to_be_bytes());
        let mut sum = flate2::Crc::new();
        sum.update(*kind);
        sum.update(content);
        png.extend([&kind[..], content, &sum.sum().to_be_bytes()].concat());
    }
    png
}

/// PNGs that unpack to far more than their pixels, each with its name.
pub(crate) fn pngs() -> Vec<(&'static str, Vec<u8>)> {
    let small = {
        let mut packer = ZlibEncoder::new(Vec::new(), Compression::fast());
        // A filter byte and eight pixels a row.
        packer.write_all(&[0; 9 * 8]).unwrap();
        packer.finish().unwrap()
    };
    let profile = [b"icc\0\0", &zlib()[..]].concat();
    let text = [b"Comment\0\0", &zlib()[..]].concat();
    let international = [b"Comment\0\x01\0\0\0", &zlib()[..]].concat();
    vec![
        ("a header of 50,000 x 50,000", png(50_000, 50_000, &[], &zlib())),
        ("a header of 2^31 x 2^31", png(0x7fff_ffff, 0x7fff_ffff, &[], &small)),
        ("pixels without end", png(8, 8, &[], &zlib())),
        ("a colour profile", png(8, 8, &[(*b"iCCP", profile)], &small)),
        ("a text", png(8, 8, &[(*b"zTXt", text)], &small)),
        ("a text of many languages", png(8, 8, &[(*b"iTXt", international)], &small)),
        ("ten thousand texts", png(8, 8, &vec![(*b"tEXt", b"a\0b".repeat(20)); 10_000], &small)),
    ]
}

/// A GIF whose frames cover a canvas of 65,535 x 65,535.
pub(crate) fn gif() -> Vec<u8> {
    let frame = b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x08\x02\x04\x01\0";
    [&b"GIF89a\xff\xff\xff\xff\x80\0\0\0\0\0\xff\xff\xff"[..], &frame.repeat(1000), b"\x3b"].concat()
}

/// A JPEG of so many scans, each of which goes over all of the picture.
pub(crate) fn progressive(scans: usize) -> Vec<u8> {
    let starts: Vec<_> = PROGRESSIVE
        .windows(2)
        .enumerate()
        .filter_map(|(at, code)| (code == [0xff, 0xda]).then_some(at))
        .collect();
    let [.., before, last] = starts[..] else { panic!("a progressive picture has many scans") };
    let (head, scan, tail) = (&PROGRESSIVE[..before], &PROGRESSIVE[before..last], &PROGRESSIVE[last..]);
    [head, &scan.repeat(scans), tail].concat()
}

/// A whole JPEG whose header says that it has so many pixels.
pub(crate) fn sized(jpeg: &[u8], width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = jpeg.to_vec();
    let frame = jpeg.windows(2).position(|code| matches!(code, [0xff, 0xc0..=0xc2])).unwrap();
    jpeg[frame + 5..][..4].copy_from_slice(&[height.to_be_bytes(), width.to_be_bytes()].concat());
    jpeg
}
