//! The report: counts, delays, and every violation.

use std::{
    fmt::Display,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

/// Violations kept word by word; a broken relay would tell the same thousands of times.
const MAX_VIOLATIONS: usize = 100;

/// Of them, those that begin alike: many of one viewer must not hide others.
const MAX_ALIKE: usize = 2;

/// Delays are counted by the millisecond; what is later than this counts as this.
const LONGEST_DELAY_MS: usize = 5_000;

/// Shared by all tasks.
#[derive(Debug)]
pub(crate) struct Report {
    violations: Mutex<Vec<String>>,
    violated: AtomicU64,
    delays: Mutex<Vec<u64>>,
    /// Bytes of parts that viewers took.
    pub(crate) bytes: AtomicU64,
    /// Parts that viewers took.
    pub(crate) parts: AtomicU64,
    /// Of them: a picture shown once more.
    pub(crate) repeats: AtomicU64,
    /// Of them: drawn by framecast while a camera was away.
    pub(crate) placeholders: AtomicU64,
    /// Of them: encoded anew by framecast.
    pub(crate) made: AtomicU64,
    /// Times that a viewer was let in.
    pub(crate) joined: AtomicU64,
    /// Of them: to what runs only while somebody looks at it.
    pub(crate) woken: AtomicU64,
    /// Viewers that came again.
    pub(crate) visits: AtomicU64,
    /// Viewers that never read and were let go, as they should be.
    pub(crate) let_go: AtomicU64,
    /// Frames that cameras sent.
    pub(crate) camera_frames: AtomicU64,
    /// Connections that cameras took.
    pub(crate) camera_connections: AtomicU64,
    /// Cameras that died.
    pub(crate) deaths: AtomicU64,
    /// Changes of the configuration, those with mistakes among them.
    pub(crate) changes: AtomicU64,
    /// Frames that were pushed.
    pub(crate) pushed: AtomicU64,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            violations: Mutex::default(),
            violated: AtomicU64::default(),
            delays: Mutex::new(vec![0; LONGEST_DELAY_MS + 1]),
            bytes: AtomicU64::default(),
            parts: AtomicU64::default(),
            repeats: AtomicU64::default(),
            placeholders: AtomicU64::default(),
            made: AtomicU64::default(),
            joined: AtomicU64::default(),
            woken: AtomicU64::default(),
            visits: AtomicU64::default(),
            let_go: AtomicU64::default(),
            camera_frames: AtomicU64::default(),
            camera_connections: AtomicU64::default(),
            deaths: AtomicU64::default(),
            changes: AtomicU64::default(),
            pushed: AtomicU64::default(),
        }
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}

impl Report {
    /// Something that must not happen has happened.
    pub(crate) fn violation(&self, what: impl Display) {
        count(&self.violated);
        let what = what.to_string();
        let subject = what.split(": ").next().unwrap_or_default();
        let mut violations = locked(&self.violations);
        let alike = violations.iter().filter(|kept| kept.starts_with(subject)).count();
        if violations.len() < MAX_VIOLATIONS && alike < MAX_ALIKE {
            violations.push(what);
        }
    }

    /// Returns the number of violations.
    pub(crate) fn violated(&self) -> u64 {
        self.violated.load(Relaxed)
    }

    /// The first of them.
    pub(crate) fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    /// A new frame took so long from its camera to a viewer.
    pub(crate) fn delayed(&self, us: u64) {
        let ms = usize::try_from(us / 1000).unwrap_or(LONGEST_DELAY_MS).min(LONGEST_DELAY_MS);
        locked(&self.delays)[ms] += 1;
    }

    /// The delay in milliseconds that this share of the frames did not exceed.
    pub(crate) fn delay_ms(&self, share: f64) -> usize {
        let delays = locked(&self.delays);
        let total: u64 = delays.iter().sum();
        let wanted = total as f64 * share;
        let mut seen = 0;
        let reached = delays.iter().position(|&frames| {
            seen += frames;
            seen as f64 >= wanted
        });
        reached.unwrap_or(LONGEST_DELAY_MS)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
