//! The table of results.

use serde::Serialize;

use crate::load::Seen;

/// One line.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Line {
    /// Which row of the table it belongs to (`--only`).
    pub row: usize,
    /// The measured quantity.
    pub measure: String,
    /// The baseline server with `write`.
    pub write: String,
    /// The baseline server with `sendfile`.
    pub sendfile: String,
    /// framecast.
    pub framecast: String,
    /// framecast to the `write` baseline.
    pub ratio: String,
    /// The aim.
    pub reach: String,
    /// Whether it was reached; none where it could not be measured.
    pub reached: Option<bool>,
}

/// As Markdown.
pub(crate) fn markdown(lines: &[Line]) -> String {
    let mut text = String::from(
        "| row | measure | baseline `write` | baseline `sendfile` | framecast | ratio to `write` | reach \
         | reached |\n\
         |---|---|---|---|---|---|---|---|\n",
    );
    for line in lines {
        let reached = match line.reached {
            Some(true) => "yes",
            Some(false) => "**no**",
            None => "not measured",
        };
        let dash = |cell: &str| if cell.is_empty() { "–".to_owned() } else { cell.to_owned() };
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | {} | {reached} |\n",
            line.row,
            line.measure,
            dash(&line.write),
            dash(&line.sendfile),
            dash(&line.framecast),
            dash(&line.ratio),
            line.reach,
        ));
    }
    text
}

/// CPU seconds per GB (of 10⁹ bytes) delivered.
pub(crate) fn cpu_per_gb(seen: &Seen) -> f64 {
    seen.cpu_s / (seen.bytes as f64 / 1e9)
}

/// The middle one, of the values of `of`.
pub(crate) fn median(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    middle(seen.iter().map(of).collect())
}

/// The middle one of the ratios of each turn: what disturbs the machine disturbs neighbours alike.
pub(crate) fn median_ratio(seen: &[Seen], to: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    middle(seen.iter().zip(to).map(|(seen, to)| of(seen) / of(to)).collect())
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |place: usize| values.get(place).copied().unwrap_or(f64::NAN);
    (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0
}
