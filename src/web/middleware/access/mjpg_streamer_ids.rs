//! The numbers and names by which addresses of mjpg-streamer and WebcamXP select streams.

/// The stream that an `action` of mjpg-streamer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::web) enum Which<'a> {
    /// The default stream.
    Default,
    /// The stream at the position of these digits, counted from 0.
    Nth(&'a str),
}

/// Returns the stream that `action` means; `None` if it means none.
pub(in crate::web) fn stream_of(action: &str) -> Option<Which<'_>> {
    match action.split_once('_') {
        None => matches!(action, "stream" | "snapshot").then_some(Which::Default),
        Some(("stream" | "snapshot", digits)) if is_number(digits) => Some(Which::Nth(digits)),
        Some(_) => None,
    }
}

/// Returns whether the text is the digits of a number that fits a position.
fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<usize>().is_ok()
}

/// Returns the name that makes a stream camera N whatever its number is.
pub(in crate::web) fn camera_name(digits: &str) -> String {
    format!("cam_{digits}")
}
