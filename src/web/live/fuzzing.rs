//! See `crate::fuzzing`: what a page says.

use super::{RATES, message::ClientMessage};

/// A text is understood or not; one that is has its numbers within their types.
pub fn client_message(text: &str) {
    if let Ok(ClientMessage::Subscribe(request)) = serde_json::from_str(text) {
        // JSON has no infinities, so that comparing is enough to refuse a rate.
        assert!(request.fps.is_none_or(|fps| fps.is_finite() || !RATES.contains(&fps)));
        assert!(request.stream.len() <= text.len());
    }
}
