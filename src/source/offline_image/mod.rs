//! The image that viewers get while a source is away, in the configured style: the card, the last picture
//! dimmed, or a configured picture; the last two with the text of the card below.
//!
//! An image that cannot be drawn is replaced by the card, which says why.

pub mod card;

use std::{fs::File, io::Read, path::Path, time::SystemTime};

use bytes::Bytes;
use card::since_when;
use jiff::Zoned;

use crate::{
    config::{Caption, Ink, Place, Placeholder, Spot},
    imaging::{
        PictureMemory,
        codec::{CodecError, DecodeOptions, codec},
        convert::{PictureLimits, conversion_size, to_frame},
        cpu_pool::memory_estimate,
        overlay::Layer,
        raster::canvas::rgb,
        transform::{
            orientation::Orientation,
            plan::{SourceRect, denominator_for},
            resample::Resampler,
        },
        ycbcr::{NEUTRAL, Planes, Sampling, from_rgb},
    },
    media::frame::Frame,
};

/// Limits of a picture of the user's own: photographs are smaller, and a worker holds one at a time.
const IMAGE_LIMITS: PictureLimits =
    PictureLimits { max_frame_bytes: 32 * 1024 * 1024, max_frame_pixels: 50_000_000 };

/// Maximum side: a larger picture takes memory and time and shows no more, so it is scaled down.
const MAX_SIDE: usize = 1920;

/// Memory of a card: three bytes per pixel to draw, some to encode, and its letters.
const CARD_BYTES_PER_PIXEL: usize = 5;
const SMALL_CARD_BYTES: usize = 512 * 1024;

/// Minimum side: below it no letter could be read, so a smaller picture is scaled up.
const MIN_SIDE: usize = 64;

const QUALITY: u8 = 85;

/// Brightness and colour that the last picture keeps, in 256ths.
const DIMMED: u32 = 110;
const FADED: i32 = 90;

/// Background of a picture with another aspect ratio than the stream's.
const GROUND: [u8; 3] = [0x11, 0x15, 0x1b];

const SHADE: Ink = Ink { color: rgb(0x11151b), alpha: 0xd8 };
const TITLE: Ink = Ink { color: rgb(0xf3f5f8), alpha: 0xff };
const SINCE: Ink = Ink { color: rgb(0xf0a13a), alpha: 0xff };
const REASON: Ink = Ink { color: rgb(0xc2c9d3), alpha: 0xff };

/// The content and style of an offline image.
#[derive(Debug, Clone)]
pub struct OfflineImage {
    /// Style of the image.
    pub style: Placeholder,
    /// The stream's title.
    pub title: String,
    /// The reason why there is no picture.
    pub reason: String,
    /// The time since when there is none.
    pub since: SystemTime,
    /// The stream's last picture.
    pub last: Option<Frame>,
    /// Maximum number of its pixels.
    pub max_pixels: u64,
}

impl OfflineImage {
    /// Returns the bytes of memory that [`draw`] needs, besides those for a file, which it reserves itself.
    /// Never more than `most`, which are enough for a card.
    pub fn bytes(&self, most: usize) -> usize {
        let of_last = match (&self.style, &self.last) {
            (Placeholder::Last, Some(last)) => bytes_of(last),
            _ => 0,
        };
        let size = self.last.as_ref().map_or((MAX_SIDE / 3, MAX_SIDE / 3), upright_size);
        let (width, height) = within(size);
        let card = width * height * CARD_BYTES_PER_PIXEL + SMALL_CARD_BYTES;
        if of_last > most { card.min(most) } else { of_last.max(card).min(most) }
    }
}

/// Returns the bytes to decode `frame`, scale it and encode it.
fn bytes_of(frame: &Frame) -> usize {
    let jpeg = memory_estimate::Jpeg::read(frame.jpeg(), (frame.width(), frame.height()));
    let pixels = (MAX_SIDE * MAX_SIDE) as u64;
    // Resampled and turned, and on a ground of the stream's size; rows before columns; letters.
    let stages = pixels * 7 + (MAX_SIDE as u64) * u64::from(frame.height());
    memory_estimate::recoding(&jpeg, 1, stages, (pixels, QUALITY))
}

