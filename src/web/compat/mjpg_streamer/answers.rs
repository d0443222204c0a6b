//! The JSON answers of mjpg-streamer and ustreamer.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

/// ustreamer's `/state`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerState")]
pub(in crate::web) struct State {
    pub(super) ok: bool,
    pub(super) result: Result,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerResult")]
pub(super) struct Result {
    pub(super) instance_id: &'static str,
    pub(super) encoder: Encoder,
    pub(super) source: Source,
    pub(super) stream: Stream,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerEncoder")]
pub(super) struct Encoder {
    #[serde(rename = "type")]
    pub(super) kind: &'static str,
    pub(super) quality: u8,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerSource")]
pub(super) struct Source {
    pub(super) resolution: Resolution,
    pub(super) online: bool,
    pub(super) desired_fps: u64,
    pub(super) captured_fps: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerResolution")]
pub(super) struct Resolution {
    pub(super) width: u16,
    pub(super) height: u16,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UstreamerStream")]
pub(super) struct Stream {
    pub(super) queued_fps: u64,
    pub(super) clients: usize,
    /// Of each client; framecast tells nothing of them.
    pub(super) clients_stat: BTreeMap<String, u64>,
}

/// mjpg-streamer's `/program.json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MjpgStreamerProgram")]
pub(in crate::web) struct Program {
    pub(super) inputs: Vec<Plugin>,
    pub(super) outputs: Vec<Plugin>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MjpgStreamerPlugin")]
pub(super) struct Plugin {
    pub(super) id: usize,
    pub(super) name: String,
    pub(super) plugin: &'static str,
    pub(super) args: &'static str,
}

/// mjpg-streamer's `/input_N.json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MjpgStreamerInput")]
pub(in crate::web) struct Input {
    pub(super) controls: [(); 0],
    pub(super) formats: Vec<Format>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MjpgStreamerFormat")]
pub(super) struct Format {
    pub(super) id: usize,
    pub(super) name: &'static str,
    pub(super) current: &'static str,
    /// Sizes such as `640x480`, by their numbers.
    pub(super) resolutions: BTreeMap<&'static str, String>,
}

/// mjpg-streamer's `/output_N.json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "MjpgStreamerOutput")]
pub(in crate::web) struct Output {
    pub(super) controls: [(); 0],
}
