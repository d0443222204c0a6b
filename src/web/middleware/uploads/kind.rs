//! Kinds of uploads, each with its share of the budget.

use std::time::Duration;

/// An upload that brought no whole picture for so long may be ended to make room. A picture of 8 MB takes so
/// long at 7 Mbit/s, and longer only matters while there is no room.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// [`GRACE`] for a login, whose form of some hundred bytes comes with its head, or a round trip later.
pub(super) const LOGIN_GRACE: Duration = Duration::from_secs(1);

/// An upload that holds less is not ended to make room: a feed between two pictures would end for nothing.
pub(super) const MIN_EVICTED_BYTES: usize = 64 * 1024;

/// The sixteenths of the budget for pushes, with and without a credential.
pub(super) const PUSH_SIXTEENTHS: usize = 14;

/// The sixteenths of the budget for pushes without a credential; they are part of [`PUSH_SIXTEENTHS`].
const ANONYMOUS_SIXTEENTHS: usize = 8;

/// The sixteenths of the budget for logins, which anybody may send, of 8 KiB each.
const LOGIN_SIXTEENTHS: usize = 1;

/// The sixteenths of the budget for administrators' requests, of 256 KiB each.
const ADMIN_SIXTEENTHS: usize = 1;

/// The kind of an upload, and of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::web) enum UploadKind {
    /// A picture, a feed or points, of a publisher that needed no credential.
    Anonymous,
    /// A picture, a feed or points, of a publisher with a valid credential.
    Known,
    /// A login's form.
    Login,
    /// Settings, or what is to be probed.
    Admin,
}

impl UploadKind {
    pub(super) fn sixteenths(self) -> usize {
        match self {
            Self::Anonymous => ANONYMOUS_SIXTEENTHS,
            Self::Known => PUSH_SIXTEENTHS,
            Self::Login => LOGIN_SIXTEENTHS,
            Self::Admin => ADMIN_SIXTEENTHS,
        }
    }

    /// Returns the time without a whole picture after which it may be ended to make room.
    pub(super) fn grace(self) -> Duration {
        if self == Self::Login { LOGIN_GRACE } else { GRACE }
    }

    /// Returns the size from which an upload may be ended to make room. Logins are all small, but may be
    /// many.
    pub(super) fn min_evicted_bytes(self) -> usize {
        if self == Self::Login { 1 } else { MIN_EVICTED_BYTES }
    }

    /// Returns whether everybody may send it, so that addresses are counted.
    pub(super) fn is_anonymous(self) -> bool {
        matches!(self, Self::Anonymous | Self::Login)
    }
}
