//! Multipart bodies: bytes in, JPEGs out ([`parser`]); frames in, prepared parts out ([`writer`]).
//!
//! Pure: no I/O, no clock, bounded memory. What cameras send and clients need is written down, with the
//! device that taught it, beside each rule.

pub mod content_type;
pub mod sniff;
pub mod parser;
pub mod writer;
