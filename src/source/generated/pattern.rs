//! A moving test pattern: colour bars, a hand that rotates once in two seconds, a frame counter and the time
//! to the millisecond. It makes freezes, skipped frames and delays visible.

use std::{
    f32::consts::TAU,
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{FutureExt, future::LocalBoxFuture};
use jiff::{Timestamp, tz::TimeZone};

use super::{error::RenderError, wall_clock_interval::WallClockInterval};
use crate::{
    bus::{DropReason, Ingest},
    config::{Color, Size},
    imaging::{
        PoolError, Quality,
        codec::codec,
        cpu_pool::{StreamQueue, memory_estimate},
        raster::{
            canvas::{Area, Canvas, mix, rgb},
            fonts::{self, Style},
        },
    },
    source::{error::SourceError, traits::Source},
};

/// SMPTE colour bars at 75 %: white, yellow, cyan, green, magenta, red, blue.
const BARS: [Color; 7] =
    [rgb(0xbfbfbf), rgb(0xbfbf00), rgb(0x00bfbf), rgb(0x00bf00), rgb(0xbf00bf), rgb(0xbf0000), rgb(0x0000bf)];

const GROUND: Color = rgb(0x14171c);
const INK: Color = rgb(0xf2f4f7);
const FAINT: Color = rgb(0x9aa3af);
const HAND: Color = rgb(0xffb224);
const DIAL: Color = rgb(0x232830);

/// Seconds in which the bars move once across the picture: visible, and easy on the encoder.
const BARS_PERIOD: f64 = 12.0;

/// Seconds of one turn of the hand.
const HAND_PERIOD: f64 = 2.0;

/// Number of dots after the hand, each fainter, over the last quarter turn.
const TRAIL: usize = 10;

/// The characters that are drawn, and the height of the largest ones as a share of the picture's.
const LETTERS: &str = "0123456789:.×framepsx";
const LARGEST_LETTERS: f32 = 0.12;

/// Share of the height that the bars take.
const BARS_SHARE: f32 = 0.62;

/// A source of moving colour bars with a frame counter and the time.
#[derive(Debug)]
pub struct PatternSource {
    size: Size,
    fps: f64,
    queue: StreamQueue,
}

impl PatternSource {
    /// Creates a pattern of `size` at `fps` frames a second.
    pub fn new(size: Size, fps: f64, queue: StreamQueue) -> Self {
        Self { size, fps, queue }
    }

    async fn draw_forever(&self, ingest: &Ingest) -> Result<(), RenderError> {
        let mut ticker = WallClockInterval::new(self.fps);
        let letters = memory_estimate::letters(LETTERS, self.size.height.get() as f32 * LARGEST_LETTERS);
        let bytes = memory_estimate::canvas(self.size, letters);
        let template = Arc::new(Template::new(self.size, self.fps));
        for number in 1.. {
            let time = ticker.next().await;
            let template = template.clone();
            let paint = move || Painter::new(&template)?.paint(number, time);
            match self.queue.run(bytes, paint).await {
                // Our own encoder's pictures are whole; if not, the ingest counts it.
                Ok(jpeg) => drop(ingest.push_jpeg(jpeg?)),
                Err(PoolError::Busy) => ingest.count_drop(DropReason::Busy),
                Err(panicked) => return Err(panicked.into()),
            }
        }
        Ok(())
    }
}

impl Source for PatternSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        async move { Ok(self.draw_forever(ingest).await?) }.boxed_local()
    }
}

/// The parts that all frames share.
#[derive(Debug)]
struct Template {
    size: Size,
    zone: TimeZone,
    caption: String,
}

impl Template {
    fn new(size: Size, fps: f64) -> Self {
        let caption = format!("{}×{}  {fps} fps", size.width, size.height);
        Self { size, zone: TimeZone::system(), caption }
    }
}

/// Draws one frame. Its canvas is not kept for the next one: with many large patterns that would be the
/// memory of all of them, and allocating it again costs less than a hundredth of drawing.
#[derive(Debug)]
struct Painter<'a> {
    canvas: Canvas,
    template: &'a Template,
}

impl<'a> Painter<'a> {
    fn new(template: &'a Template) -> Result<Self, RenderError> {
        Ok(Self { canvas: Canvas::new(template.size, GROUND)?, template })
    }

    fn paint(&mut self, number: u64, time: SystemTime) -> Result<Bytes, RenderError> {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        let split = (self.canvas.height() as f32 * BARS_SHARE) as i32;
        self.draw_bars(seconds, split);
        let Area { width, height, .. } = self.canvas.area();
        self.canvas.fill_rect(Area { x: 0, y: split, width, height: height - split }, GROUND);
        self.draw_dial(seconds, split);
        self.draw_text(number, time, split);
        Ok(codec().encode(self.canvas.pixels(), Quality::PICTURE)?)
    }

    /// Draws the moving bars, and below them a strip of grey steps that does not move.
    fn draw_bars(&mut self, seconds: f64, split: i32) {
        let width = self.canvas.width();
        let strip = split / 8;
        let shift = ((seconds / BARS_PERIOD).fract() * f64::from(width)) as usize;
        let columns = width as usize;
        let bar = |x: usize| BARS[(x + columns - shift) % columns * BARS.len() / columns];
        self.canvas.fill_columns(Area { x: 0, y: 0, width, height: split - strip }, bar);
        let step = |x: usize| mix(rgb(0), rgb(0xffffff), (x * 11 / columns) as f32 / 10.0);
        self.canvas.fill_columns(Area { x: 0, y: split - strip, width, height: strip }, step);
    }

