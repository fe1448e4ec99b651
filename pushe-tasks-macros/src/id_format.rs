//! Turns the text of an id into the code that makes it.
//!
//! Invariant: fields bear the place of the text, so that the compiler's word on a field that does not
//! exist, or cannot be shown, points into the attribute.

use proc_macro2::{Literal, TokenStream};
use pushe_tasks_syntax::id_format::{Piece, parse};
use quote::{quote, quote_spanned};
use syn::{Ident, LitStr, Member};

/// The link of the chain of options that gives the id.
pub(crate) fn expand(text: &LitStr, task: &Ident, private: &TokenStream) -> TokenStream {
    // What cannot be cut has been reported, and its task has no options.
    let pieces = parse(&text.value()).unwrap_or_default();
    if let Some(plain) = plain(&pieces) {
        let mut literal = Literal::string(&plain);
        literal.set_span(text.span());
        return quote!(.id(#literal));
    }
    let span = text.span();
    let input = Ident::new("input", proc_macro2::Span::mixed_site());
    let mut format = String::new();
    let mut values = Vec::new();
    for piece in &pieces {
        match piece {
            Piece::Text(text) => format.push_str(&text.replace('{', "{{").replace('}', "}}")),
            Piece::Placeholder { fields, format: how, .. } => {
                let colon = if how.is_empty() { "" } else { ":" };
                format.extend(["{", colon, how, "}"]);
                let fields = fields.iter().map(|field| member(field, text));
                values.push(quote_spanned!(span=> #input #(.#fields)*));
            }
        }
    }
    let mut literal = Literal::string(&format);
    literal.set_span(span);
    let arguments = quote_spanned!(span=> ::core::format_args!(#literal, #(#values),*));
    quote! {
        .id_with({
            fn make(#input: &<#task as #private::Task>::Input) -> #private::String {
                #private::id_text(#arguments)
            }
            make
        })
    }
}

/// The id, where it has no placeholder.
fn plain(pieces: &[Piece]) -> Option<String> {
    pieces
        .iter()
        .map(|piece| if let Piece::Text(text) = piece { Some(text.as_str()) } else { None })
        .collect()
}

fn member(field: &str, text: &LitStr) -> Member {
    let span = text.span();
    if let Ok(index) = field.parse() {
        return Member::Unnamed(syn::Index { index, span });
    }
    // A field whose name is a keyword needs no `r#` in the text.
    let bare = field.strip_prefix("r#").unwrap_or(field);
    let is_word = syn::parse_str::<Ident>(bare).is_ok();
    Member::Named(if is_word { Ident::new(bare, span) } else { Ident::new_raw(bare, span) })
}
