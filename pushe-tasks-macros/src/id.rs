//! From an id with placeholders to the expression that formats it.
//!
//! Invariant: every token that is made here bears the place of the user's literal, so that the compiler's word on a field
//! that does not exist stands there.

use proc_macro2::{Ident, Span, TokenStream};
use pushe_tasks_syntax::id_format::{self, Piece};
use pushe_tasks_syntax::rules;
use quote::{quote, quote_spanned};
use syn::LitStr;

use crate::diag::Diagnostics;
use crate::messages;

/// An id, ready to be emitted.
pub(crate) enum IdForm {
    /// The same for every input.
    Fixed(LitStr),
    /// A format string and its arguments, which take from `input`.
    Format(LitStr, Vec<TokenStream>),
}

/// Reads the text of an id.
pub(crate) fn read(text: &LitStr, diag: &mut Diagnostics) -> Option<IdForm> {
    let written = text.value();
    let pieces = match id_format::parse(&written) {
        Ok(pieces) => pieces,
        Err(error) => {
            let caret = error.caret(&written);
            diag.on(text, messages::wrong_text("id", error, caret));
            return None;
        }
    };
    let span = text.span();
    let (mut format, mut arguments, mut plain) = (String::new(), Vec::new(), String::new());
    for piece in pieces {
        match piece {
            Piece::Text(part) => {
                plain.push_str(&part);
                format.push_str(&part.replace('{', "{{").replace('}', "}}"));
            }
            Piece::Placeholder { fields, format: how, .. } => {
                format.push('{');
                if !how.is_empty() {
                    format.push(':');
                    format.push_str(&how);
                }
                format.push('}');
                arguments.push(argument(&fields, span));
            }
        }
    }
    if arguments.is_empty() {
        diag.judge(text, rules::id(&plain));
        return Some(IdForm::Fixed(LitStr::new(&plain, span)));
    }
    Some(IdForm::Format(LitStr::new(&format, span), arguments))
}

fn argument(fields: &[String], span: Span) -> TokenStream {
    let input = Ident::new("input", Span::mixed_site().located_at(span));
    let mut expression = quote_spanned!(span=> #input);
    for field in fields {
        let member = match field.parse::<u32>() {
            Ok(index) => syn::Member::Unnamed(syn::Index { index, span }),
            Err(_) => syn::Member::Named(Ident::new(field, span)),
        };
        expression = quote_spanned!(span=> #expression.#member);
    }
    quote!(#expression)
}
