//! Texts with the time in them: strftime's conversions, and other uses of `%`.

use jiff::{Timestamp, Zoned, fmt::strtime::BrokenDownTime, tz::TimeZone};

/// Checks that a text's `%` conversions are known; the error names the unknown one and the right form.
///
/// `%%` is a percent sign; so is a `%` before a space or at the end.
///
/// # Errors
/// A description of the mistake, for error messages.
pub fn check_format(text: &str) -> Result<(), String> {
    expand(text, &Zoned::new(Timestamp::UNIX_EPOCH, TimeZone::UTC)).map(drop)
}

/// Returns `text` with its conversions replaced by parts of `time`.
pub(crate) fn expand(text: &str, time: &Zoned) -> Result<String, String> {
    let mut format = String::with_capacity(text.len() + 8);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        format.push(c);
        if c != '%' {
            continue;
        }
        match rest.peek() {
            // In "100 % sure" and "100 %" it can only be a percent sign.
            None => format.push('%'),
            Some(next) if next.is_whitespace() || !next.is_ascii() => format.push('%'),
            Some(_) => format.extend(rest.next()),
        }
    }
    BrokenDownTime::from(time).to_string(&format).map_err(|error| {
        format!(
            "text {text:?}: {error}; conversions are strftime's (%H:%M:%S, %Y-%m-%d), a percent sign is %%"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conversions_are_strftimes_and_percent_signs_survive() {
        let time = "2026-11-22T17:26:02+00:00[UTC]".parse::<Zoned>().unwrap();
        let cases = [
            ("%m/%d  %H:%M:%S 这是一段测试文本。", "11/22  17:26:02 这是一段测试文本。"),
            ("%Y-%m-%d %A %j %I:%M %p", "2026-11-22 Sunday 326 05:26 PM"),
            ("100%% sure", "100% sure"),
            ("100 % sure, 50%", "100 % sure, 50%"),
            ("%-d.%-m. %3f", "22.11. 000"),
            ("百分之%五", "百分之%五"),
            ("no conversion", "no conversion"),
        ];
        for (text, wanted) in cases {
            assert_eq!(expand(text, &time).unwrap(), wanted);
            assert_eq!(check_format(text), Ok(()));
        }
    }

    #[test]
    fn an_unknown_conversion_is_named() {
        let error = check_format("time %K").unwrap_err();
        assert!(error.contains("\"time %K\"") && error.contains("%K") && error.contains("%%"), "{error}");
        assert!(check_format("50%!").is_err());
    }
}
