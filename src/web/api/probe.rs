//! `POST /api/probe`: what does this camera send? For administrators, who may have framecast connect to any
//! address in any case.
//!
//! Limited in time, in frames, and in the number of concurrent probes. The response contains only the kind of
//! the camera's answer, and the picture.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::{StatusCode, header},
    web,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout},
};

use crate::{
    config::{HttpAuth, RtspConfig, UpstreamConfig},
    source::{
        camera::{
            probe::{self, BodyEnd, ProbeLimits, ProbeReport},
            rtsp::{self, probe::RtspReport},
        },
        http_client::HttpClient,
    },
    web::{
        middleware::{
            problem::Problem,
            uploads::{admission, body::RequestBody},
        },
        response::json_numbers::rounded,
        state::{State, WebState},
    },
};

/// A URL and a switch.
const MAX_BODY_BYTES: usize = 16 * 1024;

/// The length of a probe: a user waits for it, and two or three seconds of an ordinary camera are enough.
const PROBE_LIMITS: ProbeLimits = ProbeLimits { frames: 30, within: Duration::from_secs(5) };

/// The time limit of a probe, with connecting, redirects and authentication.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(20);

/// The maximum number of cameras that are probed at the same time.
const MAX_CONCURRENT: usize = 4;

/// A larger picture is not shown in the form.
const MAX_PICTURE_BYTES: usize = 2 * 1024 * 1024;

/// The maximum length of a reported `Content-Type`, in characters: one with a boundary.
const MAX_TYPE: usize = 200;

static SLOTS: Semaphore = Semaphore::const_new(MAX_CONCURRENT);

/// An address to ask.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Camera")]
pub(in crate::web) struct Asked {
    /// With user and password, if the camera wants them.
    url: String,
    #[serde(default)]
    insecure: bool,
    /// When user and password are sent, as in the configuration.
    #[serde(default)]
    auth: HttpAuth,
}

/// The result. The URL, and so the password, is not repeated.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Probed")]
pub(in crate::web) struct Report {
    /// The reason for which no picture came; null if one did.
    problem: Option<String>,
    /// The source's type in the configuration: `mjpeg`, `snapshot` or `rtsp`.
    #[serde(rename = "type")]
    kind: Option<&'static str>,
    status: Option<String>,
    content_type: Option<String>,
    head_after_s: Option<f64>,
    frames: u64,
    fps: Option<f64>,
    bytes_per_s: Option<f64>,
    largest_frame_bytes: usize,
    /// Pairs of width and height.
    sizes: Vec<(u16, u16)>,
    quirks: Vec<Counted>,
    left_out: Vec<Counted>,
    /// The reason for which the camera's answer ended.
    ended: Option<String>,
    /// The kind of an RTSP camera's video, such as `H.264`.
    codec: Option<String>,
    /// The transport of an RTSP camera's pictures: `tcp` or `udp`.
    transport: Option<&'static str>,
    keyframe_interval_s: Option<f64>,
    /// The last picture, in base64.
    picture: Option<String>,
}

/// Something in words, and how often.
#[derive(Debug, Serialize, JsonSchema)]
struct Counted {
    what: String,
    times: u64,
}

/// `POST /api/probe`.
pub(in crate::web) async fn probe(request: HttpRequest, state: State, payload: web::Payload) -> HttpResponse {
    let mut body = RequestBody::new(&request, payload);
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the request body is too large for a URL");
    let received = match admission::admin(&state, &request) {
        Ok(upload) => body.whole(upload, MAX_BODY_BYTES, too_large).await,
        Err(problem) => Err(problem),
    };
    let text = match received {
        Ok(text) => text,
        Err(problem) => return body.refuse(problem).await,
    };
    match answer(&state, &text).await {
        Ok(report) => HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(report),
        Err(problem) => problem.error_response(),
    }
}

