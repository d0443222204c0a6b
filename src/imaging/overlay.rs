//! Draws texts and logos over a picture's planes.

use std::{fs::File, io::BufReader, path::Path};

use image::{ImageDecoder, ImageReader, codecs::png::PngDecoder};

use super::{
    cpu_pool::memory::PictureMemory,
    raster::fonts::{self, Style},
    ycbcr::{Planes, from_rgb},
};
use crate::{
    config::{Caption, Color, Ink, Logo, Place, Spot},
    limits::{BudgetError, BytePermit},
};

/// Distance between a side of the picture and the overlay, in pixels.
const MARGIN: i32 = 8;

/// Distance between letters and the border of their background, in font sizes.
const PADDING: f32 = 0.25;

/// A logo's longest side, in pixels: 4096 squared are 64 MiB of memory once, in a worker.
const MAX_LOGO_SIDE: u32 = 4096;

/// An overlay for pictures: brightness, two colour differences and opacity of each pixel.
#[derive(Debug)]
pub(crate) struct Layer {
    width: usize,
    height: usize,
    pixels: Vec<[u8; 4]>,
    /// The memory of a logo, which is kept between frames.
    _kept: Option<BytePermit>,
}

/// An error of a logo.
#[derive(Debug, thiserror::Error)]
#[error("cannot draw {path}: {reason}; it must be a PNG of at most {MAX_LOGO_SIDE} pixels a side")]
pub struct LogoError {
    path: String,
    reason: String,
}

impl Layer {
    /// Returns letters on their background, cut off at the width of a picture.
    pub(crate) fn from_text(text: &str, caption: &Caption, max_width: usize) -> Self {
        Self::from_styled(text, Style::new(caption.size, caption.color.color), caption, max_width)
    }

    /// Returns one line of letters on their background, which ends in "…" if it is too long.
    pub(crate) fn from_line(text: &str, caption: &Caption, max_width: usize) -> Self {
        let style = Style::new(caption.size, caption.color.color).wrapped(1);
        Self::from_styled(text, style, caption, max_width)
    }

    /// Returns letters on their background, broken at the width of a picture into at most `max_lines` lines.
    pub(crate) fn from_lines(text: &str, caption: &Caption, max_width: usize, max_lines: usize) -> Self {
        let style = Style::new(caption.size, caption.color.color).wrapped(max_lines);
        Self::from_styled(text, style, caption, max_width)
    }

    fn from_styled(text: &str, style: Style, caption: &Caption, max_width: usize) -> Self {
        let max_width = i32::try_from(max_width).unwrap_or(i32::MAX);
        let padding = if caption.background.is_some() { (caption.size * PADDING).ceil() as i32 } else { 0 };
        // Lines are broken at the width inside the background.
        let inner = (max_width - 2 * padding).max(1);
        let (width, height) = fonts::measure(text, style, inner);
        let width = (width + 2 * padding).clamp(1, max_width.max(1));
        let height = (height + padding).max(1);
        let mut cover = vec![0_u8; (width * height) as usize];
        let across = if style.max_lines.is_some() { inner } else { width - padding };
        fonts::coverage(text, style, (across, height), |x, y, alpha| {
            let (x, y) = (x + padding, y + padding / 2);
            if x < width && y < height {
                let pixel = &mut cover[(y * width + x) as usize];
                *pixel = (*pixel).max(alpha);
            }
        });
        let pixels =
            cover.into_iter().map(|cover| compose(caption.color, cover, caption.background)).collect();
        Self { width: width as usize, height: height as usize, pixels, _kept: None }
    }

    /// Reads a PNG file and keeps it in `memory`. Belongs in the pool.
    pub(crate) fn from_logo(logo: &Logo, memory: &PictureMemory) -> Result<Self, LogoError> {
        let wrong = |reason: String| LogoError { path: logo.path.display().to_string(), reason };
        let (width, height) = size_of_png(&logo.path).map_err(wrong)?;
        let pixels = width as usize * height as usize;
        let no_memory = |error: BudgetError| wrong(format!("{error} (limits.max_decode_bytes)"));
        let kept = memory.reserve_kept(pixels * 4).map_err(no_memory)?;
        // As the file has it, 16 bits each, and as it is drawn from.
        let _decoding = memory.take_more(pixels * 12).map_err(no_memory)?;
        let image = read_png(&logo.path).map_err(wrong)?;
        let pixels = image.pixels().map(|pixel| {
            let [r, g, b, a] = pixel.0;
            let [y, cb, cr] = from_rgb(Color { r, g, b });
            [y, cb, cr, multiply_alpha(a, logo.opacity)]
        });
        let (width, height) = (image.width() as usize, image.height() as usize);
        Ok(Self { width, height, pixels: pixels.collect(), _kept: Some(kept) })
    }

