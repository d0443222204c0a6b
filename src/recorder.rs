//! stub
use crate::{bus::Subscriber, config::SaveConfig, frame::StreamName};
/// x
#[derive(Debug)]
pub struct Recorder;
impl Recorder {
    /// x
    pub fn new(_: StreamName, _: SaveConfig, _: Subscriber) -> Self {
        Self
    }
    /// x
    pub async fn run(self) {}
}
