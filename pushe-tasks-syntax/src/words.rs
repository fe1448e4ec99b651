//! Words that were meant.
//!
//! Invariant: what is near is a matter of letters alone, in either case.

/// The word among `known` that `found` was meant to be, if one is near enough.
///
/// # Examples
/// ```
/// use pushe_tasks_syntax::words::nearest;
///
/// assert_eq!(nearest("netwrok", ["id", "network"]), Some("network"));
/// assert_eq!(nearest("every", ["id", "network"]), None);
/// ```
pub fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&found, &word.to_lowercase()), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .map(|(_, word)| word)
}

/// How many letters must be put in, taken out, changed or swapped with the next.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = changed.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(rows[i - 2][j - 2] + 1);
            }
            row.push(least);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let check = |found, expected| {
            assert_eq!(nearest(found, ["id", "network", "policy", "Keep"]), expected, "{found}");
        };
        check("netwrok", Some("network"));
        check("networks", Some("network"));
        check("polic", Some("policy"));
        check("keep", Some("Keep"));
        check("di", Some("id"));
        check("every", None);
        check("", None);
    }
}
