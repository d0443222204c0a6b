//! The state of the writing of a stream's frames to disk.

use std::{sync::Mutex, time::SystemTime};

/// The state of the recorder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordingState {
    /// Nothing to write has come yet.
    Waiting,
    /// The last frame was written.
    Saving,
    /// The last frame could not be written; the next one is tried.
    Failing,
    /// The file has all that it may have, and stays so.
    Full,
}

impl RecordingState {
    /// Returns the name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Saving => "saving",
            Self::Failing => "failing",
            Self::Full => "full",
        }
    }
}

/// The state of the recorder, with its time and reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingStatus {
    /// The state.
    pub state: RecordingState,
    /// Time at which the state began.
    pub since: SystemTime,
    /// Reason for which nothing is written.
    pub reason: Option<String>,
}

/// The state that the recorder writes and others read.
#[derive(Debug, Default)]
pub(crate) struct RecordingStatusCell(Mutex<Option<RecordingStatus>>);

impl RecordingStatusCell {
    /// Sets the state and returns whether it changed.
    pub(crate) fn set(&self, state: RecordingState, reason: Option<String>) -> bool {
        let mut note = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let before = note.as_ref().filter(|before| before.state == state);
        let changed = before.is_none();
        let since = before.map_or_else(SystemTime::now, |before| before.since);
        *note = Some(RecordingStatus { state, since, reason });
        changed
    }

    pub(crate) fn clear(&self) {
        *self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = None;
    }

    pub(crate) fn get(&self) -> Option<RecordingStatus> {
        self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_keeps_its_beginning_and_the_last_reason() {
        let note = RecordingStatusCell::default();
        assert_eq!(note.get(), None);
        assert!(note.set(RecordingState::Failing, Some("no space".to_owned())));
        let first = note.get().unwrap();
        assert!(!note.set(RecordingState::Failing, Some("read-only".to_owned())), "the same state");
        let second = note.get().unwrap();
        assert_eq!((second.since, second.reason.as_deref()), (first.since, Some("read-only")));
        assert!(note.set(RecordingState::Saving, None));
        assert_eq!(
            note.get().map(|saving| (saving.state, saving.reason)),
            Some((RecordingState::Saving, None))
        );
        note.clear();
        assert_eq!(note.get(), None);
        let states =
            [RecordingState::Waiting, RecordingState::Saving, RecordingState::Failing, RecordingState::Full];
        assert_eq!(states.map(RecordingState::as_str), ["waiting", "saving", "failing", "full"]);
    }
}
