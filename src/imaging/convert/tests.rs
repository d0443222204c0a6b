//! Tests of the conversion of whole files.

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba, RgbaImage};

use super::*;

const LIMITS: PictureLimits = PictureLimits { max_frame_bytes: 1 << 20, max_frame_pixels: 1_000_000 };

fn file(image: &DynamicImage, format: ImageFormat) -> Bytes {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner().into()
}

fn red(width: u32, height: u32) -> DynamicImage {
    RgbImage::from_pixel(width, height, Rgb([200, 30, 40])).into()
}

fn pixel(frame: &Frame, at: usize) -> [u8; 3] {
    let pixels = codec().decode(frame.jpeg(), LIMITS.max_frame_pixels).unwrap();
    pixels.data()[at * 3..at * 3 + 3].try_into().unwrap()
}

fn close(a: [u8; 3], b: [u8; 3]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(b) < 8)
}

fn jpeg() -> Bytes {
    let pixels = Pixels::new(32, 16, PixelFormat::Rgb, vec![90; 32 * 16 * 3]).unwrap();
    codec().encode(&pixels, Quality::PICTURE).unwrap()
}

#[test]
fn a_jpeg_passes_as_the_very_same_bytes() {
    let jpeg = jpeg();
    assert!(!needs_conversion(&jpeg));
    let frame = to_frame(jpeg.clone(), LIMITS).unwrap();
    assert_eq!(frame.jpeg().as_ptr(), jpeg.as_ptr(), "not even copied");
    assert_eq!(frame.jpeg(), &jpeg);
}

#[test]
fn other_formats_become_a_jpeg_of_the_same_picture() {
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
        let bytes = file(&red(40, 30), format);
        assert!(needs_conversion(&bytes), "{format:?}");
        let frame = to_frame(bytes, LIMITS).unwrap();
        assert_eq!((frame.width(), frame.height()), (40, 30), "{format:?}");
        assert!(close(pixel(&frame, 610), [200, 30, 40]), "{format:?}: {:?}", pixel(&frame, 610));
    }
}

#[test]
fn transparency_is_white_and_grey_stays_grey() {
    let clear = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 0])).into();
    assert!(close(pixel(&to_frame(file(&clear, ImageFormat::Png), LIMITS).unwrap(), 100), [255; 3]));
    let half = RgbaImage::from_pixel(16, 16, Rgba([0, 0, 0, 128])).into();
    assert!(close(pixel(&to_frame(file(&half, ImageFormat::Png), LIMITS).unwrap(), 100), [127; 3]));
    let gray = DynamicImage::new_luma8(16, 16);
    assert_eq!(to_frame(file(&gray, ImageFormat::Png), LIMITS).unwrap().info().components, 1);
}

