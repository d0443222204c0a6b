//! The items of the rest of the crate that the modelled files name, as far as they use them. None of it is
//! shared between threads.

use crate::{limits::BoundedCounter, platform::sync::Arc};
use std::{io, net::IpAddr, time::Instant};

pub mod config {
    /// As `crate::config` has it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum SecondPublisher {
        #[default]
        Replaces,
        Refused,
    }

    /// The setting of the crate that has this name.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum SendFile {
        Auto,
        #[default]
        Never,
    }

    #[derive(Debug, Clone, Copy)]
    pub enum Role {
        View,
    }
}

pub mod media {
    pub mod capture {
        #[derive(Debug, Clone)]
        pub struct FrameFacts;
    }

    pub mod frame {
        use std::time::{Instant, SystemTime};

        /// A word in place of a picture.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct Jpeg(pub &'static str);

        impl Jpeg {
            pub fn len(&self) -> usize {
                self.0.len()
            }
        }

        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum FrameKind {
            Picture,
        }

        #[derive(Debug, Clone)]
        pub struct Frame(Jpeg, Instant);

        impl Frame {
            pub fn saying(word: &'static str) -> Self {
                Self(Jpeg(word), Instant::now())
            }

            pub fn word(&self) -> &'static str {
                self.0.0
            }

            pub fn jpeg(&self) -> &Jpeg {
                &self.0
            }

            pub fn kind(&self) -> FrameKind {
                FrameKind::Picture
            }

            pub fn captured_at(&self) -> SystemTime {
                SystemTime::UNIX_EPOCH
            }

            pub fn with_timestamp(self, _: SystemTime) -> Self {
                self
            }

            pub fn arrived_at(&self) -> Instant {
                self.1
            }
        }
    }

    pub mod multipart {
        pub mod writer {
            use crate::media::frame::Jpeg;
            use bytes::Bytes;

            #[derive(Debug, Clone, Copy, PartialEq, Eq)]
            pub enum Framing {
                Raw,
            }

            #[derive(Debug)]
            pub struct PreparedPart(&'static str);

            impl PreparedPart {
                pub fn new<T>(jpeg: Jpeg, _: T) -> Self {
                    Self(jpeg.0)
                }

                /// The word, in two pieces.
                pub fn pieces(&self, _: Framing) -> [Bytes; 2] {
                    let (first, second) = self.0.as_bytes().split_at(self.0.len() / 2);
                    [Bytes::from_static(first), Bytes::from_static(second)]
                }
            }
        }
    }

    pub mod stream_name {
        pub type StreamName = &'static str;
    }
}

pub mod registry {
    /// A rendition that is held.
    #[derive(Debug)]
    pub struct RenditionGuard;
}

pub mod observability {
    pub mod task_counts {
        #[derive(Debug)]
        pub enum TaskKind {
            Connection,
        }

        #[derive(Debug)]
        pub struct TaskGuard;

        impl TaskGuard {
            pub fn new(_: TaskKind) -> Self {
                Self
            }
        }
    }
}

/// The counters of a stream: its viewers only.
#[derive(Debug, Default)]
pub struct StreamStats(BoundedCounter);

impl StreamStats {
    pub fn count_frame_in<W>(&self, _: usize, _: Instant, _: W) {}

    pub fn count_frame_out(&self, _: usize, _: u64) {}

    pub fn bytes_out(&self) -> u64 {
        0
    }

    pub fn clear_recording_status(&self) {}

    pub fn viewer_joined(&self, most: usize) -> Result<(), usize> {
        self.0.try_increment(most)
    }

    pub fn viewer_left(&self) {
        self.0.decrement();
    }

    pub fn viewers(&self) -> usize {
        self.0.count()
    }
}

#[derive(Debug)]
pub struct ReplayBuffer;

impl ReplayBuffer {
    pub fn push<T>(&self, _: &Arc<T>) {}
}

#[derive(Debug, Clone, Copy)]
pub struct Processing;

/// There are none: all is written.
#[derive(Debug)]
pub struct SplicePipe;

impl SplicePipe {
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn offer<T>(&mut self, _: &Arc<T>) {}

    pub fn holds<F>(&mut self, _: u64, _: F) -> bool {
        false
    }

    pub fn clear(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
pub struct StreamHandle(pub std::sync::Arc<crate::bus::Bus>);

impl StreamHandle {
    pub fn bus(&self) -> &crate::bus::Bus {
        &self.0
    }
}

#[derive(Debug)]
pub struct ViewerGuard(pub StreamHandle);

impl ViewerGuard {
    pub fn stream(&self) -> &StreamHandle {
        &self.0
    }

    pub fn switch_to(&mut self, _: Option<&StreamHandle>) {}
}

/// A stand-in, since the models do not check which connections are idle.
pub mod connections {
    #[derive(Debug)]
    pub struct Connection;

    impl Connection {
        pub fn wrote(&self) {}

        pub fn flushed(&self) {}

        pub fn awaits_flush(&self) -> bool {
            false
        }
    }
}

/// No peer is given up.
pub mod timeouts {
    use std::{
        io,
        task::{Context, Poll},
        time::Duration,
    };

    pub const IDLE_TIMEOUT: Duration = Duration::MAX;

    #[derive(Debug, Default)]
    pub struct Idle {
        pub wrote: bool,
    }

    impl Idle {
        pub fn is_expired(&mut self, _: &mut Context<'_>, _: impl Fn() -> bool) -> bool {
            false
        }
    }

    #[derive(Debug, Default)]
    pub struct Stall;

    impl Stall {
        pub fn watch(
            &mut self,
            _: &mut Context<'_>,
            written: Poll<io::Result<usize>>,
            _: Duration,
        ) -> Poll<io::Result<usize>> {
            written
        }
    }
}

pub fn limit_key(address: Option<IpAddr>) -> Option<IpAddr> {
    address
}
