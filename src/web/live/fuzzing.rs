//! See `crate::fuzzing`: what a page says.

use super::{RATES, message::Said};

/// A text is understood or not; one that is has its numbers within their types.
pub fn said(text: &str) {
    if let Ok(Said::Subscribe(wish)) = serde_json::from_str(text) {
        // JSON has no infinities, so that comparing is enough to refuse a rate.
        assert!(wish.fps.is_none_or(|fps| fps.is_finite() || !RATES.contains(&fps)));
        assert!(wish.stream.len() <= text.len());
    }
}