    /// Draws the rotating hand with its trail, at the right of the lower part.
    fn draw_dial(&mut self, seconds: f64, split: i32) {
        let room = (self.canvas.height() - split) as f32;
        let wide = self.dial_width(split);
        let radius = wide * 0.40;
        let (x, y) = (self.canvas.width() as f32 - wide * 0.62, split as f32 + room * 0.5);
        self.canvas.fill_disc(x, y, radius, DIAL);
        let turn = (seconds / HAND_PERIOD).fract() as f32;
        for dot in (0..=TRAIL).rev() {
            let age = dot as f32 / TRAIL as f32;
            let angle = (turn - age * 0.25) * TAU;
            let at = (x + angle.sin() * radius * 0.78, y - angle.cos() * radius * 0.78);
            self.canvas.fill_disc(at.0, at.1, radius * (0.16 - 0.08 * age), mix(HAND, DIAL, age));
        }
    }

    /// Returns the width of the dial: no more than a third of the picture's, so that a narrow picture still
    /// shows its counter.
    fn dial_width(&self, split: i32) -> f32 {
        ((self.canvas.height() - split) as f32).min(self.canvas.width() as f32 / 3.0)
    }

    /// Draws counter, time and size, at the left of the lower part.
    fn draw_text(&mut self, number: u64, time: SystemTime, split: i32) {
        let (width, room) = (self.canvas.width(), self.canvas.height() - split);
        let margin = room.min(width / 4) / 8;
        let inner = width - margin - (self.dial_width(split) * 1.1) as i32;
        let large = (room as f32 * 0.30).min(inner as f32 / 8.0);
        let small = large * 0.55;
        let local =
            Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(self.template.zone.clone());
        let lines = [
            (local.strftime("%H:%M:%S.%3f").to_string(), large, INK),
            (format!("frame {number}"), small * 1.15, HAND),
            (self.template.caption.clone(), small, FAINT),
        ];
        let total: f32 = lines.iter().map(|line| line.1 * 1.3).sum();
        let mut y = split as f32 + (room as f32 - total) / 2.0;
        for (text, size, color) in lines {
            let area =
                Area { x: margin, y: y as i32, width: width - margin, height: (size * 1.3) as i32 + 1 };
            fonts::draw(&mut self.canvas, &text, Style::new(size, color), area);
            y += size * 1.3;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::*;
    use crate::{bus::Bus, source::generated::tests::queue_of_tests};

    fn size(width: u32, height: u32) -> Size {
        Size { width: NonZeroU32::new(width).unwrap(), height: NonZeroU32::new(height).unwrap() }
    }

    /// Counts the pixels that differ in the rows from `from` to `to`.
    fn changed(a: &[u8], b: &[u8], width: usize, from: usize, to: usize) -> usize {
        let rows = from * width * 3..to * width * 3;
        let differs = |(a, b): &(&[u8], &[u8])| a.iter().zip(*b).any(|(a, b)| a.abs_diff(*b) > 30);
        a[rows.clone()].chunks(3).zip(b[rows].chunks(3)).filter(differs).count()
    }

    #[test]
    fn bars_hand_and_words_move_from_frame_to_frame() {
        let template = Template::new(size(640, 360), 30.0);
        let paint = |number, time| Painter::new(&template).unwrap().paint(number, time).unwrap();
        let start = UNIX_EPOCH + Duration::from_millis(1_790_000_000_000);
        let decoded = |jpeg: Bytes| codec().decode(&jpeg, 1_000_000).unwrap();
        let before = decoded(paint(1, start));
        let after = decoded(paint(2, start + Duration::from_millis(33)));
        let later = decoded(paint(3, start + Duration::from_millis(500)));
        let (before, after, later) = (before.data(), after.data(), later.data());
        assert!(changed(before, later, 640, 0, 190) > 1000, "the bars wander");
        assert_eq!(changed(before, later, 640, 200, 220), 0, "the grey steps stand still");
        assert!(changed(before, after, 640, 223, 360) > 60, "time, counter and hand change with each frame");
    }

    #[test]
    fn any_size_is_drawn() {
        for (width, height) in [(1, 1), (16, 16), (2000, 3), (3, 2000), (160, 400)] {
            let template = Template::new(size(width, height), 5.0);
            let jpeg = Painter::new(&template).unwrap().paint(7, SystemTime::now()).unwrap();
            let pixels = codec().decode(&jpeg, 1_000_000).unwrap();
            assert_eq!((u32::from(pixels.width()), u32::from(pixels.height())), (width, height));
        }
    }

    #[tokio::test]
    async fn the_pattern_gives_frame_after_frame_and_refuses_what_no_jpeg_holds() {
        let bus = Arc::new(Bus::default());
        let ingest = Ingest::new(bus.clone(), None);
        let queue = queue_of_tests();
        let mut reader = bus.subscribe();
        let third = reader.wait_for(|current| current.frame.as_ref().is_some_and(|newest| newest.seq >= 3));
        let mut source = PatternSource::new(size(64, 48), 100.0, queue.clone());
        tokio::select! {
            ended = source.run(&ingest) => panic!("a renderer goes on: {ended:?}"),
            shown = third => assert!(shown.is_ok()),
            () = tokio::time::sleep(Duration::from_secs(20)) => panic!("no frames"),
        }
        let error = PatternSource::new(size(70_000, 4), 1.0, queue).run(&ingest).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot draw 70000x4 pixels: a JPEG has at most 65535 on a side");
    }
}
