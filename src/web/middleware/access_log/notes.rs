//! Facts that other parts note in a request's or a response's extensions for its log line.

use crate::media::stream_name::StreamName;

/// Which stream a request is about, as its route says.
#[derive(Debug, Clone)]
pub(in crate::web) struct About(pub(in crate::web) StreamName);

/// The number in the log of whoever sends or gets a stream by this request.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Publisher(pub(in crate::web) u64);

/// A request that access refused, whatever the status says of why.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Refused;

/// An answer whose end says a line of its own.
#[derive(Debug, Clone, Copy)]
pub(in crate::web) struct Told;
