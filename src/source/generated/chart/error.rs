//! The errors of polling points from an address.

/// An error in the response of a polled address.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// The response is not JSON.
    #[error("{host} answered no JSON: {reason}")]
    NotJson {
        /// Host and port.
        host: String,
        /// The JSON error.
        reason: String,
    },
    /// No pointer leads to a number.
    #[error("{host} answered JSON without a number at {pointers}: point `pointers` at the values")]
    NoNumbers {
        /// Host and port.
        host: String,
        /// The configured pointers.
        pointers: String,
    },
}

impl PollError {
    /// Returns the text for everybody.
    pub fn public(&self) -> &'static str {
        match self {
            Self::NotJson { .. } => "the polled address did not answer with JSON",
            Self::NoNumbers { .. } => "the polled address answered JSON without the numbers",
        }
    }
}
