//! framecast relays MJPEG: it takes in frames from cameras, pushes and local renderers, and shows each stream
//! to any number of viewers.
//!
//! The modules are listed in the order a frame passes through them; each may use only those above it
//! (`tests/layering` checks this):
//!
//! - [`platform`]: whole files, changed files, locks and channels: wraps the standard library and the system
//! - [`media`]: frames, and the formats that carry them; pure: no I/O, no time
//! - [`config`]: YAML in, checked types out
//! - [`limits`]: counters and budgets that all requests, pictures and answers share
//! - [`auth`]: who may do what, and how it is shown
//! - [`observability`]: the log, and what the process itself is doing
//! - [`bus`]: the newest frame of a stream, and what is counted about it
//! - [`imaging`]: decodes, draws and encodes pictures, in a bounded pool of CPU workers
//! - [`source`]: where frames come from: cameras, pushes, renderers
//! - [`stream`]: the actor that owns one stream's life
//! - [`registry`]: the named streams
//! - [`viewer`]: one viewer: which frame is next, and when
//! - [`recording`]: each frame to disk, as a ring of files or one that is always the newest
//! - [`webhooks`]: tells others what happens to streams
//! - [`web`]: HTTP: routes, the viewer's transport, pages, errors
//! - [`app`]: starts, changes and stops everything; the only module that knows all others
//! - [`cli`]: the commands
//!
//! Built for a fuzzer there is one more, `fuzzing`: what must hold of every input from outside.

pub mod platform;
pub mod media;
pub mod config;
pub mod limits;
pub mod auth;
pub mod observability;
pub mod bus;
pub mod imaging;
pub mod source;
pub mod stream;
pub mod registry;
pub mod viewer;
pub mod recording;
pub mod webhooks;
pub mod web;
pub mod app;
pub mod cli;
#[cfg(any(test, fuzzing))]
pub mod fuzzing;
