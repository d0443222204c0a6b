//! Rules on who may use a route.

use crate::config::Role;

/// The requirement of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// No requirement: the route discloses nothing about streams.
    Anybody,
    /// The role, or a higher one, for a scope of streams.
    Needs(Role, Scope),
}

/// The streams for which a role is required.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The stream in the path, `{name}`.
    Named,
    /// The default stream.
    Default,
    /// The stream that the query names with this key.
    Query(&'static str),
    /// The stream that the query names with this key; any stream if the query has no such key.
    QueryOrAny(&'static str),
    /// The stream `{n}` in the path, counted from 1; 0 is all of them in one picture.
    Number,
    /// The stream `{n}` in the path, counted from 0.
    Position,
    /// The stream called `cam_{n}`, or else number `{n}`.
    Camera,
    /// The stream that mjpg-streamer's `?action=` means, counted from 0; any stream if it means none.
    Action,
    /// Any stream. The handler itself then asks for each stream that it shows or changes.
    Any,
    /// All streams, and those to come.
    All,
}
