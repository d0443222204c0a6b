//! Frames and the formats that carry them. Pure: no I/O, no time.

pub mod stream_name;
pub mod jpeg;
pub mod capture;
pub mod frame;
pub mod multipart;
pub mod formats;
