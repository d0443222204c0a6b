//! Multipart bodies: bytes in, JPEGs out ([`parser`]); frames in, prepared parts out ([`writer`]).
//!
//! Pure: no I/O, no clock, bounded memory. Comments on the rules name the cameras and clients that need them.

pub mod content_type;
pub mod sniff;
pub mod parser;
pub mod writer;
