//! What outlasts a run of a stream's source: a source is built anew for each run, and its program may need a moment to
//! end.

use super::exec::Turn;

/// What all runs of one stream's source share. Clones share it too.
#[derive(Debug, Clone, Default)]
pub struct Lasting {
    turn: Turn,
}

impl Lasting {
    /// Whose turn it is to run a program.
    pub(super) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Waits until nothing is left of a run: at once, unless the source is a program.
    pub async fn gone(&self) {
        drop(self.turn.take().await);
    }

    /// Ends the hard way what is left of a run.
    pub fn kill(&self) {
        self.turn.kill();
    }
}
