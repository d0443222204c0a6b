//! A row of the route table.

use actix_web::{Route, http::Method};

use crate::web::{
    api::openapi::{
        RequestBody,
        operation::{Answer, BAD_QUERY, Error, JPEG, NO_FRAME, NOT_MODIFIED, Operation, STREAM},
        parameters::{IMAGE_PARAMETERS, QueryParameter, SEND_PARAMETERS, WAIT},
    },
    middleware::access::rule::Rule,
};

/// A route.
#[derive(Debug)]
pub struct Row {
    /// The path below the base path, with `{name}` in it.
    pub path: &'static str,
    /// The allowed methods.
    pub methods: &'static [Method],
    /// The rule on who may use it.
    pub rule: Rule,
    /// The documentation in the OpenAPI document.
    pub(in crate::web) operation: Operation,
    pub(in crate::web) handler: fn() -> Route,
}

/// The whole table, as a handler finds it in the application's data.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct RouteTable(pub(in crate::web) &'static [Row]);

/// The methods of routes that are only read.
const READ: &[Method] = &[Method::GET, Method::HEAD];

/// Makes a row that is only read.
pub(super) const fn read(path: &'static str, rule: Rule, handler: fn() -> Route) -> Row {
    row(path, READ, rule, handler)
}

/// Makes a row. Several rows may have the same path.
pub(super) const fn row(
    path: &'static str,
    methods: &'static [Method],
    rule: Rule,
    handler: fn() -> Route,
) -> Row {
    Row { path, methods, rule, handler, operation: Operation::UNDOCUMENTED }
}

/// The documentation of a row. A test finds rows without it.
impl Row {
    pub(super) const fn documented(mut self, tag: &'static str, summary: &'static str) -> Self {
        (self.operation.tag, self.operation.summary) = (tag, summary);
        self
    }

    /// Documents a stream, which options in the query may change.
    pub(super) const fn stream(self, tag: &'static str, summary: &'static str) -> Self {
        self.documented(tag, summary)
            .answers(&[STREAM])
            .errors(&[BAD_QUERY, NO_FRAME])
            .query(&[IMAGE_PARAMETERS, SEND_PARAMETERS])
    }

    /// Documents a snapshot, which options in the query may change.
    pub(super) const fn snapshot(self, tag: &'static str, summary: &'static str) -> Self {
        self.documented(tag, summary)
            .answers(&[JPEG, NOT_MODIFIED])
            .errors(&[BAD_QUERY, NO_FRAME])
            .query(&[IMAGE_PARAMETERS, WAIT])
    }

    /// Documents responses other than problem JSON.
    pub(super) const fn answers(mut self, answers: &'static [Answer]) -> Self {
        self.operation.answers = answers;
        self
    }

    pub(super) const fn request_body(mut self, body: RequestBody) -> Self {
        self.operation.request_body = body;
        self
    }

    /// Documents errors beside those that the rule, path and method imply.
    pub(super) const fn errors(mut self, errors: &'static [Error]) -> Self {
        self.operation.errors = errors;
        self
    }

    pub(super) const fn query(mut self, query: &'static [&'static [QueryParameter]]) -> Self {
        self.operation.query = query;
        self
    }
}
