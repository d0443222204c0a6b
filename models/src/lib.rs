//! What threads share, tried in every order in which they can do it (loom): `scripts/models`.
//!
//! The code is the crate's own (`build.rs`). What is taken for granted: the watch channel is as `watch` here, a notification
//! as `notify`, a socket as `web/transport/socket.rs`, and what the stand-ins do for frames is nothing. Most of what is only counted by
//! `Arc` is counted by the system's, whose orders are not tried.

#![expect(dead_code, missing_docs, reason = "each model uses a part of what it takes from the crate")]

pub mod dashmap;
pub mod notify;
pub mod stand_ins;
pub mod tasks;
pub mod watch;

/// loom's, by the names of the system's.
pub mod primitives {
    pub use std::sync::{OnceLock, PoisonError};
    pub use std::time::Instant;

    pub use loom::sync::{Arc, Mutex, MutexGuard, atomic};
}

/// The same, where something is shared whose kind is not known: loom's `Arc` holds no `dyn`.
pub mod shared {
    pub use std::sync::Arc;

    pub use loom::sync::{
        Mutex, MutexGuard,
        atomic::{AtomicUsize, Ordering},
    };
}

pub use stand_ins::{config, frame, multipart, registry, telemetry};

pub mod bus {
    mod audience {
        include!(concat!(env!("OUT_DIR"), "/audience.rs"));
    }
    mod headcount {
        include!(concat!(env!("OUT_DIR"), "/headcount.rs"));
    }
    pub use crate::stand_ins::Pages;
    pub use audience::{Audience, Watcher};
    pub use headcount::Headcount;

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

pub mod stream {
    pub mod capacity {
        include!(concat!(env!("OUT_DIR"), "/capacity.rs"));
    }
    mod fan_out {
        include!(concat!(env!("OUT_DIR"), "/fan_out.rs"));
    }
    mod send_method {
        include!(concat!(env!("OUT_DIR"), "/send_method.rs"));
    }
    pub use crate::stand_ins::{StreamHandle, ViewerGuard};

    pub async fn run(bus: std::sync::Arc<crate::bus::Bus>) {
        fan_out::fan_out(bus).await;
    }

    #[cfg(test)]
    mod counts;
    #[cfg(test)]
    mod leaving;
}

pub mod session {
    mod counts {
        include!(concat!(env!("OUT_DIR"), "/counts.rs"));
    }
    pub use counts::Counts;

    include!(concat!(env!("OUT_DIR"), "/session.rs"));
}

pub mod auth {
    pub mod lease {
        include!(concat!(env!("OUT_DIR"), "/lease.rs"));
    }
    mod rules;
    pub use crate::stand_ins::subscriber;
    pub use rules::{Auth, Caller};

    #[cfg(test)]
    mod leases;
}

pub mod web {
    pub mod seats {
        include!(concat!(env!("OUT_DIR"), "/seats.rs"));

        impl Seats {
            pub fn is_empty(&self) -> bool {
                self.taken.is_empty()
            }
        }
    }
    pub use crate::stand_ins::connections;

    pub mod transport {
        pub mod channel {
            include!(concat!(env!("OUT_DIR"), "/channel.rs"));
        }
        pub mod outbox {
            include!(concat!(env!("OUT_DIR"), "/outbox.rs"));
        }
        pub mod pieces {
            include!(concat!(env!("OUT_DIR"), "/pieces.rs"));
        }
        /// A stand-in that never finds requests ahead of their turn.
        mod ahead {
            #[derive(Debug, Default)]
            pub struct Requests;

            impl Requests {
                /// # Errors
                /// None here.
                pub(super) fn read(&mut self, _: &[u8], _: &super::Outbox) -> std::io::Result<()> {
                    Ok(())
                }
            }
        }
        use crate::stand_ins::patience;
        use channel::Channel;
        use outbox::Outbox;

        #[cfg(test)]
        pub mod socket;

        include!(concat!(env!("OUT_DIR"), "/transport.rs"));
    }

    #[cfg(test)]
    mod addresses;
    #[cfg(test)]
    mod viewers;
}

#[cfg(test)]
mod tests;
