//! The rule by which a stream's frames are written to each viewer, or spliced from pages that all viewers
//! share.

use std::sync::Arc;

use crate::{bus::FrameReceiver, config::SendFile};

/// Viewers on plain TCP from which splicing costs less CPU than writing. Filling the pipe and a `tee` for
/// each viewer cost more than they save with 4 viewers (1.08 × `write`); with 8 the two are equal within the
/// noise (0.94), with 16 splicing costs 0.87 and with 100 viewers 0.71: docs/performance.md, "Methods of
/// sending".
const SPLICE_FROM_VIEWERS: usize = 8;

/// The method by which a frame is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SendMethod {
    /// Written from memory to each viewer.
    Write,
    /// Copied into the kernel once, and spliced from there into each viewer's socket.
    Splice,
}

impl SendMethod {
    /// Returns the method for this many viewers on plain TCP. Those over TLS do not count: their bytes are
    /// their own.
    pub(super) fn choose(setting: SendFile, plain_viewers: usize) -> Self {
        if setting != SendFile::Never && plain_viewers >= SPLICE_FROM_VIEWERS {
            Self::Splice
        } else {
            Self::Write
        }
    }
}

/// Counts the viewers on plain TCP.
pub(super) fn count_plain(viewers: &[Arc<dyn FrameReceiver>]) -> usize {
    viewers.iter().filter(|viewer| viewer.can_splice()).count()
}

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::bus::{Current, SplicePipe};

    #[derive(Debug)]
    struct Viewer {
        is_plain: bool,
    }

    impl FrameReceiver for Viewer {
        fn on_frame(&self, _: &Current, _: Option<&mut SplicePipe>) {}

        fn wake(&self, _: &Current) {}

        fn can_splice(&self) -> bool {
            self.is_plain
        }

        fn abort(&self) {}

        fn is_closed(&self) -> bool {
            false
        }
    }

    /// Chooses for this many viewers over TLS, followed by this many on plain TCP.
    fn chosen(setting: SendFile, tls: usize, plain: usize) -> SendMethod {
        let viewers: Vec<Arc<dyn FrameReceiver>> =
            (0..tls + plain).map(|n| Arc::new(Viewer { is_plain: n >= tls }) as _).collect();
        SendMethod::choose(setting, count_plain(&viewers))
    }

    #[test]
    fn frames_are_spliced_to_eight_viewers_on_plain_tcp_and_more() {
        assert_eq!(chosen(SendFile::Auto, 0, 7), SendMethod::Write);
        assert_eq!(chosen(SendFile::Auto, 0, 8), SendMethod::Splice);
        assert_eq!(chosen(SendFile::Auto, 0, 1000), SendMethod::Splice);
    }

    #[test]
    fn viewers_over_tls_do_not_count() {
        assert_eq!(chosen(SendFile::Auto, 100, 0), SendMethod::Write);
        assert_eq!(chosen(SendFile::Auto, 100, 7), SendMethod::Write);
        assert_eq!(chosen(SendFile::Auto, 100, 8), SendMethod::Splice);
    }

    #[test]
    fn no_frame_is_spliced_where_the_setting_forbids_it() {
        assert_eq!(chosen(SendFile::Never, 0, 1000), SendMethod::Write);
    }
}
