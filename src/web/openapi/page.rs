//! The document as a page: made here, so that it needs no script and nothing from elsewhere.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::TAGS;

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>API of framecast</title>
<link rel=\"icon\" href=\"../page/icon.svg\">
<link rel=\"stylesheet\" href=\"../page/base.css\">
<link rel=\"stylesheet\" href=\"../page/docs.css\">
<main>
<h1>API of framecast</h1>
<p><a href=\"openapi.json\">openapi.json</a> is the same for programs (OpenAPI 3.1). HEAD is as GET.
Errors are problem JSON (RFC 9457).</p>
";

/// Every operation beneath its heading, and then the schemas.
pub(super) fn render(document: &Value) -> String {
    let mut page = HEAD.to_owned();
    for tag in TAGS {
        write(&mut page, format_args!("<section>\n<h2>{}</h2>\n", escaped(tag)));
        for (path, operations) in entries(&document["paths"]) {
            let tagged =
                |operation: &&(&String, &Value)| operation.1["tags"][0] == tag && operation.0 != "head";
            for (method, it) in entries(operations).collect::<Vec<_>>().iter().filter(tagged) {
                operation(&mut page, path, method, it, document);
            }
        }
        page += "</section>\n";
    }
    page += "<section>\n<h2>Schemas</h2>\n";
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let (name, text) = (escaped(name), escaped(&format!("{schema:#}")));
        write(
            &mut page,
            format_args!(
                "<details id=\"schema-{name}\"><summary>{name}</summary>\
                 <pre tabindex=\"0\">{text}</pre></details>\n"
            ),
        );
    }
    page + "</section>\n</main>\n"
}

fn operation(page: &mut String, path: &str, method: &str, operation: &Value, document: &Value) {
    let summary = escaped(text(&operation["summary"]));
    write(
        page,
        format_args!(
            "<details><summary><b>{}</b> <code>{}</code> <span>{summary}</span> <i>{}</i></summary>\n",
            method.to_ascii_uppercase(),
            escaped(path),
            who(&operation["security"]),
        ),
    );
    parameters(page, &operation["parameters"]);
    if operation["requestBody"].is_object() {
        *page += "<h3>Takes</h3>\n<table><tbody>\n";
        for (kind, body) in entries(&operation["requestBody"]["content"]) {
            let (kind, schema) = (escaped(kind), shown(&body["schema"]));
            let such: String = entries(&body["examples"])
                .map(|(_, example)| {
                    format!("<br>such as <code>{}</code>", escaped(&example["value"].to_string()))
                })
                .collect();
            write(page, format_args!("<tr><th scope=\"row\"><code>{kind}</code><td>{schema}{such}</tr>\n"));
        }
        *page += "</tbody></table>\n";
    }
    *page += "<h3>Answers</h3>\n<table><tbody>\n";
    for (status, response) in entries(&operation["responses"]) {
        let response = resolved(response, document);
        let says = escaped(text(&response["description"]));
        let kinds: Vec<_> = entries(&response["content"])
            .map(|(kind, body)| format!("<code>{}</code> {}", escaped(kind), shown(&body["schema"])))
            .collect();
        let kinds = kinds.join("<br>");
        write(page, format_args!("<tr><th scope=\"row\">{status}<td>{says}<td>{kinds}</tr>\n"));
    }
    *page += "</tbody></table>\n</details>\n";
}

fn parameters(page: &mut String, parameters: &Value) {
    let Some(all) = parameters.as_array().filter(|all| !all.is_empty()) else { return };
    *page += "<h3>Parameters</h3>\n<table><tbody>\n";
    for one in all {
        let needed = if one["required"] == true { ", required" } else { "" };
        write(
            page,
            format_args!(
                "<tr><th scope=\"row\"><code>{}</code><td>{}{needed}<td>{}<td>{}</tr>\n",
                escaped(text(&one["name"])),
                escaped(text(&one["in"])),
                escaped(&in_words(&one["schema"])),
                escaped(text(&one["description"])),
            ),
        );
    }
    *page += "</tbody></table>\n";
}

/// Returns a parameter's type and bounds as text.
fn in_words(schema: &Value) -> String {
    let kind = text(&schema["type"]);
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().map(|word| if word == "" { "nothing" } else { text(word) });
        return words.collect::<Vec<_>>().join(", ");
    }
    match (&schema["minimum"], &schema["exclusiveMinimum"], &schema["maximum"], &schema["pattern"]) {
        (_, _, _, Value::String(pattern)) => format!("{kind} like {pattern}"),
        (_, Value::Number(least), Value::Number(most), _) => format!("{kind} above {least}, to {most}"),
        (Value::Number(least), _, Value::Number(most), _) => format!("{kind} from {least} to {most}"),
        (Value::Number(least), ..) => format!("{kind} from {least} on"),
        _ => kind.to_owned(),
    }
}

/// A link to a schema, or the schema; nothing for bytes.
fn shown(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next()) {
        let name = escaped(name);
        return format!("<a href=\"#schema-{name}\">{name}</a>");
    }
    if schema["format"] == "binary" {
        return String::new();
    }
    let of = schema["anyOf"].as_array().map(|ways| ways.iter().map(shown).collect::<Vec<_>>());
    of.unwrap_or_else(|| {
        vec![format!(
            "<details><summary>schema</summary><pre tabindex=\"0\">{}</pre></details>",
            escaped(&format!("{schema:#}"))
        )]
    })
    .join(" or ")
}

/// Resolves a reference.
fn resolved<'a>(value: &'a Value, document: &'a Value) -> &'a Value {
    let pointer = value["$ref"].as_str().and_then(|path| path.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(value)
}

/// By the role that every way in needs.
fn who(security: &Value) -> String {
    let ways = security.as_array().into_iter().flatten();
    let mut roles = ways.flat_map(entries).filter_map(|(_, roles)| roles[0].as_str());
    match roles.next() {
        None => "everybody".to_owned(),
        Some("view") => "viewers".to_owned(),
        Some("push") => "publishers".to_owned(),
        Some(_) => "administrators".to_owned(),
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flat_map(Map::iter)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn write(page: &mut String, text: std::fmt::Arguments<'_>) {
    page.write_fmt(text).expect("a String takes every text");
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
