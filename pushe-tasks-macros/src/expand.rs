//! Emits the task: the function as it was written, its type, its options, its implementation, one registration.
//!
//! Invariant: on any error all of that is emitted too, with default options and without a body that calls the function, so
//! that the rest of the user's crate type-checks and no second error appears.

use std::time::Duration;

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{FnArg, LitStr, Type};

use crate::check::{self, TaskId};
use crate::diag::Diagnostics;
use crate::id::IdForm;
use crate::item::{Function, Item};
use crate::options::{Options, RetryOptions};

/// Translates one use of the attribute.
pub(crate) fn task(options: TokenStream, item: TokenStream) -> TokenStream {
    let mut diag = Diagnostics::default();
    let options = Options::read(options, &mut diag);
    let mut function = match Item::read(item, &mut diag) {
        Item::Function(function) => function,
        Item::Other(item) => {
            let errors = diag.into_items();
            return quote!(#item #errors);
        }
    };
    check::function(&mut function, &options, &mut diag);
    check::options(&options, &function, &mut diag);
    let name = check::type_name(&options, &function, &mut diag);
    let (stored, aliases) = check::names(&options, &name, &mut diag);
    let id = check::task_id(&options, &function, &mut diag);

    if matches!(function.item.sig.inputs.first(), Some(FnArg::Receiver(_))) {
        // Within an `impl` no type can be emitted.
        let (item, errors) = (&function.item, diag.into_items());
        return quote!(#item #errors);
    }
    let names = Names { krate: krate(&options), name, stored, aliases };
    if diag.is_empty() {
        whole(&function, &options, id.as_ref(), &names)
    } else {
        let errors = diag.into_items();
        let rest = fallback(&function, &names);
        quote!(#errors #rest)
    }
}

/// What the task is called, and where the crate is.
struct Names {
    /// The path of `__private`.
    krate: TokenStream,
    name: Ident,
    stored: LitStr,
    aliases: Vec<LitStr>,
}

fn krate(options: &Options) -> TokenStream {
    options.krate.as_ref().map_or_else(|| quote!(::pushe_tasks::__private), |path| quote!(#path::__private))
}

fn whole(function: &Function, options: &Options, id: Option<&TaskId>, names: &Names) -> TokenStream {
    let Names { krate, name, .. } = names;
    let chain = chain(function, options, id, krate);
    let body = body(function, options, krate);
    let emitted = items(function, names, &chain, &body);
    let cfgs = &function.cfgs;
    quote! {
        #emitted
        #(#cfgs)*
        #krate::register! { #name, ::core::file!(), ::core::line!(), ::core::column!() }
    }
}

fn fallback(function: &Function, names: &Names) -> TokenStream {
    // The function is named, so that it does not count as unused.
    let function_name = function.name();
    let mention = function.is_callable.then(|| quote!(let _ = #function_name;));
    let krate = &names.krate;
    let body = quote! {
        #mention
        let _ = (input, context);
        ::core::result::Result::Err(#krate::TaskError::new("the attribute of this task has errors"))
    };
    items(function, names, &quote!(), &body)
}

/// The function, the type and its two implementations.
fn items(function: &Function, names: &Names, chain: &TokenStream, body: &TokenStream) -> TokenStream {
    let Names { krate, name, stored, aliases } = names;
    let (item, cfgs, vis) = (&function.item, &function.cfgs, &function.item.vis);
    let docs = docs(function);
    let (input, output) = types(function, krate);
    let requires = function
        .extracted
        .iter()
        .filter(|_| function.is_callable)
        .map(|ty| quote_spanned!(ty.span()=> <#ty as #krate::FromTaskContext>::require(states)?;));
    let schedule = schedule(function, names);
    quote! {
        #item

        #(#cfgs)*
        #docs
        #[allow(dead_code, non_camel_case_types)]
        #[derive(::core::clone::Clone, ::core::marker::Copy, ::core::fmt::Debug)]
        #vis struct #name;

        #(#cfgs)*
        #[allow(dead_code, private_interfaces)]
        impl #name {
            /// How work of this task is scheduled.
            #vis const OPTIONS: #krate::TaskOptions<Self> = #krate::TaskOptions::new() #chain;

            #schedule
        }

        #(#cfgs)*
        #[allow(deprecated, unused_variables, clippy::all, clippy::pedantic)]
        impl #krate::Task for #name {
            const NAME: &'static str = #stored;
            const ALIASES: &'static [&'static str] = &[#(#aliases),*];
            const OPTIONS: #krate::TaskOptions<Self> = Self::OPTIONS;
            type Input = #input;
            type Output = #output;

            fn require(states: &#krate::StateMap) -> ::core::result::Result<(), #krate::MissingState> {
                #(#requires)*
                ::core::result::Result::Ok(())
            }

            async fn perform(
                input: Self::Input,
                context: #krate::TaskContext,
            ) -> ::core::result::Result<#krate::Outcome<Self::Output>, #krate::TaskError> {
                #body
            }
        }
    }
}

fn docs(function: &Function) -> TokenStream {
    if function.docs.is_empty() {
        let text = format!("The task that `{}` performs.", function.name());
        return quote!(#[doc = #text]);
    }
    let docs = &function.docs;
    quote!(#(#docs)*)
}

/// Input and output as the user wrote them, where they can be named.
fn types(function: &Function, krate: &TokenStream) -> (TokenStream, TokenStream) {
    let unit = || quote!(());
    if !function.is_callable {
        return (unit(), unit());
    }
    let input = function.input.as_ref().map_or_else(unit, |ty| quote!(#ty));
    let output = match function.output() {
        None | Some(Type::Reference(_) | Type::ImplTrait(_)) => unit(),
        Some(ty) => quote_spanned!(ty.span()=> <#ty as #krate::IntoOutcome>::Output),
    };
    (input, output)
}

fn schedule(function: &Function, names: &Names) -> TokenStream {
    let (krate, vis) = (&names.krate, &function.item.vis);
    let doc = format!("Begins to schedule one piece of work of `{}`; `.await` stores it.", function.name());
    match &function.input {
        Some(input) if function.is_callable => quote! {
            #[doc = #doc]
            #vis fn schedule(input: #input) -> #krate::Schedule<Self> {
                #krate::Schedule::new(input)
            }
        },
        _ => quote! {
            #[doc = #doc]
            #vis fn schedule() -> #krate::Schedule<Self> {
                #krate::Schedule::new(())
            }
        },
    }
}

/// Takes the arguments out of the context, calls the function, and makes an outcome of what it returned.
fn body(function: &Function, options: &Options, krate: &TokenStream) -> TokenStream {
    let place = Span::mixed_site();
    let extracted: Vec<_> =
        (0..function.extracted.len()).map(|index| format_ident!("extracted_{index}", span = place)).collect();
    let takes = function.extracted.iter().zip(&extracted).map(|(ty, name)| {
        quote_spanned!(ty.span()=> let #name = <#ty as #krate::FromTaskContext>::from_task_context(&context)?;)
    });
    let input = function.input.as_ref().map(|_| quote!(input,));
    let name = function.name();
    let call = quote_spanned!(name.span()=> #name(#input #(#extracted),*));
    let returned =
        if function.is_async() { quote_spanned!(name.span()=> #krate::sendable(#call).await) } else { call };
    let outcome = if let Some((_, path)) = &options.retry_if {
        quote_spanned!(path.span()=> #krate::into_outcome_if(returned, #path))
    } else {
        let place = function.output().map_or_else(Span::call_site, Spanned::span);
        quote_spanned!(place=> #krate::IntoOutcome::into_outcome(returned))
    };
    quote! {
        #(#takes)*
        let returned = #returned;
        #outcome
    }
}

/// The options as a chain of calls, made of the user's own words.
fn chain(function: &Function, options: &Options, id: Option<&TaskId>, krate: &TokenStream) -> TokenStream {
    let mut chain = TokenStream::new();
    match id {
        Some(TaskId::Form(IdForm::Fixed(text))) => chain.extend(quote!(.id(#text))),
        Some(TaskId::Form(IdForm::Format(format, arguments))) => {
            let input = Ident::new("input", Span::mixed_site().located_at(format.span()));
            chain.extend(
                quote_spanned!(format.span()=> .id_with(|#input| ::std::format!(#format, #(#arguments),*))),
            );
        }
        Some(TaskId::Function(path)) => chain.extend(quote_spanned!(path.span()=> .id_with(#path))),
        None => {}
    }
    if let Some(policy) = &options.policy {
        chain.extend(quote!(.policy(#krate::ExistingWorkPolicy::#policy)));
    }
    if let Some(network) = &options.network {
        chain.extend(quote!(.network(#krate::NetworkType::#network)));
    }
    if let Some(retry) = &options.retry {
        let retry = retry_chain(retry, krate);
        chain.extend(quote!(.retry(#krate::RetryOptions::new() #retry)));
    }
    for (method, time) in [("timeout", &options.timeout), ("delay", &options.delay)] {
        if let Some(time) = time {
            chain.extend(call(method, &duration(time.value, krate)));
        }
    }
    if let Some(concurrency) = &options.concurrency {
        let value = concurrency.value;
        chain.extend(quote!(.concurrency(#value)));
    }
    if let Some(run_on) = &options.run_on {
        chain.extend(quote!(.run_on(#krate::RunOn::#run_on)));
    }
    chain
}

fn retry_chain(retry: &RetryOptions, krate: &TokenStream) -> TokenStream {
    let mut chain = TokenStream::new();
    if let Some(attempts) = &retry.max_attempts {
        let value = attempts.value;
        chain.extend(quote!(.max_attempts(#value)));
    }
    if let Some(backoff) = &retry.backoff {
        chain.extend(quote!(.backoff(#krate::Backoff::#backoff)));
    }
    for (method, time) in [("delay", &retry.delay), ("max_delay", &retry.max_delay)] {
        if let Some(time) = time {
            chain.extend(call(method, &duration(time.value, krate)));
        }
    }
    if let Some(jitter) = &retry.jitter {
        let value = jitter.value;
        chain.extend(quote!(.jitter(#value)));
    }
    chain
}

fn call(method: &str, argument: &TokenStream) -> TokenStream {
    let method = Ident::new(method, Span::mixed_site());
    quote!(.#method(#argument))
}

fn duration(length: Duration, krate: &TokenStream) -> TokenStream {
    let (seconds, nanos) = (length.as_secs(), length.subsec_nanos());
    quote!(#krate::Duration::new(#seconds, #nanos))
}
