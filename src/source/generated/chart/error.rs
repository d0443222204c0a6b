//! The errors of a polled address that should give points.

/// Why an answer gave no points.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// It is no JSON.
    #[error("{host} answered no JSON: {reason}")]
    NotJson {
        /// Host and port.
        host: String,
        /// The error in the answer.
        reason: String,
    },
    /// No pointer leads to a number.
    #[error("{host} answered JSON without a number at {pointers}: point `pointers` at the values")]
    NoNumbers {
        /// Host and port.
        host: String,
        /// Those that were looked at.
        pointers: String,
    },
}

impl PollError {
    /// Returns a text for everybody.
    pub fn public(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "the polled address did not answer with JSON",
            Self::NoNumbers { .. } => "the polled address answered JSON without the numbers",
        }
    }
}
