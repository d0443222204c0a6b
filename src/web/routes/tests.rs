//! The OpenAPI document of the table.

use serde_json::Value;

use super::table::ROUTES;
use crate::web::api::openapi::{openapi, plain};

#[test]
fn every_route_is_in_it_once_with_what_it_is_for() {
    let document = openapi(ROUTES, "", "framecast");
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
    let document = openapi(ROUTES, "", "framecast");
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
    let document = openapi(ROUTES, "", "framecast");
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