/// Draws the image. Takes some milliseconds and reads a file, so it belongs in the CPU pool, with
/// [`OfflineImage::bytes`] of its memory.
pub fn draw(wanted: &OfflineImage, memory: &PictureMemory) -> Frame {
    let most = memory.max_bytes();
    let drawn = match (&wanted.style, &wanted.last) {
        (Placeholder::Last, Some(last)) if bytes_of(last) > most => {
            Err("the last picture takes more memory than limits.max_decode_bytes allows".to_owned())
        }
        (Placeholder::Last, Some(last)) => {
            picture(last, None, wanted, true).map_err(|error| format!("the last picture: {error}"))
        }
        (Placeholder::Image { path, .. }, last) => read(path)
            .and_then(|bytes| {
                let reserve = |bytes| {
                    memory.take_more(bytes).map_err(|error| format!("{error} (limits.max_decode_bytes)"))
                };
                let converting = reserve(bytes_to_load(&bytes)?)?;
                let image = to_frame(bytes, IMAGE_LIMITS).map_err(|error| error.to_string())?;
                drop(converting);
                let _decoding = reserve(bytes_of(&image))?;
                picture(&image, last.as_ref(), wanted, false).map_err(|error| error.to_string())
            })
            // The card is for everybody, and the file's path and error are not: they were logged at the
            // start.
            .map_err(|_| "framecast check says why".to_owned()),
        (Placeholder::Card | Placeholder::None | Placeholder::Last, _) => {
            return card(wanted, &wanted.reason);
        }
    };
    drawn.unwrap_or_else(|error| {
        card(wanted, &format!("{} (its placeholder cannot be drawn: {error})", wanted.reason))
    })
}

/// The reason why a file cannot be the offline image of a stream.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// The file cannot be read, or is not a picture.
    #[error("{0}")]
    Broken(String),
    /// The picture takes more memory than all pictures together may have.
    #[error(
        "takes {needed} bytes of memory to be shown, but all pictures together may have {most}, three \
         quarters of limits.max_decode_bytes"
    )]
    Memory {
        /// Bytes that it takes.
        needed: usize,
        /// Bytes that all pictures may have.
        most: usize,
    },
}

/// Checks that a picture can be shown in place of a stream, by decoding it in `most` bytes of memory.
///
/// # Errors
/// [`ImageError`].
pub fn check_image(path: &Path, most: usize) -> Result<(), ImageError> {
    let bytes = read(path).map_err(ImageError::Broken)?;
    let fits = |needed: usize| if needed > most { Err(ImageError::Memory { needed, most }) } else { Ok(()) };
    fits(bytes_to_load(&bytes).map_err(ImageError::Broken)?)?;
    let image = to_frame(bytes, IMAGE_LIMITS).map_err(|error| ImageError::Broken(error.to_string()))?;
    fits(bytes_of(&image))?;
    let mut planes = Planes::default();
    decode(&image, 1, IMAGE_LIMITS.max_frame_pixels, &mut planes)
        .map_err(|error| ImageError::Broken(error.to_string()))
}

fn card(wanted: &OfflineImage, reason: &str) -> Frame {
    let size = wanted.last.as_ref().map(|last| (last.width(), last.height()));
    card::draw(&wanted.title, reason, wanted.since, size)
}

fn bytes_to_load(bytes: &[u8]) -> Result<usize, String> {
    let size = conversion_size(bytes, IMAGE_LIMITS, None).map_err(|error| error.to_string())?;
    Ok(size.map_or(0, |size| size.bytes))
}

