//! Numbers in JSON.

use std::time::{SystemTime, UNIX_EPOCH};

/// Returns a time in Unix seconds, rounded to milliseconds.
pub(in crate::web) fn unix_seconds(time: SystemTime) -> f64 {
    rounded(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64())
}

/// Rounds to three decimal places: more digits mean nothing and make the response long.
pub(in crate::web) fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}
