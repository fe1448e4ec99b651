//! Reads single values.
//!
//! Invariant: a reader answers `None` only after it has said why.

use std::time::Duration;

use quote::ToTokens;
use syn::{Expr, Ident, Lit, LitStr};

/// A number with its token.
pub(crate) struct Number<T> {
    pub(crate) value: T,
    pub(crate) token: Expr,
}

/// A duration with its literal.
pub(crate) struct Time {
    pub(crate) value: Duration,
    pub(crate) token: LitStr,
}

/// One of an option's known words, as the user's own token.
pub(crate) struct Word {
    pub(crate) token: Ident,
}

/// How urgent a task's work is: one of the words, or minutes with their sign.
pub(crate) enum Priority {
    Word(Word),
    /// Said by an option of its own.
    Expedited,
    Minutes {
        value: i64,
        token: Expr,
    },
}

impl Word {
    pub(crate) fn is(&self, word: &str) -> bool {
        self.token == word
    }
}

impl<T> ToTokens for Number<T> {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.token.to_tokens(tokens);
    }
}

impl ToTokens for Time {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.token.to_tokens(tokens);
    }
}

impl ToTokens for Word {
    fn to_tokens(&self, tokens: &mut proc_macro2::TokenStream) {
        self.token.to_tokens(tokens);
    }
}

/// One reader for each kind of value.
pub(crate) mod read {
    use proc_macro2::Group;
    use pushe_tasks_syntax::duration;
    use pushe_tasks_syntax::words::nearest;
    use syn::parse::Parser;
    use syn::punctuated::Punctuated;
    use syn::{ExprLit, ExprUnary, Path, Token, UnOp};

    use super::{Expr, Ident, Lit, LitStr, Number, Priority, Time, Word};
    use crate::diag::{Diagnostics, one_of};
    use crate::messages;
    use crate::options::{Entry, Id, Value, list_span};

    /// The expression without the invisible groups that `macro_rules!` puts around it.
    fn bare(mut expr: &Expr) -> &Expr {
        while let Expr::Group(group) = expr {
            expr = &group.expr;
        }
        expr
    }

    fn literal(expr: &Expr) -> Option<&Lit> {
        if let Expr::Lit(ExprLit { lit, .. }) = bare(expr) { Some(lit) } else { None }
    }

    fn string(expr: &Expr) -> Option<LitStr> {
        if let Lit::Str(text) = literal(expr)? { Some(text.clone()) } else { None }
    }

    fn plain_path(expr: &Expr) -> Option<Path> {
        match bare(expr) {
            Expr::Path(path) if path.qself.is_none() => Some(path.path.clone()),
            _ => None,
        }
    }

    /// Reads an expression with `reader`, or says what the option takes.
    fn expr<T>(entry: &Entry, diag: &mut Diagnostics, reader: impl Fn(&Expr) -> Option<T>) -> Option<T> {
        let read = if let Value::Expr(value) = &entry.value { reader(value) } else { None };
        if read.is_none() {
            entry.refuse(diag);
        }
        read
    }

    pub(crate) fn text(entry: &Entry, diag: &mut Diagnostics) -> Option<LitStr> {
        expr(entry, diag, string)
    }

    pub(crate) fn path(entry: &Entry, diag: &mut Diagnostics) -> Option<Path> {
        expr(entry, diag, plain_path)
    }

    pub(crate) fn ident(entry: &Entry, diag: &mut Diagnostics) -> Option<Ident> {
        expr(entry, diag, |value| plain_path(value)?.get_ident().cloned())
    }

    pub(crate) fn id(entry: &Entry, diag: &mut Diagnostics) -> Option<Id> {
        expr(entry, diag, |value| string(value).map(Id::Text).or_else(|| plain_path(value).map(Id::Function)))
    }

