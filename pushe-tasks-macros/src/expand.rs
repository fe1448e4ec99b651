//! What stands beside the function.
//!
//! Invariant: nothing is decided here but how things are written. Every path is absolute, every local
//! name is the attribute's own, and tokens of the user's keep their place, so that the compiler's own
//! errors point at them.

use std::time::Duration;

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Attribute, Ident, ReturnType};

use crate::check::Usable;
use crate::id_format;
use crate::item::Item;
use crate::options::{Id, Options, RetryOptions};
use crate::value::Priority;

/// A task that is about to be written.
pub(crate) struct Task<'t> {
    pub(crate) item: &'t Item,
    pub(crate) options: &'t Options,
    pub(crate) name: Ident,
    pub(crate) usable: Usable,
    /// A task with a mistake is written but not registered.
    pub(crate) registered: bool,
}

impl Task<'_> {
    /// The type, its implementation and its registration.
    pub(crate) fn expand(&self) -> TokenStream {
        let parts = [self.declaration(), self.methods(), self.implementation(), self.registration()];
        parts.into_iter().collect()
    }

    /// The path of the module that holds everything named here.
    fn private(&self) -> TokenStream {
        self.options
            .krate
            .as_ref()
            .map_or_else(|| quote!(::pushe_tasks::__private), |krate| quote!(#krate::__private))
    }

    /// The same, at a place of the user's.
    fn private_at(&self, span: Span) -> TokenStream {
        let respan = |mut token: TokenTree| {
            token.set_span(span.resolved_at(token.span()));
            token
        };
        self.private().into_iter().map(respan).collect()
    }

    /// Where the function says what it returns.
    fn returned_at(&self) -> Span {
        match &self.item.sig.output {
            ReturnType::Default => self.item.name().span(),
            ReturnType::Type(_, returned) => returned.span(),
        }
    }

    fn attrs<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a Attribute> {
        self.item.attrs.iter().filter(|attr| names.iter().any(|name| attr.path().is_ident(name)))
    }

    /// Attributes that every generated item bears.
    fn conditions(&self) -> TokenStream {
        let copied = self.attrs(&["cfg", "allow"]);
        let deprecated = self.attrs(&["deprecated"]).next().map(|_| quote!(#[allow(deprecated)]));
        quote!(#(#copied)* #deprecated)
    }

    fn declaration(&self) -> TokenStream {
        let (name, vis) = (&self.name, &self.item.vis);
        let copied = self.attrs(&["doc", "cfg", "allow", "deprecated"]);
        let documented = self.attrs(&["doc"]).next().is_some();
        let doc = (!documented).then(|| {
            let text = format!("The task of `{}`.", self.item.name());
            quote!(#[doc = #text])
        });
        let deprecated = self.attrs(&["deprecated"]).next().map(|_| quote!(#[allow(deprecated)]));
        quote! {
            #(#copied)* #doc #deprecated
            #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
            #vis struct #name;
        }
    }

    fn methods(&self) -> TokenStream {
        let (name, vis, private) = (&self.name, &self.item.vis, self.private());
        let conditions = self.conditions();
        let schedule = match &self.item.input {
            Some(input) if self.usable.input => quote! {
                #vis fn schedule(input: #input) -> #private::Schedule<Self> {
                    #private::Schedule::new(input)
                }
            },
            // The input has no type that could stand here, so that a call is taken as it is.
            Some(_) => quote! {
                #vis fn schedule<Unknown>(_: Unknown) -> #private::Schedule<Self> {
                    #private::Schedule::new(())
                }
            },
            None => quote! {
                #vis fn schedule() -> #private::Schedule<Self> {
                    #private::Schedule::new(())
                }
            },
        };
        quote! {
            #conditions
            #[allow(dead_code)]
            impl #name {
                /// How work of this task is scheduled where a call says nothing else.
                #vis const OPTIONS: #private::TaskOptions<Self> = <Self as #private::Task>::OPTIONS;

                /// Schedules one piece of work once it is awaited.
                #schedule
            }
        }
    }

    fn implementation(&self) -> TokenStream {
        let (name, private) = (&self.name, self.private());
        let conditions = self.conditions();
        let stored_name = match &self.options.name {
            Some(name) => name.to_token_stream(),
            None => name.to_string().into_token_stream(),
        };
        let aliases = &self.options.aliases;
        let options = self.options();
        let (input, output) = (self.input(), self.output());
        let required = if self.usable.call { &*self.item.extracted } else { &[] };
        let perform = self.perform();
        quote! {
            #conditions
            impl #private::Task for #name {
                const NAME: &'static ::core::primitive::str = #stored_name;
                const ALIASES: &'static [&'static ::core::primitive::str] = &[#(#aliases),*];
                const OPTIONS: #private::TaskOptions<Self> = #options;
                #input
                #output

                fn require(
                    states: &#private::StateMap,
                ) -> ::core::result::Result<(), #private::MissingState> {
                    let _ = states;
                    #(<#required as #private::FromTaskContext>::require(states)?;)*
                    ::core::result::Result::Ok(())
                }

                #perform
            }
        }
    }

    fn input(&self) -> TokenStream {
        let input = self.item.input.as_ref().filter(|_| self.usable.input);
        input.map_or_else(
            || {
                quote!(
                    type Input = ();
                )
            },
            |input| quote_spanned!(input.span()=> type Input = #input;),
        )
    }

    fn output(&self) -> TokenStream {
        if !self.usable.output {
            return quote!(
                type Output = ();
            );
        }
        let span = self.returned_at();
        let (returned, private) = (self.item.returned(), self.private_at(span));
        quote_spanned!(span=> type Output = <#returned as #private::IntoOutcome>::Output;)
    }

    fn perform(&self) -> TokenStream {
        let private = self.private();
        let (input, context) = (local("input"), local("context"));
        let body = if self.usable.input && self.usable.call && self.usable.output {
            self.body(&input, &context)
        } else {
            quote!(
                let _ = (#input, #context);
                ::core::result::Result::Ok(#private::Outcome::retry())
            )
        };
        // Where the return type is wrong, every use of it says so; they say it at one place.
        let span = self.returned_at();
        let there = self.private_at(span);
        let returned = quote_spanned! {span=>
            ::core::result::Result<#there::Outcome<Self::Output>, #there::TaskError>
        };
        quote! {
            async fn perform(#input: Self::Input, #context: #private::TaskContext) -> #returned { #body }
        }
    }

    /// Takes the arguments out of the context and calls the function.
    fn body(&self, input: &Ident, context: &Ident) -> TokenStream {
        let private = self.private();
        let function = self.item.name();
        let extracted = &self.item.extracted;
        let names: Vec<_> = (0..extracted.len()).map(|index| local(&format!("argument{index}"))).collect();
        let (given, ignored) = match &self.item.input {
            Some(_) => (Some(quote!(#input,)), None),
            None => (None, Some(quote!(let () = #input;))),
        };
        let mut call = quote_spanned!(function.span()=> #function(#given #(#names),*));
        if self.item.sig.asyncness.is_some() {
            // A future that cannot be sent is refused here, on the function's name.
            call = quote_spanned!(function.span()=> #private::boxed(#call).await);
        }
        let mut returned = local("returned");
        returned.set_span(self.returned_at().resolved_at(returned.span()));
        let end = if let Some((_, path)) = &self.options.retry_if {
            quote!(#private::into_outcome_if(#returned, #path))
        } else {
            let span = self.returned_at();
            let private = self.private_at(span);
            quote_spanned!(span=> #private::IntoOutcome::into_outcome(#returned))
        };
        quote! {
            #ignored
            #(let #names = <#extracted as #private::FromTaskContext>::from_task_context(&#context)?;)*
            ::core::mem::drop(#context);
            let #returned = #call;
            #end
        }
    }

    /// The options as a constant, of the user's own words.
    fn options(&self) -> TokenStream {
        let private = self.private();
        let options = self.options;
        let mut chain = quote!(#private::TaskOptions::<Self>::new());
        match &options.id {
            Some(Id::Text(text)) => chain.extend(id_format::expand(text, &self.name, &private)),
            Some(Id::Function(path)) => chain.extend(quote!(.id_with(#path))),
            None => {}
        }
        let mut add = |tokens: Option<TokenStream>| chain.extend(tokens);
        add(options.policy.as_ref().map(|word| quote!(.policy(#private::ExistingWorkPolicy::#word))));
        add(options.network.as_ref().map(|word| quote!(.network(#private::NetworkType::#word))));
        add((!options.requires.is_empty()).then(|| {
            let requirements = options.requires.iter().map(|requirement| requirement.erase(&private));
            quote!(.requires(|| #private::vec![#(#requirements),*]))
        }));
        add(options.on_lost.as_ref().map(|word| quote!(.on_lost(#private::OnLost::#word))));
        add(options.retry.as_ref().map(|retry| {
            let retry = retry_options(retry, &private);
            quote!(.retry(#retry))
        }));
        let time = |time: Duration| duration(time, &private);
        add(options.timeout.as_ref().map(|it| time(it.value)).map(|it| quote!(.timeout(#it))));
        add(options.delay.as_ref().map(|it| time(it.value)).map(|it| quote!(.delay(#it))));
        add(options.priority.as_ref().map(|priority| match priority {
            Priority::Word(word) => quote!(.priority(#private::Priority::#word)),
            Priority::Expedited => quote!(.expedited()),
            Priority::Minutes { token, .. } => quote!(.priority(#private::Priority::Minutes(#token))),
        }));
        add(options.expires.as_ref().map(|it| time(it.value)).map(|it| quote!(.expires(#it))));
        add(options.period.expand(&private));
        let tags = &options.tags;
        add((!tags.is_empty()).then(|| quote!(.tags(&[#(#tags),*]))));
        add(options.concurrency.as_ref().map(|limit| quote!(.concurrency(#limit))));
        add(options.run_on.as_ref().map(|word| quote!(.run_on(#private::RunOn::#word))));
        chain
    }

    fn registration(&self) -> TokenStream {
        if !self.registered {
            return TokenStream::new();
        }
        let (name, private) = (&self.name, self.private());
        let conditions = self.conditions();
        // The place of these three is what they answer.
        let place = quote_spanned! {self.item.name().span()=>
            ::core::file!(), ::core::line!(), ::core::column!()
        };
        quote! {
            #conditions
            const _: () = {
                #private::register! { #name, #place }
            };
        }
    }
}

/// A local name that meets no name of the user's.
fn local(name: &str) -> Ident {
    Ident::new(&format!("__{name}"), Span::mixed_site())
}

fn retry_options(retry: &RetryOptions, private: &TokenStream) -> TokenStream {
    let mut chain = quote!(#private::RetryOptions::new());
    let mut add = |tokens: Option<TokenStream>| chain.extend(tokens);
    add(retry.max_attempts.as_ref().map(|number| quote!(.max_attempts(#number))));
    add(retry.backoff.as_ref().map(|word| quote!(.backoff(#private::Backoff::#word))));
    let time = |time: Duration| duration(time, private);
    add(retry.delay.as_ref().map(|it| time(it.value)).map(|it| quote!(.delay(#it))));
    add(retry.max_delay.as_ref().map(|it| time(it.value)).map(|it| quote!(.max_delay(#it))));
    add(retry.jitter.as_ref().map(|number| {
        let value = number.value;
        quote!(.jitter(#value))
    }));
    chain
}

pub(crate) fn duration(value: Duration, private: &TokenStream) -> TokenStream {
    // A duration that can be written is shorter than a hundred years, which fits.
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    quote!(#private::Duration::from_millis(#millis))
}
