//! Collects errors, so that one build shows them all.
//!
//! Invariant: an error stands on a token of the user's, and nothing stops at the first one.

use proc_macro2::{Span, TokenStream};
use quote::ToTokens;

use crate::messages::Message;

/// The errors so far.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<syn::Error>,
}

impl Diagnostics {
    /// Adds an error on these tokens.
    pub(crate) fn on(&mut self, tokens: &impl ToTokens, message: impl Into<Message>) {
        self.errors.push(syn::Error::new_spanned(tokens, message.into().text()));
    }

    /// Adds an error at this place.
    pub(crate) fn at(&mut self, span: Span, message: impl Into<Message>) {
        self.errors.push(syn::Error::new(span, message.into().text()));
    }

    /// Adds the error, if there is one, on these tokens.
    pub(crate) fn judge<E: Into<Message>>(&mut self, tokens: &impl ToTokens, verdict: Result<(), E>) {
        if let Err(error) = verdict {
            self.on(tokens, error);
        }
    }

    /// Hands on what the parser of Rust said about tokens that are no Rust.
    pub(crate) fn syntax(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// The errors as items that the compiler reports.
    pub(crate) fn into_items(self) -> TokenStream {
        self.errors.into_iter().flatten().map(syn::Error::into_compile_error).collect()
    }
}

/// The word among `known` that `found` was meant to be, if one is near enough.
pub(crate) fn nearest<'k>(found: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let found = found.to_lowercase();
    known
        .into_iter()
        .map(|word| (distance(&found, &word.to_lowercase()), word))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, word)| *distance <= (word.len() / 3).max(1))
        .map(|(_, word)| word)
}

/// Words in back-ticks, the last one after "or".
pub(crate) fn one_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    let words: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
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

    #[test]
    fn words_are_listed() {
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(["a"]), "`a`");
    }
}