async fn answer(state: &WebState, text: &[u8]) -> Result<Report, Problem> {
    // Without what serde found, which may be a credential.
    let wrong = |_| {
        let detail = r#"send JSON such as {"url": "http://camera/video", "insecure": false}"#;
        Problem::new(StatusCode::BAD_REQUEST, detail)
    };
    let asked: Asked = serde_json::from_slice(text).map_err(wrong)?;
    let unusable = |detail| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let slot =
        || SLOTS.try_acquire().map_err(|_| Problem::unavailable("the limit on concurrent probes is reached"));
    let report = if probe::is_rtsp(&asked.url) {
        let camera = probe::rtsp(&asked.url).map_err(unusable)?;
        let _slot = slot()?;
        timeout(TOTAL_TIMEOUT, probe_rtsp(state, &camera)).await
    } else {
        let mut upstream = probe::upstream(&asked.url, asked.insecure).map_err(unusable)?;
        upstream.auth = asked.auth;
        let _slot = slot()?;
        timeout(TOTAL_TIMEOUT, probe_camera(state, &upstream)).await
    };
    Ok(report.unwrap_or_else(|_| Report {
        problem: Some(format!("no response within {} s", TOTAL_TIMEOUT.as_secs())),
        ..Report::default()
    }))
}

async fn probe_camera(state: &WebState, upstream: &UpstreamConfig) -> Report {
    let mut client = HttpClient::new(upstream, state.runtime.settings.current().limits.max_header_bytes);
    let started = Instant::now();
    let response = match client.get(&[]).await {
        Ok(response) => response,
        Err(error) => return Report { problem: Some(error.to_string()), ..Report::default() },
    };
    let report = Report {
        status: Some(response.status_text()),
        content_type: response.content_type().map(|kind| kind.chars().take(MAX_TYPE).collect()),
        head_after_s: Some(rounded(started.elapsed().as_secs_f64())),
        ..Report::default()
    };
    let host = response.host().to_owned();
    match probe::observe(response, PROBE_LIMITS, &state.runtime.settings.current().limits).await {
        Ok(seen) => {
            Report { problem: (seen.frames == 0).then(|| seen.no_picture(&host)), ..report.with(seen) }
        }
        Err(error) => Report { problem: Some(error.to_string()), ..report },
    }
}

async fn probe_rtsp(state: &WebState, camera: &RtspConfig) -> Report {
    let limits = state.runtime.settings.current().limits.clone();
    match rtsp::probe::probe(camera, PROBE_LIMITS, &limits).await {
        Ok(seen) => Report::of_rtsp(seen),
        Err(error) => Report { problem: Some(error.to_string()), ..Report::default() },
    }
}

impl Report {
    fn of_rtsp(seen: RtspReport) -> Self {
        let rates = seen.rates();
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        let shown = !seen.picture.is_empty() && seen.picture.len() <= MAX_PICTURE_BYTES;
        Self {
            problem: seen.problem,
            kind: Some("rtsp"),
            codec: seen.codec.map(|codec| codec.to_string()),
            transport: Some(if seen.is_udp { "udp" } else { "tcp" }),
            keyframe_interval_s: seen.keyframe_interval_s.map(rounded),
            frames: seen.frames,
            fps: rates.map(|(fps, _)| rounded(fps)),
            bytes_per_s: rates.map(|(_, bytes)| bytes.round()),
            largest_frame_bytes: seen.largest,
            sizes: seen.size.map(|(width, height)| (side(width), side(height))).into_iter().collect(),
            picture: shown.then(|| BASE64_STANDARD.encode(&seen.picture)),
            ..Self::default()
        }
    }

    fn with(self, seen: ProbeReport) -> Self {
        let rates = seen.rates();
        let shown = seen.frames > 0 && seen.last.len() <= MAX_PICTURE_BYTES;
        let kind = if seen.is_snapshot() { "snapshot" } else { "mjpeg" };
        Self {
            kind: (seen.frames > 0).then_some(kind),
            frames: seen.frames,
            fps: rates.map(|(fps, _)| rounded(fps)),
            bytes_per_s: rates.map(|(_, bytes)| bytes.round()),
            largest_frame_bytes: seen.largest,
            quirks: seen
                .quirks
                .iter()
                .map(|(quirk, times)| Counted { what: quirk.describe().to_owned(), times: *times })
                .collect(),
            left_out: seen
                .discards
                .iter()
                .map(|(what, times)| Counted { what: (*what).to_owned(), times: *times })
                .collect(),
            ended: match &seen.ended {
                Some(BodyEnd::Orderly) if !seen.is_snapshot() => {
                    Some("the camera closed the connection".to_owned())
                }
                Some(BodyEnd::Broken(why)) => Some(why.clone()),
                _ => None,
            },
            picture: shown.then(|| BASE64_STANDARD.encode(&seen.last)),
            sizes: seen.sizes,
            ..self
        }
    }
}
