//! Facts that other parts note in a request's or a response's extensions for its log line.

use crate::media::stream_name::StreamName;

/// The stream that a request is about, according to its route.
#[derive(Debug, Clone)]
pub(in crate::web) struct RequestedStream(pub(in crate::web) StreamName);

/// The number in the log of the publisher or viewer that sent this request.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct PublisherId(pub(in crate::web) u64);

/// Marks a request that the access check refused, whatever its status.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Rejected;

/// Marks a feed like those of the last minute, of the same publisher.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct LoggedRarely;

/// Marks a response whose end is logged elsewhere.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct LoggedElsewhere;
