//! Builds the source that a stream's configuration describes. The only file that depends on every kind.

use std::sync::Arc;

use super::{
    camera::{bambu, mjpeg, rtsp, snapshot},
    context::SourceContext,
    generated::{chart, pattern, text},
    images, mosaic,
    process::exec,
    push, rendition,
    traits::Source,
};
use crate::{
    config::{Limits, SourceConfig, StreamConfig},
    imaging::cpu_pool::CpuPool,
};

/// Builds the source at `position` of those that `config` lists, for one run. `context` is the state that its
/// runs share.
pub fn build_source(
    (config, position): (&StreamConfig, usize),
    limits: &Limits,
    pool: &Arc<CpuPool>,
    context: &SourceContext,
) -> Box<dyn Source> {
    let queue = pool.queue(&config.name);
    match config.sources().nth(position).unwrap_or_else(|| config.source()) {
        SourceConfig::Mjpeg(upstream) => {
            let source = mjpeg::MjpegSource::new(upstream.clone(), limits);
            let source = source.with_converter(queue, limits.into());
            Box::new(if config.meta { source.with_meta() } else { source })
        }
        SourceConfig::Snapshot(config) => {
            Box::new(snapshot::SnapshotSource::new(config.upstream(), config.interval, limits))
        }
        SourceConfig::Bambu(config) => Box::new(bambu::BambuSource::new(config.clone(), limits)),
        SourceConfig::Rtsp(camera) => {
            let (name, bounds, lock) = (config.name.clone(), limits.clone(), context.process_lock(position));
            let ffmpeg = move |camera| -> Box<dyn Source> {
                let source = SourceConfig::Rtsp(camera);
                let built = exec::ExecSource::new(&name, &source, &bounds, lock.clone());
                Box::new(built.expect("ffmpeg is the program of an RTSP camera"))
            };
            Box::new(rtsp::RtspSource::new(camera, limits, queue, Box::new(ffmpeg)))
        }
        SourceConfig::Auto(upstream) => {
            let detection = context.detection(position);
            let source = snapshot::SnapshotSource::detecting(upstream.clone(), detection, limits);
            Box::new(source.with_converter(queue, limits.into()))
        }
        source @ (SourceConfig::Exec(_) | SourceConfig::V4l2(_)) => Box::new(
            exec::ExecSource::new(&config.name, source, limits, context.process_lock(position))
                .expect("each of these two is a program"),
        ),
        SourceConfig::Push { .. } => Box::new(push::PushSource),
        SourceConfig::Chart(chart) => {
            let points =
                context.points().cloned().unwrap_or_else(|| Arc::new(chart::points::Points::new(chart)));
            Box::new(chart::ChartSource::new(chart, &config.title, limits, points, queue))
        }
        SourceConfig::Text(text) => Box::new(text::TextSource::new(text.clone(), queue)),
        SourceConfig::Pattern { size, fps } => Box::new(pattern::PatternSource::new(*size, *fps, queue)),
        SourceConfig::Images { path, fps } => {
            Box::new(images::ImagesSource::new(path.clone(), *fps, limits.into(), queue))
        }
        SourceConfig::Mosaic(mosaic) => {
            Box::new(mosaic::MosaicSource::new(mosaic.clone(), limits, &queue, context.lookup().clone()))
        }
        SourceConfig::Rendition { of, frame_timeout } => {
            let source = rendition::RenditionSource::new(of.clone(), context.lookup().clone());
            let source = source.with_frame_timeout(*frame_timeout);
            Box::new(if config.has_fallbacks() { source.with_fallbacks() } else { source })
        }
    }
}
