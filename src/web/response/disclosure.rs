//! Rules on what a response tells a caller about streams, their sources and their failures.

use crate::{
    auth::Caller,
    config::{Role, SourceConfig},
    media::stream_name::StreamName,
    source::Reason,
};

/// Returns the place that a source's frames come from, unless it is a stream that the caller may not see.
pub(in crate::web) fn place(source: &SourceConfig, caller: &Caller) -> Option<String> {
    match source {
        SourceConfig::Rendition { of, .. } if !caller.may(Role::View, Some(of)) => None,
        _ => source.place(),
    }
}

/// Returns a reason as this caller may read it: with details only for administrators of the stream; without a
/// stream, of framecast itself.
pub(in crate::web) fn disclosed(reason: &Reason, caller: &Caller, stream: Option<&StreamName>) -> String {
    if administers(caller, stream) { reason.detailed() } else { reason.public() }.to_owned()
}

/// Returns whether the caller administers the stream; without a stream, all of framecast.
pub(in crate::web) fn administers(caller: &Caller, stream: Option<&StreamName>) -> bool {
    match stream {
        Some(_) => caller.may(Role::Admin, stream),
        None => caller.may_with_all(Role::Admin),
    }
}

/// Returns a filter for the events that the caller may see: those of a stream, or (`None`) of the relay.
pub(in crate::web) fn may_see(caller: &Caller) -> impl Fn(Option<&StreamName>) -> bool {
    |name| match name {
        Some(name) => caller.may(Role::View, Some(name)),
        None => caller.may_with_all(Role::View),
    }
}
