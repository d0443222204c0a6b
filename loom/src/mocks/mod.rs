//! Replacements for types of tokio and dashmap, built on loom's locks: as much of each as the modelled
//! modules use.

pub mod dashmap;
pub mod notify;
pub mod tasks;
pub mod watch;