#[test]
fn pixels_of_all_kinds_become_the_same_picture() {
    // Half of a colour that is not quite opaque, on white.
    let (wide, half) = (|byte: u8| u16::from(byte) * 257, 128_u16 * 257);
    let gray = |value: u16, alpha: u16| ImageBuffer::from_pixel(16, 16, LumaA([value, alpha]));
    let cases: [(DynamicImage, [u8; 3]); 6] = [
        (ImageBuffer::from_pixel(16, 16, LumaA([0_u8, 128])).into(), [127; 3]),
        (DynamicImage::ImageLumaA16(gray(0, half)), [127; 3]),
        (DynamicImage::ImageLuma16(ImageBuffer::from_pixel(16, 16, Luma([wide(60)]))), [60; 3]),
        (
            DynamicImage::ImageRgb16(ImageBuffer::from_pixel(16, 16, Rgb([200, 30, 40].map(wide)))),
            [200, 30, 40],
        ),
        (
            DynamicImage::ImageRgba16(ImageBuffer::from_pixel(
                16,
                16,
                Rgba([wide(200), wide(30), wide(40), half]),
            )),
            [227, 142, 147],
        ),
        (RgbaImage::from_pixel(16, 16, Rgba([200, 30, 40, 128])).into(), [227, 142, 147]),
    ];
    for (image, expected) in cases {
        let color = image.color();
        let frame = to_frame(file(&image, ImageFormat::Png), LIMITS).unwrap();
        assert_eq!(frame.info().components == 1, !color.has_color(), "{color:?}");
        let pixels = codec().decode(frame.jpeg(), LIMITS.max_frame_pixels).unwrap();
        let channels = pixels.format().bytes();
        let seen = std::array::from_fn(|n| pixels.data()[100 * channels + n.min(channels - 1)]);
        assert!(close(seen, expected), "{color:?}: {seen:?} and not {expected:?}");
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error_that_asks_for_the_whole() {
    let noise = RgbImage::from_fn(40, 30, |x, y| Rgb([(x * y) as u8, (x * 31) as u8, (y * 57) as u8])).into();
    for format in [ImageFormat::Png, ImageFormat::WebP, ImageFormat::Gif, ImageFormat::Bmp] {
        let bytes = file(&noise, format);
        for end in [bytes.len() / 4, bytes.len() / 2, bytes.len() - 20] {
            assert!(to_frame(bytes.slice(..end), LIMITS).is_err(), "{format:?} cut at {end}");
        }
    }
    let png = file(&noise, ImageFormat::Png);
    let jpeg = jpeg();
    for cut in [png.slice(..png.len() / 2), jpeg.slice(..jpeg.len() / 2), jpeg.slice(..jpeg.len() - 3)] {
        let error = to_frame(cut, LIMITS).unwrap_err();
        assert!(matches!(error, PictureError::Truncated { .. }), "{error}");
        assert!(error.to_string().ends_with("send the whole file"));
    }
    for cut in [1, 2] {
        let frame = to_frame(jpeg.slice(..jpeg.len() - cut), LIMITS).unwrap();
        assert_eq!(*frame.jpeg(), jpeg, "only its end marker is missing");
    }
}

#[test]
fn a_png_bomb_is_refused_by_its_header() {
    // 50,000 × 50,000 pixels in a few bytes: decoding it would take 7.5 GB.
    let mut png = file(&red(1, 1), ImageFormat::Png).to_vec();
    png[16..24].copy_from_slice(&[0, 0, 0xC3, 0x50, 0, 0, 0xC3, 0x50]);
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    let error = to_frame(png.into(), LIMITS).unwrap_err();
    assert!(matches!(error, PictureError::TooManyPixels { width: 50_000, .. }), "{error}");
}

#[test]
fn limits_hold_for_jpegs_too() {
    let few = PictureLimits { max_frame_pixels: 511, ..LIMITS };
    assert!(matches!(to_frame(jpeg(), few), Err(PictureError::TooManyPixels { width: 32, .. })));
    let small = PictureLimits { max_frame_bytes: 100, ..LIMITS };
    assert!(matches!(to_frame(jpeg(), small), Err(PictureError::TooLarge { max: 100, .. })));
    let long = file(&red(65_536, 1), ImageFormat::Png);
    assert!(matches!(to_frame(long, LIMITS), Err(PictureError::TooLong { width: 65_536, .. })));
}

#[test]
fn what_is_no_picture_is_named() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "an empty body"),
        (b" <!DOCTYPE html><p>", "an HTML page"),
        (b"{\"a\": 1}", "JSON"),
        (b"hello", "text"),
        (b"BMW is not a bitmap", "text"),
        (b"%PDF-1.7", "a PDF"),
        (b"\0\0\0\x20ftypheic", "a HEIC"),
        (b"<svg xmlns=", "an SVG"),
        (&[1, 2, 0xFE, 0xFF, 9], "something that starts with 01 02 FE FF"),
    ];
    for (bytes, name) in cases {
        let error = to_frame(Bytes::from_static(bytes), LIMITS).unwrap_err().to_string();
        assert_eq!(error, format!("not a picture but {name}; JPEG, PNG, WebP, GIF and BMP are accepted"));
    }
}

#[test]
fn damage_inside_is_an_error_never_a_panic() {
    let whole = file(&red(64, 64), ImageFormat::Png).to_vec();
    for at in 8..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 0x55;
        let _ = to_frame(damaged.into(), LIMITS);
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    })
}
