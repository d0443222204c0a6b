//! The fan-out and the limits on viewers.

#[path = "../../src/stream/viewer_limit.rs"]
pub mod viewer_limit;
#[path = "../../src/stream/fan_out.rs"]
mod fan_out;
#[path = "../../src/stream/send_method.rs"]
mod send_method;

use std::sync::Arc;

use crate::bus::Bus;
pub use crate::stand_ins::{StreamHandle, ViewerGuard};

pub async fn run(bus: Arc<Bus>) {
    fan_out::run_fan_out(bus).await;
}

#[cfg(test)]
mod counts;
#[cfg(test)]
mod leaving;
