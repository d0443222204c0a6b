//! The parameters of one viewer for its pictures in the URL: `?width=320&quality=60&fps=5`. Pure.
//!
//! Values are rounded to a grid, so that viewers with nearly the same values share one rendition:
//!
//! | key | taken | becomes |
//! |---|---|---|
//! | `width`, `height` | 1 to 8192 pixels | the next multiple of 8, at least 16: never less than requested |
//! | `quality` | 1 to 100 | the nearest multiple of 5, at least 5 |
//! | `fps` | above 0, to 240 | the nearest of a list from 0.1 to 60 |
//! | `rotate` | 0, 90, 180, 270 | |
//! | `gray` | a switch | |
//!
//! A picture is rotated first, and then scaled to fit: width and height are those of the result. The aspect
//! ratio is kept, and no picture is enlarged. Other keys are ignored.

use std::{fmt, num::NonZeroU32, ops::RangeInclusive};

use crate::{
    config::{Bounds, Encode, Rotation, SourceConfig, Step, StreamConfig, Transform},
    media::stream_name::StreamName,
};

const SIDES: RangeInclusive<u16> = 1..=8192;

/// The side of a JPEG's block.
const SIDE_GRID: u16 = 8;

/// Smallest side: nothing can be seen on a smaller picture.
const MIN_SIDE: u16 = 16;

const QUALITIES: RangeInclusive<u8> = 1..=100;

/// Step of the quality: a finer difference cannot be seen.
const QUALITY_GRID: u8 = 5;

/// Frame rates, in thousandths of a frame a second.
const RATES_MILLI: [u32; 19] = [
    100, 200, 500, 1000, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 15_000, 20_000, 25_000, 30_000,
    40_000, 50_000, 60_000,
];

const MAX_FPS: f64 = 240.0;

/// Longest part of a wrong value that an error repeats, in characters.
const MAX_QUOTED: usize = 40;

/// The changes to a stream's pictures that a viewer requests. The default is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ImageParams {
    width: Option<u16>,
    height: Option<u16>,
    quality: Option<u8>,
    rate_milli: Option<u32>,
    rotation: Option<Rotation>,
    gray: bool,
}

/// An error because of an invalid value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{key} must be {expected}, not {given:?}")]
pub struct ImageParamsError {
    /// Name of the parameter.
    pub key: &'static str,
    /// The values that are valid.
    pub expected: &'static str,
    /// The given value, or its beginning.
    pub given: String,
}

impl ImageParams {
    /// Parses the parameters of a query, of which `value` returns the values by their names.
    ///
    /// # Errors
    /// [`ImageParamsError`] for the first value that makes no sense.
    pub fn parse(value: impl Fn(&str) -> Option<String>) -> Result<Self, ImageParamsError> {
        let read = |key, wanted, read: &dyn Fn(&str) -> Option<Self>| match value(key) {
            None => Ok(Self::default()),
            Some(given) => read(given.trim()).ok_or_else(|| ImageParamsError {
                key,
                expected: wanted,
                given: given.chars().take(MAX_QUOTED).collect(),
            }),
        };
        let nothing = Self::default();
        let width = read("width", "a number of pixels, 1 to 8192", &|text| {
            Some(Self { width: Some(side(text)?), ..nothing })
        })?;
        let height = read("height", "a number of pixels, 1 to 8192", &|text| {
            Some(Self { height: Some(side(text)?), ..nothing })
        })?;
        let quality = read("quality", "a number from 1 to 100", &|text| {
            Some(Self { quality: Some(quality(text)?), ..nothing })
        })?;
        let fps = read("fps", "a number of frames a second, above 0 and up to 240", &|text| {
            Some(Self { rate_milli: Some(rate(text)?), ..nothing })
        })?;
        let rotate =
            read("rotate", "0, 90, 180 or 270", &|text| Some(Self { rotation: rotation(text)?, ..nothing }))?;
        let gray = read("gray", "1 or 0", &|text| Some(Self { gray: switch(text)?, ..nothing }))?;
        Ok(Self {
            width: width.width,
            height: height.height,
            quality: quality.quality,
            rate_milli: fps.rate_milli,
            rotation: rotate.rotation,
            gray: gray.gray,
        })
    }

    /// Returns whether no change is requested.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns these parameters for fewer bytes: step 1 to 5 of a ladder on which first quality is reduced,
    /// then size; step 0 changes nothing. `size` is that of the pictures with these parameters.
    #[must_use]
    pub fn at_step(&self, step: usize, size: (u16, u16)) -> Self {
        let (divisor, quality) = match step {
            0 => return *self,
            1 => (1, 60),
            2 => (1, 35),
            3 => (2, 60),
            4 => (2, 35),
            _ => (4, 50),
        };
        let quality = Some(self.quality.map_or(quality, |own| own.min(quality)));
        if divisor == 1 {
            return Self { quality, ..*self };
        }
        let width = (size.0 / divisor).next_multiple_of(SIDE_GRID).max(MIN_SIDE);
        Self { quality, width: Some(width), height: None, ..*self }
    }

