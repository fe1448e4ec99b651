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

/// Words in back-ticks, the last one after "or".
pub(crate) fn one_of<'k>(known: impl IntoIterator<Item = &'k str>) -> String {
    let words: Vec<_> = known.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_listed() {
        assert_eq!(one_of(["a", "b", "c"]), "`a`, `b` or `c`");
        assert_eq!(one_of(["a"]), "`a`");
    }
}
