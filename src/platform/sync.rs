//! Locks, atomics and channels of the modules that loom models: those of the standard library, tokio and
//! dashmap.
//!
//! The crate in `loom/` compiles this file and those modules with `cfg(loom)`, which nothing else sets. There
//! the locks and atomics are loom's, and `mocks` has as much of tokio and dashmap as the modules use. loom's
//! `Arc` holds no `dyn`: for that a modelled module uses the standard library's, whose counting is then not
//! modelled.

#[cfg(not(loom))]
pub(crate) use {
    dashmap::DashMap,
    std::sync::{
        Arc, Mutex, MutexGuard, OnceLock,
        atomic::{AtomicU64, AtomicUsize},
    },
    tokio::{
        select,
        sync::{Notify, futures::Notified, watch},
        task::yield_now,
        time::sleep_until,
    },
};

#[cfg(loom)]
#[path = "../../loom/src/mocks/mod.rs"]
pub(crate) mod mocks;

#[cfg(loom)]
pub(crate) use {
    self::mocks::{
        dashmap::DashMap,
        notify::{Notified, Notify},
        tasks::{select, sleep_until, yield_now},
        watch,
    },
    ::loom::sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, AtomicUsize},
    },
    std::sync::OnceLock,
};
