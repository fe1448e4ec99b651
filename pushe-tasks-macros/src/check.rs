//! One function for each rule that looks at more than one value, in reading order.
//!
//! Invariant: a rule says what is wrong on the smallest token that is, and only where nothing has been said of that token.

use proc_macro2::Ident;
use pushe_tasks_syntax::rules;
use quote::format_ident;
use syn::spanned::Spanned;
use syn::{FnArg, LitStr, Safety, Type};

use crate::diag::Diagnostics;
use crate::id::{self, IdForm};
use crate::item::{Function, last_segment};
use crate::messages;
use crate::options::{Id, Options, RetryOptions};

/// The id of a task, judged.
pub(crate) enum TaskId {
    Form(IdForm),
    Function(syn::Path),
}

/// Judges the function by itself.
pub(crate) fn function(function: &mut Function, options: &Options, diag: &mut Diagnostics) {
    receiver(function, diag);
    modifiers(function, diag);
    generics(function, diag);
    asyncness(function, options, diag);
    input_type(function, diag);
    extracted_types(function, diag);
    output_type(function, diag);
}

fn receiver(function: &mut Function, diag: &mut Diagnostics) {
    if let Some(FnArg::Receiver(receiver)) = function.item.sig.inputs.first() {
        diag.on(&receiver.self_token, messages::receiver());
        function.is_callable = false;
    }
}

fn modifiers(function: &mut Function, diag: &mut Diagnostics) {
    let signature = &function.item.sig;
    let unsafety = matches!(signature.safety, Safety::Unsafe(_));
    if let Some(token) = &signature.constness {
        diag.on(token, messages::modifier("const"));
    }
    if unsafety {
        diag.on(&signature.safety, messages::modifier("unsafe"));
    }
    if let Some(abi) = &signature.abi {
        diag.on(&abi.extern_token, messages::modifier("extern"));
    }
    if let Some(variadic) = &signature.variadic {
        diag.on(&variadic.dots, messages::variadic());
    }
    function.is_callable &= !unsafety && signature.variadic.is_none();
}