fn read(path: &Path) -> Result<Bytes, String> {
    let file = File::open(path).map_err(|error| format!("cannot be read: {error}"))?;
    let mut bytes = Vec::new();
    let most = IMAGE_LIMITS.max_frame_bytes as u64;
    file.take(most + 1).read_to_end(&mut bytes).map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > most {
        return Err(format!("has more than {} MiB", most / (1024 * 1024)));
    }
    Ok(bytes.into())
}

fn decode(frame: &Frame, denominator: u8, max_pixels: u64, planes: &mut Planes) -> Result<(), CodecError> {
    codec().decode_planes(frame.jpeg(), DecodeOptions { denominator, gray: false, max_pixels }, planes)
}

/// Draws `frame` upright, in the size of `like` if there is one, with the card's text.
fn picture(
    frame: &Frame,
    like: Option<&Frame>,
    wanted: &OfflineImage,
    dim: bool,
) -> Result<Frame, CodecError> {
    let max_pixels = if dim { wanted.max_pixels } else { IMAGE_LIMITS.max_frame_pixels };
    let size = upright_size(frame);
    let whole = within(like.map_or(size, upright_size));
    let fitted = fit(size, whole);
    let turn = Orientation::upright(frame.jpeg());
    // Before rotation.
    let (from, to) = ((usize::from(frame.width()), usize::from(frame.height())), turn.size(fitted));
    let ratio = (from.0 as f64 / to.0 as f64).min(from.1 as f64 / to.1 as f64);
    let (mut decoded, mut moved) = (Planes::default(), Planes::default());
    decode(frame, denominator_for(ratio, codec().max_denominator()), max_pixels, &mut decoded)?;
    let all = SourceRect { x: 0.0, y: 0.0, width: decoded.width() as f64, height: decoded.height() as f64 };
    Resampler::default().resample_planes(&decoded, (all, to, turn), Sampling::S420, &mut moved)?;
    moved.add_colour(Sampling::S420);
    if dim {
        darken(&mut moved);
    }
    let mut canvas = if fitted == whole { moved } else { letterboxed(&moved, whole)? };
    if !matches!(wanted.style, Placeholder::Image { label: false, .. }) {
        draw_texts(&mut canvas, wanted);
    }
    let jpeg = codec().encode_planes(&canvas, QUALITY)?;
    let frame = Frame::from_jpeg(jpeg).map_err(|error| CodecError::Encode(error.to_string()))?;
    Ok(frame.into_offline_image())
}

fn upright_size(frame: &Frame) -> (usize, usize) {
    let turn = Orientation::upright(frame.jpeg());
    turn.size((usize::from(frame.width()), usize::from(frame.height())))
}

/// Returns a size with these proportions, within the bounds of an image.
fn within((width, height): (usize, usize)) -> (usize, usize) {
    let by = (MAX_SIDE as f64 / width.max(height) as f64).min(1.0);
    let side = |side: usize| ((side as f64 * by).round() as usize).clamp(MIN_SIDE, MAX_SIDE);
    (side(width), side(height))
}

/// Returns the largest size of these proportions within another.
fn fit((width, height): (usize, usize), within: (usize, usize)) -> (usize, usize) {
    let by = (within.0 as f64 / width as f64).min(within.1 as f64 / height as f64);
    // A picture that lacks a pixel or two is widened: hairlines at its sides would look like a mistake.
    let side = |side: usize, whole: usize| {
        let fitted = ((side as f64 * by).round() as usize).clamp(1, whole);
        if whole - fitted <= 4 { whole } else { fitted }
    };
    (side(width, within.0), side(height, within.1))
}