    /// Returns the parameters that apply to a single picture: all but the rate.
    #[must_use]
    pub fn without_rate(self) -> Self {
        Self { rate_milli: None, ..self }
    }

    /// Returns the changes to one picture: all but the rate.
    pub fn transform(&self) -> Transform {
        let side = |side: Option<u16>| side.and_then(|side| NonZeroU32::new(side.into()));
        let bounds = Bounds { width: side(self.width), height: side(self.height) };
        let bounded = bounds.width.is_some() || bounds.height.is_some();
        let steps = [
            self.rotation.map(Step::Rotate),
            bounded.then_some(Step::Within(bounds)),
            self.gray.then_some(Step::Grayscale),
        ];
        Transform {
            steps: steps.into_iter().flatten().collect(),
            encode: self.quality.map(|quality| Encode { quality, ..Encode::default() }),
            strip_metadata: false,
        }
    }

    /// Returns the rate that the stream is limited to.
    pub fn max_fps(&self) -> Option<f64> {
        self.rate_milli.map(|milli| f64::from(milli) / 1000.0)
    }

    /// Returns the stream that shows `origin` with these parameters. It runs while it is wanted, and is never
    /// written to disk.
    pub(super) fn stream_config(&self, origin: &StreamConfig) -> StreamConfig {
        let Transform { steps, encode, strip_metadata } = self.transform();
        StreamConfig {
            name: self.stream_name(&origin.name),
            sources: vec![SourceConfig::Rendition { of: origin.name.clone(), frame_timeout: None }],
            on_demand: Some(true),
            linger: std::time::Duration::ZERO,
            max_fps: self.max_fps(),
            transform: steps,
            encode,
            strip_metadata,
            save: None,
            replay: None,
            ..origin.clone()
        }
    }

    /// Returns a name for the log: the beginning of the stream's name, with all parameters.
    fn stream_name(&self, origin: &StreamName) -> StreamName {
        let mut asked = String::new();
        let mut add = |letter: char, value: Option<String>| {
            if let Some(value) = value {
                asked += &format!("-{letter}{}", value.replace('.', "_"));
            }
        };
        add('w', self.width.map(|side| side.to_string()));
        add('h', self.height.map(|side| side.to_string()));
        add('q', self.quality.map(|quality| quality.to_string()));
        add('f', self.max_fps().map(|fps| fps.to_string()));
        add('r', self.rotation.map(|rotation| degrees(rotation).to_string()));
        add('g', self.gray.then(|| "ray".to_owned()));
        let kept = origin.as_str().len().min(StreamName::MAX_LENGTH - asked.len());
        format!("{}{asked}", &origin.as_str()[..kept]).parse().expect("letters, digits, - and _, cut to fit")
    }
}

/// Formats the query in one order: the key of what viewers with the same parameters share.
impl fmt::Display for ImageParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            self.width.map(|side| format!("width={side}")),
            self.height.map(|side| format!("height={side}")),
            self.quality.map(|quality| format!("quality={quality}")),
            self.max_fps().map(|fps| format!("fps={fps}")),
            self.rotation.map(|rotation| format!("rotate={}", degrees(rotation))),
            self.gray.then(|| "gray=1".to_owned()),
        ];
        f.write_str(&parts.into_iter().flatten().collect::<Vec<_>>().join("&"))
    }
}

fn side(text: &str) -> Option<u16> {
    let side = text.parse().ok().filter(|side| SIDES.contains(side))?;
    Some(side.next_multiple_of(SIDE_GRID).max(MIN_SIDE))
}

fn quality(text: &str) -> Option<u8> {
    let quality: u8 = text.parse().ok().filter(|quality| QUALITIES.contains(quality))?;
    Some(((quality + QUALITY_GRID / 2) / QUALITY_GRID * QUALITY_GRID).max(QUALITY_GRID))
}

fn rate(text: &str) -> Option<u32> {
    let fps: f64 = text.parse().ok().filter(|fps| *fps > 0.0 && *fps <= MAX_FPS)?;
    let milli = fps * 1000.0;
    RATES_MILLI.into_iter().min_by(|a, b| {
        let apart = |rate: &u32| (f64::from(*rate) - milli).abs();
        apart(a).total_cmp(&apart(b))
    })
}

fn rotation(text: &str) -> Option<Option<Rotation>> {
    match text {
        "0" => Some(None),
        "90" => Some(Some(Rotation::By90)),
        "180" => Some(Some(Rotation::By180)),
        "270" => Some(Some(Rotation::By270)),
        _ => None,
    }
}

fn degrees(rotation: Rotation) -> u16 {
    match rotation {
        Rotation::By90 => 90,
        Rotation::By180 => 180,
        Rotation::By270 => 270,
    }
}

