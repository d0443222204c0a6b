//! The named streams.
