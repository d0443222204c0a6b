//! The reports of renditions and of viewers with adaptive quality.

use std::{collections::BTreeMap, time::Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::frame_size::FrameSize;
use crate::{
    bus::{AbrLevels, DropReason, STEPS},
    registry::{Rendition, RenditionUse, Renditions},
    web::response::json_numbers::rounded,
};

/// The viewers of a stream whose link is looked at.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Adaptive")]
pub(super) struct AdaptiveReport {
    /// Viewers at each step; the first one is the stream as it is.
    viewers: [usize; STEPS],
    moved_down: u64,
    moved_up: u64,
}

impl AdaptiveReport {
    pub(super) fn of(adaptive: &AbrLevels) -> Self {
        let (moved_down, moved_up) = (adaptive.moved_down(), adaptive.moved_up());
        Self { viewers: adaptive.viewers(), moved_down, moved_up }
    }
}

/// The renditions of all streams that have one use.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Renditions")]
pub(super) struct RenditionsReport {
    running: usize,
    most: usize,
    refused: u64,
}

impl RenditionsReport {
    pub(super) fn of(renditions: &Renditions, used_by: RenditionUse) -> Self {
        Self {
            running: renditions.count(used_by),
            most: renditions.max(used_by),
            refused: renditions.rejected(used_by),
        }
    }
}

/// A rendition of one stream.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Rendition")]
pub(super) struct RenditionReport {
    query: String,
    tiles: bool,
    viewers: usize,
    fps: f64,
    frames_in: u64,
    made: BTreeMap<&'static str, u64>,
    busy: u64,
    frames_out: u64,
    bytes_out: u64,
    size: Option<FrameSize>,
    frame_bytes: Option<usize>,
}

impl RenditionReport {
    pub(super) fn of(Rendition { params, used_by, stream }: &Rendition) -> Self {
        let stats = stream.bus().stats();
        let newest = stream.bus().newest();
        let newest = newest.as_ref().map(|newest| &newest.frame);
        let busy = stats.dropped().find(|(reason, _)| *reason == DropReason::Busy);
        Self {
            query: params.to_string(),
            tiles: *used_by == RenditionUse::Tiles,
            viewers: stats.viewers(),
            fps: rounded(stats.fps(Instant::now())),
            frames_in: stats.frames_in(),
            made: stats.processed().map(|(way, count)| (way.as_str(), count)).collect(),
            busy: busy.map_or(0, |(_, count)| count),
            frames_out: stats.frames_out(),
            bytes_out: stats.bytes_out(),
            size: newest.map(FrameSize::of),
            frame_bytes: newest.map(|frame| frame.jpeg().len()),
        }
    }
}
