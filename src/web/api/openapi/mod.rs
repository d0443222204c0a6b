//! The API as OpenAPI 3.1, made from the route table.
//!
//! Addresses, methods, who may use them and what each operation is for come from [`ROUTES`]; schemas are
//! those of the types that are answered, and of the configuration's keys.

mod bodies;
pub(crate) mod operation;
pub(crate) mod parameters;
mod problems;

use std::sync::OnceLock;

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
    config::stream_schema,
    web::{
        State,
        middleware::{access, problem},
        routes::{ROUTES, Row, Rule},
        server::unsent::Slices,
    },
};

/// Stands for the name of the session's cookie, which depends on the port that is asked.
const COOKIE: &str = "framecast_of_this_port";

/// The document: rendered once, since everybody may request it, and shared by all answers. It is kept as the
/// text before, between and after the occurrences of the cookie's name.
#[derive(Debug, Default)]
pub struct Documents(OnceLock<Vec<Bytes>>);

impl Documents {
    fn of(&self, base_path: &str) -> &[Bytes] {
        self.0.get_or_init(|| {
            let text = Bytes::from(openapi(base_path, COOKIE).to_string());
            let parts = std::str::from_utf8(&text).expect("JSON is UTF-8").split(COOKIE);
            parts.map(|part| text.slice_ref(part.as_bytes())).collect()
        })
    }
}

/// `GET /api/openapi.json`.
pub(in crate::web) async fn document(request: HttpRequest, state: State) -> HttpResponse {
    let parts = state.documents.of(&state.base_path);
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
fn openapi(base_path: &str, cookie: &str) -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut schemas = settings.into_generator();
    let mut paths: Map<String, Value> = Map::new();
    for row in ROUTES {
        let at = paths.entry(plain(row.path)).or_insert_with(|| json!({}));
        for method in row.methods {
            at[method.as_str().to_ascii_lowercase()] = operation(row, method, &mut schemas);
        }
    }
    schemas.subschema_for::<problem::Body<'_>>();
    let mut all = schemas.take_definitions(true);
    all.insert("Stream".to_owned(), stream_schema());
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "framecast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Streams of pictures in, one URL out. docs/http-api.md says all of it in words.",
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

/// `{n:[0-9]+}` is written `{n}`.
fn plain(path: &str) -> String {
    path.replace(":[0-9]+", "")
}

fn operation(row: &Row, method: &Method, schemas: &mut SchemaGenerator) -> Value {
    let Operation { tag, summary, takes, answers, errors, query } = row.operation;
    let body = bodies::request(takes);
    let mut responses: Map<String, Value> = problems::problems(row, method, body.is_some(), errors)
        .into_iter()
        .map(|(status, why)| (status.to_string(), problems::response(status, why, method)))
        .collect();
    for answer in answers {
        add(&mut responses, answer, method, schemas);
    }
    if *method == Method::GET && matches!(row.rule, Rule::Needs(..)) && !responses.contains_key("303") {
        let says = "A browser that opens a page and may not see it is led to /login.";
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
            content
                .extend(kinds.iter().map(|kind| ((*kind).to_owned(), json!({"schema": bodies::binary()}))));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_it_once_with_what_it_is_for() {
        let document = openapi("", "framecast");
        for row in ROUTES {
            for method in row.methods {
                let operation = &document["paths"][plain(row.path)][method.as_str().to_ascii_lowercase()];
                let summary = operation["summary"].as_str().unwrap_or_default();
                assert!(!summary.is_empty(), "{} {method} is not said to be for anything", row.path);
                assert!(operation["responses"].as_object().unwrap().len() > 2, "{} {method}", row.path);
            }
        }
        let source = &document["components"]["schemas"]["Stream"]["properties"]["source"];
        // Or a list of such.
        let ways = source["anyOf"][0]["oneOf"].as_array().unwrap().iter();
        let types = ways.filter_map(|way| way["properties"]["type"]["const"].as_str());
        assert!(types.count() >= 10, "{source}");
    }

    #[test]
    fn what_is_referred_to_is_there() {
        fn references(value: &Value, found: &mut Vec<String>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str).map(str::to_owned));
                    map.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = openapi("", "framecast");
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(found.len() > 100);
        for reference in found {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn every_status_of_a_stream_and_of_an_edit_is_told() {
        let document = openapi("", "framecast");
        let told = |path: &str, method: &str| {
            let responses = document["paths"][path][method]["responses"].as_object().unwrap();
            responses.keys().map(|status| status.parse::<u16>().unwrap()).collect::<Vec<_>>()
        };
        assert_eq!(told("/streams/{name}", "get"), [200, 303, 400, 401, 403, 404, 429, 431, 503]);
        assert_eq!(
            told("/api/streams/{name}", "put"),
            [200, 201, 400, 401, 403, 404, 408, 409, 413, 415, 422, 429, 431, 503, 507]
        );
        assert_eq!(told("/login", "post"), [303, 400, 401, 403, 408, 413, 429, 431, 503]);
    }
}
