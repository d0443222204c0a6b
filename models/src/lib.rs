//! What threads share, tried in every order in which they can do it (loom): `scripts/models`.
//!
//! The code is the crate's own (`build.rs`). What is taken for granted: the watch channel is as `watch` here, and what the
//! stand-ins below do for frames is nothing. Fan-out and outboxes are not modelled: their lock is held by one side at a time,
//! and `src/web/transport/tests.rs` tries their scripts.

#![expect(
    dead_code,
    missing_docs,
    reason = "each model uses a part of what it takes from the crate"
)]

pub mod watch;

/// loom's, by the names of the system's.
pub mod primitives {
    pub use std::sync::{OnceLock, PoisonError};
    pub use std::time::Instant;

    pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};
}

pub mod config {
    /// As `crate::config` has it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum SecondPublisher {
        #[default]
        Replaces,
        Refused,
    }

    #[derive(Debug, Clone, Copy, Default)]
    pub struct SendFile;
}

pub mod frame {
    use std::time::{Instant, SystemTime};

    /// A word in place of a picture.
    #[derive(Debug, Clone, PartialEq, Eq)]
    pub struct Jpeg(&'static str);

    impl Jpeg {
        pub fn len(&self) -> usize {
            self.0.len()
        }
    }

    #[derive(Debug, Clone)]
    pub struct Frame(Jpeg);

    impl Frame {
        pub fn saying(word: &'static str) -> Self {
            Self(Jpeg(word))
        }

        pub fn word(&self) -> &'static str {
            self.0.0
        }

        pub fn jpeg(&self) -> &Jpeg {
            &self.0
        }

        pub fn taken(&self) -> SystemTime {
            SystemTime::UNIX_EPOCH
        }

        pub fn arrived(&self) -> Instant {
            Instant::now()
        }
    }
}

pub mod multipart {
    pub mod writer {
        #[derive(Debug)]
        pub struct PreparedPart;

        impl PreparedPart {
            pub fn new<J, T>(_: J, _: T) -> Self {
                Self
            }
        }
    }
}

/// What the bus holds besides the newest frame, which these models do not look at.
pub mod stand_ins {
    use crate::primitives::Arc;
    use std::time::Instant;

    #[derive(Debug, Default)]
    pub struct StreamStats;

    impl StreamStats {
        pub fn count_frame_in<W>(&self, _: usize, _: Instant, _: W) {}

        pub fn forget_saving(&self) {}
    }

    #[derive(Debug, Default)]
    pub struct Audience;

    #[derive(Debug)]
    pub struct History;

    impl History {
        pub fn push<T>(&self, _: &Arc<T>) {}
    }

    #[derive(Debug, Clone, Copy)]
    pub struct Way;
}

pub mod bus {
    include!(concat!(env!("OUT_DIR"), "/bus.rs"));
}

pub mod lanes {
    include!(concat!(env!("OUT_DIR"), "/lanes.rs"));
}

pub mod publishing {
    include!(concat!(env!("OUT_DIR"), "/publishing.rs"));
}

pub mod places {
    include!(concat!(env!("OUT_DIR"), "/places.rs"));
}

#[cfg(test)]
mod tests;
