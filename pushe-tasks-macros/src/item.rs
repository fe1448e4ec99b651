//! Reads the function under the attribute.
//!
//! Invariant: the body stays tokens, and the function is emitted as it was written, except for the
//! marks on its arguments that only this attribute knows.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::parse::{ParseStream, Parser};
use syn::{Attribute, FnArg, Ident, Meta, ReturnType, Signature, Type, Visibility};

use crate::diag::Diagnostics;
use crate::messages;

/// The function.
pub(crate) struct Item {
    pub(crate) attrs: Vec<Attribute>,
    pub(crate) vis: Visibility,
    pub(crate) sig: Signature,
    pub(crate) body: TokenStream,
    /// What the task is given, when it is given anything.
    pub(crate) input: Option<Type>,
    /// What the function takes after that, in order.
    pub(crate) extracted: Vec<Type>,
    /// Whether the marks say clearly which argument is what.
    pub(crate) marks_fit: bool,
    /// Whether it takes `self`; nothing can then be emitted beside it.
    pub(crate) is_method: bool,
}

/// Type names that are extracted even as the first argument.
const EXTRACTORS: [&str; 3] = ["State", "TaskContext", "CancellationToken"];

impl Item {
    /// Reads a function, or says what stands there instead.
    pub(crate) fn read(tokens: TokenStream, diag: &mut Diagnostics) -> Option<Self> {
        let mut item = (|input: ParseStream<'_>| {
            let attrs = input.call(Attribute::parse_outer)?;
            let vis: Visibility = input.parse()?;
            let start = input.span();
            let is_function = {
                let ahead = input.fork();
                ahead.parse::<Signature>().is_ok() || starts_function(&input.fork())
            };
            if !is_function {
                diag.at(start, messages::not_a_function());
                input.parse::<TokenStream>()?;
                return Ok(None);
            }
            let sig: Signature = input.parse()?;
            let body = body(input.parse()?, &sig.ident, diag);
            let is_method = sig.receiver().is_some();
            Ok(Some(Self {
                attrs,
                vis,
                sig,
                body,
                input: None,
                extracted: Vec::new(),
                marks_fit: true,
                is_method,
            }))
        })
        .parse2(tokens)
        .unwrap_or_else(|error| {
            diag.syntax(error);
            None
        })?;
        item.refuse_second_attribute(diag);
        item.sort_arguments(diag);
        Some(item)
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.sig.ident
    }

    /// The type that the function returns.
    pub(crate) fn returned(&self) -> TokenStream {
        match &self.sig.output {
            ReturnType::Default => quote!(()),
            ReturnType::Type(_, returned) => returned.to_token_stream(),
        }
    }

    fn refuse_second_attribute(&mut self, diag: &mut Diagnostics) {
        self.attrs.retain(|attr| {
            let second = attr.path().segments.last().is_some_and(|last| last.ident == "pushe_task");
            if second {
                diag.on(attr.path(), messages::attribute_twice());
            }
            !second
        });
    }

    /// Tells the input from what is extracted, and takes the marks off.
    fn sort_arguments(&mut self, diag: &mut Diagnostics) {
        for (index, argument) in self.sig.inputs.iter_mut().enumerate() {
            let FnArg::Typed(argument) = argument else { continue };
            let marks = Marks::take(&mut argument.attrs, diag);
            let first = index == 0;
            if let (Some(_), Some(extract)) = (&marks.input, &marks.extract) {
                diag.on(extract, messages::input_and_extract());
                self.marks_fit = false;
            } else if let Some(input) = marks.input.as_ref().filter(|_| !first) {
                diag.on(input, messages::input_not_first());
                self.marks_fit = false;
            }
            let is_input =
                marks.input.is_some() || (first && marks.extract.is_none() && !is_extractor(&argument.ty));
            if is_input {
                self.input = Some((*argument.ty).clone());
            } else {
                self.extracted.push((*argument.ty).clone());
            }
        }
    }
}

/// The marks of one argument.
#[derive(Default)]
struct Marks {
    input: Option<Attribute>,
    extract: Option<Attribute>,
}

impl Marks {
    fn take(attrs: &mut Vec<Attribute>, diag: &mut Diagnostics) -> Self {
        let mut marks = Self::default();
        attrs.retain(|attr| {
            if attr.path().is_ident("cfg") {
                diag.on(attr, messages::cfg_argument());
                return false;
            }
            let (mark, slot) = if attr.path().is_ident("input") {
                ("input", &mut marks.input)
            } else if attr.path().is_ident("extract") {
                ("extract", &mut marks.extract)
            } else {
                return true;
            };
            if !matches!(attr.meta, Meta::Path(_)) {
                diag.on(&attr.meta, messages::mark_takes_nothing(mark));
            } else if slot.is_some() {
                diag.on(attr, messages::mark_twice(mark));
            }
            slot.get_or_insert_with(|| attr.clone());
            false
        });
        marks
    }
}

/// The type without the groups and parentheses around it.
pub(crate) fn bare(mut ty: &Type) -> &Type {
    loop {
        ty = match ty {
            Type::Group(group) => &group.elem,
            Type::Paren(paren) => &paren.elem,
            other => return other,
        }
    }
}

/// The last segment of the type's path, where it is one.
pub(crate) fn last_segment(ty: &Type) -> Option<&Ident> {
    match bare(ty) {
        Type::Path(path) => path.path.segments.last().map(|last| &last.ident),
        _ => None,
    }
}

fn is_extractor(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| EXTRACTORS.iter().any(|name| last == name))
}

/// Whether a function was meant, even if its signature cannot be read.
fn starts_function(input: ParseStream<'_>) -> bool {
    const WORDS: [&str; 4] = ["const", "async", "unsafe", "extern"];
    while let Ok(token) = input.parse::<TokenTree>() {
        match token {
            TokenTree::Ident(word) if word == "fn" => return true,
            TokenTree::Ident(word) if WORDS.iter().any(|known| word == known) => {}
            TokenTree::Literal(_) => {}
            _ => return false,
        }
    }
    false
}

/// The body: one group in braces, which `macro_rules!` may have put into an invisible one.
fn body(tokens: TokenStream, name: &Ident, diag: &mut Diagnostics) -> TokenStream {
    let mut trees = tokens.clone().into_iter();
    if let (Some(TokenTree::Group(group)), None) = (trees.next(), trees.next())
        && matches!(group.delimiter(), Delimiter::Brace | Delimiter::None)
    {
        return tokens;
    }
    diag.on(name, messages::no_body(name));
    let missing = Span::call_site();
    quote::quote_spanned!(missing=> { ::core::panic!("a task without a body") })
}
