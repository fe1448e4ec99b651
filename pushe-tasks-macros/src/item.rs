//! Reads the function: its arguments, its types, its name. The body stays tokens.
//!
//! Invariant: the function that is emitted is the one that was written, but for the marks on its arguments.

use proc_macro2::{Ident, TokenStream};
use quote::format_ident;
use syn::ext::IdentExt;
use syn::{Attribute, FnArg, ItemFn, ReturnType, Type};

use crate::diag::Diagnostics;
use crate::messages;

/// What the attribute stands on.
pub(crate) enum Item {
    /// A function that a task can be made of, or nearly.
    Function(Box<Function>),
    /// Something else, as it was written.
    Other(TokenStream),
}

/// The function of a task.
pub(crate) struct Function {
    pub(crate) item: ItemFn,
    pub(crate) input: Option<Type>,
    pub(crate) extracted: Vec<Type>,
    /// Whether the function can be named and called with values of the types that it shows.
    pub(crate) is_callable: bool,
    /// Attributes under which the function exists at all.
    pub(crate) cfgs: Vec<Attribute>,
    pub(crate) docs: Vec<Attribute>,
}

/// What stands on an argument for the attribute to read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Input,
    Extract,
}

/// Arguments of these types are extracted wherever they stand.
const EXTRACTORS: [&str; 3] = ["State", "TaskContext", "CancellationToken"];

impl Item {
    pub(crate) fn read(tokens: TokenStream, diag: &mut Diagnostics) -> Self {
        if let Ok(item) = syn::parse2::<ItemFn>(tokens.clone()) {
            return Self::Function(Box::new(Function::read(item, diag)));
        }
        if let Ok(without) = syn::parse2::<syn::ForeignItemFn>(tokens.clone()) {
            let name = &without.sig.ident;
            diag.on(&without.semi_token, messages::no_body(name));
            let (mut attrs, vis, sig) = (without.attrs, without.vis, without.sig);
            // Its arguments are not the user's to use.
            attrs.push(syn::parse_quote!(#[allow(unused_variables)]));
            let block = Box::new(syn::parse_quote!({ loop {} }));
            let item = ItemFn { attrs, vis, modifiers: syn::FnModifiers::default(), sig, block };
            return Self::Function(Box::new(Function::read(item, diag)));
        }
        match syn::parse2::<syn::Item>(tokens.clone()) {
            Ok(item) => diag.on(&Keyword(&item), messages::not_a_function()),
            Err(error) => diag.syntax(error),
        }
        Self::Other(tokens)
    }
}

impl Function {
    fn read(mut item: ItemFn, diag: &mut Diagnostics) -> Self {
        item.attrs.retain(|attribute| {
            let again = attribute.path().segments.last().is_some_and(|last| last.ident == "pushe_task");
            if again {
                diag.on(&attribute.path(), messages::attribute_twice());
            }
            !again
        });
        let mut function = Self {
            cfgs: named(&item.attrs, "cfg"),
            docs: named(&item.attrs, "doc"),
            input: None,
            extracted: Vec::new(),
            is_callable: true,
            item,
        };
        let arguments: Vec<_> = function.item.sig.inputs.iter_mut().collect();
        let mut types = Vec::new();
        for (index, argument) in arguments.into_iter().enumerate() {
            if let FnArg::Typed(argument) = argument {
                let mark = take_marks(&mut argument.attrs, diag);
                refuse_cfg(&argument.attrs, diag);
                types.push((index, mark, (*argument.ty).clone()));
            }
        }
        for (index, mark, ty) in types {
            let is_input = match mark {
                Some(Mark::Input) if index > 0 => {
                    diag.on(&ty, messages::input_not_first());
                    false
                }
                Some(mark) => mark == Mark::Input,
                None => index == 0 && !is_extractor(&ty),
            };
            if is_input {
                function.input = Some(ty);
            } else {
                function.extracted.push(ty);
            }
        }
        function
    }

    pub(crate) fn name(&self) -> &Ident {
        &self.item.sig.ident
    }

    /// The type that it returns; `None` for a function without an arrow.
    pub(crate) fn output(&self) -> Option<&Type> {
        match &self.item.sig.output {
            ReturnType::Default => None,
            ReturnType::Type(_, ty) => Some(ty),
        }
    }

    pub(crate) fn is_async(&self) -> bool {
        self.item.sig.asyncness.is_some()
    }

    /// The name of the task's type: the function's, in upper camel case.
    pub(crate) fn type_name(&self) -> Option<Ident> {
        let name = self.name().unraw().to_string();
        let mut camel = String::with_capacity(name.len());
        for word in name.split('_') {
            let mut letters = word.chars();
            camel.extend(letters.next().into_iter().flat_map(char::to_uppercase));
            camel.push_str(letters.as_str());
        }
        let begins_well = camel.chars().next().is_some_and(char::is_alphabetic);
        // `Self` is the one word in upper camel case that cannot name a type.
        (begins_well && camel != "Self").then(|| format_ident!("{camel}", span = self.name().span()))
    }
}

/// Takes `#[input]` and `#[extract]` off an argument.
fn take_marks(attributes: &mut Vec<Attribute>, diag: &mut Diagnostics) -> Option<Mark> {
    let mut found: Option<Mark> = None;
    attributes.retain(|attribute| {
        let (mark, name) = if attribute.path().is_ident("input") {
            (Mark::Input, "input")
        } else if attribute.path().is_ident("extract") {
            (Mark::Extract, "extract")
        } else {
            return true;
        };
        if !matches!(attribute.meta, syn::Meta::Path(_)) {
            diag.on(attribute, messages::mark_takes_nothing(name));
        }
        match found {
            None => found = Some(mark),
            Some(first) if first == mark => diag.on(attribute, messages::mark_twice(name)),
            Some(_) => diag.on(attribute, messages::input_and_extract()),
        }
        false
    });
    found
}

fn refuse_cfg(attributes: &[Attribute], diag: &mut Diagnostics) {
    for attribute in attributes {
        if attribute.path().is_ident("cfg") || attribute.path().is_ident("cfg_attr") {
            diag.on(attribute, messages::cfg_argument());
        }
    }
}

fn is_extractor(ty: &Type) -> bool {
    last_segment(ty).is_some_and(|last| EXTRACTORS.iter().any(|known| last == known))
}

/// The last segment of a type's path.
pub(crate) fn last_segment(ty: &Type) -> Option<&Ident> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| &segment.ident),
        Type::Group(group) => last_segment(&group.elem),
        Type::Paren(paren) => last_segment(&paren.elem),
        _ => None,
    }
}

fn named(attributes: &[Attribute], name: &str) -> Vec<Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident(name)).cloned().collect()
}

/// The first token of an item that is not an attribute or a visibility: what kind of item it is.
struct Keyword<'i>(&'i syn::Item);

impl quote::ToTokens for Keyword<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let words = [
            "struct",
            "enum",
            "impl",
            "trait",
            "mod",
            "use",
            "const",
            "static",
            "type",
            "union",
            "macro_rules",
        ];
        let all = self.0.to_token_stream();
        let keyword =
            all.clone().into_iter().find(|token| words.iter().any(|word| token.to_string() == *word));
        tokens.extend(keyword.or_else(|| all.into_iter().next()));
    }
}
