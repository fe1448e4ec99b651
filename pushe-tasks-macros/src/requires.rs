//! Reads the list of constraints.
//!
//! Invariant: a built-in constraint is known by its name; every other entry is handed on as the expression it is.

use proc_macro2::{Span, TokenStream};
use pushe_tasks_syntax::rules;
use quote::{quote, quote_spanned};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Expr, ExprLit, Ident, Lit, LitStr, Token};

use crate::diag::Diagnostics;
use crate::messages;
use crate::options::Entry;
use crate::value::read;

/// Built-in constraints without a value.
const PLAIN: [&str; 3] = ["Charging", "BatteryNotLow", "StorageNotLow"];
/// The one of them that has a sibling with a value.
const STORAGE: &str = "StorageNotLow";
/// The built-in constraint that names a place.
const REACH: &str = "Reach";

/// One entry of the list.
pub(crate) enum Requirement {
    /// A built-in constraint, by the user's own token.
    Plain(Ident),
    /// A host and port, with the user's own token.
    Reach(Ident, LitStr),
    /// An expression of a type that implements `Constraint`.
    Other(Expr),
}

impl Requirement {
    /// The value, as an expression.
    pub(crate) fn expand(&self, private: &TokenStream) -> TokenStream {
        match self {
            Self::Plain(name) => quote!(#private::#name),
            Self::Reach(name, place) => quote!(#private::#name::new(#place)),
            Self::Other(expr) => quote!(#expr),
        }
    }

    /// The value as the engine keeps it; what is no constraint is said at its own place.
    pub(crate) fn erase(&self, private: &TokenStream) -> TokenStream {
        let (value, span) = (self.expand(private), self.span());
        quote_spanned!(span=> #private::requirement(#value))
    }

    fn span(&self) -> Span {
        match self {
            Self::Plain(name) | Self::Reach(name, _) => name.span(),
            Self::Other(expr) => expr.span(),
        }
    }
}

/// Reads the entries; each built-in constraint without a value at most once.
pub(crate) fn read(entry: &Entry, diag: &mut Diagnostics) -> Vec<Requirement> {
    let Some(list) = read::list(entry, diag) else { return Vec::new() };
    let Ok(values) = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(list.stream()) else {
        entry.refuse(diag);
        return Vec::new();
    };
    let mut found: Vec<Requirement> = Vec::new();
    for value in values {
        let requirement = requirement(value, diag);
        if let Some(Requirement::Plain(name)) = &requirement
            && found.iter().any(|other| matches!(other, Requirement::Plain(other) if other == name))
        {
            diag.on(name, messages::constraint_twice(name));
            continue;
        }
        found.extend(requirement);
    }
    found
}

fn requirement(value: Expr, diag: &mut Diagnostics) -> Option<Requirement> {
    match &value {
        Expr::Path(path) => {
            if let Some(name) = path.path.get_ident().filter(|name| PLAIN.iter().any(|plain| name == plain)) {
                return Some(Requirement::Plain(name.clone()));
            }
            if path.path.is_ident(REACH) {
                diag.on(&value, messages::reach_needs_place());
                return None;
            }
        }
        Expr::Call(call) => {
            if let Expr::Path(path) = &*call.func
                && let Some(name) =
                    path.path.get_ident().filter(|name| PLAIN.iter().any(|plain| name == plain))
            {
                let text = if name == STORAGE {
                    messages::storage_without_value()
                } else {
                    messages::constraint_without_value(name)
                };
                diag.on(&value, text);
                return None;
            }
            if let Expr::Path(path) = &*call.func
                && let Some(name) = path.path.get_ident().filter(|name| *name == REACH)
            {
                let place = match call.args.first() {
                    Some(Expr::Lit(ExprLit { lit: Lit::Str(place), .. })) if call.args.len() == 1 => place,
                    _ => {
                        diag.on(&value, messages::reach_needs_place());
                        return None;
                    }
                };
                diag.judge(place, rules::host_and_port(&place.value()));
                return Some(Requirement::Reach(name.clone(), place.clone()));
            }
        }
        _ => {}
    }
    Some(Requirement::Other(value))
}
