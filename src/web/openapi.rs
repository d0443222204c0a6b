//! The API as OpenAPI 3.1, made from the route table, and the same as a page.
//!
//! Addresses, methods, parameters and who may use them come from [`ROUTES`]; what an address is for is said by `about`, which
//! a test holds against the table. The settings of a stream are the schema of the configuration.

mod about;
mod page;

use actix_web::{HttpResponse, http::header};
use serde_json::{Map, Value, json};

use self::about::{About, about};
use super::{ROUTES, Row, Rule, State};
use crate::config::stream_schema;

/// `GET /api/openapi.json`.
pub(super) async fn document(state: State) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-cache")).json(openapi(&state.base_path))
}

/// `GET /api/docs`.
pub(super) async fn browse(state: State) -> HttpResponse {
    super::page::made(&state, page::render())
}

/// The document; `base_path` is where the addresses begin.
fn openapi(base_path: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    for row in ROUTES {
        let path = plain(row.path);
        let at = paths.entry(path).or_insert_with(|| json!({}));
        for method in row.methods {
            at[method.as_str().to_ascii_lowercase()] = operation(row, method.as_str());
        }
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "framecast",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Streams of pictures in, one URL out. docs/http-api.md says all of it in words.",
        },
        "servers": [{"url": if base_path.is_empty() { "/" } else { base_path }}],
        "paths": paths,
        "components": {
            "schemas": {"Problem": problem(), "Stream": stream_schema()},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A token as a header."},
                "tokenInQuery": {"type": "apiKey", "in": "query", "name": "token", "description": "The same where no header can be set, as in an img."},
            },
        },
    })
}

/// `{n:[0-9]+}` is written `{n}`.
fn plain(path: &str) -> String {
    path.replace(":[0-9]+", "")
}

fn operation(row: &Row, method: &str) -> Value {
    let About { summary, sent, answers, query } = about(row.path, method);
    let mut responses = Map::new();
    for (status, kind) in answers {
        let mut answer = json!({"description": if *status < 300 { "as asked" } else { "elsewhere" }});
        if !kind.is_empty() && method != "HEAD" {
            answer["content"] = json!({*kind: {"schema": schema_of(kind)}});
        }
        responses.insert(status.to_string(), answer);
    }
    let refused = json!({"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}});
    let mut otherwise = json!({"description": "what is wrong, in words"});
    if method != "HEAD" {
        otherwise["content"] = refused;
    }
    responses.insert("default".to_owned(), otherwise);
    let mut operation = json!({
        "summary": summary,
        "operationId": format!("{} {}", method.to_ascii_lowercase(), plain(row.path)),
        "parameters": parameters(row.path, query),
        "responses": responses,
        "security": security(row.rule),
    });
    if let Some(kind) = sent {
        let schema = if kind == "application/json" { body_schema(row.path, method) } else { json!({}) };
        operation["requestBody"] = json!({"required": true, "content": {kind: {"schema": schema}}});
    }
    operation
}

fn parameters(path: &str, query: &[(&str, &str)]) -> Vec<Value> {
    let names = plain(path);
    let names =
        names.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()));
    let in_path = names.map(|name| {
        let schema =
            if name == "n" { json!({"type": "integer", "minimum": 0}) } else { json!({"type": "string"}) };
        json!({"name": name, "in": "path", "required": true, "schema": schema})
    });
    let in_query = query.iter().map(|(name, meaning)| {
        json!({"name": name, "in": "query", "required": false, "description": meaning, "schema": {"type": "string"}})
    });
    in_path.chain(in_query).collect()
}

/// Without rules in the configuration viewing needs none: then an empty one is enough.
fn security(rule: Rule) -> Value {
    match rule {
        Rule::Anybody => json!([]),
        Rule::Needs(crate::config::Role::View, _) => json!([{}, {"token": []}, {"tokenInQuery": []}]),
        Rule::Needs(..) => json!([{"token": []}, {"tokenInQuery": []}]),
    }
}

fn schema_of(kind: &str) -> Value {
    match kind {
        "application/json" => json!({"type": "object"}),
        _ => json!({"type": "string", "format": "binary"}),
    }
}

fn body_schema(path: &str, method: &str) -> Value {
    let stream = json!({"$ref": "#/components/schemas/Stream"});
    match (path, method) {
        ("/api/streams", _) => {
            let mut named = stream_schema();
            named["properties"]["name"] = json!({"type": "string", "pattern": "^[a-z0-9_-]{1,64}$"});
            named["required"] = json!(["name", "source"]);
            named
        }
        // A merge patch: any of the keys, or null to take one away.
        (_, "PATCH") => json!({"type": "object"}),
        ("/api/streams/{name}", _) => stream,
        _ => json!({"type": "object"}),
    }
}

fn problem() -> Value {
    json!({
        "type": "object",
        "description": "RFC 9457.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string", "description": "For people; may change."},
            "errors": {
                "type": "array",
                "description": "Each mistake in a configuration or in settings.",
                "items": {
                    "type": "object",
                    "required": ["path", "detail"],
                    "properties": {
                        "path": {"type": "string", "description": "Such as streams.door.source.url."},
                        "detail": {"type": "string"},
                        "line": {"type": "integer"},
                        "column": {"type": "integer"},
                    },
                },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_in_it_once_with_what_it_is_for() {
        let document = openapi("");
        for row in ROUTES {
            for method in row.methods {
                let operation = &document["paths"][plain(row.path)][method.as_str().to_ascii_lowercase()];
                let summary = operation["summary"].as_str().unwrap_or_default();
                assert!(!summary.is_empty(), "{} {method} is not said to be for anything", row.path);
                assert!(operation["responses"].as_object().unwrap().len() > 1, "{} {method}", row.path);
            }
        }
        let source = &document["components"]["schemas"]["Stream"]["properties"]["source"];
        // Or a list of such.
        let one = &source["anyOf"][0];
        assert!(one["properties"]["type"]["enum"].as_array().unwrap().len() >= 12, "{source}");
    }
}
