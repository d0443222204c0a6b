//! What cameras send in place of pictures, for the reason of the failure.

use super::part_head::PartHead;
use crate::media::multipart::sniff::MediaType;

/// Video parts before the first picture after which none is expected.
const MAX_VIDEO_PARTS: u32 = 8;

/// The parts without a picture before the first picture.
#[derive(Debug, Default)]
pub(super) struct OtherParts {
    video: u32,
    media: Option<MediaType>,
}

impl OtherParts {
    /// Counts a part with this head whose body starts with these bytes.
    pub(super) fn count(&mut self, head: &PartHead, start: &[u8]) {
        let Some(media) = head.media.filter(|_| !head.labels_jpeg()).or_else(|| MediaType::sniff(start))
        else {
            return;
        };
        self.video += u32::from(media.is_video());
        if self.media.is_none_or(|before| media.is_video() && !before.is_video()) {
            self.media = Some(media);
        }
    }

    /// Returns their type: of audio and video, that of the video.
    pub(super) fn media(&self) -> Option<MediaType> {
        self.media
    }

    /// Returns whether they are so many that no picture can be expected.
    pub(super) fn is_video_stream(&self) -> bool {
        self.video >= MAX_VIDEO_PARTS
    }
}
