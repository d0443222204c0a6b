//! Routes that clients of other programs already use, unchanged.

pub(crate) mod mjpg_streamer;
pub(crate) mod go2rtc_websocket;
pub(crate) mod stream_selector;
pub(crate) mod frigate;
pub(crate) mod go2rtc;
pub(crate) mod motion;
pub(crate) mod webcamxp;
