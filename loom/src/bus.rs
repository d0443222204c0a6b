//! The bus, without its figures, its replay buffer and its pages.

#[path = "../../src/bus/channel.rs"]
mod channel;
#[path = "../../src/bus/current.rs"]
mod current;
#[path = "../../src/bus/frame_numbers.rs"]
mod frame_numbers;
#[path = "../../src/bus/meta_updates.rs"]
mod meta_updates;
#[path = "../../src/bus/subscribers.rs"]
mod subscribers;

mod replay_buffer {
    pub use crate::stand_ins::ReplayBuffer;
}
mod splice_pipe {
    pub use crate::stand_ins::SplicePipe;
}
mod stats {
    pub use crate::stand_ins::{Processing, StreamStats};
}

pub use channel::Bus;
pub use current::{Current, PublishedFrame};
pub use splice_pipe::SplicePipe;
pub use subscribers::{FrameReceiver, Subscribers};