    pub(crate) fn word(entry: &Entry, what: &str, known: &[&str], diag: &mut Diagnostics) -> Option<Word> {
        let token = ident(entry, diag)?;
        if known.iter().any(|word| token == word) {
            return Some(Word { token });
        }
        let found = token.to_string();
        let message = match nearest(&found, known.iter().copied()) {
            Some(near) => messages::unknown_word_near(what, found, near),
            None => messages::unknown_word(what, found, one_of(known.iter().copied())),
        };
        diag.on(&token, message);
        None
    }

    pub(crate) fn time(entry: &Entry, diag: &mut Diagnostics) -> Option<Time> {
        let token = text(entry, diag)?;
        let written = token.value();
        match duration::parse(&written) {
            Ok(value) => Some(Time { value, token }),
            Err(error) => {
                let caret = error.caret(&written);
                diag.on(&token, messages::wrong_text(entry.spec.name, error, caret));
                None
            }
        }
    }

    pub(crate) fn whole(entry: &Entry, diag: &mut Diagnostics) -> Option<Number<u32>> {
        let (number, token) = expr(entry, diag, |value| match literal(value)? {
            Lit::Int(number) if number.suffix().is_empty() || number.suffix() == "u32" => {
                Some((number.clone(), value.clone()))
            }
            _ => None,
        })?;
        if let Ok(value) = number.base10_digits().parse() {
            return Some(Number { value, token });
        }
        diag.on(&token, messages::number_too_large(entry.spec.name));
        None
    }

    pub(crate) fn fraction(entry: &Entry, diag: &mut Diagnostics) -> Option<Number<f64>> {
        fn number(value: &Expr) -> Option<f64> {
            match bare(value) {
                Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => number(expr).map(|value| -value),
                _ => match literal(value)? {
                    Lit::Int(number) => number.base10_digits().parse().ok(),
                    Lit::Float(number) => number.base10_parse().ok(),
                    _ => None,
                },
            }
        }
        expr(entry, diag, |value| Some(Number { value: number(value)?, token: value.clone() }))
    }

    /// An option that is given by its name alone.
    pub(crate) fn flag(entry: &Entry, diag: &mut Diagnostics) -> bool {
        let given = matches!(entry.value, Value::Nothing);
        if !given {
            entry.refuse(diag);
        }
        given
    }

    /// A word, or whole minutes with their sign; what is too much is said by the rule.
    pub(crate) fn priority(entry: &Entry, diag: &mut Diagnostics) -> Option<Priority> {
        fn minutes(value: &Expr) -> Option<i64> {
            match bare(value) {
                Expr::Unary(ExprUnary { op: UnOp::Neg(_), expr, .. }) => minutes(expr).map(|value| -value),
                _ => match literal(value)? {
                    Lit::Int(number) if matches!(number.suffix(), "" | "i32") => {
                        Some(number.base10_parse().unwrap_or(i64::MAX))
                    }
                    _ => None,
                },
            }
        }
        if let Value::Expr(value) = &entry.value
            && let Some(minutes) = minutes(value)
        {
            return Some(Priority::Minutes { value: minutes, token: value.clone() });
        }
        word(entry, "priority", &["Low", "Normal", "High"], diag).map(Priority::Word)
    }

    /// A list in parentheses that is not empty.
    pub(crate) fn list<'e>(entry: &'e Entry, diag: &mut Diagnostics) -> Option<&'e Group> {
        let Value::List(list) = &entry.value else {
            entry.refuse(diag);
            return None;
        };
        if list.stream().is_empty() {
            let message = messages::empty_list(entry.spec.name, entry.spec.example);
            diag.at(list_span(list), message);
            return None;
        }
        Some(list)
    }

    pub(crate) fn texts(entry: &Entry, diag: &mut Diagnostics) -> Vec<LitStr> {
        let Some(list) = list(entry, diag) else { return Vec::new() };
        let Ok(values) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(list.stream()) else {
            entry.refuse(diag);
            return Vec::new();
        };
        let mut texts = Vec::new();
        for value in &values {
            if let Some(text) = string(value) {
                texts.push(text);
            } else {
                let spec = entry.spec;
                diag.on(value, messages::takes(spec.name, spec.kind, spec.example));
            }
        }
        texts
    }
}
