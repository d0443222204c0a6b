//! Viewers of a running relay, byte for byte: what stands on the wire when real clients come.

#[path = "../support/raw_client.rs"]
mod raw_client;
#[path = "../support/relay.rs"]
mod relay;

mod streams;
