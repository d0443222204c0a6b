//! "Did you mean": the nearest known word.

/// The known word nearest to `word`, when it is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let letters = word.chars().count();
    known
        .filter(|candidate| candidate.chars().count().abs_diff(letters) <= 3)
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|&(distance, candidate)| distance <= 1 + candidate.len() / 4)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Changes (insert, remove, replace, swap of neighbours) from one word to the other.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.to_lowercase().chars().collect(), b.chars().collect());
    let first = |i: usize| {
        (0..=b.len())
            .map(|j| {
                if i == 0 {
                    j
                } else if j == 0 {
                    i
                } else {
                    0
                }
            })
            .collect()
    };
    let mut rows: Vec<Vec<usize>> = (0..=a.len()).map(first).collect();
    for i in 1..=a.len() {
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(rows[i - 1][j] + 1).min(rows[i][j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            rows[i][j] = least;
        }
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_suggested_and_far_ones_are_not() {
        let known = ["source", "title", "linger", "max_fps", "on_demand", "url"];
        let nearest = |word| nearest(word, known.into_iter());
        for (word, expected) in [
            ("sorce", Some("source")),
            ("Title", Some("title")),
            ("lingre", Some("linger")),
            ("maxfps", Some("max_fps")),
            ("on-demand", Some("on_demand")),
            ("ulr", Some("url")),
            ("colour_of_the_sky", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word), expected, "{word}");
        }
    }
}
