//! The routes of a stream: watch, snapshot, replay, clip, push, points.

pub(crate) mod abr_task;
pub(crate) mod clip;
pub(crate) mod chart_points;
pub(crate) mod push;
pub(crate) mod renditions;
pub(crate) mod replay;
pub(crate) mod snapshot;
pub(crate) mod viewer_list;
pub(crate) mod viewer_registration;
pub(crate) mod watch;
pub(crate) mod http2_viewer;
pub(crate) mod options;
pub(crate) mod viewer_feed;
