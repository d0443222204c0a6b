//! A feed: consecutive pictures in one endless body, each shown when its last byte has arrived.

use actix_web::{
    HttpMessage, HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::time::{Instant, sleep};
use tracing::info;

use super::recent_feeds::{BegunFeed, LONG_FEED, Recent};

use crate::{
    auth::ActiveGrant,
    bus::{Bus, DropReason},
    config::{Limits, SecondPublisher},
    media::{
        capture::Sender,
        multipart::{
            content_type::ContentKind,
            parser::{ParseError, ParserLimits, PartParser},
        },
    },
    observability::{ACCESS, next_id},
    stream::{AlreadyPublishing, StreamHandle},
    web::{
        middleware::{
            access, access_log,
            access_log::{
                extensions::{LoggedRarely, PublisherId},
                request_info::{RequestInfo, optional_field},
            },
            problem::Problem,
            uploads::{Upload, admission, body::RequestBody},
        },
        state::WebState,
    },
};

/// The answer to a feed that ended.
#[derive(Debug, Serialize, JsonSchema)]
pub(in crate::web) struct Fed {
    /// Whole pictures in it.
    frames: u64,
}

/// Shows what comes until the publisher ends, is replaced, or the relay stops.
///
/// A feed may be silent for any time (a picture an hour is a feed, too): a dead publisher is found by the
/// socket's keep-alive, and one that hangs is replaced by the next.
pub(super) async fn run(
    request: &HttpRequest,
    state: &WebState,
    stream: &StreamHandle,
    second: SecondPublisher,
    body: &mut RequestBody,
) -> Result<HttpResponse, Problem> {
    let name = stream.name().as_str();
    // Before another publisher is replaced by this one.
    let upload = admission::feed(state, request)?;
    let mut feed = Feed::new(request, &state.runtime.settings.current().limits, stream, upload);
    let publishing = stream.publish(second).map_err(|AlreadyPublishing| already_publishing(name))?;
    let replaced = publishing.replaced();
    tokio::pin!(replaced);
    let stopped = closed(stream.bus());
    tokio::pin!(stopped);
    let mut grant = access::push_grant(state, request, stream)?;
    let id = next_id();
    request.extensions_mut().insert(PublisherId(id));
    let RequestInfo { client, user, agent, .. } = access_log::asked(state, request);
    // One with a length may be one of many.
    let feeds = body.declared().map(|_| &state.streams.recent_feeds);
    let recent = feeds.map(|feeds| feeds.begin(name, client, user.as_deref(), Instant::now()));
    let mut is_logged = recent.as_ref().is_none_or(BegunFeed::is_first);
    let (client, user, agent) = (optional_field(client), user.as_deref(), agent.as_deref());
    if is_logged {
        info!(target: ACCESS, stream = %name, publisher = id, client, user, agent, "publisher connected");
    } else {
        request.extensions_mut().insert(LoggedRarely);
    }
    let long = sleep(LONG_FEED);
    tokio::pin!(long);
    let _feeding = stream.set_publisher_id(id);
    let end = loop {
        let chunk = tokio::select! {
            biased;
            () = grant_ended(&mut grant) => break Err(permission_revoked(name)),
            () = &mut replaced => break Err(another_publisher(name)),
            () = &mut stopped => break Err(Problem::unavailable("framecast is stopping")),
            () = &mut long, if !is_logged => {
                is_logged = true;
                info!(
                    target: ACCESS, stream = %name, publisher = id, client, user, agent,
                    "publisher connected"
                );
                continue;
            }
            chunk = body.chunk(&feed.upload) => chunk,
        };
        match chunk {
            Ok(Some(chunk)) => {
                if let Err(problem) = feed.push(&chunk) {
                    break Err(problem);
                }
            }
            Ok(None) => break feed.finish(),
            Err(problem) => {
                // What was cut off is counted; that the body broke is reason enough.
                let _ = feed.show(PartParser::finish);
                break Err(problem);
            }
        }
    };
    let frames = feed.frames;
    if let Some(Recent { requests, frames }) = recent.and_then(|feed| feed.end(frames)) {
        info!(
            target: ACCESS, stream = %name, publisher = id, client, user, agent, requests, frames,
            "publisher sends many short feeds, which are not logged one by one"
        );
    }
    match end {
        Ok(()) => {
            if is_logged {
                info!(target: ACCESS, stream = %name, publisher = id, frames, "publisher ended its feed");
            }
            Ok(HttpResponse::Ok().json(Fed { frames }))
        }
        Err(problem) => {
            if is_logged {
                info!(
                    target: ACCESS, stream = %name, publisher = id, frames,
                    "publisher disconnected: {problem}"
                );
            }
            Err(problem)
        }
    }
}

async fn closed(bus: &Bus) {
    // An error means that the bus is gone, which is closed enough.
    let _ = bus.subscribe().wait_for(|current| current.closed).await;
}

/// Resolves when the grant is over; never without a grant.
async fn grant_ended(grant: &mut Option<ActiveGrant>) {
    match grant {
        Some(grant) => grant.ended().await,
        None => std::future::pending().await,
    }
}

fn permission_revoked(name: &str) -> Problem {
    Problem::forbidden(format!("you may not push to stream {name} any more"))
}

fn another_publisher(name: &str) -> Problem {
    let detail = format!("another publisher has replaced this one on stream {name}; the newest wins");
    Problem::new(StatusCode::CONFLICT, detail)
}

/// The first one stays, as `source.second_publisher` says.
pub(super) fn already_publishing(name: &str) -> Problem {
    let detail = format!("stream {name} already has a publisher; the first one stays");
    Problem::new(StatusCode::CONFLICT, detail)
}

struct Feed<'a> {
    stream: &'a StreamHandle,
    parser: PartParser,
    /// Charged with the parser's memory. Declared after it, so that it is dropped after it.
    upload: Upload,
    max_frame_pixels: u64,
    frames: u64,
}

