//! Error statuses that routes share: those that follow from a route's rule, its path and its
//! method.

use std::collections::BTreeMap;

use actix_web::http::Method;
use serde_json::{Map, Value, json};

use crate::{
    config::Role,
    web::{
        middleware::access::rule::{Rule, Scope},
        routes::row::Row,
    },
};

/// Status and reason of the errors that many routes share.
const SHARED: [(u16, &str); 8] = [
    (401, "A valid credential is required."),
    (403, "Insufficient permissions; or another site's page sends a method other than GET and HEAD."),
    (404, "There is no such stream, or the caller may not see it; or nothing else has that name or number."),
    (405, "The method is not allowed; see Allow. For every path."),
    (408, "The body did not arrive in time."),
    (429, "Too many wrong credentials, requests or viewers from this address."),
    (431, "The headers are longer than 32 KiB."),
    (503, "Not available now: a limit is reached, or there is no frame; see `detail`."),
];

/// Returns the errors of a route with their reasons, by status. `own` are those that only this route has.
pub(super) fn problems(
    row: &Row,
    method: &Method,
    takes_body: bool,
    own: &[(u16, &'static str)],
) -> BTreeMap<u16, &'static str> {
    let needs = matches!(row.rule, Rule::Needs(..));
    let writes = !matches!(*method, Method::GET | Method::HEAD);
    let named = row.path.contains("{n")
        || matches!(row.rule, Rule::Needs(_, of) if !matches!(of, Scope::Any | Scope::All));
    let holds = |status: u16| match status {
        401 => needs,
        403 => needs || writes,
        404 => named || row.path.contains('{'),
        408 => takes_body,
        429 | 431 => true,
        // Passwords that wait.
        503 => needs,
        _ => false,
    };
    let shared = SHARED.iter().copied().filter(|(status, _)| holds(*status));
    shared.chain(own.iter().copied()).collect()
}

/// Returns an error as a response; shared ones are references to the components.
pub(super) fn response(status: u16, why: &str, method: &Method) -> Value {
    if *method != Method::HEAD && SHARED.contains(&(status, why)) {
        return json!({"$ref": format!("#/components/responses/{}", component_name(status))});
    }
    response_object(status, why, *method != Method::HEAD)
}

/// Returns the errors that many routes share.
pub(super) fn components() -> Map<String, Value> {
    let each =
        SHARED.iter().map(|(status, why)| (component_name(*status), response_object(*status, why, true)));
    each.collect()
}

fn component_name(status: u16) -> String {
    format!("Problem{status}")
}

fn response_object(status: u16, why: &str, has_body: bool) -> Value {
    let mut response = json!({"description": why});
    if has_body {
        let schema = json!({"$ref": "#/components/schemas/Problem"});
        response["content"] = json!({"application/problem+json": {"schema": schema}});
    }
    let header = match status {
        401 => Some(("WWW-Authenticate", json!({"type": "string"}))),
        405 => Some(("Allow", json!({"type": "string"}))),
        429 | 503 => {
            Some(("Retry-After", json!({"type": "integer", "minimum": 1, "description": "Seconds."})))
        }
        _ => None,
    };
    if let Some((name, schema)) = header {
        response["headers"] = json!({name: {"required": true, "schema": schema}});
    }
    response
}

/// Returns the alternatives of credentials. Without rules in the configuration viewing needs none of them.
pub(super) fn security(rule: Rule) -> Value {
    let Rule::Needs(role, _) = rule else { return json!([]) };
    let mut ways: Vec<_> = ["token", "tokenInQuery", "password", "session"]
        .into_iter()
        .map(|scheme| json!({scheme: [role.as_str()]}))
        .collect();
    if role == Role::View {
        ways.insert(0, json!({}));
        ways.push(json!({"linkExpires": [], "linkSignature": []}));
    }
    Value::Array(ways)
}

/// Returns the ways to send credentials. `cookie` is the name of the session's cookie where the document was
/// asked for.
pub(super) fn schemes(cookie: &str) -> Value {
    json!({
        "token": {
            "type": "http", "scheme": "bearer",
            "description": "A token, also a stream's own, as a header.",
        },
        "tokenInQuery": {
            "type": "apiKey", "in": "query", "name": "token",
            "description": "The same where no header can be set, as in an img.",
        },
        "password": {
            "type": "http", "scheme": "basic",
            "description": "A user; or any name, with a token as its password.",
        },
        "session": {
            "type": "apiKey", "in": "cookie", "name": cookie,
            "description": "A browser session, from /login. Accepted only from framecast's own pages.",
        },
        "linkExpires": {
            "type": "apiKey", "in": "query", "name": "expires",
            "description": "The end of a link of `framecast link`, in Unix seconds.",
        },
        "linkSignature": {
            "type": "apiKey", "in": "query", "name": "signature",
            "description": "The signature of the link.",
        },
    })
}