fn generics(function: &mut Function, diag: &mut Diagnostics) {
    let generics = &function.item.sig.generics;
    if !generics.params.is_empty() {
        let (open, params, close) = (&generics.lt_token, &generics.params, &generics.gt_token);
        diag.on(&quote::quote!(#open #params #close), messages::generic());
        function.is_callable = false;
    }
}

fn asyncness(function: &Function, options: &Options, diag: &mut Diagnostics) {
    let is_blocking = options.run_on.as_ref().is_some_and(|executor| executor.is("Blocking"));
    let signature = &function.item.sig;
    if let Some(token) = &signature.asyncness {
        if is_blocking {
            diag.on(token, messages::blocking_async());
        }
    } else if !is_blocking && (options.run_on.is_some() || !options.has_run_on) {
        diag.on(&signature.fn_token, messages::not_async(function.name()));
    }
}

fn input_type(function: &mut Function, diag: &mut Diagnostics) {
    let message = match &function.input {
        // A borrow of a lifetime that the function declares has been refused with it.
        Some(Type::Reference(_)) if function.is_callable => messages::borrowed_input(),
        Some(Type::ImplTrait(_)) => messages::impl_argument(),
        _ => return,
    };
    diag.on(&function.input, message);
    function.is_callable &= !matches!(function.input, Some(Type::ImplTrait(_)));
    function.input = None;
}

fn extracted_types(function: &mut Function, diag: &mut Diagnostics) {
    for ty in &function.extracted {
        match ty {
            Type::Reference(_) => diag.on(ty, messages::borrowed_extract()),
            Type::ImplTrait(_) => {
                diag.on(ty, messages::impl_argument());
                function.is_callable = false;
            }
            _ => {}
        }
    }
}

fn output_type(function: &Function, diag: &mut Diagnostics) {
    match function.output() {
        Some(ty @ Type::Reference(_)) => diag.on(ty, messages::borrowed_return()),
        Some(ty @ Type::ImplTrait(_)) => diag.on(ty, messages::impl_return()),
        _ => {}
    }
}

/// Judges the options that are about one value, and those that are about two.
pub(crate) fn options(options: &Options, function: &Function, diag: &mut Diagnostics) {
    if let Some(key) = &options.policy_key {
        diag.judge(key, rules::policy(true, options.has_id));
    }
    if let Some(retry) = &options.retry {
        self::retry(retry, diag);
    }
    if let Some(timeout) = &options.timeout {
        diag.judge(timeout, rules::not_zero("timeout", timeout.value));
    }
    if let Some(concurrency) = &options.concurrency {
        diag.judge(concurrency, rules::concurrency(u64::from(concurrency.value)));
    }
    if let Some((key, _)) = &options.retry_if {
        retry_if(key, function, diag);
    }
}

fn retry(retry: &RetryOptions, diag: &mut Diagnostics) {
    if let Some(attempts) = &retry.max_attempts {
        diag.judge(attempts, rules::max_attempts(u64::from(attempts.value)));
    }
    let mut sound = true;
    for (name, time) in [("delay", &retry.delay), ("max_delay", &retry.max_delay)] {
        if let Some(time) = time {
            let verdict = rules::not_zero(name, time.value);
            sound &= verdict.is_ok();
            diag.judge(time, verdict);
        }
    }
    if sound {
        use pushe_tasks_syntax::limits::{RETRY_DELAY, RETRY_MAX_DELAY};

        let delay = retry.delay.as_ref().map_or(RETRY_DELAY, |time| time.value);
        let max_delay = retry.max_delay.as_ref().map_or(RETRY_MAX_DELAY, |time| time.value);
        if let Some(token) = retry.max_delay.as_ref().or(retry.delay.as_ref()) {
            diag.judge(token, rules::backoff(delay, max_delay));
        }
    }
    if let Some(jitter) = &retry.jitter {
        diag.judge(jitter, rules::jitter(jitter.value));
    }
}

fn retry_if(key: &Ident, function: &Function, diag: &mut Diagnostics) {
    let has_no_error = match function.output() {
        None => true,
        Some(Type::Tuple(tuple)) => tuple.elems.is_empty(),
        Some(ty) => last_segment(ty).is_some_and(|last| last == "Outcome"),
    };
    if has_no_error {
        diag.on(key, messages::retry_if_without_result(function.name()));
    }
}

/// The stored name and the aliases.
pub(crate) fn names(options: &Options, type_name: &Ident, diag: &mut Diagnostics) -> (LitStr, Vec<LitStr>) {
    let name = match &options.name {
        Some(name) => {
            diag.judge(name, rules::name(&name.value()));
            name.clone()
        }
        None => LitStr::new(&type_name.to_string(), type_name.span()),
    };
    let mut earlier: Vec<String> = Vec::new();
    for alias in &options.aliases {
        diag.judge(alias, rules::alias(&alias.value(), &name.value(), &earlier));
        earlier.push(alias.value());
    }
    (name, options.aliases.clone())
}

/// The name of the task's type; one that nothing else bears where the right one cannot be had.
pub(crate) fn type_name(options: &Options, function: &Function, diag: &mut Diagnostics) -> Ident {
    let given = options.task.is_some();
    let name = options.task.clone().or_else(|| function.type_name());
    let Some(name) = name else {
        diag.on(function.name(), messages::no_type_name(function.name()));
        return format_ident!("Task{}", function.name(), span = function.name().span());
    };
    let other = || format_ident!("{}Task", name, span = name.span());
    if name == *function.name() {
        diag.on(&name, messages::same_as_function(&name));
        return other();
    }
    let input = function.input.as_ref().filter(|ty| is_bare(ty)).and_then(last_segment);
    if input.is_some_and(|input| *input == name) {
        let place: &dyn quote::ToTokens = if given { &name } else { &function.input };
        diag.at(place.to_token_stream().span(), messages::same_as_input(&name));
        return other();
    }
    name
}

/// Whether a type is one word, which is looked up where the task's type will stand.
fn is_bare(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.len() == 1 && path.path.leading_colon.is_none())
}

/// The id, as far as it can be emitted.
pub(crate) fn task_id(options: &Options, function: &Function, diag: &mut Diagnostics) -> Option<TaskId> {
    match options.id.as_ref()? {
        Id::Text(text) => {
            let form = id::read(text, diag)?;
            if matches!(form, IdForm::Format(..)) && function.input.is_none() {
                diag.on(text, messages::placeholder_without_input());
            }
            Some(TaskId::Form(form))
        }
        Id::Function(path) => {
            if function.input.is_none() {
                diag.on(path, messages::id_function_without_input());
            }
            Some(TaskId::Function(path.clone()))
        }
    }
}
