//! A picture of a line of text that may contain the time: a clock, a caption, a sign.

use std::{sync::Once, time::SystemTime};

use bytes::Bytes;
use futures_util::{FutureExt, future::LocalBoxFuture};
use jiff::{Timestamp, tz::TimeZone};
use tracing::warn;

use super::{error::RenderError, wall_clock_interval::WallClockInterval};
use crate::{
    bus::{DropReason, Ingest},
    config::TextConfig,
    imaging::{
        PoolError, Quality,
        codec::codec,
        cpu_pool::{StreamQueue, memory_estimate},
        raster::{
            canvas::{Area, Canvas},
            fonts::{self, Style, missing_glyphs},
            strftime::expand,
        },
    },
    source::{error::SourceError, traits::Source},
};

/// Left margin, in font sizes.
const MARGIN: f32 = 0.25;

/// A source that draws its text at each tick of the wall clock, in local time.
#[derive(Debug)]
pub struct TextSource {
    config: TextConfig,
    queue: StreamQueue,
    warned: Once,
}

impl TextSource {
    /// Creates a source that draws `config.text`.
    pub fn new(config: TextConfig, queue: StreamQueue) -> Self {
        Self { config, queue, warned: Once::new() }
    }

    async fn draw_forever(&self, ingest: &Ingest) -> Result<(), RenderError> {
        let zone = TimeZone::system();
        let mut ticker = WallClockInterval::new(self.config.fps);
        let mut shown: Option<(String, Bytes)> = None;
        loop {
            let text = self.text_at(ticker.next().await, &zone)?;
            let jpeg = match &shown {
                Some((before, jpeg)) if *before == text => jpeg.clone(),
                _ => {
                    let (config, drawn) = (self.config.clone(), text.clone());
                    let letters = memory_estimate::letters(&drawn, config.font_size);
                    let bytes = memory_estimate::canvas(config.size, letters);
                    let job = move || (draw(&config, &drawn), missing_glyphs(&drawn));
                    match self.queue.run(bytes, job).await {
                        Ok((jpeg, missing)) => {
                            self.warn_missing_glyphs(&missing);
                            jpeg?
                        }
                        Err(PoolError::Busy) => {
                            ingest.count_drop(DropReason::Busy);
                            continue;
                        }
                        Err(panicked) => return Err(panicked.into()),
                    }
                }
            };
            shown = Some((text, jpeg.clone()));
            // Our own encoder's pictures are valid; if not, the ingest counts it and the next tick tries
            // again.
            let _ = ingest.push_jpeg(jpeg);
        }
    }

    fn text_at(&self, time: SystemTime, zone: &TimeZone) -> Result<String, RenderError> {
        let time = Timestamp::try_from(time).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(zone.clone());
        expand(&self.config.text, &time).map_err(RenderError::Format)
    }

    /// Logs once which characters no built-in font has.
    fn warn_missing_glyphs(&self, missing: &[char]) {
        if !missing.is_empty() {
            let characters: String = missing.iter().collect();
            self.warned.call_once(|| {
                warn!(
                    text = self.config.text,
                    characters, "no built-in font has these characters; they show as boxes"
                );
            });
        }
    }
}

impl Source for TextSource {
    fn run<'a>(&'a mut self, ingest: &'a Ingest) -> LocalBoxFuture<'a, Result<(), SourceError>> {
        async move { Ok(self.draw_forever(ingest).await?) }.boxed_local()
    }
}

/// Draws one picture: the text at the left, vertically centred.
fn draw(config: &TextConfig, text: &str) -> Result<Bytes, RenderError> {
    let mut canvas = Canvas::new(config.size, config.background)?;
    let style = Style::new(config.font_size, config.color);
    let margin = (config.font_size * MARGIN).round() as i32;
    let (_, height) = fonts::measure(text, style, canvas.width());
    let y = (canvas.height() - height) / 2;
    // Text higher than the picture keeps the top of its first line visible.
    let area =
        Area { x: margin, y: y.max(0), width: canvas.width() - margin, height: canvas.height() - y.max(0) };
    fonts::draw(&mut canvas, text, style, area);
    Ok(codec().encode(canvas.pixels(), Quality::LETTERS)?)
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, sync::Arc, time::Duration};

    use super::*;
    use crate::{
        bus::Bus,
        config::Size,
        imaging::{Pixels, raster::canvas::rgb},
        source::generated::tests::queue_of_tests,
    };

    /// A test that hangs fails.
    const PATIENCE: Duration = Duration::from_secs(20);

    fn config(text: &str, fps: f64) -> TextConfig {
        TextConfig {
            text: text.into(),
            size: Size { width: NonZeroU32::new(300).unwrap(), height: NonZeroU32::new(30).unwrap() },
            font_size: 16.0,
            color: rgb(0x000000),
            background: rgb(0xffffff),
            fps,
        }
    }

    fn picture(text: &str) -> Pixels {
        let jpeg = draw(&config(text, 1.0), text).unwrap();
        codec().decode(&jpeg, 1_000_000).unwrap()
    }

    /// Counts the dark pixels in the columns from `from` to `to`.
    fn ink(pixels: &Pixels, from: usize, to: usize) -> usize {
        let width = usize::from(pixels.width());
        let dark = |(n, p): &(usize, &[u8])| (from..to).contains(&(n % width)) && p[0] < 100;
        pixels.data().chunks(3).enumerate().filter(dark).count()
    }

    #[test]
    fn the_seeds_clock_fits_its_picture() {
        let clock = picture("11/22  17:26:02 这是一段测试文本。");
        assert_eq!((clock.width(), clock.height()), (300, 30));
        assert!(ink(&clock, 4, 135) > 100, "date and time at the left");
        assert!(ink(&clock, 140, 290) > 200, "Chinese letters after them");
        assert_eq!(ink(&clock, 297, 300), 0, "nothing is cut off at the right");
        assert_eq!(ink(&clock, 0, 3), 0);
        let (first, last) = (&clock.data()[..900], &clock.data()[29 * 900..]);
        assert!(first.iter().chain(last).all(|&byte| byte > 200), "in the middle of the height");
    }

    #[test]
    fn another_time_changes_the_picture() {
        assert_ne!(picture("17:26:02"), picture("17:26:03"));
        assert_eq!(ink(&picture(""), 0, 300), 0);
    }

    #[tokio::test]
    async fn each_tick_shows_a_frame_and_the_same_text_is_drawn_once() {
        let bus = Arc::new(Bus::default());
        let ingest = Ingest::new(bus.clone(), None);
        let queue = queue_of_tests();
        let mut source = TextSource::new(config("always the same", 50.0), queue);
        let mut reader = bus.subscribe();
        reader.mark_unchanged();
        let mut shown = Vec::new();
        let watch = async {
            while shown.len() < 3 {
                reader.changed().await.unwrap();
                let newest = reader.borrow_and_update().frame.clone();
                shown.extend(newest);
            }
        };
        tokio::select! {
            ended = source.run(&ingest) => panic!("a renderer goes on: {ended:?}"),
            () = watch => {}
            () = tokio::time::sleep(PATIENCE) => panic!("no frames"),
        }
        assert!(shown[0].seq < shown[1].seq && shown[1].seq < shown[2].seq);
        let first = shown[0].frame.jpeg();
        assert!(shown.iter().all(|p| p.frame.jpeg().as_ptr() == first.as_ptr()), "the very same bytes");
        assert!(shown[0].frame.captured_at() < shown[2].frame.captured_at(), "with a time of its own");
    }
}
