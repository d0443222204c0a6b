//! The scenario: the streams, who watches which, and how.

use std::{sync::Arc, time::Duration};

use crate::{
    camera::{self, CAMERAS, CameraBehaviour},
    liveness::{Liveness, StreamPresence},
};

/// Viewers, spread over all streams.
pub(crate) const VIEWERS: usize = 300;

/// Of them: who watches streams of the file that stay as they are.
const OF_STREAMS: usize = 232;

/// Of them: who watches what is made for them. The rest watches streams that come and go.
const OF_RENDITIONS: usize = 32;

/// Longest time without a new picture where nothing goes away.
const SILENCE: Duration = Duration::from_secs(10);

pub(crate) const PUSH_FRAMES: &str = "push-frames";
pub(crate) const PUSH_FEED: &str = "push-feed";

/// Streams that framecast draws, with their sources.
pub(crate) const RENDERERS: [(&str, &str); 3] = [
    ("text", "{type: text, text: \"%H:%M:%S 这是一段测试文本。\", size: 300x30, font_size: 16}"),
    ("pattern", "{type: pattern, size: 320x180, fps: 10}"),
    ("images", "{type: images, path: \"builtin:demo\", fps: 2}"),
];

/// Streams that show a camera: its very bytes, fewer of them; and its pictures, smaller.
pub(crate) const RENDITIONS: [(&str, usize, &str); 3] = [
    ("thin", 1, "max_fps: 4"),
    ("small", 2, "max_fps: 4, transform: [{scale: {width: 48}}]"),
    ("small-dies", FIRST_MORTAL, "max_fps: 4, transform: [{scale: {width: 48}}]"),
];

/// All pictures are square, and larger.
const SMALL: u16 = 48;

/// Steady cameras stand first, mortal ones last.
const FIRST_MORTAL: usize = 15;

/// Streams that are added to the file, changed, and taken out of it.
pub(crate) const TURNING: [&str; 4] = ["turn-0", "turn-1", "turn-2", "turn-3"];

/// Streams that are added and removed over HTTP.
pub(crate) const ADDED: [&str; 2] = ["added-0", "added-1"];

/// The behaviour of a viewer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewerBehaviour {
    /// Takes all that comes and never leaves.
    Steady,
    /// Takes less than its stream gives.
    Slow,
    /// Asks and takes nothing; must be let go.
    NeverReads,
    /// Leaves after a few seconds, in the middle of a frame, and comes again.
    ComesAndGoes,
}

/// The protocol that a viewer uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ViewerProtocol {
    /// HTTP/1.1, which is answered in chunks.
    Chunked,
    /// HTTP/1.1 with `?chunked=0`.
    Unchunked,
    /// HTTP/1.0.
    Old,
    /// mjpg-streamer's route, which is never chunked.
    MjpgStreamer,
    /// go2rtc's route.
    Go2Rtc,
    /// motion's route, by number.
    Motion,
}

/// The parameters of a viewer for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageOptions {
    AsItIs,
    /// Smaller pictures, [`ImageOptions::NARROW`] wide, and fewer.
    Narrow,
    /// Smaller pictures while its link carries no others.
    Adaptive,
}

impl ImageOptions {
    /// All pictures are square, and larger.
    pub(crate) const NARROW: u16 = 64;
}

impl ViewerProtocol {
    pub(crate) fn version(self) -> &'static str {
        if self == Self::Old { "1.0" } else { "1.1" }
    }

    pub(crate) fn is_chunked(self) -> bool {
        matches!(self, Self::Chunked | Self::Go2Rtc | Self::Motion)
    }

    /// Path and query.
    pub(crate) fn target(self, stream: &Stream, look: ImageOptions) -> String {
        let (name, number) = (&stream.name, stream.number);
        let mut target = match self {
            Self::Chunked => format!("/streams/{name}"),
            Self::Unchunked => format!("/{name}.mjpg?chunked=0"),
            Self::Old => format!("/{name}"),
            Self::MjpgStreamer => format!("/?action=stream_{number}"),
            Self::Go2Rtc => format!("/api/stream.mjpeg?src={name}"),
            Self::Motion => format!("/{}/stream", number + 1),
        };
        let wish = match look {
            ImageOptions::AsItIs => return target,
            ImageOptions::Narrow => format!("width={}&fps=4", ImageOptions::NARROW),
            ImageOptions::Adaptive => "adapt=1".to_owned(),
        };
        target.push(if target.contains('?') { '&' } else { '?' });
        target + &wish
    }
}

/// Whose pictures a stream shows.
#[derive(Debug, Clone)]
pub(crate) enum StreamContent {
    /// A camera's, timestamped; placeholders while it is away.
    Camera(Arc<Liveness>),
    /// A publisher's, timestamped.
    Push,
    /// framecast's own.
    Renderer,
    /// A camera's, made so many pixels wide and high; placeholders while it is away.
    Small(Arc<Liveness>, u16),
    /// This and that, while it is there.
    Turning(Arc<StreamPresence>),
}

/// A stream, as its viewers know it.
#[derive(Debug)]
pub(crate) struct Stream {
    /// Its place in the file.
    pub(crate) number: u16,
    pub(crate) name: String,
    /// The number of the stream whose frames it shows.
    pub(crate) timestamp_id: u16,
    pub(crate) shows: StreamContent,
    /// A viewer that waits longer for a new picture has been forgotten.
    pub(crate) longest_silence: Duration,
}

