//! Draws the card that viewers get while a source is away: dark, with the stream's title, the time since when
//! it is away, and the reason.

use std::{num::NonZeroU32, time::SystemTime};

use jiff::{Timestamp, Zoned, tz::TimeZone};

use crate::{
    config::{Color, Size},
    imaging::{
        Quality,
        codec::codec,
        raster::{
            canvas::{Area, Canvas, rgb},
            fonts::{self, Style},
        },
    },
    media::frame::Frame,
};

/// Size of the card when the stream has shown no picture yet.
const DEFAULT_SIZE: (u16, u16) = (640, 360);

/// Minimum side: below it no letter could be read, so the card is drawn larger than the picture was.
const MIN_SIDE: u16 = 64;

/// Maximum side: a larger card takes memory and time and shows no more. It keeps the picture's aspect ratio.
const MAX_SIDE: u16 = 1920;

const TOP: Color = rgb(0x1d232c);
const BOTTOM: Color = rgb(0x11151b);
const ACCENT: Color = rgb(0xf0a13a);
const TITLE: Color = rgb(0xf3f5f8);
const SINCE: Color = rgb(0xc2c9d3);
const REASON: Color = rgb(0x8b95a3);

/// Draws the card for a stream. Takes some milliseconds, so it belongs in the CPU pool.
///
/// `size` is that of the stream's last picture, so that a page does not jump; it is kept within 64 to 1920
/// pixels a side.
pub fn draw(title: &str, reason: &str, since: SystemTime, size: Option<(u16, u16)>) -> Frame {
    let size = card_size(size.unwrap_or(DEFAULT_SIZE));
    let mut canvas = Canvas::new(size, BOTTOM).expect("a side of at most 1920 pixels fits a JPEG");
    paint(&mut canvas, title, reason, &since_when(since, &Zoned::now()));
    let jpeg = codec().encode(canvas.pixels(), Quality::LETTERS).expect("RGB into memory has no way to fail");
    Frame::from_jpeg(jpeg).expect("our encoder writes whole JPEGs").into_offline_image()
}

fn card_size((width, height): (u16, u16)) -> Size {
    let longest = f32::from(width.max(height).max(1));
    let scale = (f32::from(MAX_SIDE) / longest).min(1.0);
    let side = |pixels: u16| {
        let pixels = (f32::from(pixels) * scale).round() as u32;
        NonZeroU32::new(pixels.clamp(MIN_SIDE.into(), MAX_SIDE.into())).expect("at least 64")
    };
    Size { width: side(width), height: side(height) }
}

/// Returns a text such as "no picture since 14:03:22", with the date unless it is today.
pub(in crate::source) fn since_when(since: SystemTime, now: &Zoned) -> String {
    let since = Timestamp::try_from(since).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::system());
    let format = if since.date() == now.date() { "%H:%M:%S" } else { "%Y-%m-%d %H:%M" };
    format!("no picture since {}", since.strftime(format))
}

pub(in crate::source) fn paint(canvas: &mut Canvas, title: &str, reason: &str, since: &str) {
    let Area { width, height, .. } = canvas.area();
    canvas.fill_gradient(canvas.area(), TOP, BOTTOM);
    let unit = (width as f32 / 14.0).min(height as f32 / 9.0);
    let margin = (unit * 1.1) as i32;
    let bar = (unit * 0.12).ceil() as i32;
    let left = margin + bar + (unit * 0.55) as i32;
    let inner = (width - left - margin).max(1);
    // Letters never fall below what can be read in a tile of 320 pixels.
    let readable = |size: f32, least: f32| size.max(least.min(height as f32 / 7.0));
    let blocks = [
        (title, Style::new(readable(unit * 0.95, 17.0), TITLE).wrapped(2), 0.30),
        (since, Style::new(readable(unit * 0.48, 12.5), SINCE).wrapped(2), 0.45),
        (reason, Style::new(readable(unit * 0.42, 12.0), REASON).wrapped(4), 0.0),
    ];
    let heights = blocks.map(|(text, style, _)| fonts::measure(text, style, inner).1);
    let gaps = blocks.map(|(_, _, gap)| (gap * unit).round() as i32);
    let total: i32 = heights.iter().sum::<i32>() + gaps.iter().sum::<i32>();
    let top = ((height - total) / 2).max(0);
    canvas.fill_rect(Area { x: margin, y: top, width: bar, height: total }, ACCENT);
    let mut y = top;
    for ((text, style, _), (taken, gap)) in blocks.into_iter().zip(heights.into_iter().zip(gaps)) {
        fonts::draw(canvas, text, style, Area { x: left, y, width: inner, height: taken });
        y += taken + gap;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{imaging::Pixels, media::frame::FrameKind};

    fn pixels(frame: &Frame) -> Pixels {
        codec().decode(frame.jpeg(), 10_000_000).unwrap()
    }

    fn bright(pixels: &Pixels) -> usize {
        pixels.data().chunks(3).filter(|p| p.iter().all(|&byte| byte > 200)).count()
    }

    #[test]
    fn the_card_has_the_size_of_the_picture_it_stands_for() {
        for (size, wanted) in [
            (None, (640, 360)),
            (Some((320, 240)), (320, 240)),
            (Some((3840, 2160)), (1920, 1080)),
            (Some((1, 1)), (64, 64)),
            (Some((0, 0)), (64, 64)),
            (Some((u16::MAX, 100)), (1920, 64)),
            (Some((480, 1024)), (480, 1024)),
        ] {
            let frame = draw("Front door", "no answer", SystemTime::now(), size);
            assert_eq!((frame.width(), frame.height()), wanted);
            assert_eq!(frame.kind(), FrameKind::OfflineImage);
        }
    }

    #[test]
    fn title_and_reason_are_on_the_card() {
        let now = SystemTime::now();
        let card = |title, reason| pixels(&draw(title, reason, now, None));
        assert!(bright(&card("Front door", "no answer")) > 100, "letters, bright on dark");
        assert_ne!(card("Front door", "no answer"), card("Back door", "no answer"));
        assert_ne!(card("Front door", "no answer"), card("Front door", "refused"));
        assert_ne!(card("前门", ""), card("玄関", ""));
        assert!(bright(&card("", "")) < bright(&card("前门摄像头", "")));
    }

    #[test]
    fn a_reason_of_any_length_and_kind_is_drawn() {
        let reasons =
            ["x".repeat(100_000), "中文".repeat(5_000), "\n\n\n\n\n\n\n\nx".into(), "🚀\0\u{202E}abc".into()];
        for reason in reasons {
            for size in [(64, 64), (320, 240)] {
                draw(&reason, &reason, SystemTime::now(), Some(size));
            }
        }
    }

    #[test]
    fn the_date_is_said_when_it_was_not_today() {
        let zone = TimeZone::system();
        let now = jiff::civil::datetime(2026, 11, 22, 12, 0, 0, 0).to_zoned(zone.clone()).unwrap();
        let at = |day, hour| {
            jiff::civil::datetime(2026, 11, day, hour, 3, 22, 0).to_zoned(zone.clone()).unwrap().timestamp()
        };
        assert_eq!(since_when(at(22, 9).into(), &now), "no picture since 09:03:22");
        assert_eq!(since_when(at(20, 14).into(), &now), "no picture since 2026-11-20 14:03");
    }
}