/// Centres a 4:2:0 picture on a larger background.
fn letterboxed(picture: &Planes, (width, height): (usize, usize)) -> Result<Planes, CodecError> {
    let mut canvas = Planes::default();
    canvas.reshape(width, height, Sampling::S420)?;
    let [r, g, b] = GROUND;
    let ground = from_rgb(crate::config::Color { r, g, b });
    // Even, because colour samples cover two pixels.
    let middle = |whole: usize, own: usize| ((whole - own) / 2) & !1;
    let (left, top) = (middle(width, picture.width()), middle(height, picture.height()));
    for (n, byte) in ground.into_iter().enumerate() {
        let by = if n == 0 { 1 } else { 2 };
        let ((columns, _), (own, _)) = (canvas.size_of(n), picture.size_of(n));
        let plane = canvas.plane_mut(n);
        plane.fill(byte);
        for (to, from) in
            plane.chunks_exact_mut(columns).skip(top / by).zip(picture.plane(n).chunks_exact(own))
        {
            to[left / by..][..own].copy_from_slice(from);
        }
    }
    Ok(canvas)
}

fn darken(planes: &mut Planes) {
    planes.plane_mut(0).iter_mut().for_each(|byte| *byte = (u32::from(*byte) * DIMMED / 256) as u8);
    let neutral = i32::from(NEUTRAL);
    for n in 1..planes.sampling().planes() {
        let faded = |byte: u8| (neutral + (i32::from(byte) - neutral) * FADED / 256) as u8;
        planes.plane_mut(n).iter_mut().for_each(|byte| *byte = faded(*byte));
    }
}

