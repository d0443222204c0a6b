//! The transport over a model's socket, in which no client sends requests ahead or anything after them, or is
//! idle.

#[path = "../../../../src/web/server/transport/direct_write.rs"]
pub mod direct_write;
#[path = "../../../../src/web/server/transport/interim.rs"]
mod interim;
#[path = "../../../../src/web/server/transport/outbox.rs"]
pub mod outbox;
#[path = "../../../../src/web/server/transport/write_queue.rs"]
pub mod write_queue;
#[path = "../../../../src/web/server/transport/viewer_socket/mod.rs"]
mod viewer_socket;

/// A stand-in that never finds requests ahead of their turn.
mod pipelining {
    #[derive(Debug, Default)]
    pub struct PipelineCounter;

    impl PipelineCounter {
        /// # Errors
        /// None here.
        pub(super) fn read(&mut self, _: &[u8], _: &super::outbox::Outbox) -> std::io::Result<()> {
            Ok(())
        }
    }
}

/// A stand-in for connections on which nothing is read.
mod after_head {
    #[derive(Debug, Default)]
    pub struct AfterHead;

    impl AfterHead {
        pub(super) fn split(&mut self, read: &[u8]) -> usize {
            read.len()
        }

        pub(super) fn holds(&self) -> bool {
            false
        }

        pub(super) fn take(&mut self, _: usize) -> Vec<u8> {
            Vec::new()
        }
    }
}

use crate::stand_ins::timeouts;
#[cfg(test)]
pub(in crate::web) use viewer_socket::ViewerSocket;

#[cfg(test)]
pub mod socket;
