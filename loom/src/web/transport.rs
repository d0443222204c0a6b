//! The transport over a model's socket, in which no client sends requests ahead or is idle.

#[path = "../../../src/web/transport/channel.rs"]
pub mod channel;
#[path = "../../../src/web/transport/outbox.rs"]
pub mod outbox;
#[path = "../../../src/web/transport/pieces.rs"]
pub mod pieces;
#[path = "../../../src/web/transport/wire.rs"]
mod wire;

/// A stand-in that never finds requests ahead of their turn.
mod ahead {
    #[derive(Debug, Default)]
    pub struct Requests;

    impl Requests {
        /// # Errors
        /// None here.
        pub(super) fn read(&mut self, _: &[u8], _: &super::outbox::Outbox) -> std::io::Result<()> {
            Ok(())
        }
    }
}

use crate::stand_ins::patience;
#[cfg(test)]
pub(super) use wire::Wire;

#[cfg(test)]
pub mod socket;
