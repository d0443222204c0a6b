//! How numbers are written in few letters.

/// `12.5`, `120`; nothing known is `-`.
pub(super) fn rate(value: Option<f64>) -> String {
    match value {
        None => "-".to_owned(),
        Some(value) if value < 99.95 => format!("{value:.1}"),
        Some(value) => format!("{value:.0}"),
    }
}

/// kB/s, with thousands as `1.2M`.
pub(super) fn kilobytes(bytes: Option<f64>) -> String {
    match bytes.map(|bytes| bytes / 1000.0) {
        None => "-".to_owned(),
        Some(kilobytes) if kilobytes < 9999.5 => format!("{kilobytes:.0}"),
        Some(kilobytes) => format!("{:.1}M", kilobytes / 1000.0),
    }
}

/// `0.05s`, `12s`, `3m`, `2h`, `5d`.
pub(super) fn span(seconds: f64) -> String {
    match seconds {
        s if s < 9.95 => format!("{s:.1}s"),
        s if s < 90.0 => format!("{s:.0}s"),
        s if s < 5400.0 => format!("{:.0}m", s / 60.0),
        s if s < 172_800.0 => format!("{:.0}h", s / 3600.0),
        s => format!("{:.0}d", s / 86400.0),
    }
}

/// `1 viewer`, `2 viewers`.
pub(super) fn plural(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Why there are no pictures, and when the next try is.
pub(super) fn note(reason: Option<&str>, next_try_in_s: Option<f64>) -> String {
    let next = next_try_in_s.map(|seconds| format!("next try in {}", span(seconds)));
    let parts: Vec<_> = [reason.map(str::to_owned), next].into_iter().flatten().collect();
    // What a camera says must not move the cursor.
    parts.join("; ").chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_take_few_letters() {
        assert_eq!([None, Some(0.0), Some(25.04), Some(120.4)].map(rate), ["-", "0.0", "25.0", "120"]);
        assert_eq!([None, Some(512_400.0), Some(12_340_000.0)].map(kilobytes), ["-", "512", "12.3M"]);
        assert_eq!([0.04, 12.0, 100.0, 7200.0, 400_000.0].map(span), ["0.0s", "12s", "2m", "2h", "5d"]);
        assert_eq!((plural(1, "viewer"), plural(2, "viewer")), ("1 viewer".into(), "2 viewers".into()));
        assert_eq!(note(Some("gone\u{1b}[2J"), Some(3.0)), "gone [2J; next try in 3.0s");
    }
}
