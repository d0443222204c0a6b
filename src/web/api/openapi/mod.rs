//! The API as OpenAPI 3.1, made from the route table.
//!
//! Addresses, methods, who may use them and what each operation is for come from the table; schemas are
//! those of the types that are answered, and of the configuration's keys.

mod bodies;
pub(in crate::web) mod rendered_document;
pub(crate) mod operation;
pub(crate) mod parameters;
mod problems;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, header},
};
pub(in crate::web) use bodies::RequestBody;
use bytes::Bytes;
use operation::{Answer, Body, Operation, TAGS};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{
    config::stream_schemas,
    web::{
        middleware::{access, access::rule::Rule, problem},
        routes::row::{RouteTable, Row},
        server::bytes_body::Slices,
        state::State,
    },
};

/// A placeholder for the name of the session's cookie, which depends on the request's port.
const COOKIE: &str = "framecast_of_this_port";

/// `GET /api/openapi.json`.
pub(in crate::web) async fn document(request: HttpRequest, state: State) -> HttpResponse {
    let RouteTable(table) = request.app_data().expect("every app has its route table");
    let parts = state
        .runtime
        .documents
        .parts(COOKIE, || openapi(table, &state.runtime.base_path, COOKIE).to_string());
    let cookie = Bytes::from(access::cookie_name(&request));
    let whole = parts.iter().enumerate().flat_map(|(n, part)| {
        let before = (n > 0).then(|| cookie.clone());
        before.into_iter().chain([part.clone()])
    });
    HttpResponse::Ok()
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .content_type("application/json")
        .body(Slices::new(whole))
}

/// The document; `base_path` is where the addresses begin, `cookie` what a session's is called there.
pub(in crate::web) fn openapi(table: &[Row], base_path: &str, cookie: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for row in table {
        let at = paths.entry(plain(row.path)).or_insert_with(|| json!({}));
        for method in row.methods {
            at[method.as_str().to_ascii_lowercase()] = operation(row, method, &mut schemas);
        }
    }
    schemas.subschema_for::<problem::Body<'_>>();
    let mut all = schemas.take_definitions(true);
    let [stream, _] = stream_schemas();
    all.insert("Stream".to_owned(), stream);
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "framecast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "An MJPEG relay. docs/http-api.md describes this API in prose.",
        },
        "servers": [{"url": if base_path.is_empty() { "/" } else { base_path }}],
        "tags": TAGS.map(|name| json!({"name": name})),
        "paths": paths,
        "components": {
            "schemas": all,
            "responses": problems::components(),
            "securitySchemes": problems::schemes(cookie),
        },
    })
}

/// Returns a path with `{n}` in place of `{n:[0-9]+}`.
pub(in crate::web) fn plain(path: &str) -> String {
    path.replace(":[0-9]+", "")
}

fn operation(row: &Row, method: &Method, schemas: &mut SchemaGenerator) -> Value {
    let Operation { tag, summary, request_body, answers, errors, query } = row.operation;
    let body = bodies::request(request_body);
    let mut responses: Map<String, Value> = problems::problems(row, method, body.is_some(), errors)
        .into_iter()
        .map(|(status, why)| (status.to_string(), problems::response(status, why, method)))
        .collect();
    for answer in answers {
        add(&mut responses, answer, method, schemas);
    }
    if *method == Method::GET && matches!(row.rule, Rule::Needs(..)) && !responses.contains_key("303") {
        let says = "A browser that opens a page without permission is redirected to /login.";
        responses.insert("303".to_owned(), json!({"description": says}));
    }
    let mut operation = json!({
        "tags": [tag],
        "summary": summary,
        "operationId": format!("{} {}", method.as_str().to_ascii_lowercase(), plain(row.path)),
        "parameters": parameters::parameters(&plain(row.path), query),
        "responses": responses,
        "security": problems::security(row.rule),
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    operation
}

/// An answer, beside a refusal with the same status if there is one.
fn add(responses: &mut Map<String, Value>, answer: &Answer, method: &Method, schemas: &mut SchemaGenerator) {
    let mut content = Map::new();
    match &answer.body {
        _ if *method == Method::HEAD => {}
        Body::Empty => {}
        Body::Json(make) => {
            _ = content.insert("application/json".to_owned(), json!({"schema": make(schemas)}))
        }
        Body::Bytes(kinds) => {
            content.extend(
                kinds.iter().map(|kind| ((*kind).to_owned(), json!({"schema": bodies::schema_of(kind)}))),
            );
        }
    }
    let status = answer.status.to_string();
    if responses.contains_key(&status) {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        content.insert("application/problem+json".to_owned(), json!({"schema": schema}));
    }
    let mut response = json!({"description": answer.description});
    if !content.is_empty() {
        response["content"] = Value::Object(content);
    }
    responses.insert(status, response);
}