/// Writes title, time and reason, from the bottom up.
fn draw_texts(canvas: &mut Planes, wanted: &OfflineImage) {
    let (width, height) = (canvas.width(), canvas.height());
    let unit = (height as f32 / 18.0).min(width as f32 / 26.0);
    let margin = (unit * 0.8).round() as i64;
    let since = since_when(wanted.since, &Zoned::now());
    // Letters never fall below what can be read in a tile of 320 pixels.
    let readable = |size: f32, least: f32| size.max(least.min(height as f32 / 7.0));
    let lines = [
        (wanted.reason.as_str(), readable(unit * 0.75, 12.0), REASON, 2),
        (since.as_str(), readable(unit * 0.85, 12.5), SINCE, 1),
        (wanted.title.as_str(), readable(unit * 1.2, 16.0), TITLE, 1),
    ];
    let mut bottom = height as i64 - margin;
    for (text, size, color, max_lines) in lines {
        if text.is_empty() {
            continue;
        }
        let position = Spot { across: Place::Start, down: Place::End };
        let caption = Caption { text: String::new(), position, size, color, background: Some(SHADE) };
        let most = (width as i64 - 2 * margin).max(1) as usize;
        let layer = Layer::from_lines(text, &caption, most, max_lines);
        bottom -= layer.size().1 as i64;
        layer.draw_at(margin, bottom.max(0), canvas);
        bottom -= margin / 4;
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::{imaging::codec::Quality, media::frame::FrameKind};

    fn frame(width: u16, height: u16, color: [u8; 3]) -> Frame {
        let data = color.repeat(usize::from(width) * usize::from(height));
        let pixels =
            crate::imaging::Pixels::new(width, height, crate::imaging::codec::PixelFormat::Rgb, data)
                .unwrap();
        Frame::from_jpeg(codec().encode(&pixels, Quality::PICTURE).unwrap()).unwrap()
    }

    fn drawing(wanted: &OfflineImage) -> Frame {
        draw(wanted, &PictureMemory::default())
    }

    fn wanted(style: Placeholder, last: Option<Frame>) -> OfflineImage {
        OfflineImage {
            style,
            title: "Front door".into(),
            reason: "no answer".into(),
            since: SystemTime::now(),
            last,
            max_pixels: 10_000_000,
        }
    }

    fn planes(frame: &Frame) -> Planes {
        let mut planes = Planes::default();
        decode(frame, 1, 10_000_000, &mut planes).unwrap();
        planes
    }

    fn bright(planes: &Planes) -> usize {
        planes.plane(0).iter().filter(|&&byte| byte > 180).count()
    }

    fn png(folder: &Path, width: u32, height: u32) -> PathBuf {
        let path = folder.join("offline.png");
        image::RgbImage::from_pixel(width, height, image::Rgb([0, 0, 250])).save(&path).unwrap();
        path
    }

    #[test]
    fn the_last_picture_is_dimmed_and_says_why() {
        let drawn = drawing(&wanted(Placeholder::Last, Some(frame(640, 360, [250, 40, 40]))));
        assert_eq!((drawn.width(), drawn.height(), drawn.kind()), (640, 360, FrameKind::OfflineImage));
        let planes = planes(&drawn);
        let [r, g, b] = planes.rgb(320, 20);
        assert!((60..150).contains(&r) && r > g + 20 && r > b + 20, "still red, and darker: {r} {g} {b}");
        assert!(bright(&planes) > 100, "letters");
    }

    #[test]
    fn a_long_reason_is_broken_before_the_side_of_the_picture() {
        let mut wanted = wanted(Placeholder::Last, Some(frame(640, 360, [0; 3])));
        wanted.reason = "the camera is away ".repeat(40);
        let planes = planes(&drawing(&wanted));
        let lit = |x: usize| (0..360).any(|y| planes.rgb(x, y)[1] > 120);
        let last = (0..640).rev().find(|&x| lit(x)).unwrap();
        assert!((400..=626).contains(&last), "letters end at {last}, within the margin");
    }

    #[test]
    fn without_a_last_picture_there_is_a_card() {
        let drawn = drawing(&wanted(Placeholder::Last, None));
        assert_eq!(drawn.jpeg().len(), drawing(&wanted(Placeholder::Card, None)).jpeg().len());
    }

    #[test]
    fn a_large_last_picture_is_made_smaller_and_a_tiny_one_larger() {
        for ((width, height), size) in
            [((3840, 2160), (1920, 1080)), ((8, 8), (64, 64)), ((1000, 10), (1000, 64))]
        {
            let drawn = drawing(&wanted(Placeholder::Last, Some(frame(width, height, [90; 3]))));
            assert_eq!((drawn.width(), drawn.height()), size, "{width}x{height}");
        }
    }

    #[test]
    fn a_picture_of_ones_own_has_the_size_of_the_streams() {
        let folder = tempfile::tempdir().unwrap();
        let path = png(folder.path(), 200, 200);
        check_image(&path, usize::MAX).unwrap();
        let style = |label| Placeholder::Image { path: path.clone(), label };
        let drawn = planes(&drawing(&wanted(style(false), Some(frame(640, 360, [250; 3])))));
        assert_eq!((drawn.width(), drawn.height()), (640, 360));
        let [r, _, b] = drawn.rgb(320, 180);
        assert!(b > 200 && r < 40, "the picture in the middle");
        assert!(drawn.rgb(10, 180)[2] < 60, "and the ground beside it");
        assert_eq!(bright(&drawn), 0, "no letters");
        let alone = drawing(&wanted(style(true), None));
        assert_eq!((alone.width(), alone.height()), (200, 200), "its own size when nothing was shown");
        assert!(bright(&planes(&alone)) > 50, "letters");
    }

    #[test]
    fn a_picture_that_is_gone_or_is_none_is_a_card_and_a_mistake() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("gone.png");
        let gone = check_image(&path, usize::MAX).unwrap_err().to_string();
        assert!(gone.starts_with("cannot be read: "), "{gone}");
        let style = Placeholder::Image { path: path.clone(), label: true };
        assert_eq!(drawing(&wanted(style.clone(), None)).width(), 640, "the card");
        std::fs::write(&path, b"hello").unwrap();
        assert!(check_image(&path, usize::MAX).unwrap_err().to_string().starts_with("not a picture"));
        let broken = frame(64, 64, [9; 3]).jpeg()[..600].to_vec();
        std::fs::write(&path, broken).unwrap();
        assert!(matches!(check_image(&path, usize::MAX), Err(ImageError::Broken(_))));
        drawing(&wanted(style, Some(frame(64, 64, [9; 3]))));
    }
}