impl<'a> Feed<'a> {
    fn new(request: &HttpRequest, limits: &Limits, stream: &'a StreamHandle, upload: Upload) -> Self {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let kind = ContentKind::from_header(content_type.and_then(|value| value.to_str().ok()));
        let bounds = ParserLimits {
            max_frame_bytes: limits.max_frame_bytes,
            max_header_bytes: limits.max_header_bytes,
        };
        let parser = PartParser::new(kind, bounds);
        Self { stream, parser, upload, max_frame_pixels: limits.max_frame_pixels, frames: 0 }
    }

    /// Publishes the frames that this chunk of the body completes.
    fn push(&mut self, chunk: &[u8]) -> Result<(), Problem> {
        let charged = self.upload.reserve(self.parser.held() + chunk.len());
        charged.inspect_err(|_| self.stream.ingest().count_drop(DropReason::Busy))?;
        let frames = self.frames;
        self.parser.push(chunk);
        self.show(PartParser::next_part)?;
        if self.frames > frames {
            self.upload.progress();
        }
        let charged = self.upload.set(self.parser.held());
        charged.inspect_err(|_| self.stream.ingest().count_drop(DropReason::Busy))?;
        Ok(())
    }

    /// Shows what is left at the end of the body, which may be no more than what stands between two pictures.
    fn finish(&mut self) -> Result<(), Problem> {
        self.show(|parser| match parser.finish() {
            Err(ParseError::Ended { .. }) if parser.is_between_parts() => Ok(None),
            found => found,
        })
    }

    /// Shows every whole picture that `next` finds, and counts the rest.
    fn show(
        &mut self,
        next: fn(&mut PartParser) -> Result<Option<crate::media::multipart::parser::Part>, ParseError>,
    ) -> Result<(), Problem> {
        let ingest = self.stream.ingest();
        loop {
            let found = next(&mut self.parser);
            ingest.count_events(&self.parser.take_events());
            match found {
                Ok(Some(part)) => {
                    let pixels = u64::from(part.info.width) * u64::from(part.info.height);
                    if pixels > self.max_frame_pixels {
                        ingest.count_drop(DropReason::TooLarge);
                    } else {
                        ingest.push_part_of(part, Sender::Publisher);
                        self.frames += 1;
                    }
                }
                Ok(None) => return Ok(()),
                Err(error) => {
                    if is_uncounted(&error) {
                        ingest.count_drop(DropReason::Invalid);
                    }
                    return Err(refused(&error));
                }
            }
        }
    }
}

/// A body that never looked like a picture gives the parser nothing to count.
fn is_uncounted(error: &ParseError) -> bool {
    matches!(error, ParseError::NoFrame { .. } | ParseError::Ended { cause: None, bytes: 1.., .. })
}

fn refused(error: &ParseError) -> Problem {
    let status = match error {
        ParseError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        ParseError::NoFrame { .. }
        | ParseError::OtherParts { .. }
        | ParseError::Ended { cause: None, bytes: 1.., .. } => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ParseError::Ended { .. } => StatusCode::UNPROCESSABLE_ENTITY,
    };
    Problem::new(status, error.to_string())
}
