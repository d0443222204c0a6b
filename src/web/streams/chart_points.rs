//! Points that clients send for chart streams: `POST /streams/{name}/points`.

use std::sync::Arc;

use actix_web::{HttpRequest, HttpResponse, http::StatusCode, web};

use super::push::content_type;
use crate::{
    config::{Publishers, SourceConfig},
    source::generated::chart::{parse, points::Points, unix_now},
    web::{
        middleware::{
            problem::Problem,
            rejected_pushes,
            uploads::{admission, body::RequestBody},
        },
        state::{State, WebState},
    },
};

/// The maximum length of a body: some 40,000 lines, twice as many as a series keeps.
const MAX_BODY_BYTES: usize = 1024 * 1024;

/// Takes points as JSON or as lines, all or none of them.
pub(in crate::web) async fn points(
    request: HttpRequest,
    state: State,
    name: web::Path<String>,
    payload: web::Payload,
) -> HttpResponse {
    let mut body = RequestBody::new(&request, payload);
    let taken = async {
        let points = chart(&state, &name)?;
        let too_large = || {
            let detail = format!("more than {MAX_BODY_BYTES} bytes of points; send them in several requests");
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail)
        };
        let upload = admission::push(&state, &request, &name)?;
        let text = body.whole(upload, MAX_BODY_BYTES, too_large).await?;
        let json =
            content_type(&request).split(';').next().is_some_and(|kind| kind.trim_end().ends_with("json"));
        let now = unix_now();
        let new = parse::read(&text, json, points.names(), now)
            .map_err(|error| Problem::new(StatusCode::BAD_REQUEST, error.to_string()))?;
        points.add(&new, now);
        Ok::<_, Problem>(HttpResponse::NoContent().finish())
    };
    match taken.await {
        Ok(answer) => answer,
        Err(problem) => {
            rejected_pushes::count(&state.streams, &name, problem.status());
            body.refuse(problem).await
        }
    }
}

/// The points of the stream, if it takes them.
fn chart(state: &WebState, name: &str) -> Result<Arc<Points>, Problem> {
    let stream = state.streams.find(name)?;
    let config = stream.config();
    let chart = config.sources().find_map(|source| match source {
        SourceConfig::Chart(chart) => Some(chart),
        _ => None,
    });
    let (Some(chart), Some(points)) = (chart, stream.source_context().points()) else {
        let kind = config.source().type_name();
        let detail = format!(
            "stream {name} takes its pictures from a source of type {kind}; only type chart takes points"
        );
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    };
    if chart.publishers == Publishers::Nobody {
        let detail = format!("stream {name} has no token: its points are only polled");
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    Ok(points.clone())
}
