//! Suggestions and lists of words in messages.

/// Maximum number of characters of a value that a message quotes.
const MAX_QUOTED: usize = 40;

/// Returns the known word nearest to `word`, if it is near enough to be a suggestion.
pub(crate) fn nearest<'n>(word: &str, known: &[&'n str]) -> Option<&'n str> {
    let word = word.to_lowercase();
    let known = known.iter().map(|candidate| (strsim::osa_distance(&word, candidate), *candidate));
    let near = known.filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4);
    near.min_by_key(|(distance, _)| *distance).map(|(_, candidate)| candidate)
}

/// `a`, `a or b`, `a, b or c`.
pub(crate) fn alternatives(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => format!("{} or {last}", most.join(", ")),
    }
}

/// A text as a message quotes it.
pub(super) fn quoted(found: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:/-_#%".contains(c);
    let short: String = found.chars().take(MAX_QUOTED).collect();
    let dots = if short.len() < found.len() { "…" } else { "" };
    if !short.is_empty() && short.chars().all(plain) {
        format!("{short}{dots}")
    } else {
        format!("{short:?}{dots}")
    }
}
