//! Fixtures of the integration tests and benches.
//!
//! - the servers under test: [`binary`] (the built program; [`command`] runs it to its end), [`in_process`]
//!   (a relay in a thread of the test) and [`fixture`] (the built program with a [`control_stream`] beside
//!   what a test does to it, and its [`proc_stats`])
//! - cameras: [`fake_camera`], which sends scripted bytes in any of the [`dialects`]; [`stepped_camera`],
//!   which moves when the test says so; [`malicious_camera`]
//! - clients: [`raw_client`], [`stream_client`], [`web_socket`] and [`browser`], with a [`repeat_filter`] before framecast;
//!   [`program`] runs others; [`attacks`]
//! - data: [`pictures`], [`numbered_pictures`], [`test_cert`]
//!
//! Modules that only one folder of tests uses are in that folder.

pub mod attacks;
pub mod binary;
pub mod browser;
pub mod cgroup;
pub mod command;
pub mod control_stream;
pub mod dialects;
pub mod fake_camera;
pub mod fixture;
pub mod in_process;
pub mod malicious_camera;
pub mod numbered_pictures;
pub mod pictures;
pub mod proc_stats;
pub mod program;
pub mod raw_client;
pub mod repeat_filter;
pub mod stepped_camera;
pub mod stream_client;
pub mod test_cert;
pub mod web_socket;