    /// Draws the layer over a picture, cut off at its sides.
    pub(crate) fn draw(&self, position: Spot, planes: &mut Planes) {
        let place = |place: Place, side: usize, own: usize| {
            let (side, own) = (side as i64, own as i64);
            let margin = i64::from(MARGIN).min((side - own).max(0));
            match place {
                Place::Start => margin,
                Place::Middle => (side - own) / 2,
                Place::End => side - own - margin,
            }
        };
        let left = place(position.across, planes.width(), self.width);
        let top = place(position.down, planes.height(), self.height);
        self.draw_at(left, top, planes);
    }

    /// Draws the layer over a picture with its top left corner at this position.
    pub(crate) fn draw_at(&self, left: i64, top: i64, planes: &mut Planes) {
        for n in 0..planes.sampling().planes() {
            self.draw_plane(n, left, top, planes);
        }
    }

    /// Returns the number of bytes of the pixels.
    pub(crate) fn bytes(&self) -> usize {
        self.pixels.len() * size_of::<[u8; 4]>()
    }

    /// Returns width and height in pixels.
    pub(crate) fn size(&self) -> (usize, usize) {
        (self.width, self.height)
    }

    fn draw_plane(&self, n: usize, left: i64, top: i64, planes: &mut Planes) {
        let (across, down) = if n == 0 { (1, 1) } else { planes.sampling().factors() };
        let (across, down) = (across as i64, down as i64);
        let (columns, rows) = planes.size_of(n);
        let range = |from: i64, len: usize, by: i64, side: usize| {
            let end = (from + len as i64).max(0);
            let first = from.max(0) / by;
            first..((end + by - 1) / by).min(side as i64)
        };
        let whole = u32::try_from(across * down * 255).expect("at most 16 pixels share a colour");
        let plane = planes.plane_mut(n);
        for row in range(top, self.height, down, rows) {
            for column in range(left, self.width, across, columns) {
                let (mut cover, mut ink) = (0_u32, 0_u32);
                for y in row * down - top..(row + 1) * down - top {
                    for x in column * across - left..(column + 1) * across - left {
                        if let Some(pixel) = self.at(x, y) {
                            cover += u32::from(pixel[3]);
                            ink += u32::from(pixel[3]) * u32::from(pixel[n]);
                        }
                    }
                }
                if cover > 0 {
                    let old = &mut plane[row as usize * columns + column as usize];
                    *old = ((ink + u32::from(*old) * (whole - cover) + whole / 2) / whole) as u8;
                }
            }
        }
    }

    fn at(&self, x: i64, y: i64) -> Option<[u8; 4]> {
        let (x, y) = (usize::try_from(x).ok()?, usize::try_from(y).ok()?);
        (x < self.width && y < self.height).then(|| self.pixels[y * self.width + x])
    }
}

/// Returns a pixel that letters cover to `cover`, over the background behind them.
fn compose(letters: Ink, cover: u8, behind: Option<Ink>) -> [u8; 4] {
    let over = u32::from(multiply_alpha(letters.alpha, cover));
    let under = behind.map_or(0, |ink| u32::from(ink.alpha) * (255 - over) / 255);
    let alpha = over + under;
    if alpha == 0 {
        return [0; 4];
    }
    let behind = behind.map_or(letters.color, |ink| ink.color);
    let mix = |a: u8, b: u8| ((u32::from(a) * over + u32::from(b) * under + alpha / 2) / alpha) as u8;
    let color = Color {
        r: mix(letters.color.r, behind.r),
        g: mix(letters.color.g, behind.g),
        b: mix(letters.color.b, behind.b),
    };
    let [y, cb, cr] = from_rgb(color);
    [y, cb, cr, alpha as u8]
}

fn multiply_alpha(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

fn read_png(path: &Path) -> Result<image::RgbaImage, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_LOGO_SIDE);
    limits.max_image_height = Some(MAX_LOGO_SIDE);
    let mut reader = ImageReader::with_format(BufReader::new(file), image::ImageFormat::Png);
    reader.limits(limits);
    let image = reader.decode().map_err(|error| error.to_string())?;
    Ok(image.into_rgba8())
}

/// Checks by its header that a file is a PNG that can be drawn over pictures.
///
/// # Errors
/// [`LogoError`].
pub fn check_logo(path: &Path) -> Result<(), LogoError> {
    let wrong = |reason: String| LogoError { path: path.display().to_string(), reason };
    size_of_png(path).map(drop).map_err(wrong)
}

fn size_of_png(path: &Path) -> Result<(u32, u32), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let decoder = PngDecoder::new(BufReader::new(file)).map_err(|error| error.to_string())?;
    let (width, height) = decoder.dimensions();
    if width > MAX_LOGO_SIDE || height > MAX_LOGO_SIDE {
        return Err(format!("it has {width}x{height} pixels"));
    }
    Ok((width, height))
}
