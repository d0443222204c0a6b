//! framecast relays MJPEG: it takes in frames from cameras, pushes and local renderers, and shows each stream to any
//! number of viewers.
//!
//! The rooms stand in the order a frame walks through them; each may use only the rooms above it (`tests/layering.rs`
//! holds them to it):
//!
//! - `sync`: locks and channels, which `loom/` replaces in its models
//! - [`frame`]: what a frame is: a checked JPEG and where it came from
//! - [`multipart`]: bytes in, parts out, and back; pure and bounded
//! - [`clip`]: pictures as one file to download
//! - [`config`]: YAML in, checked types out
//! - [`files`]: writes whole files without following links
//! - [`file_watch`]: notices that files have changed
//! - [`limits`]: budgets of bytes that all requests, pictures and answers share
//! - [`auth`]: who may do what, and how it is shown
//! - [`telemetry`] writes the log
//! - [`bus`]: the newest frame of a stream, and what is counted about it
//! - [`transform`]: pixels: decode, draw, encode, in a bounded pool
//! - [`source`]: where frames come from: cameras, pushes, renderers
//! - [`stream`]: the actor that owns one stream's life
//! - [`registry`]: the named streams
//! - [`session`]: one viewer: which frame next, and when
//! - [`recorder`]: each frame to disk, as a ring of files or one that is always the newest
//! - [`webhooks`]: tells others what happens to streams
//! - [`web`]: HTTP: routes, the viewer's transport, pages, errors
//! - [`relay`]: puts the rooms together
//! - [`cli`]: the commands
//!
//! Built for a fuzzer there is one more, `fuzzing`: what must hold of every input from outside.

mod sync;
pub mod frame;
pub mod multipart;
pub mod clip;
pub mod config;
pub mod files;
pub mod file_watch;
pub mod limits;
pub mod auth;
pub mod telemetry;
pub mod bus;
pub mod transform;
pub mod source;
pub mod stream;
pub mod registry;
pub mod session;
pub mod recorder;
pub mod webhooks;
pub mod web;
pub mod relay;
pub mod cli;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