fn switch(text: &str) -> Option<bool> {
    match text {
        "1" | "true" | "" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parse(query: &str) -> Result<ImageParams, ImageParamsError> {
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter_map(|pair| pair.split_once('='))
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .collect();
        ImageParams::parse(|wanted| {
            pairs.iter().find(|(key, _)| key == wanted).map(|(_, value)| value.clone())
        })
    }

    #[test]
    fn values_stand_on_a_grid() {
        for (asked, becomes) in [
            ("", ""),
            ("t=1732&action=stream", ""),
            ("rotate=0&gray=0", ""),
            ("width=320", "width=320"),
            ("width=313&height=1080", "width=320&height=1080"),
            ("width=1", "width=16"),
            ("width=8191", "width=8192"),
            ("quality=1", "quality=5"),
            ("quality=72", "quality=70"),
            ("quality=73", "quality=75"),
            ("quality=100", "quality=100"),
            ("fps=5", "fps=5"),
            ("fps=0.0001", "fps=0.1"),
            ("fps=0.4", "fps=0.5"),
            ("fps=7.2", "fps=8"),
            ("fps=29.97", "fps=30"),
            ("fps=240", "fps=60"),
            ("rotate=270&gray=true", "rotate=270&gray=1"),
            (
                "gray=1&fps=2&quality=60&height=48&width=64&rotate=90",
                "width=64&height=48&quality=60&fps=2&rotate=90&gray=1",
            ),
        ] {
            assert_eq!(parse(asked).unwrap().to_string(), becomes, "{asked}");
        }
    }

    #[test]
    fn nonsense_is_named_with_what_would_be_right() {
        for (asked, text) in [
            ("width=0", "width must be a number of pixels, 1 to 8192, not \"0\""),
            ("width=-1", "width must be a number of pixels, 1 to 8192, not \"-1\""),
            ("width=", "width must be a number of pixels, 1 to 8192, not \"\""),
            ("height=8193", "height must be a number of pixels, 1 to 8192, not \"8193\""),
            (
                "height=99999999999999999999",
                "height must be a number of pixels, 1 to 8192, not \"99999999999999999999\"",
            ),
            ("quality=0", "quality must be a number from 1 to 100, not \"0\""),
            ("quality=101", "quality must be a number from 1 to 100, not \"101\""),
            ("quality=300", "quality must be a number from 1 to 100, not \"300\""),
            ("fps=0", "fps must be a number of frames a second, above 0 and up to 240, not \"0\""),
            ("fps=NaN", "fps must be a number of frames a second, above 0 and up to 240, not \"NaN\""),
            ("fps=inf", "fps must be a number of frames a second, above 0 and up to 240, not \"inf\""),
            ("rotate=45", "rotate must be 0, 90, 180 or 270, not \"45\""),
            ("gray=maybe", "gray must be 1 or 0, not \"maybe\""),
        ] {
            assert_eq!(parse(asked).unwrap_err().to_string(), text);
        }
        let long = parse(&format!("width={}", "x".repeat(5000))).unwrap_err().to_string();
        assert!(long.len() < 120, "{long}");
    }

    #[test]
    fn turning_and_graying_alone_ask_for_no_quality() {
        let rework = parse("rotate=90&gray=1").unwrap().transform();
        assert_eq!(rework.encode, None, "it can be done without decoding");
        assert_eq!(rework.steps, [Step::Rotate(Rotation::By90), Step::Grayscale]);
        assert!(parse("fps=5").unwrap().transform().is_nothing(), "the very bytes, thinned");
    }

    #[test]
    fn steps_go_down_in_quality_and_then_in_size() {
        let down = |query: &str, size| {
            let base = parse(query).unwrap();
            (0..6).map(|step| base.at_step(step, size).to_string()).collect::<Vec<_>>()
        };
        assert_eq!(
            down("", (1920, 1080)),
            [
                "",
                "quality=60",
                "quality=35",
                "width=960&quality=60",
                "width=960&quality=35",
                "width=480&quality=50"
            ]
        );
        assert_eq!(
            down("height=360&quality=40&fps=5&gray=1", (640, 360)),
            [
                "height=360&quality=40&fps=5&gray=1",
                "height=360&quality=40&fps=5&gray=1",
                "height=360&quality=35&fps=5&gray=1",
                "width=320&quality=40&fps=5&gray=1",
                "width=320&quality=35&fps=5&gray=1",
                "width=160&quality=40&fps=5&gray=1"
            ]
        );
    }

    proptest! {
        #[test]
        fn what_is_on_the_grid_stays_and_has_a_name(
            (width, height) in (1_u16..=8192, 1_u16..=8192),
            quality in 1_u8..=100,
            fps in 0.01_f64..240.0,
            rotate in prop::sample::select(vec![0, 90, 180, 270]),
            origin in "[a-z0-9_-]{1,64}",
        ) {
            let query = format!("width={width}&height={height}&quality={quality}\
                &fps={fps}&rotate={rotate}&gray=1");
            let params = parse(&query).unwrap();
            prop_assert_eq!(parse(&params.to_string()).unwrap(), params);
            // It would panic if it were no name.
            params.stream_name(&origin.parse().unwrap());
        }

        #[test]
        fn any_text_is_a_value_or_a_mistake(key in 0_usize..6, text in ".{0,60}") {
            let key = ["width", "height", "quality", "fps", "rotate", "gray"][key];
            let params = ImageParams::parse(|wanted| (wanted == key).then(|| text.clone()));
            prop_assert!(params.is_ok() || params.unwrap_err().key == key);
        }
    }
}
