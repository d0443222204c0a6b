//! Rules on what a response tells a caller about streams, their sources and their failures.

use crate::{
    auth::Principal,
    config::{Role, SourceConfig},
    media::stream_name::StreamName,
    source::Reason,
};

/// Returns the place that a source's frames come from, unless it is a stream that the caller may not see.
pub(in crate::web) fn source_location(source: &SourceConfig, principal: &Principal) -> Option<String> {
    match source {
        SourceConfig::Rendition { of, .. } if !principal.is_allowed(Role::View, Some(of)) => None,
        _ => source.place(),
    }
}

/// Returns a reason as this caller may read it: with details only for administrators of the stream; without a
/// stream, of framecast itself.
pub(in crate::web) fn disclosed(
    reason: &Reason,
    principal: &Principal,
    stream: Option<&StreamName>,
) -> String {
    if administers(principal, stream) { reason.detailed() } else { reason.public() }.to_owned()
}

/// Returns whether the caller administers the stream; without a stream, all of framecast.
pub(in crate::web) fn administers(principal: &Principal, stream: Option<&StreamName>) -> bool {
    match stream {
        Some(_) => principal.is_allowed(Role::Admin, stream),
        None => principal.is_allowed_on_all(Role::Admin),
    }
}

/// Returns a filter for the events that the caller may see: those of a stream, or (`None`) of the relay.
pub(in crate::web) fn may_see(principal: &Principal) -> impl Fn(Option<&StreamName>) -> bool {
    |name| match name {
        Some(name) => principal.is_allowed(Role::View, Some(name)),
        None => principal.is_allowed_on_all(Role::View),
    }
}
