//! Shows a camera's RTP/JPEG (RFC 2435): the very pictures that it encoded, unless `size` asks for others.

use std::time::Instant as Arrival;

use tokio::time::Instant;

use super::{
    picture::PictureFormat,
    session::{Event, Playing, SessionConfig, SessionEnd},
};
use crate::{
    bus::{DropReason, FrameRateLimiter, Ingest},
    imaging::cpu_pool::StreamQueue,
    media::frame::Frame,
    source::error::SourceError,
};

/// Shows the pictures of a session until it ends.
pub(super) async fn show(
    mut playing: Playing,
    config: &SessionConfig,
    queue: &StreamQueue,
    (started, ingest): (Instant, &Ingest),
) -> Result<(), SessionEnd> {
    let format = config.format(queue);
    let mut limiter = config.limiter();
    let mut deadlines = config.deadlines(started);
    let mut broken = None;
    loop {
        let frame = match playing.next(deadlines.at()).await? {
            Event::Frame(frame) => frame,
            Event::Ended => return deadlines.ended(playing.host()),
            Event::Late => {
                let host = playing.host().to_owned();
                return Err(match broken {
                    Some(source) => SourceError::BrokenPictures { host, source }.into(),
                    None => deadlines.missed(&host).into(),
                });
            }
        };
        match Frame::from_jpeg(frame.into_data().into()) {
            Ok(frame) => {
                if ingest.fits(frame.info()) {
                    deadlines.on_frame();
                    broken = None;
                }
                show_frame(frame, &format, queue, (&mut limiter, ingest)).await;
            }
            Err(error) => {
                ingest.count_drop(DropReason::Invalid);
                broken = Some(error);
            }
        }
    }
}

async fn show_frame(
    frame: Frame,
    format: &PictureFormat,
    queue: &StreamQueue,
    (limiter, ingest): (&mut FrameRateLimiter, &Ingest),
) {
    if !limiter.admits(Arrival::now()) {
        return ingest.skip_frame();
    }
    if !format.changes(frame.width(), frame.height()) || !ingest.fits(frame.info()) {
        ingest.push_frame(frame);
        return;
    }
    let (bytes, format) = (format.bytes_to_recode(&frame), format.clone());
    match queue.run(bytes, move || format.recode(&frame)).await {
        // A picture of our own encoder is valid; if not, the ingest counts it.
        Ok(Ok(jpeg)) => drop(ingest.push_jpeg(jpeg)),
        Ok(Err(_)) => ingest.count_drop(DropReason::Invalid),
        Err(_) => ingest.count_drop(DropReason::Busy),
    }
}
