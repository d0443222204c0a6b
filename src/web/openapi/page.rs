//! The document as a page: made here, so that it needs no script and nothing from elsewhere.

use std::fmt::Write;

use super::{about, plain};
use crate::{
    config::Role,
    web::{ROUTES, Rule},
};

const HEAD: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>API of framecast</title>
<link rel=\"icon\" href=\"../page/icon.svg\">
<link rel=\"stylesheet\" href=\"../page/base.css\">
<main>
<h1>API of framecast</h1>
<p><a href=\"openapi.json\">openapi.json</a> is the same for programs (OpenAPI 3.1). Errors are problem JSON (RFC 9457).</p>
<table>
<thead><tr><th scope=\"col\">method<th scope=\"col\">address<th scope=\"col\">what it does<th scope=\"col\">takes<th scope=\"col\">answers with<th scope=\"col\">for</tr></thead>
<tbody>
";

/// A row for each method and address. HEAD is as GET.
pub(super) fn render() -> String {
    let mut page = HEAD.to_owned();
    for row in ROUTES {
        for method in row.methods.iter().filter(|method| method.as_str() != "HEAD") {
            let about = about(row.path, method.as_str());
            let query: Vec<_> = about.query.iter().map(|(name, _)| format!("?{name}=")).collect();
            let answers = about.answers.iter().map(|(status, kind)| format!("{status} {kind}"));
            writeln!(
                page,
                "<tr><th scope=\"row\">{method}<td><code>{}</code> {}<td>{}<td>{}<td>{}<td>{}</tr>",
                plain(row.path),
                query.join(" "),
                about.summary,
                about.sent.unwrap_or_default(),
                answers.collect::<Vec<_>>().join(", "),
                who(row.rule),
            )
            .expect("a String takes every text");
        }
    }
    page + "</tbody>\n</table>\n</main>\n"
}

fn who(rule: Rule) -> &'static str {
    match rule {
        Rule::Anybody => "everybody",
        Rule::Needs(Role::View, _) => "viewers",
        Rule::Needs(Role::Push, _) => "publishers",
        Rule::Needs(Role::Admin, _) => "administrators",
    }
}