impl Stream {
    /// Whether each frame that is sent to it is shown.
    pub(crate) fn is_at_full_rate(&self) -> bool {
        self.number == self.timestamp_id
            && matches!(CAMERAS[usize::from(self.number)], CameraBehaviour::Steady(_))
    }
}

/// All streams: those that stay, in the order of the file, and those that come and go.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) staying: Vec<Arc<Stream>>,
    pub(crate) turning: Vec<Arc<Stream>>,
}

impl Streams {
    /// All of them; the cameras are there already.
    pub(crate) fn new(cameras: &[Arc<Liveness>]) -> Self {
        let mut streams = Self::default();
        for (position, (habit, liveness)) in CAMERAS.into_iter().zip(cameras).enumerate() {
            let shows = StreamContent::Camera(liveness.clone());
            streams.stays(&camera_name(position), position, shows, camera::longest_silence(habit));
        }
        for (position, name) in [PUSH_FRAMES, PUSH_FEED].into_iter().enumerate() {
            streams.stays(name, CAMERAS.len() + position, StreamContent::Push, SILENCE);
        }
        for (name, _) in RENDERERS {
            streams.stays(name, streams.staying.len(), StreamContent::Renderer, SILENCE);
        }
        for (name, of, settings) in RENDITIONS {
            let liveness = cameras[of].clone();
            let shows = if settings.contains("transform") {
                StreamContent::Small(liveness, SMALL)
            } else {
                StreamContent::Camera(liveness)
            };
            streams.stays(name, of, shows, camera::longest_silence(CAMERAS[of]));
        }
        for name in TURNING.into_iter().chain(ADDED) {
            let shows = StreamContent::Turning(Arc::default());
            let (number, name) = (u16::MAX, name.to_owned());
            let stream = Stream { number, name, timestamp_id: number, shows, longest_silence: SILENCE };
            streams.turning.push(Arc::new(stream));
        }
        streams
    }

    fn stays(&mut self, name: &str, timestamp_id: usize, shows: StreamContent, longest_silence: Duration) {
        let short = |number| u16::try_from(number).expect("a handful of streams");
        let (number, timestamp_id, name) = (short(self.staying.len()), short(timestamp_id), name.to_owned());
        self.staying.push(Arc::new(Stream { number, name, timestamp_id, shows, longest_silence }));
    }

    /// Which stream a viewer watches, and how.
    pub(crate) fn assignment(
        &self,
        number: usize,
    ) -> (Arc<Stream>, ViewerBehaviour, ViewerProtocol, ImageOptions) {
        let asking = match number / 2 % 6 {
            0 => ViewerProtocol::Chunked,
            1 => ViewerProtocol::Old,
            2 => ViewerProtocol::MjpgStreamer,
            3 => ViewerProtocol::Unchunked,
            4 => ViewerProtocol::Go2Rtc,
            _ => ViewerProtocol::Motion,
        };
        if number >= OF_STREAMS + OF_RENDITIONS {
            // They have no number that lasts.
            let asking =
                if (number / 6).is_multiple_of(2) { ViewerProtocol::Chunked } else { ViewerProtocol::Old };
            let manner = if number.is_multiple_of(4) {
                ViewerBehaviour::ComesAndGoes
            } else {
                ViewerBehaviour::Steady
            };
            return (self.turning[number % self.turning.len()].clone(), manner, asking, ImageOptions::AsItIs);
        }
        if number >= OF_STREAMS {
            return self.rendition(number, asking);
        }
        let unmade = self.staying.len() - RENDITIONS.len();
        let (manner, stream) = match number % 20 {
            // Only a camera sends enough to fill the kernel's buffers.
            3 => (ViewerBehaviour::NeverReads, number / 20),
            7 | 17 => (ViewerBehaviour::Slow, number / 10 % CAMERAS.len()),
            9 | 14 | 19 => (ViewerBehaviour::ComesAndGoes, number / 5 % unmade),
            _ => (ViewerBehaviour::Steady, number % unmade),
        };
        (self.staying[stream].clone(), manner, asking, ImageOptions::AsItIs)
    }

    fn rendition(
        &self,
        number: usize,
        asking: ViewerProtocol,
    ) -> (Arc<Stream>, ViewerBehaviour, ViewerProtocol, ImageOptions) {
        let unmade = self.staying.len() - RENDITIONS.len();
        let (stream, look) = match number % 3 {
            0 => (unmade + number / 3 % RENDITIONS.len(), ImageOptions::AsItIs),
            1 => (number / 3 % 4, ImageOptions::Narrow),
            _ => (number / 3 % 3, ImageOptions::Adaptive),
        };
        let manner = match look {
            ImageOptions::Adaptive => ViewerBehaviour::Slow,
            _ if number.is_multiple_of(4) => ViewerBehaviour::ComesAndGoes,
            _ => ViewerBehaviour::Steady,
        };
        (self.staying[stream].clone(), manner, asking, look)
    }
}

/// Returns the name of a camera's stream.
pub(crate) fn camera_name(position: usize) -> String {
    let habit = match CAMERAS[position] {
        CameraBehaviour::Steady(_) => "steady",
        CameraBehaviour::Closes(_) => "closes",
        CameraBehaviour::Mortal(_) => "dies",
    };
    format!("cam-{position}-{habit}")
}

/// The log may warn about these.
pub(crate) fn goes_away() -> Vec<String> {
    let made_to =
        (0..CAMERAS.len()).filter(|&position| !matches!(CAMERAS[position], CameraBehaviour::Steady(_)));
    made_to.map(camera_name).collect()
}
